//! The claims of the tokens Passant signs (RFC 9068, OpenID Connect Core section 2) and of /userinfo, as values.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::{ClientId, GrantId, SessionId, Tick, TokenId, UserId};
use super::scope::{Scope, ScopeSet, spaced};
use super::user::User;
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
}

/// How long an ID token lives: long enough to be read once.
pub const ID_TOKEN_LIFE: Duration = Duration::from_secs(10 * 60);

/// `at_hash` for RS256: the left half of SHA-256 over the access token (OpenID Connect Core, section 3.1.3.6).
pub fn at_hash(access_token: &str) -> String {
    let digest = Sha256::digest(access_token.as_bytes());
    let (half, _) = digest.split_at(16);
    Base64UrlUnpadded::encode_string(half)
}

/// What /userinfo says of a user, by the scopes of the token (OpenID Connect Core, section 5.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// The user.
    pub sub: UserId,
    /// `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

impl UserInfo {
    /// The claims of the user that these scopes open.
    pub fn of(user: User, scopes: &ScopeSet) -> Self {
        let (profile, email) = (scopes.contains(&Scope::PROFILE), scopes.contains(&Scope::EMAIL));
        Self {
            sub: user.id,
            name: user.name.filter(|_| profile),
            preferred_username: profile.then_some(user.username),
            email_verified: user.email.as_ref().filter(|_| email).map(|_| user.email_verified),
            email: user.email.filter(|_| email),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::profile::Profile;

    fn ada() -> User {
        User {
            id: UserId::new("u"),
            username: "ada".into(),
            name: Some("Ada Lovelace".into()),
            email: Some("ada@example.com".into()),
            email_verified: false,
            phone_number: None,
            phone_number_verified: false,
            profile: Profile::default(),
            roles: BTreeSet::new(),
            attributes: BTreeMap::new(),
            administrator: false,
            created_at: UnixTime::from_seconds(0),
            updated_at: UnixTime::from_seconds(0),
            disabled_at: None,
        }
    }

    fn shown(scope: &str) -> String {
        serde_json::to_string(&UserInfo::of(ada(), &scope.parse().unwrap())).unwrap()
    }

    #[test]
    fn a_scope_opens_its_own_claims_and_no_others() {
        assert_eq!(shown("openid"), r#"{"sub":"u"}"#);
        assert_eq!(shown("openid profile"), r#"{"sub":"u","name":"Ada Lovelace","preferred_username":"ada"}"#);
        assert_eq!(shown("openid email"), r#"{"sub":"u","email":"ada@example.com","email_verified":false}"#);
    }

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
