//! The claims of an access token (RFC 9068, section 2.2), typed and judged. They are read once from a strict parse; a claim
//! of the wrong type is refused and never taken for an absent one.

use crate::error::{Reason, VerifyError};
use crate::header::json_error;
use crate::json::{Object, Value, parse_object};
use crate::policy::Policy;

/// Claims that are well-formed. They mean something only in a [`Verified`](crate::Verified).
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: Vec<String>,
    pub(crate) client_id: String,
    pub(crate) jti: String,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) not_before: Option<i64>,
    pub(crate) scope: String,
    pub(crate) born: Option<u64>,
    pub(crate) sid: Option<String>,
    pub(crate) gid: Option<String>,
    pub(crate) auth_time: Option<i64>,
    pub(crate) acr: Option<String>,
}

impl Claims {
    pub(crate) fn read(claims: &Object<'_>) -> Result<Self, VerifyError> {
        if claims.get("cnf").is_some() {
            return Err(VerifyError::about(Reason::UnsupportedBinding, "cnf"));
        }
        Ok(Self {
            issuer: issuer(claims)?.to_owned(),
            subject: required(owned_id(claims, "sub")?, "sub")?,
            audience: audience(claims)?,
            client_id: required(owned_id(claims, "client_id")?, "client_id")?,
            jti: required(owned_id(claims, "jti")?, "jti")?,
            issued_at: required(numeric_date(claims, "iat")?, "iat")?,
            expires_at: required(numeric_date(claims, "exp")?, "exp")?,
            not_before: numeric_date(claims, "nbf")?,
            scope: text(claims, "scope")?.unwrap_or_default().to_owned(),
            born: integer(claims, "born")?,
            sid: owned_id(claims, "sid")?,
            gid: owned_id(claims, "gid")?,
            auth_time: numeric_date(claims, "auth_time")?,
            acr: owned_id(claims, "acr")?,
        })
    }

    /// Judges the claims at a time in Unix milliseconds. The issuer was judged when its policy was chosen.
    pub(crate) fn check(&self, policy: &Policy, now_millis: i64) -> Result<(), VerifyError> {
        if policy.audiences.as_ref().is_some_and(|ours| !self.audience.iter().any(|aud| ours.contains(aud))) {
            let first = self.audience.first().map(String::as_str).unwrap_or_default();
            return Err(VerifyError::quoting(Reason::WrongAudience, "aud", first));
        }
        let millis = |seconds: i64| seconds.saturating_mul(1000);
        let leeway = i64::try_from(policy.leeway.as_millis()).unwrap_or(i64::MAX);
        if now_millis >= millis(self.expires_at).saturating_add(leeway) {
            return Err(VerifyError::about(Reason::Expired, "exp"));
        }
        let latest_start = now_millis.saturating_add(leeway);
        if self.not_before.is_some_and(|not_before| millis(not_before) > latest_start) {
            return Err(VerifyError::about(Reason::NotYetValid, "nbf"));
        }
        if millis(self.issued_at) > latest_start {
            return Err(VerifyError::about(Reason::IssuedInFuture, "iat"));
        }
        let lifetime = self.expires_at.saturating_sub(self.issued_at);
        if lifetime <= 0 {
            return Err(VerifyError::about(Reason::ClaimMalformed, "exp"));
        }
        if lifetime > i64::try_from(policy.max_lifetime.as_secs()).unwrap_or(i64::MAX) {
            return Err(VerifyError::about(Reason::LivesTooLong, "exp"));
        }
        Ok(())
    }
}

/// The object that a token's payload has to be; nothing in it has been verified.
pub(crate) fn payload_object(payload: &[u8]) -> Result<Object<'_>, VerifyError> {
    parse_object(payload).map_err(|fault| json_error(fault, "payload"))
}

/// Whom a token claims to come from.
pub(crate) fn issuer<'c>(claims: &'c Object<'_>) -> Result<&'c str, VerifyError> {
    required(id(claims, "iss")?, "iss")
}

/// Identifiers longer than this are refused.
const MAX_ID_LEN: usize = 512;

/// The largest integer that every JSON reader agrees about (RFC 8259, section 6).
const MAX_INTEGER: u64 = 1 << 53;

fn malformed(name: &'static str) -> VerifyError {
    VerifyError::about(Reason::ClaimMalformed, name)
}

fn required<T>(claim: Option<T>, name: &'static str) -> Result<T, VerifyError> {
    claim.ok_or_else(|| VerifyError::about(Reason::ClaimMissing, name))
}

fn text<'c>(claims: &'c Object<'_>, name: &'static str) -> Result<Option<&'c str>, VerifyError> {
    claims.get(name).map(|value| value.as_str().ok_or_else(|| malformed(name))).transpose()
}

fn id<'c>(claims: &'c Object<'_>, name: &'static str) -> Result<Option<&'c str>, VerifyError> {
    match text(claims, name)? {
        Some(id) if id.is_empty() || id.len() > MAX_ID_LEN => Err(malformed(name)),
        found => Ok(found),
    }
}

fn owned_id(claims: &Object<'_>, name: &'static str) -> Result<Option<String>, VerifyError> {
    Ok(id(claims, name)?.map(str::to_owned))
}

fn integer(claims: &Object<'_>, name: &'static str) -> Result<Option<u64>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Integer(value)) if *value <= MAX_INTEGER => Ok(Some(*value)),
        Some(_) => Err(malformed(name)),
    }
}

fn numeric_date(claims: &Object<'_>, name: &'static str) -> Result<Option<i64>, VerifyError> {
    Ok(integer(claims, name)?.and_then(|seconds| i64::try_from(seconds).ok()))
}

/// `aud` is one string or an array of them (RFC 7519, section 4.1.3); anything else in the array spoils it.
fn audience(claims: &Object<'_>) -> Result<Vec<String>, VerifyError> {
    let strings = match required(claims.get("aud"), "aud")? {
        Value::String(one) => vec![one.to_string()],
        Value::Array(many) => {
            let strings: Option<Vec<_>> = many.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            strings.ok_or_else(|| malformed("aud"))?
        }
        _ => return Err(malformed("aud")),
    };
    if strings.is_empty() || strings.iter().any(String::is_empty) { Err(malformed("aud")) } else { Ok(strings) }
}
