//! The verifier itself: the order in which a token is judged. Cheap refusals come first, the signature last but one, so that
//! an attacker pays more than we do, and nothing here waits, locks or touches the network.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::builder::{NeedsAudience, NeedsIssuer, VerifierBuilder};
use crate::cache::headers::Headers;
use crate::cache::settings::TokenCache;
use crate::cache::{Cache, Looked};
use crate::claims::{self, Claims, Places};
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::header::Header;
use crate::issuer::TrustedIssuer;
use crate::json::Object;
use crate::keys::{Health, KeyState};
use crate::observe::{Event, Watch};
use crate::revocation::follower::Now;
use crate::verified::{Facts, Verified};

/// Checks the tokens of one issuer, or of [several](Self::any_of), for one service. Clones are cheap and share everything;
/// dropping the last one ends the background tasks, where there are any.
#[derive(Clone)]
pub struct Verifier {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// A token's `iss` chooses between this issuer
    pub(crate) first: Arc<TrustedIssuer>,
    /// and these.
    pub(crate) others: Box<[Arc<TrustedIssuer>]>,
    /// Hears of tokens of which it is not known whose they are.
    pub(crate) watch: Watch,
    /// How much of what follows is kept.
    pub(crate) token_cache: TokenCache,
    /// The tokens that were good,
    verified: Cache<Facts>,
    /// and what their headers say.
    headers: Headers<Header>,
}

impl Inner {
    pub(crate) fn new(
        first: Arc<TrustedIssuer>,
        others: Box<[Arc<TrustedIssuer>]>,
        token_cache: TokenCache,
        watch: Watch,
    ) -> Self {
        Self { first, others, watch, token_cache, verified: Cache::new(token_cache), headers: Headers::new() }
    }
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
        let watch = outcome.as_ref().ok().and_then(|verified| self.issuer_named(verified.issuer()));
        let watch = watch.map_or(&self.inner.watch, |issuer| &issuer.watch);
        watch.tell(|| Event::Verification { refused: outcome.as_ref().err().map(VerifyError::reason) });
        outcome
    }

    /// Judges once more what was verified before, without its token: by the time of now, the keys that are published now, and what
    /// has been revoked since. For whatever outlives a request, such as a WebSocket or a stream: every few seconds, or before each
    /// act. It costs less than a microsecond, and is not told to an observer.
    ///
    /// ```
    /// use passant_verifier::{Verified, Verifier, VerifyError};
    ///
    /// /// Called with each message of a connection whose token was verified when it was opened.
    /// fn on_message(verifier: &Verifier, caller: &mut Verified) -> Result<(), VerifyError> {
    ///     *caller = verifier.verify_again(caller)?; // an error: close the connection
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// What [`verify`](Self::verify) would answer to the token now: that it has expired or was revoked, that its key is not
    /// published any more ([`UnknownKey`](Reason::UnknownKey)), or that keys or revocations are too old to tell (503).
    /// [`WrongIssuer`](Reason::WrongIssuer) where it was verified by a verifier of other issuers.
    pub fn verify_again(&self, verified: &Verified) -> Result<Verified, VerifyError> {
        let unknown = || VerifyError::quoting(Reason::WrongIssuer, "iss", verified.issuer());
        let issuer = self.issuer_named(verified.issuer()).ok_or_else(unknown)?;
        let gone = || VerifyError::quoting(Reason::UnknownKey, "kid", verified.key_id());
        let facts = verified.facts();
        judge_again(facts, issuer)?.ok_or_else(gone).map(|revocations_age| Verified::new(facts.clone(), revocations_age))
    }

    fn verify_unobserved(&self, token: &str) -> Result<Verified, VerifyError> {
        let looked = self.inner.verified.look(token);
        if let Some(facts) = looked.as_ref().and_then(|looked| self.inner.verified.get(looked))
            && let Some(revocations_age) = judge_again(&facts, self.issuer_at(facts.issuer)?)?
        {
            return Ok(Verified::new(facts, revocations_age));
        }
        let (facts, now) = self.establish(token, looked.as_ref())?;
        let revocations_age = facts.judge_revocations(self.issuer_at(facts.issuer)?, now)?;
        let facts = Arc::new(facts);
        if let Some(looked) = &looked {
            self.inner.verified.insert(looked, facts.clone(), now.unix_millis);
        }
        Ok(Verified::new(facts, revocations_age))
    }

    /// Establishes that a trusted issuer's key signed the token's claims. Claims that are not good are refused before the signature
    /// is paid for, and before an unknown key is looked for.
    fn establish(&self, text: &str, looked: Option<&Looked<'_>>) -> Result<(Facts, Now), VerifyError> {
        let token = UnverifiedToken::parse_leaving_room(text, looked.map_or(0, Looked::room))?;
        let known = self.inner.headers.get(token.header);
        let header = known.clone().map_or_else(|| Header::parse(token.header).map(Arc::new), Ok)?;
        let payload = claims::payload_object(token.payload())?;
        let (index, issuer) = self.issuer_of(&payload)?;
        header.require_typ(issuer.policy.profile.typs())?;
        let now = issuer.now();
        let places = Places::read(payload, &issuer.policy, now.unix_millis)?;
        let proof = issuer.prove(&token, &header, now)?;
        if known.is_none() {
            self.inner.headers.insert(token.header, &header);
        }
        let claims = Claims::of(token.into_payload(), places)?;
        Ok((Facts::new((index, issuer), claims, proof, looked), now))
    }

    fn issuer_at(&self, index: usize) -> Result<&TrustedIssuer, VerifyError> {
        self.issuers().nth(index).ok_or_else(|| VerifyError::new(Reason::WrongIssuer))
    }

    /// The trusted issuer that a token claims to come from. Nothing is ever fetched from an issuer that is not one of these.
    pub(crate) fn issuer_of(&self, payload: &Object<'_>) -> Result<(usize, &TrustedIssuer), VerifyError> {
        let claimed = claims::issuer(payload)?;
        let found = self.issuers().enumerate().find(|(_, issuer)| issuer.is_named(claimed));
        found.ok_or_else(|| VerifyError::quoting(Reason::WrongIssuer, "iss", claimed))
    }

    /// The trusted issuer that is named so.
    pub(crate) fn issuer_named(&self, name: &str) -> Option<&TrustedIssuer> {
        self.issuers().find(|issuer| issuer.is_named(name))
    }

    /// Whether tokens can be verified just now, of every issuer that is not [optional](VerifierBuilder::optional).
    pub fn is_ready(&self) -> bool {
        self.needed().all(TrustedIssuer::is_ready)
    }

    /// How the verifier is doing: of several issuers, the health of the one that is worst off.
    pub fn health(&self) -> Health {
        let wellness = |issuer: &TrustedIssuer| {
            let keys = issuer.keys.state(issuer.now().monotonic);
            (issuer.is_ready(), keys == KeyState::Fresh)
        };
        let worse = |one, other| if wellness(other) < wellness(one) { other } else { one };
        self.issuers().skip(1).fold(&*self.inner.first, worse).health()
    }

    /// How the verifier is doing with each of its issuers, in the order in which they were given.
    pub fn health_of_each(&self) -> Vec<Health> {
        self.issuers().map(TrustedIssuer::health).collect()
    }

    pub(crate) fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        let Inner { first, others, .. } = &*self.inner;
        std::iter::once(&**first).chain(others.iter().map(|issuer| &**issuer))
    }

    /// The same, to be kept.
    #[cfg(feature = "testing")]
    pub(crate) fn shared_issuers(&self) -> impl Iterator<Item = &Arc<TrustedIssuer>> {
        std::iter::once(&self.inner.first).chain(&self.inner.others)
    }

    /// The issuers without which the verifier is not ready; never none.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &TrustedIssuer> {
        let alone = self.inner.others.is_empty();
        self.issuers().filter(move |issuer| alone || !issuer.policy.optional)
    }
}

/// Judges facts by everything that may have changed since they were established; `None` where they have to be established anew, since
/// the key is published no more. Otherwise answers how old the knowledge of revocations is.
fn judge_again(facts: &Facts, issuer: &TrustedIssuer) -> Result<Option<Option<Duration>>, VerifyError> {
    let now = issuer.now();
    facts.claims.check(&issuer.policy, now.unix_millis)?;
    if !issuer.still_proves(&facts.proof, now)? {
        return Ok(None);
    }
    facts.judge_revocations(issuer, now).map(Some)
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies: Vec<_> = self.issuers().map(|issuer| &issuer.policy).collect();
        f.debug_struct("Verifier").field("policies", &policies).field("health", &self.health_of_each()).finish()
    }
}
