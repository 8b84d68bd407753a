//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4): an issuer tells a client, from server to server, that a session
//! has ended. Each is heard once.

use std::fmt;
use std::time::Duration;

use crate::claims::{self, Period, audience, malformed, owned_id, required};
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::header::{Header, Typ};
use crate::json::{Object, Value};
use crate::verifier::Verifier;

impl Verifier {
    /// Verifies a logout token (section 2.6): whatever the browser session or the user that it names has here is to end.
    ///
    /// A token passes once: its `jti` is remembered in this process until the token has expired. Of several processes each remembers its
    /// own; where that matters, keep [`LogoutToken::jti`] where all see it. If the logout could then not be carried out,
    /// [`hear_again`](Self::hear_again) lets the issuer repeat it.
    ///
    /// Like an ID token it is not judged by the revocation feed, but refused where its key was revoked.
    ///
    /// # Errors
    /// The first check that the token fails; to be answered 400 where [`VerifyError::is_token_fault`], else 503 (section 2.8).
    pub fn verify_logout_token(&self, token: &str, expected: &LogoutTokenExpectations<'_>) -> Result<LogoutToken, VerifyError> {
        let token = UnverifiedToken::parse(token)?;
        let header = Header::parse(token.header)?;
        header.require_typ(expected.typs())?;
        let payload = claims::payload_object(token.payload())?;
        let (_, issuer) = self.issuer_of(&payload)?;
        let logout = LogoutToken::read(&payload)?;
        let (now, leeway) = (issuer.now(), issuer.policy.leeway);
        logout.period.check(leeway, expected.max_lifetime, now.unix_millis)?;
        let ours = required(audience(&payload)?, "aud")?;
        if !ours.iter().any(|aud| aud == expected.client_id) {
            return Err(VerifyError::quoting(Reason::WrongAudience, "aud", ours.first().map_or("", String::as_str)));
        }
        issuer.prove(&token, &header, now)?;
        issuer.logouts.hear(&logout.jti, logout.period.ends(leeway), now.unix_millis)?;
        Ok(logout)
    }

    /// Forgets that this token was heard, so that it passes once more: for a logout that could not be carried out and that the issuer is
    /// going to repeat.
    pub fn hear_again(&self, logout: LogoutToken) {
        if let Some(issuer) = self.issuers().find(|issuer| issuer.is_named(&logout.issuer)) {
            issuer.logouts.forget(&logout.jti);
        }
    }
}

/// What a client demands of a logout token.
#[derive(Debug, Clone)]
pub struct LogoutTokenExpectations<'a> {
    client_id: &'a str,
    max_lifetime: Duration,
    untyped: bool,
}

impl<'a> LogoutTokenExpectations<'a> {
    /// A logout token for this client, typed `logout+jwt`, that lives for two minutes at most (section 2.4).
    pub fn new(client_id: &'a str) -> Self {
        Self { client_id, max_lifetime: Duration::from_secs(2 * 60), untyped: false }
    }

    /// Accepts tokens whose `typ` is `JWT` or absent as well. The type is recommended, not required, and some issuers leave it out; `events`
    /// still tells a logout token from others.
    pub fn accept_untyped(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// The longest accepted distance from `iat` to `exp`, for issuers that do not keep to two minutes. Tokens are remembered for as long.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = max_lifetime;
        self
    }

    fn typs(&self) -> &'static [Typ] {
        const TYPED: &[Typ] = &[Typ::LogoutToken];
        const UNTYPED: &[Typ] = &[Typ::LogoutToken, Typ::Jwt, Typ::Absent];
        if self.untyped { UNTYPED } else { TYPED }
    }
}

/// A logout token that passed every check: this session, or whatever sessions this user has, ended at the issuer. At least one of
/// [`sid`](Self::sid) and [`subject`](Self::subject) is there.
pub struct LogoutToken {
    issuer: String,
    subject: Option<String>,
    sid: Option<String>,
    jti: String,
    period: Period,
}

/// The event that makes a token a logout token (section 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl LogoutToken {
    fn read(claims: &Object<'_>) -> Result<Self, VerifyError> {
        if claims.get("nonce").is_some() {
            return Err(VerifyError::about(Reason::TypNotAllowed, "nonce"));
        }
        match required(claims.get("events"), "events")? {
            Value::Object(events) => match events.get(LOGOUT_EVENT) {
                Some(Value::Object(_)) => {}
                Some(_) => return Err(malformed("events")),
                None => return Err(VerifyError::about(Reason::TypNotAllowed, "events")),
            },
            _ => return Err(malformed("events")),
        }
        let (subject, sid) = (owned_id(claims, "sub")?, owned_id(claims, "sid")?);
        if subject.is_none() && sid.is_none() {
            return Err(VerifyError::about(Reason::ClaimMissing, "sub or sid"));
        }
        let issuer = claims::issuer(claims)?.to_owned();
        Ok(Self { issuer, subject, sid, jti: required(owned_id(claims, "jti")?, "jti")?, period: Period::read(claims)? })
    }

    /// `iss`: where the session ended.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: the user. Without [`sid`](Self::sid), all sessions of the user ended.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `sid`: the session, as the ID token named it.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// `jti`: the token's own id.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `iat`, in seconds since the Unix epoch.
    pub fn issued_at(&self) -> i64 {
        self.period.issued_at
    }

    /// `exp`, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> i64 {
        self.period.expires_at
    }
}

impl fmt::Debug for LogoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutToken")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("sid", &self.sid)
            .field("jti", &self.jti)
            .finish_non_exhaustive()
    }
}
