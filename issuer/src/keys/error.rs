//! What can go wrong with keys. No variant carries key material or token text.

use crate::domain::ids::KeyId;

/// A fault of the issuer's own keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key generator failed or made a key that is not fit to sign.
    #[error("no signing key could be generated: {0}")]
    Generate(String),
    /// The list of prepared keys has run out.
    #[error("all prepared keys have been handed out")]
    NoFixtureLeft,
    /// Text that should be a JWK is none that Passant makes.
    #[error("a signing key is malformed: {0}")]
    Malformed(&'static str),
    /// The row was sealed under a master key that this process does not hold.
    #[error("signing key {kid} is sealed under master key {sealed_under}, but the master key given is {given}")]
    OtherMasterKey {
        /// The row's key.
        kid: KeyId,
        /// The id of the master key that the row names.
        sealed_under: String,
        /// The ids of the master keys at hand.
        given: String,
    },
    /// The master key in force is not at hand.
    #[error("master key {in_force} is in force, but {place} yields {given}: {remedy}")]
    MasterKeyUnknown {
        /// The id of the one in force.
        in_force: String,
        /// Where master keys come from here.
        place: String,
        /// The ids of those at hand.
        given: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The place that master keys come from yields none.
    #[error(transparent)]
    Master(#[from] super::MasterKeyError),
    /// The sealed key was altered, cut off, or belongs to another row.
    #[error("signing key {kid} cannot be opened: its sealed form was altered or belongs to another key")]
    Sealed {
        /// The row's key.
        kid: KeyId,
    },
    /// The cipher itself failed.
    #[error("signing key {kid} could not be sealed")]
    Seal {
        /// The row's key.
        kid: KeyId,
    },
    /// The public and the private half of a row do not belong together.
    #[error("signing key {kid}: public and private half do not belong together")]
    Mismatch {
        /// The row's key.
        kid: KeyId,
    },
    /// There is no unrevoked key.
    #[error("there is no signing key")]
    NoSigner,
    /// Signing failed.
    #[error("signing with key {kid} failed")]
    Sign {
        /// The key.
        kid: KeyId,
    },
}

/// Why a presented token is not one of this issuer's. For the log: whoever presented it learns only that it is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOurs {
    /// Longer than any token of ours.
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// Not three parts of base64url.
    #[error("the token is not a compact JWS")]
    NotCompact,
    /// The header is not exactly `alg typ kid`.
    #[error("the token's header is not one that this issuer writes")]
    Header,
    /// Another algorithm than RS256.
    #[error("the token's algorithm is not RS256")]
    Algorithm,
    /// A token made for another purpose.
    #[error("the token is of another type")]
    Type,
    /// A key that is not this issuer's, or is revoked.
    #[error("the token's key is unknown or revoked")]
    UnknownKey,
    /// The signature is not that key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// What is signed is not a JSON object.
    #[error("the token's payload is not an object")]
    Payload,
}
