//! Claims of this installation's own: a client's registration says which of a user's roles and attributes its tokens carry, and
//! under which name.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::text::{checked_text, deserialize_parsed, named_values};

checked_text!(
    /// The name of a mapped claim: 1 to 64 visible ASCII characters, and none that a standard or Passant gave a meaning.
    ClaimName,
    InvalidClaimName
);

/// Names that no mapping may take: those of the tokens themselves, and those whose truth the server alone vouches for (OpenID Connect
/// Core, section 5.1; RFC 9068, section 2.2; RFC 7519, section 4.1). `roles` is meant to be mapped (RFC 9068, section 2.2.3.1).
const RESERVED: [&str; 50] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "born",
    "sid",
    "gid",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "rt_hash",
    "cnf",
    "act",
    "may_act",
    "events",
    "status",
    "typ",
    "sub_jwk",
    "_claim_names",
    "_claim_sources",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "authorization_details",
];

impl ClaimName {
    fn check(text: &str) -> Result<(), InvalidClaimName> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(InvalidClaimName::Shape);
        }
        if RESERVED.contains(&text) { Err(InvalidClaimName::Reserved) } else { Ok(()) }
    }
}

/// Why a text cannot name a mapped claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaimName {
    /// Empty, too long, or with characters that claims should not have.
    #[error("a claim's name has 1 to 64 visible ASCII characters, without quotes and backslashes")]
    Shape,
    /// It has a meaning already.
    #[error("this claim has its meaning from a standard, or from Passant; choose another name")]
    Reserved,
}

/// Where a mapped claim comes from: `roles`, or `attributes.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimSource {
    /// All of the user's roles.
    Roles,
    /// One of the user's attributes.
    Attribute(String),
}

impl FromStr for ClaimSource {
    type Err = InvalidClaimSource;

    fn from_str(text: &str) -> Result<Self, InvalidClaimSource> {
        match text.split_once('.') {
            None if text == "roles" => Ok(Self::Roles),
            Some(("attributes", name)) if attribute_name(name) => Ok(Self::Attribute(name.to_owned())),
            _ => Err(InvalidClaimSource),
        }
    }
}

impl fmt::Display for ClaimSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles => f.write_str("roles"),
            Self::Attribute(name) => write!(f, "attributes.{name}"),
        }
    }
}

impl Serialize for ClaimSource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimSource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_parsed(deserializer, "the source of a claim")
    }
}

/// The text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a claim comes from roles or from attributes.NAME")]
pub struct InvalidClaimSource;

/// Whether a text can name an attribute: 1 to 64 of A–Z, a–z, 0–9, underscore and hyphen.
pub fn attribute_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

named_values!(
    /// Where a mapped claim is carried.
    Carrier {
        /// Access tokens, for the services behind the client.
        AccessToken = "access_token",
        /// ID tokens, for the client itself.
        IdToken = "id_token",
        /// The answers of /userinfo.
        UserInfo = "userinfo",
    }
);

/// One mapping of a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedClaim {
    /// What it says.
    pub from: ClaimSource,
    /// Where it is carried; access tokens alone unless said otherwise.
    #[serde(default = "access_token")]
    pub carried_by: BTreeSet<Carrier>,
}

fn access_token() -> BTreeSet<Carrier> {
    BTreeSet::from([Carrier::AccessToken])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_takes_no_name_that_has_a_meaning() {
        for good in ["roles", "department", "https://example.com/tier"] {
            assert_eq!(good.parse::<ClaimName>().unwrap().as_str(), good);
        }
        for reserved in RESERVED {
            assert_eq!(reserved.parse::<ClaimName>(), Err(InvalidClaimName::Reserved), "{reserved}");
        }
        for bad in ["", "a b", "a\"b", &"x".repeat(65), "é"] {
            assert_eq!(bad.parse::<ClaimName>(), Err(InvalidClaimName::Shape), "{bad:?}");
        }
    }

    #[test]
    fn a_source_is_the_roles_or_one_attribute() {
        for text in ["roles", "attributes.department"] {
            assert_eq!(text.parse::<ClaimSource>().unwrap().to_string(), text);
        }
        for bad in ["", "role", "attributes", "attributes.", "attributes.a.b", "roles.x"] {
            assert_eq!(bad.parse::<ClaimSource>(), Err(InvalidClaimSource), "{bad}");
        }
    }

    #[test]
    fn a_mapping_is_carried_by_access_tokens_unless_it_says_otherwise() {
        let mapped: MappedClaim = serde_json::from_str(r#"{"from":"roles"}"#).unwrap();
        assert_eq!(mapped.carried_by, BTreeSet::from([Carrier::AccessToken]));
    }
}
