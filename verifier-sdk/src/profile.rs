//! What an issuer's access tokens look like. RFC 9068 gives them a type of their own, so that no other token passes for one; for
//! issuers that do not keep to it there is a lenient profile, which tells the kinds apart by what else can be told.

use std::borrow::Cow;

use crate::claims::{as_id, malformed, strings, text};
use crate::error::{Reason, VerifyError};
use crate::header::Typ;
use crate::json::{Object, Value};

/// What an issuer's access tokens look like.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Profile {
    /// As RFC 9068 has them: `typ` is `at+jwt`; `iss`, `sub`, `aud`, `client_id`, `jti`, `iat` and `exp` are there; `scope` is one
    /// text. The default.
    #[default]
    AccessToken,
    /// As they come from issuers that do not keep to RFC 9068.
    LenientAccessToken(LenientAccessToken),
}

/// The profile for issuers whose access tokens say `JWT` of themselves or nothing: Auth0, Keycloak, Entra ID, Okta, Amazon Cognito.
///
/// It is weaker than RFC 9068. There the type tells an access token from every other token of the issuer; here it does not, and an ID
/// token for a client is an access token for whoever takes that client's id as its audience. So give your API **an audience of its
/// own**, which no client has as its id. Refused are moreover tokens with what only other kinds have: `nonce`, `at_hash`, `c_hash` or
/// `events`, a `token_use` other than `access`, a claim `typ` of `ID`, `Refresh`, `Offline` or `Logout`. An ID token without any of
/// these cannot be told apart.
///
/// What it accepts beyond RFC 9068:
///
/// - `typ` may be `JWT` or absent, besides `at+jwt`
/// - `jti` may be absent (Auth0, Entra ID)
/// - the client may stand in `azp` (Auth0, Entra ID, Keycloak), `cid` (Okta) or `appid` (Entra ID) instead of `client_id`; it has to
///   stand in one
/// - scopes may stand in `scp` (Okta, Entra ID) instead of `scope`, and be an array of texts
/// - `aud` may be absent (Cognito), but only where
///   [`dangerous_accept_any_audience`](crate::VerifierBuilder::dangerous_accept_any_audience) waives it; name the clients with
///   [`issued_to`](crate::VerifierBuilder::issued_to) then
/// - tokens may live for 24 hours (Auth0) unless [`max_lifetime`](crate::VerifierBuilder::max_lifetime) says otherwise
#[derive(Debug, Clone)]
pub struct LenientAccessToken {
    scope_claims: Vec<String>,
    client_claims: Vec<String>,
}

impl Default for LenientAccessToken {
    fn default() -> Self {
        Self::new()
    }
}

impl LenientAccessToken {
    /// The profile as described above.
    pub fn new() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { scope_claims: names(&["scope", "scp"]), client_claims: names(&["client_id", "azp", "cid", "appid"]) }
    }

    /// Where scopes stand, for instance in `permissions` (Auth0 with RBAC): of these claims the first that a token has.
    pub fn scope_claims(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scope_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Where the client stands: in the first of these claims that a token has.
    pub fn client_claims(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.client_claims = names.into_iter().map(Into::into).collect();
        self
    }
}

impl From<LenientAccessToken> for Profile {
    fn from(lenient: LenientAccessToken) -> Self {
        Self::LenientAccessToken(lenient)
    }
}

impl Profile {
    /// What a token's `typ` may say.
    pub(crate) fn typs(&self) -> &'static [Typ] {
        const STRICT: &[Typ] = &[Typ::AccessToken];
        const LENIENT: &[Typ] = &[Typ::AccessToken, Typ::Jwt, Typ::Absent];
        if self.is_lenient() { LENIENT } else { STRICT }
    }

    pub(crate) fn is_lenient(&self) -> bool {
        matches!(self, Self::LenientAccessToken(_))
    }

    /// Refuses claims that betray another kind of token, where `typ` does not.
    pub(crate) fn refuse_other_kinds(&self, claims: &Object<'_>) -> Result<(), VerifyError> {
        if self.is_lenient() { NOT_ACCESS_TOKENS.refuse(claims) } else { Ok(()) }
    }

    /// The client, wherever it stands.
    pub(crate) fn client_id<'c>(&self, claims: &'c Object<'_>) -> Result<Option<&'c str>, VerifyError> {
        let standing = match self {
            Self::AccessToken => claims.get("client_id"),
            Self::LenientAccessToken(lenient) => lenient.client_claims.iter().find_map(|name| claims.get(name)),
        };
        standing.map(|client| as_id(client, "client_id")).transpose()
    }

    /// The scopes, wherever they stand, separated by blanks.
    pub(crate) fn scope<'c>(&self, claims: &'c Object<'_>) -> Result<Option<Cow<'c, str>>, VerifyError> {
        let standing = match self {
            Self::AccessToken => return Ok(text(claims, "scope")?.map(Cow::Borrowed)),
            Self::LenientAccessToken(lenient) => lenient.scope_claims.iter().find_map(|name| claims.get(name)),
        };
        match standing {
            None => Ok(None),
            Some(Value::String(scopes)) => Ok(Some(Cow::Borrowed(scopes))),
            Some(scopes) => {
                let one_each = |scopes: &Vec<String>| scopes.iter().all(|scope| !scope.is_empty() && !scope.contains(' '));
                let scopes = strings(scopes).filter(one_each).ok_or_else(|| malformed("scope"))?;
                Ok(Some(Cow::Owned(scopes.join(" "))))
            }
        }
    }
}

/// What betrays a token of another kind where the header's `typ` says nothing.
pub(crate) struct Telltales {
    /// Claims that only other kinds have.
    members: &'static [&'static str],
    /// What Cognito says of the wanted kind in `token_use`.
    token_use: &'static str,
    /// What Keycloak says in the claim `typ` of other kinds.
    typs: &'static [&'static str],
}

const NOT_ACCESS_TOKENS: Telltales = Telltales {
    members: &["nonce", "at_hash", "c_hash", "events"],
    token_use: "access",
    typs: &["ID", "Refresh", "Offline", "Logout"],
};

pub(crate) const NOT_ID_TOKENS: Telltales =
    Telltales { members: &["events"], token_use: "id", typs: &["Bearer", "DPoP", "Refresh", "Offline", "Logout"] };

impl Telltales {
    pub(crate) fn refuse(&self, claims: &Object<'_>) -> Result<(), VerifyError> {
        let name = if let Some(name) = self.members.iter().find(|name| claims.get(name).is_some()) {
            name
        } else if text(claims, "token_use")?.is_some_and(|used_as| used_as != self.token_use) {
            "token_use"
        } else {
            let kind = claims.get("typ").and_then(Value::as_str).unwrap_or_default();
            if !self.typs.iter().any(|other| kind.eq_ignore_ascii_case(other)) {
                return Ok(());
            }
            "typ"
        };
        Err(VerifyError::about(Reason::TypNotAllowed, name))
    }
}
