//! The signing-key ring: making keys, sealing them under the master key, signing, and the bytes of the JWKS. The only place
//! that names josekit, and the only one that ever holds a private key in the clear.
//!
//! josekit signs and verifies bytes here and nothing more. Its own judgement of claims is not used: it passes tokens without
//! `aud` and panics on a huge `exp`.

pub mod error;
pub mod generate;
pub mod jwks;
pub mod master;
pub mod master_file;
pub mod place;
pub mod ring;
pub mod seal;

mod compact;
mod jwk;
mod opened;

pub use error::{KeyError, NotOurs};
pub use generate::{FixtureKeys, FreshKey, GenerateKey, RsaGenerator, RsaSize};
pub use jwks::JwksDocument;
pub use master::{MasterKey, MasterKeyError};
pub use place::MasterKeyPlace;
pub use ring::{KeyRing, Signer};

#[cfg(test)]
mod tests;
