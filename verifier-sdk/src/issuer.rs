//! One issuer that a verifier trusts, with all that is bound to it: what is demanded of its tokens, its keys, what it has
//! revoked, and the tasks that keep these current. No key ever speaks for another issuer than the one whose set it stands in.

use std::sync::Arc;

use crate::clock::Clock;
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::header::Header;
use crate::keys::{Health, KeyCell, KeyState};
use crate::observe::Watch;
use crate::policy::Policy;
use crate::replays::Replays;
use crate::revocation::Revocations;
use crate::revocation::follower::Now;
use crate::signature::SignatureFault;

/// That a key signed a token.
pub(crate) struct Proof {
    pub(crate) kid: Arc<str>,
    /// Of the key itself,
    fingerprint: [u8; 32],
    /// and of the key set that it stood in.
    generation: u64,
}

/// An issuer and what is known of it. Dropping it ends its tasks.
pub(crate) struct TrustedIssuer {
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<KeyCell>,
    pub(crate) revocations: Arc<Revocations>,
    /// The logout tokens that were heard.
    pub(crate) logouts: Replays,
    pub(crate) watch: Watch,
    #[cfg(feature = "http")]
    pub(crate) follower: crate::http::Follower,
}

impl TrustedIssuer {
    /// Whether a token that claims to be of this issuer is to be judged as one of this issuer's.
    pub(crate) fn is_named(&self, claimed: &str) -> bool {
        self.policy.issuer.as_deref().is_none_or(|issuer| issuer == claimed)
    }

    /// Proves that a key of this issuer signed the token. A token that names an unknown key makes the task look for newer ones, so
    /// whatever can be refused without a key has to be refused before.
    pub(crate) fn prove(&self, token: &UnverifiedToken<'_>, header: &Header, now: Now) -> Result<Proof, VerifyError> {
        header.require_algorithm(&self.policy.algorithms)?;
        let named = header.kid();
        if !self.policy.accept_missing_kid {
            named.clone()?;
        }
        let keys = self.keys.usable(now.monotonic)?;
        let (kid, key) = match named {
            Ok(kid) => (kid.clone(), keys.get(kid)),
            Err(missing) => keys.only().map(|(kid, key)| (kid.into(), Some(key))).ok_or(missing)?,
        };
        if self.revocations.is_dead(&kid) {
            return Err(VerifyError::quoting(Reason::Revoked, "kid", &kid));
        }
        let Some(key) = key else {
            self.look_for(&kid);
            return Err(VerifyError::quoting(Reason::UnknownKey, "kid", &kid));
        };
        key.verify(header.algorithm(), token.signing_input, token.signature()).map_err(|fault| match fault {
            SignatureFault::OtherAlgorithm => VerifyError::quoting(Reason::AlgMismatch, "kid", &kid),
            SignatureFault::Wrong => VerifyError::quoting(Reason::BadSignature, "kid", &kid),
        })?;
        Ok(Proof { kid, fingerprint: key.fingerprint(), generation: keys.generation() })
    }

    /// Whether what was proved still is: in another key set the same `kid` may be another key's, or nobody's.
    pub(crate) fn still_proves(&self, proof: &Proof, now: Now) -> Result<bool, VerifyError> {
        let keys = self.keys.usable(now.monotonic)?;
        let is_the_same = || keys.get(&proof.kid).is_some_and(|key| key.fingerprint() == proof.fingerprint);
        Ok(keys.generation() == proof.generation || is_the_same())
    }

    pub(crate) fn now(&self) -> Now {
        Now::of(&*self.clock)
    }

    /// Whether this issuer's tokens can be verified at all just now.
    pub(crate) fn is_ready(&self) -> bool {
        let now = self.now();
        matches!(self.keys.state(now.monotonic), KeyState::Fresh | KeyState::Stale) && self.revocations.is_ready(now)
    }

    pub(crate) fn health(&self) -> Health {
        let now = self.now();
        Health {
            issuer: self.policy.issuer.clone(),
            revocations: self.revocations.health(now),
            ..self.keys.health(now.monotonic, |kid| self.revocations.is_dead(kid))
        }
    }

    fn look_for(&self, kid: &str) {
        #[cfg(feature = "http")]
        self.follower.look_for(kid);
        #[cfg(not(feature = "http"))]
        let _ = kid;
    }
}
