//! The claims of an access token, typed and judged, and the readers that tokens of other kinds share with it. They are read once
//! from a strict parse; a claim of the wrong type is refused and never taken for an absent one.

use std::time::Duration;

use crate::error::{Reason, VerifyError};
use crate::header::json_error;
use crate::json::{Object, Value, parse_object};
use crate::policy::Policy;

/// Claims that are well-formed. They mean something only in a [`Verified`](crate::Verified).
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// Empty only where the lenient profile meets a waived audience.
    pub(crate) audience: Vec<String>,
    pub(crate) client_id: String,
    /// `None` only with the lenient profile.
    pub(crate) jti: Option<String>,
    pub(crate) period: Period,
    pub(crate) scope: String,
    pub(crate) born: Option<u64>,
    pub(crate) sid: Option<String>,
    pub(crate) gid: Option<String>,
    pub(crate) auth_time: Option<i64>,
    pub(crate) acr: Option<String>,
}

impl Claims {
    /// Reads an access token's claims as its issuer's profile has them.
    pub(crate) fn read(claims: &Object<'_>, policy: &Policy) -> Result<Self, VerifyError> {
        if claims.get("cnf").is_some() {
            return Err(VerifyError::about(Reason::UnsupportedBinding, "cnf"));
        }
        let profile = &policy.profile;
        profile.refuse_other_kinds(claims)?;
        let (audience, jti) = (audience(claims)?, owned_id(claims, "jti")?);
        let (aud_waived, jti_waived) = (profile.is_lenient() && policy.audiences.is_none(), profile.is_lenient());
        Ok(Self {
            issuer: issuer(claims)?.to_owned(),
            subject: required(owned_id(claims, "sub")?, "sub")?,
            audience: if aud_waived { audience.unwrap_or_default() } else { required(audience, "aud")? },
            client_id: required(profile.client_id(claims)?, "client_id")?.to_owned(),
            jti: if jti_waived { jti } else { Some(required(jti, "jti")?) },
            period: Period::read(claims)?,
            scope: profile.scope(claims)?,
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
        if policy.clients.as_ref().is_some_and(|clients| !clients.contains(&self.client_id)) {
            return Err(VerifyError::quoting(Reason::WrongClient, "client_id", &self.client_id));
        }
        self.period.check(policy.leeway, policy.max_lifetime(), now_millis)
    }
}

/// When a token counts, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Period {
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
    not_before: Option<i64>,
}

impl Period {
    pub(crate) fn read(claims: &Object<'_>) -> Result<Self, VerifyError> {
        Ok(Self {
            issued_at: required(numeric_date(claims, "iat")?, "iat")?,
            expires_at: required(numeric_date(claims, "exp")?, "exp")?,
            not_before: numeric_date(claims, "nbf")?,
        })
    }

    /// When the token cannot pass any more, in Unix milliseconds.
    pub(crate) fn ends(&self, leeway: Duration) -> i64 {
        unix_millis(self.expires_at).saturating_add(millis(leeway))
    }

    /// Judges at a time in Unix milliseconds.
    pub(crate) fn check(&self, leeway: Duration, max_lifetime: Duration, now_millis: i64) -> Result<(), VerifyError> {
        if now_millis >= self.ends(leeway) {
            return Err(VerifyError::about(Reason::Expired, "exp"));
        }
        let latest_start = now_millis.saturating_add(millis(leeway));
        if self.not_before.is_some_and(|not_before| unix_millis(not_before) > latest_start) {
            return Err(VerifyError::about(Reason::NotYetValid, "nbf"));
        }
        if unix_millis(self.issued_at) > latest_start {
            return Err(VerifyError::about(Reason::IssuedInFuture, "iat"));
        }
        let lifetime = self.expires_at.saturating_sub(self.issued_at);
        if lifetime <= 0 {
            return Err(malformed("exp"));
        }
        if lifetime > i64::try_from(max_lifetime.as_secs()).unwrap_or(i64::MAX) {
            return Err(VerifyError::about(Reason::LivesTooLong, "exp"));
        }
        Ok(())
    }
}

pub(crate) fn unix_millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
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

pub(crate) fn malformed(name: &'static str) -> VerifyError {
    VerifyError::about(Reason::ClaimMalformed, name)
}

pub(crate) fn required<T>(claim: Option<T>, name: &'static str) -> Result<T, VerifyError> {
    claim.ok_or_else(|| VerifyError::about(Reason::ClaimMissing, name))
}

pub(crate) fn text<'c>(claims: &'c Object<'_>, name: &'static str) -> Result<Option<&'c str>, VerifyError> {
    claims.get(name).map(|value| value.as_str().ok_or_else(|| malformed(name))).transpose()
}

pub(crate) fn id<'c>(claims: &'c Object<'_>, name: &'static str) -> Result<Option<&'c str>, VerifyError> {
    claims.get(name).map(|value| as_id(value, name)).transpose()
}

/// An identifier: a text of 1 to 512 bytes.
pub(crate) fn as_id<'c>(value: &'c Value<'_>, name: &'static str) -> Result<&'c str, VerifyError> {
    let id = value.as_str().filter(|id| (1..=MAX_ID_LEN).contains(&id.len()));
    id.ok_or_else(|| malformed(name))
}

pub(crate) fn owned_id(claims: &Object<'_>, name: &'static str) -> Result<Option<String>, VerifyError> {
    Ok(id(claims, name)?.map(str::to_owned))
}

fn integer(claims: &Object<'_>, name: &'static str) -> Result<Option<u64>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Integer(value)) if *value <= MAX_INTEGER => Ok(Some(*value)),
        Some(_) => Err(malformed(name)),
    }
}

pub(crate) fn numeric_date(claims: &Object<'_>, name: &'static str) -> Result<Option<i64>, VerifyError> {
    Ok(integer(claims, name)?.and_then(|seconds| i64::try_from(seconds).ok()))
}

/// `aud` is one string or an array of them (RFC 7519, section 4.1.3); anything else in the array spoils it.
pub(crate) fn audience(claims: &Object<'_>) -> Result<Option<Vec<String>>, VerifyError> {
    let Some(aud) = claims.get("aud") else { return Ok(None) };
    let strings = match aud {
        Value::String(one) => vec![one.to_string()],
        aud => strings(aud).ok_or_else(|| malformed("aud"))?,
    };
    if strings.is_empty() || strings.iter().any(String::is_empty) { Err(malformed("aud")) } else { Ok(Some(strings)) }
}

/// An array of strings and of nothing else.
pub(crate) fn strings(value: &Value<'_>) -> Option<Vec<String>> {
    let Value::Array(items) = value else { return None };
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
