//! The proof that a token was verified. Only [`Verifier::verify`](crate::Verifier::verify) makes one, so whatever asks for a
//! [`Verified`] cannot be reached with a token that was not checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::cache::{Cached, Identity, Looked};
use crate::claims::Claims;
use crate::error::{Reason, VerifyError};
use crate::issuer::{Proof, TrustedIssuer};
use crate::json::Span;
use crate::revocation::follower::Now;
use crate::revocation::memory::Memory;

/// An access token that passed every check. Cheap to clone.
#[derive(Clone)]
pub struct Verified {
    facts: Arc<Facts>,
    revocations_age: Option<Duration>,
}

/// What does not change with time: that a key of this issuer's signed these claims. It is no judgement of them.
pub(crate) struct Facts {
    /// Which of the verifier's issuers.
    pub(crate) issuer: usize,
    pub(crate) claims: Claims,
    pub(crate) proof: Proof,
    token: Recognised,
    ends: i64,
    memory: Memory,
}

/// By what the cache recognises the token.
enum Recognised {
    Not,
    Whole(Span),
    Digest([u8; 32]),
}

impl Facts {
    pub(crate) fn new(
        (index, issuer): (usize, &TrustedIssuer),
        mut claims: Claims,
        proof: Proof,
        looked: Option<&Looked<'_>>,
    ) -> Self {
        let token = match looked.map(|looked| looked.identity) {
            None => Recognised::Not,
            Some(Identity::Token(token)) => Recognised::Whole(claims.keep(token)),
            Some(Identity::Digest(digest)) => Recognised::Digest(digest),
        };
        let ends = claims.period().ends(issuer.policy.leeway);
        Self { issuer: index, claims, proof, token, ends, memory: issuer.revocations.memory() }
    }

    /// Answers how old the knowledge of revocations is by which the token passes.
    pub(crate) fn judge_revocations(&self, issuer: &TrustedIssuer, now: Now) -> Result<Option<Duration>, VerifyError> {
        issuer.revocations.judge(&self.proof.kid, &self.claims, &self.memory, now)
    }
}

impl Cached for Facts {
    fn are_about(&self, token: &Identity<'_>) -> bool {
        match (&self.token, token) {
            (Recognised::Whole(own), Identity::Token(token)) => self.claims.kept(*own) == *token,
            (Recognised::Digest(own), Identity::Digest(digest)) => own == digest,
            _ => false,
        }
    }

    fn cost(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<usize>() + self.claims.heap_size()
    }

    fn are_spent(&self, now_millis: i64) -> bool {
        now_millis >= self.ends
    }
}

impl Verified {
    /// `sub`: the user, or the client where no user takes part.
    pub fn subject(&self) -> &str {
        self.claims_ref().subject()
    }

    /// `client_id`: the application that the token was issued to.
    pub fn client_id(&self) -> &str {
        self.claims_ref().client_id()
    }

    /// `iss`: who issued the token.
    pub fn issuer(&self) -> &str {
        self.claims_ref().issuer()
    }

    /// `aud`: every service that the token is meant for; one of them is this one, unless that was waived.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.claims_ref().audience()
    }

    /// The values of `scope`, in the token's order; none where the claim is absent.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.claims_ref().scope().split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether `scope` holds exactly this value.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    /// Demands a scope.
    ///
    /// # Errors
    /// [`Reason::InsufficientScope`], whose challenge names the scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), VerifyError> {
        if self.has_scope(scope) { Ok(()) } else { Err(VerifyError::lacks_scope([scope])) }
    }

    /// How old the knowledge of revocations was by which the token passed; `None` where no feed is followed, or none was heard and
    /// the verifier was built to ignore that.
    pub fn revocations_age(&self) -> Option<Duration> {
        self.revocations_age
    }

    /// Demands that what the issuer has revoked was known as of at most so long ago, for what must not be done with a token that
    /// was just revoked. The feed is heard every ten seconds, so 30 s is a good figure.
    ///
    /// Judged is the age at verification: a `Verified` that is kept does not grow older here. What is kept is judged anew by
    /// [`Verifier::verify_again`](crate::Verifier::verify_again).
    ///
    /// # Errors
    /// [`Reason::RevocationsStale`] or, where nothing is known, [`Reason::RevocationsMissing`]: 503, and the token may be good.
    pub fn require_fresh(&self, at_most: Duration) -> Result<(), VerifyError> {
        match self.revocations_age {
            Some(age) if age <= at_most => Ok(()),
            Some(_) => Err(VerifyError::new(Reason::RevocationsStale)),
            None => Err(VerifyError::new(Reason::RevocationsMissing)),
        }
    }

    /// `jti`: the token's own id. Only with the [lenient profile](crate::LenientAccessToken) can it be absent.
    pub fn jti(&self) -> Option<&str> {
        self.claims_ref().jti()
    }

    /// `sid`: the browser session that the token belongs to, where it belongs to one.
    pub fn sid(&self) -> Option<&str> {
        self.claims_ref().sid()
    }

    /// `gid`: the grant that the token descends from, where a user granted it.
    pub fn gid(&self) -> Option<&str> {
        self.claims_ref().gid()
    }

    /// `born`: the issuer's tick at which the token's authority began. Not a time.
    pub fn born(&self) -> Option<u64> {
        self.claims_ref().born()
    }

    /// `iat`, in seconds since the Unix epoch.
    pub fn issued_at(&self) -> i64 {
        self.claims_ref().period().issued_at
    }

    /// `exp`, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> i64 {
        self.claims_ref().period().expires_at
    }

    /// `auth_time`: when the user last proved who they are, in seconds since the Unix epoch.
    pub fn auth_time(&self) -> Option<i64> {
        self.claims_ref().auth_time()
    }

    /// `acr`: how the user proved who they are.
    pub fn acr(&self) -> Option<&str> {
        self.claims_ref().acr()
    }

    /// The `kid` of the key that the signature was verified with.
    pub fn key_id(&self) -> &str {
        &self.facts.proof.kid
    }

    /// All claims, read into a type of the service's own.
    ///
    /// # Errors
    /// When the claims do not fit the type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        claims_as(self.payload())
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.facts.claims.payload().as_bytes()
    }

    /// Only for facts that were judged.
    pub(crate) fn new(facts: Arc<Facts>, revocations_age: Option<Duration>) -> Self {
        Self { facts, revocations_age }
    }

    pub(crate) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn claims_ref(&self) -> &Claims {
        &self.facts.claims
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("jti", &self.jti())
            .finish_non_exhaustive()
    }
}

/// Reads a payload that was verified.
pub(crate) fn claims_as<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ClaimsError> {
    serde_json::from_slice(payload).map_err(ClaimsError)
}

/// The claims of a verified token do not fit the type that a service asked for.
#[derive(Debug, thiserror::Error)]
#[error("the token's claims do not fit the type asked for")]
pub struct ClaimsError(#[source] serde_json::Error);

impl ClaimsError {
    /// The reason for which a service that insists on its type may refuse the request.
    pub fn reason(&self) -> Reason {
        Reason::ClaimMalformed
    }
}
