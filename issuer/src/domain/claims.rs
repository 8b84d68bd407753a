//! The claims of the tokens Passant signs (RFC 9068, OpenID Connect Core section 2), as values.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ids::{ClientId, GrantId, SessionId, Tick, TokenId, UserId};
use super::scope::{ScopeSet, spaced};
use super::status_list::Status;
use crate::clock::UnixTime;

/// `typ` of an access token (RFC 9068, section 2.1).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";
/// `typ` of an ID token.
pub const ID_TOKEN_TYP: &str = "JWT";
/// Authentication by password alone, as `acr`: ISO/IEC 29115 level 1 in the spelling OpenID Connect Core section 2 gives.
pub const ACR_PASSWORD: &str = "1";

/// One audience or several, in the shape a JWT gives them (RFC 7519, section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single string.
    One(String),
    /// An array.
    Many(Vec<String>),
}

impl From<Vec<String>> for Audience {
    fn from(mut all: Vec<String>) -> Self {
        match (all.len(), all.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => {
                all.extend(last);
                Self::Many(all)
            }
        }
    }
}

/// The claims of an access token, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// The issuer.
    pub iss: String,
    /// The user, or the client itself for client_credentials.
    pub sub: String,
    /// The resources that may accept it.
    pub aud: Audience,
    /// The client.
    pub client_id: ClientId,
    /// When it was made, in seconds: taken before the evidence was read.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// Its own id.
    pub jti: TokenId,
    /// What it allows; absent where nothing was asked.
    #[serde(default, with = "spaced", skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// The tick at which its authority began.
    pub born: Tick,
    /// The browser session it dies with; never in tokens of an `offline_access` grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// The grant it descends from; none for client_credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<GrantId>,
    /// When the user signed in, where the client's registration asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strongly, where the client's registration asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what means, where the client's registration asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// Its place in a Token Status List, where the client's registration asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What the client's registration maps, for the services behind it; of a token that is read back, every claim but those above.
    #[serde(flatten)]
    pub mapped: Map<String, Value>,
}

impl AccessToken {
    /// Whether its time is up.
    pub fn expired(&self, now: UnixTime) -> bool {
        now.seconds() >= self.exp
    }
}

/// The claims of an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdToken {
    /// The issuer.
    pub iss: String,
    /// The user.
    pub sub: UserId,
    /// The client.
    pub aud: ClientId,
    /// When it was made, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// When the user signed in, in seconds.
    pub auth_time: i64,
    /// How strongly.
    pub acr: &'static str,
    /// By what means.
    pub amr: Vec<String>,
    /// The browser session.
    pub sid: SessionId,
    /// The request's nonce, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Half the hash of the access token it came with.
    pub at_hash: String,
    /// What was asked for by name, and what the client's registration maps.
    #[serde(flatten)]
    pub user: Map<String, Value>,
}

/// How long an ID token lives: long enough to be read once.
pub const ID_TOKEN_LIFE: Duration = Duration::from_secs(10 * 60);

/// `at_hash` for RS256: the left half of SHA-256 over the access token (OpenID Connect Core, section 3.1.3.6).
pub fn at_hash(access_token: &str) -> String {
    let digest = Sha256::digest(access_token.as_bytes());
    let (half, _) = digest.split_at(16);
    Base64UrlUnpadded::encode_string(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_hash_is_the_left_half_of_sha256() {
        // RFC 7636, appendix B gives the whole hash of this text: E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
        assert_eq!(at_hash("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCA");
    }

    #[test]
    fn one_audience_is_a_string_and_several_are_an_array() {
        assert_eq!(Audience::from(vec!["a".into()]), Audience::One("a".into()));
        assert_eq!(Audience::from(vec!["a".into(), "b".into()]), Audience::Many(vec!["a".into(), "b".into()]));
    }
}
