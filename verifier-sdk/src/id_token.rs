//! ID tokens (OpenID Connect Core 1.0, section 2): what a client learns of a sign-in that it asked for. They are judged against that
//! request, which an access token has none of, so they have an entry of their own and neither passes for the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::claims::{self, Period, audience, malformed, millis, numeric_date, owned_id, required, strings, unix_millis};
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::header::{Header, Typ};
use crate::json::Object;
use crate::profile::NOT_ID_TOKENS;
use crate::signature::hash;
use crate::verified::{ClaimsError, claims_as};
use crate::verifier::Verifier;

impl Verifier {
    /// Verifies an ID token (OpenID Connect Core 1.0, section 3.1.3.7) against the request that it answers. The audience that the
    /// verifier was built with is not asked; the client is.
    ///
    /// Where a service has several issuers, show the token to the verifier of the issuer that was asked, not to one put together by
    /// [`any_of`](Self::any_of): an issuer must not answer for another.
    ///
    /// Revocations do not concern an ID token: it grants nothing and tells of a sign-in that has happened, so cut-offs are not looked up
    /// and the feed may be stale. A key that was revoked is refused all the same.
    ///
    /// # Errors
    /// The first check that the token fails. Where [`VerifyError::is_token_fault`] is false, the sign-in may be finished later.
    pub fn verify_id_token(&self, token: &str, expected: &IdTokenExpectations<'_>) -> Result<VerifiedIdToken, VerifyError> {
        let token = UnverifiedToken::parse(token)?;
        let header = Header::parse(token.header)?;
        header.require_typ(&[Typ::Jwt, Typ::Absent])?;
        let payload = claims::payload_object(token.payload())?;
        let (_, issuer) = self.issuer_of(&payload)?;
        NOT_ID_TOKENS.refuse(&payload)?;
        let claims = IdClaims::read(&payload)?;
        let (now, policy) = (issuer.now(), &issuer.policy);
        claims.period.check(policy.leeway, policy.id_token_max_lifetime, now.unix_millis)?;
        expected.check(&claims, header.algorithm(), policy.leeway, now.unix_millis)?;
        let key_id = issuer.prove(&token, &header, now)?.kid;
        Ok(VerifiedIdToken { claims, key_id, payload: token.into_payload() })
    }
}

/// What the client knows of the request that an ID token answers.
#[derive(Clone)]
pub struct IdTokenExpectations<'a> {
    client_id: &'a str,
    nonce: Nonce<'a>,
    trusted_audiences: Vec<&'a str>,
    authorized_parties: Vec<&'a str>,
    access_token: Option<&'a str>,
    at_hash_required: bool,
    code: Option<&'a str>,
    max_age: Option<Duration>,
    acr_values: Vec<&'a str>,
}

/// What is known of the `nonce` of the request. It ties the ID token to the browser that began the sign-in: without it, a token that was
/// stolen or belongs to somebody else can be put in.
#[derive(Clone, Copy)]
pub struct Nonce<'a>(Sent<'a>);

#[derive(Clone, Copy)]
enum Sent<'a> {
    This(&'a str),
    ThisBefore(&'a str),
    Nothing,
    Whatever,
}

impl<'a> Nonce<'a> {
    /// The request had this `nonce`, and so has the token.
    pub fn sent(nonce: &'a str) -> Self {
        Self(Sent::This(nonce))
    }

    /// The request had none, which the code flow with PKCE allows; a token that has one answers another request and is refused.
    pub fn not_sent() -> Self {
        Self(Sent::Nothing)
    }

    /// The token came with a refresh (section 12.2): it has no `nonce`, or the one of the first request.
    pub fn sent_before(nonce: &'a str) -> Self {
        Self(Sent::ThisBefore(nonce))
    }

    /// Accepts any `nonce` or none: whoever comes by an ID token for this client can sign in with it, as often as it lives.
    pub fn dangerous_unchecked() -> Self {
        Self(Sent::Whatever)
    }
}

impl<'a> IdTokenExpectations<'a> {
    /// An ID token for this client, and for no one else, that answers the request with this nonce.
    pub fn new(client_id: &'a str, nonce: Nonce<'a>) -> Self {
        Self {
            client_id,
            nonce,
            trusted_audiences: Vec::new(),
            authorized_parties: Vec::new(),
            access_token: None,
            at_hash_required: false,
            code: None,
            max_age: None,
            acr_values: Vec::new(),
        }
    }

    /// One more name that may stand in `aud` beside the client's own. The token has to say in `azp` then that it is for this client.
    pub fn trusted_audience(mut self, audience: &'a str) -> Self {
        self.trusted_audiences.push(audience);
        self
    }

    /// One more client that may stand in `azp`: the app on a telephone, say, that signed in on behalf of this server.
    pub fn authorized_party(mut self, client_id: &'a str) -> Self {
        self.authorized_parties.push(client_id);
        self
    }

    /// The access token that the token endpoint gave beside it. An `at_hash` has to fit, and may be absent (section 3.1.3.8).
    pub fn access_token(mut self, access_token: &'a str) -> Self {
        self.access_token = Some(access_token);
        self
    }

    /// The access token that came through the browser beside it. There has to be an `at_hash`, and it has to fit (section 3.2.2.9).
    pub fn access_token_of_front_channel(mut self, access_token: &'a str) -> Self {
        (self.access_token, self.at_hash_required) = (Some(access_token), true);
        self
    }

    /// The code that came through the browser beside it. There has to be a `c_hash`, and it has to fit (section 3.3.2.10).
    pub fn code_of_front_channel(mut self, code: &'a str) -> Self {
        self.code = Some(code);
        self
    }

    /// The `max_age` of the request: there has to be an `auth_time`, and it was no longer ago than this and the leeway.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Demands that `acr` is one of these. The issuer has them in no order that could be known here, so whatever is good enough has to be
    /// named.
    pub fn acr_values(mut self, acr_values: impl IntoIterator<Item = &'a str>) -> Self {
        self.acr_values = acr_values.into_iter().collect();
        self
    }

    fn check(&self, claims: &IdClaims, algorithm: Algorithm, leeway: Duration, now_millis: i64) -> Result<(), VerifyError> {
        self.check_audience(claims)?;
        self.check_nonce(claims.nonce.as_deref())?;
        if let Some(access_token) = self.access_token {
            check_hash(claims.at_hash.as_deref(), "at_hash", &half_hash(algorithm, access_token), self.at_hash_required)?;
        }
        if let Some(code) = self.code {
            check_hash(claims.c_hash.as_deref(), "c_hash", &half_hash(algorithm, code), true)?;
        }
        if let Some(max_age) = self.max_age {
            let auth_time = required(claims.auth_time, "auth_time")?;
            check_age(auth_time, max_age, leeway, now_millis)?;
        }
        if !self.acr_values.is_empty() {
            let acr = required(claims.acr.as_deref(), "acr")?;
            if !self.acr_values.contains(&acr) {
                return Err(VerifyError::quoting(Reason::WrongAcr, "acr", acr));
            }
        }
        Ok(())
    }

    fn check_audience(&self, claims: &IdClaims) -> Result<(), VerifyError> {
        let wrong = |aud: &str| Err(VerifyError::quoting(Reason::WrongAudience, "aud", aud));
        if !claims.audience.iter().any(|aud| aud == self.client_id) {
            return wrong(claims.audience.first().map_or("", String::as_str));
        }
        let is_trusted = |aud: &str| aud == self.client_id || self.trusted_audiences.contains(&aud);
        if let Some(stranger) = claims.audience.iter().find(|aud| !is_trusted(aud)) {
            return wrong(stranger);
        }
        match &claims.azp {
            None if claims.audience.len() > 1 => Err(VerifyError::about(Reason::ClaimMissing, "azp")),
            Some(azp) if *azp != self.client_id && !self.authorized_parties.contains(&azp.as_str()) => {
                Err(VerifyError::quoting(Reason::WrongClient, "azp", azp))
            }
            _ => Ok(()),
        }
    }

    fn check_nonce(&self, nonce: Option<&str>) -> Result<(), VerifyError> {
        match (self.nonce.0, nonce) {
            (Sent::Whatever, _) | (Sent::Nothing | Sent::ThisBefore(_), None) => Ok(()),
            (Sent::This(sent) | Sent::ThisBefore(sent), Some(nonce)) if nonce == sent => Ok(()),
            (Sent::This(_), None) => Err(VerifyError::about(Reason::ClaimMissing, "nonce")),
            (_, Some(_)) => Err(VerifyError::about(Reason::WrongNonce, "nonce")),
        }
    }
}

/// Without the nonce, the tokens and the code.
impl fmt::Debug for IdTokenExpectations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenExpectations").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Nonce<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce")
    }
}

fn check_hash(claim: Option<&str>, name: &'static str, expected: &str, is_required: bool) -> Result<(), VerifyError> {
    match claim {
        None if is_required => Err(VerifyError::about(Reason::ClaimMissing, name)),
        Some(hash) if hash != expected => Err(VerifyError::about(Reason::WrongHash, name)),
        _ => Ok(()),
    }
}

/// The left half of the hash that goes with the token's algorithm, in base64url (section 3.1.3.6).
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = hash(algorithm.hash(), text.as_bytes());
    let (half, _) = hash.split_at(hash.len() / 2);
    base64url::encode(half)
}

fn check_age(auth_time: i64, max_age: Duration, leeway: Duration, now_millis: i64) -> Result<(), VerifyError> {
    let signed_in = unix_millis(auth_time);
    if signed_in > now_millis.saturating_add(millis(leeway)) {
        return Err(VerifyError::about(Reason::IssuedInFuture, "auth_time"));
    }
    let latest = signed_in.saturating_add(millis(max_age)).saturating_add(millis(leeway));
    if now_millis > latest { Err(VerifyError::about(Reason::SignInTooOld, "auth_time")) } else { Ok(()) }
}

/// An ID token that passed every check.
#[derive(Clone)]
pub struct VerifiedIdToken {
    claims: IdClaims,
    key_id: Arc<str>,
    payload: Vec<u8>,
}

#[derive(Clone)]
struct IdClaims {
    issuer: String,
    subject: String,
    audience: Vec<String>,
    period: Period,
    nonce: Option<String>,
    azp: Option<String>,
    at_hash: Option<String>,
    c_hash: Option<String>,
    auth_time: Option<i64>,
    acr: Option<String>,
    amr: Vec<String>,
    sid: Option<String>,
}

impl IdClaims {
    fn read(claims: &Object<'_>) -> Result<Self, VerifyError> {
        if claims.get("cnf").is_some() {
            return Err(VerifyError::about(Reason::UnsupportedBinding, "cnf"));
        }
        Ok(Self {
            issuer: claims::issuer(claims)?.to_owned(),
            subject: required(owned_id(claims, "sub")?, "sub")?,
            audience: required(audience(claims)?, "aud")?,
            period: Period::read(claims)?,
            nonce: owned_id(claims, "nonce")?,
            azp: owned_id(claims, "azp")?,
            at_hash: owned_id(claims, "at_hash")?,
            c_hash: owned_id(claims, "c_hash")?,
            auth_time: numeric_date(claims, "auth_time")?,
            acr: owned_id(claims, "acr")?,
            amr: amr(claims)?,
            sid: owned_id(claims, "sid")?,
        })
    }
}

/// `amr` is an array of strings (OpenID Connect Core 1.0, section 2).
fn amr(claims: &Object<'_>) -> Result<Vec<String>, VerifyError> {
    claims.get("amr").map_or(Ok(Vec::new()), |amr| strings(amr).ok_or_else(|| malformed("amr")))
}

impl VerifiedIdToken {
    /// `iss`: who says so.
    pub fn issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// `sub`: the user, by an id that is unique at this issuer alone.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// `aud`: the client, and whom else it was told to trust.
    pub fn audience(&self) -> &[String] {
        &self.claims.audience
    }

    /// `iat`, in seconds since the Unix epoch.
    pub fn issued_at(&self) -> i64 {
        self.claims.period.issued_at
    }

    /// `exp`, in seconds since the Unix epoch. It ends the token, not the session that the client begins by it.
    pub fn expires_at(&self) -> i64 {
        self.claims.period.expires_at
    }

    /// `auth_time`: when the user last proved who they are, in seconds since the Unix epoch.
    pub fn auth_time(&self) -> Option<i64> {
        self.claims.auth_time
    }

    /// `acr`: how strongly the user proved who they are.
    pub fn acr(&self) -> Option<&str> {
        self.claims.acr.as_deref()
    }

    /// `amr`: by what means the user proved who they are.
    pub fn amr(&self) -> &[String] {
        &self.claims.amr
    }

    /// `sid`: the session at the issuer. A logout token names it when that session ends.
    pub fn sid(&self) -> Option<&str> {
        self.claims.sid.as_deref()
    }

    /// The `kid` of the key that the signature was verified with.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// All claims, read into a type of the service's own.
    ///
    /// # Errors
    /// When the claims do not fit the type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        claims_as(&self.payload)
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIdToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}
