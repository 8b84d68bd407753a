//! The verifier itself: the order in which a token is judged. Cheap refusals come first, the signature last but one, so that
//! an attacker pays more than we do, and nothing here waits, locks or touches the network.

use std::fmt;
use std::sync::Arc;

use crate::builder::{NeedsAudience, NeedsIssuer, VerifierBuilder};
use crate::claims::Claims;
use crate::clock::Clock;
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::header::{ACCESS_TOKEN, accepted_kid};
use crate::keys::{Health, KeyCell, KeyState};
use crate::observe::{Event, Watch};
use crate::policy::Policy;
use crate::revocation::Revocations;
use crate::revocation::follower::Now;
use crate::verified::Verified;

/// Checks access tokens of one issuer for one service. Clones are cheap and share everything; dropping the last one ends
/// the background task, where there is one.
#[derive(Clone)]
pub struct Verifier {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<KeyCell>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) watch: Watch,
    #[cfg(feature = "http")]
    pub(crate) follower: crate::http::Follower,
}

impl Verifier {
    /// Begins a verifier; it can be built once an issuer and an audience are given.
    pub fn builder() -> VerifierBuilder<NeedsIssuer, NeedsAudience> {
        VerifierBuilder::new()
    }

    /// Verifies an access token, given in its compact form without the word `Bearer`.
    ///
    /// Never blocks and never does I/O. A token that names an unknown key but is otherwise plausible makes the background
    /// task look for newer keys; this call does not wait for them.
    ///
    /// # Errors
    /// The first check that the token fails; see [`VerifyError::is_token_fault`] for whose fault it is.
    pub fn verify(&self, token: &str) -> Result<Verified, VerifyError> {
        let outcome = self.verify_unobserved(token);
        self.watch().tell(|| Event::Verification { refused: outcome.as_ref().err().map(VerifyError::reason) });
        outcome
    }

    fn verify_unobserved(&self, token: &str) -> Result<Verified, VerifyError> {
        let token = UnverifiedToken::parse(token)?;
        let kid = accepted_kid(&token.header, ACCESS_TOKEN)?;
        let claims = Claims::parse(&token.payload)?;
        claims.check(&self.inner.policy, self.inner.clock.unix_millis())?;

        let keys = self.inner.keys.usable(self.inner.clock.monotonic())?;
        let Some(key) = keys.get(&kid) else {
            if self.inner.revocations.is_dead(&kid) {
                return Err(VerifyError::quoting(Reason::Revoked, "kid", &kid));
            }
            self.look_for(&kid);
            return Err(VerifyError::quoting(Reason::UnknownKey, "kid", &kid));
        };
        if !key.verify(token.signing_input, &token.signature) {
            return Err(VerifyError::quoting(Reason::BadSignature, "kid", &kid));
        }
        let known_as_of = self.inner.revocations.judge(&kid, &claims, self.now())?;
        Ok(Verified::new(claims, kid, token.payload, known_as_of))
    }

    /// Whether tokens can be verified at all just now.
    pub fn is_ready(&self) -> bool {
        let now = self.now();
        let keys = self.inner.keys.state(now.monotonic);
        matches!(keys, KeyState::Fresh | KeyState::Stale) && self.inner.revocations.is_ready(now)
    }

    /// How the verifier is doing.
    pub fn health(&self) -> Health {
        let now = self.now();
        let revocations = &self.inner.revocations;
        Health { revocations: revocations.health(now), ..self.inner.keys.health(now.monotonic, |kid| revocations.is_dead(kid)) }
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    fn now(&self) -> Now {
        Now::of(&*self.inner.clock)
    }

    fn look_for(&self, kid: &str) {
        #[cfg(feature = "http")]
        self.inner.follower.look_for(kid);
        #[cfg(not(feature = "http"))]
        let _ = kid;
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("policy", &self.inner.policy).field("health", &self.health()).finish()
    }
}
