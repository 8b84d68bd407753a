//! The claims of an access token, typed and judged, and the readers that tokens of other kinds share with it. They are read once
//! from a strict parse; a claim of the wrong type is refused and never taken for an absent one.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::{Reason, VerifyError};
use crate::header::json_error;
use crate::json::{Object, Span, Value, parse_object};
use crate::policy::Policy;

/// Claims that are well-formed. They mean something only in a [`Verified`](crate::Verified).
pub(crate) struct Claims {
    /// The payload and, behind it, what does not stand in it as it is: one text for all strings.
    text: String,
    payload_len: usize,
    places: Places,
}

/// Where the strings of the claims stand, and the claims that are no strings.
pub(crate) struct Places {
    beside: String,
    issuer: Span,
    subject: Span,
    /// Empty only where the lenient profile meets a waived audience.
    audience: Audience,
    client_id: Span,
    /// `None` only with the lenient profile.
    jti: Option<Span>,
    period: Period,
    scope: Span,
    born: Option<u64>,
    sid: Option<Span>,
    gid: Option<Span>,
    auth_time: Option<i64>,
    acr: Option<Span>,
}

/// Almost always one.
enum Audience {
    One(Span),
    Other(Box<[Span]>),
}

impl Places {
    /// Reads an access token's claims as its issuer's profile has them, and judges them at a time in Unix milliseconds.
    pub(crate) fn read(claims: Object<'_>, policy: &Policy, now_millis: i64) -> Result<Self, VerifyError> {
        if claims.get("cnf").is_some() {
            return Err(VerifyError::about(Reason::UnsupportedBinding, "cnf"));
        }
        let profile = &policy.profile;
        profile.refuse_other_kinds(&claims)?;
        let place = |string: &str, name| claims.span(string).ok_or_else(|| malformed(name));
        let id_place = |name| id(&claims, name)?.map(|id| place(id, name)).transpose();
        let (audience, jti) = (audience_places(&claims)?, id_place("jti")?);
        let (aud_waived, jti_waived) = (profile.is_lenient() && policy.audiences.is_none(), profile.is_lenient());
        let mut joined = String::new();
        let scope = match profile.scope(&claims)? {
            None => Span::default(),
            Some(Cow::Borrowed(scope)) => place(scope, "scope")?,
            Some(Cow::Owned(scopes)) => {
                joined = scopes;
                Span::ending_at(claims.whole_len() + joined.len(), joined.len())
            }
        };
        let mut places = Self {
            issuer: place(issuer(&claims)?, "iss")?,
            subject: required(id_place("sub")?, "sub")?,
            audience: if aud_waived { audience.unwrap_or(Audience::Other(Box::default())) } else { required(audience, "aud")? },
            client_id: place(required(profile.client_id(&claims)?, "client_id")?, "client_id")?,
            jti: if jti_waived { jti } else { Some(required(jti, "jti")?) },
            period: Period::read(&claims)?,
            scope,
            born: integer(&claims, "born")?,
            sid: id_place("sid")?,
            gid: id_place("gid")?,
            auth_time: numeric_date(&claims, "auth_time")?,
            acr: id_place("acr")?,
            beside: String::new(),
        };
        places.judge(|span| claims.at(span), policy, now_millis)?;
        places.beside = claims.into_unescaped();
        places.beside.push_str(&joined);
        Ok(places)
    }

    /// The issuer was judged when its policy was chosen.
    fn judge<'s>(&self, at: impl Fn(Span) -> &'s str, policy: &Policy, now_millis: i64) -> Result<(), VerifyError> {
        let is_one_of = |text: &str, wanted: &[String]| wanted.iter().any(|wanted| wanted == text);
        let audience = || self.audience.spans().iter().map(|span| at(*span));
        if policy.audiences.as_ref().is_some_and(|ours| !audience().any(|aud| is_one_of(aud, ours))) {
            return Err(VerifyError::quoting(Reason::WrongAudience, "aud", audience().next().unwrap_or_default()));
        }
        let client_id = at(self.client_id);
        if policy.clients.as_ref().is_some_and(|clients| !is_one_of(client_id, clients)) {
            return Err(VerifyError::quoting(Reason::WrongClient, "client_id", client_id));
        }
        self.period.check(policy.leeway, policy.max_lifetime(), now_millis)
    }
}

impl Audience {
    fn spans(&self) -> &[Span] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Other(other) => other,
        }
    }
}

impl Claims {
    /// The claims that were read in this payload.
    pub(crate) fn of(payload: Vec<u8>, mut places: Places) -> Result<Self, VerifyError> {
        let mut text = String::from_utf8(payload).map_err(|_| VerifyError::about(Reason::BadJson, "payload"))?;
        let payload_len = text.len();
        text.push_str(&std::mem::take(&mut places.beside));
        Ok(Self { text, payload_len, places })
    }

    /// Judges the claims at a time in Unix milliseconds.
    pub(crate) fn check(&self, policy: &Policy, now_millis: i64) -> Result<(), VerifyError> {
        self.places.judge(|span| span.of(&self.text), policy, now_millis)
    }

    pub(crate) fn payload(&self) -> &str {
        self.text.get(..self.payload_len).unwrap_or_default()
    }

    pub(crate) fn issuer(&self) -> &str {
        self.places.issuer.of(&self.text)
    }

    pub(crate) fn subject(&self) -> &str {
        self.places.subject.of(&self.text)
    }

    pub(crate) fn audience(&self) -> impl Iterator<Item = &str> {
        self.places.audience.spans().iter().map(|span| span.of(&self.text))
    }

    pub(crate) fn client_id(&self) -> &str {
        self.places.client_id.of(&self.text)
    }

    pub(crate) fn jti(&self) -> Option<&str> {
        self.places.jti.map(|span| span.of(&self.text))
    }

    pub(crate) fn period(&self) -> Period {
        self.places.period
    }

    pub(crate) fn scope(&self) -> &str {
        self.places.scope.of(&self.text)
    }

    pub(crate) fn born(&self) -> Option<u64> {
        self.places.born
    }

    pub(crate) fn sid(&self) -> Option<&str> {
        self.places.sid.map(|span| span.of(&self.text))
    }

    pub(crate) fn gid(&self) -> Option<&str> {
        self.places.gid.map(|span| span.of(&self.text))
    }

    pub(crate) fn auth_time(&self) -> Option<i64> {
        self.places.auth_time
    }

    pub(crate) fn acr(&self) -> Option<&str> {
        self.places.acr.map(|span| span.of(&self.text))
    }

    /// Keeps one more string with them.
    pub(crate) fn keep(&mut self, string: &str) -> Span {
        self.text.push_str(string);
        Span::ending_at(self.text.len(), string.len())
    }

    /// A string that was kept.
    pub(crate) fn kept(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    /// How many bytes they take besides themselves.
    pub(crate) fn heap_size(&self) -> usize {
        let spans = if let Audience::Other(other) = &self.places.audience { size_of_val(&**other) } else { 0 };
        self.text.capacity() + spans
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
pub(crate) fn as_id<'c>(value: Value<'c>, name: &'static str) -> Result<&'c str, VerifyError> {
    let id = value.as_str().filter(|id| (1..=MAX_ID_LEN).contains(&id.len()));
    id.ok_or_else(|| malformed(name))
}

pub(crate) fn owned_id(claims: &Object<'_>, name: &'static str) -> Result<Option<String>, VerifyError> {
    Ok(id(claims, name)?.map(str::to_owned))
}

fn integer(claims: &Object<'_>, name: &'static str) -> Result<Option<u64>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Integer(value)) if value <= MAX_INTEGER => Ok(Some(value)),
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
        Value::String(one) => vec![one.to_owned()],
        aud => strings(aud).ok_or_else(|| malformed("aud"))?,
    };
    if strings.is_empty() || strings.iter().any(String::is_empty) { Err(malformed("aud")) } else { Ok(Some(strings)) }
}

fn audience_places(claims: &Object<'_>) -> Result<Option<Audience>, VerifyError> {
    let place = |aud: Value<'_>| aud.as_str().filter(|aud| !aud.is_empty()).and_then(|aud| claims.span(aud));
    let audience = match claims.get("aud") {
        None => return Ok(None),
        Some(Value::Array(items)) => {
            let places: Option<Box<[Span]>> = items.map(place).collect();
            places.filter(|places| !places.is_empty()).map(Audience::Other)
        }
        Some(one) => place(one).map(Audience::One),
    };
    audience.map(Some).ok_or_else(|| malformed("aud"))
}

/// An array of strings and of nothing else.
pub(crate) fn strings(value: Value<'_>) -> Option<Vec<String>> {
    let Value::Array(mut items) = value else { return None };
    items.try_fold(Vec::new(), |mut strings, item| {
        strings.push(item.as_str()?.to_owned());
        Some(strings)
    })
}
