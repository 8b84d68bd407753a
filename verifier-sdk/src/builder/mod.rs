//! How a verifier comes to be. The two decisions that must not be forgotten — whose tokens, and meant for whom — are steps in
//! the builder's type: without them there is no `build`, and waiving one has to be spelled `dangerous_`.

mod revocations;
mod several;
mod tokens;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::cache::settings::TokenCache;
use crate::clock::{self, Clock};
use crate::issuer::TrustedIssuer;
use crate::issuer_url::{check_address, check_issuer};
use crate::keys::KeyCell;
use crate::keys::jwks::{JwksError, KeySet};
use crate::observe::{Observer, Watch};
use crate::policy::Policy;
use crate::profile::Profile;
use crate::replays::Replays;
use crate::revocation::Revocations;
use crate::revocation::follower::Rules;
use crate::signature;
use crate::verifier::{Inner, Verifier};
pub(crate) use revocations::FeedSettings;
#[cfg(feature = "http")]
pub(crate) use revocations::{FeedSource, FollowerName};

/// The step of a builder that has no issuer yet.
#[derive(Debug)]
pub struct NeedsIssuer(());

/// The step of a builder that has no audience yet.
#[derive(Debug)]
pub struct NeedsAudience(());

/// A step that has been taken.
#[derive(Debug)]
pub struct Given(());

/// Builds a [`Verifier`]; begun by [`Verifier::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct VerifierBuilder<I, A> {
    draft: Draft,
    steps: PhantomData<(I, A)>,
}

struct Draft {
    policy: Policy,
    clock: Option<Arc<dyn Clock>>,
    source: KeySource,
    feed: FeedSettings,
    #[cfg(feature = "http")]
    last_known_good: Option<std::path::PathBuf>,
    #[cfg(feature = "http")]
    root_certificates: Option<Vec<u8>>,
    allow_plain_http: bool,
    observer: Option<Arc<dyn Observer>>,
    token_cache: TokenCache,
}

/// Where the keys come from.
pub(crate) enum KeySource {
    Discovery,
    Address(String),
    Fixed(Vec<u8>),
    #[cfg(feature = "testing")]
    HandedIn,
}

impl VerifierBuilder<NeedsIssuer, NeedsAudience> {
    pub(crate) fn new() -> Self {
        let policy = Policy {
            issuer: None,
            audiences: None,
            algorithms: vec![Policy::DEFAULT_ALGORITHM],
            leeway: Policy::DEFAULT_LEEWAY,
            clients: None,
            profile: Profile::AccessToken,
            accept_missing_kid: false,
            max_lifetime: None,
            id_token_max_lifetime: Policy::DEFAULT_ID_TOKEN_MAX_LIFETIME,
            max_stale: Policy::DEFAULT_MAX_STALE,
            optional: false,
        };
        let clock = clock::of_the_machine();
        let draft = Draft {
            policy,
            clock,
            source: KeySource::Discovery,
            feed: FeedSettings::default(),
            #[cfg(feature = "http")]
            last_known_good: None,
            #[cfg(feature = "http")]
            root_certificates: None,
            allow_plain_http: false,
            observer: None,
            token_cache: TokenCache::default(),
        };
        Self { draft, steps: PhantomData }
    }
}

impl<A> VerifierBuilder<NeedsIssuer, A> {
    /// The issuer whose tokens are accepted, exactly as it stands in their `iss`. Its keys are found by discovery
    /// (`/.well-known/openid-configuration`) unless [`jwks_uri`](VerifierBuilder::jwks_uri) or
    /// [`static_jwks`](VerifierBuilder::static_jwks) says otherwise. https, or http on localhost.
    pub fn issuer(mut self, issuer: impl Into<String>) -> VerifierBuilder<Given, A> {
        self.draft.policy.issuer = Some(issuer.into());
        self.step()
    }

    /// Accepts any `iss`: whoever holds a key of the key set speaks for every issuer. The key set must then be given.
    pub fn dangerous_accept_any_issuer(self) -> VerifierBuilder<Given, A> {
        self.step()
    }
}

impl<I> VerifierBuilder<I, NeedsAudience> {
    /// This service's own name, one of which has to be in a token's `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> VerifierBuilder<I, Given> {
        self.draft.policy.audiences = Some(vec![audience.into()]);
        self.step()
    }

    /// Accepts any `aud`: every other service that is sent a token can use it here.
    pub fn dangerous_accept_any_audience(self) -> VerifierBuilder<I, Given> {
        self.step()
    }
}

impl<I> VerifierBuilder<I, Given> {
    /// One more name that this service goes by.
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        if let Some(audiences) = &mut self.draft.policy.audiences {
            audiences.push(audience.into());
        }
        self
    }
}

impl<I, A> VerifierBuilder<I, A> {
    /// Fetches the keys from this address instead of asking the issuer where they are. https, or http on localhost.
    ///
    /// No revocation feed is announced then; an issuer that has one is followed by `revocations(…)`.
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.draft.source = KeySource::Address(uri.into());
        self
    }

    /// Uses these keys for good, a JWK set as JSON text; nothing is ever fetched, and so no revocation feed is found either.
    pub fn static_jwks(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.draft.source = KeySource::Fixed(json.into());
        self
    }

    /// Leaves it to an issuer for tests to hand keys in.
    #[cfg(feature = "testing")]
    pub(crate) fn keys_handed_in(mut self) -> Self {
        self.draft.source = KeySource::HandedIn;
        self
    }

    /// The algorithms that a token may be signed by, in place of RS256 alone. A token's `alg` has to be one of them, and each key is
    /// used with one: the one that its `alg` names, or the one of its curve, or for an RSA key without `alg` **the first RSA
    /// algorithm of this list**. A key that none of them can use is left out.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.draft.policy.algorithms = algorithms.into_iter().collect();
        self
    }

    /// By how much clocks may differ. Default 60 s, at most 300 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.draft.policy.leeway = leeway;
        self
    }

    /// For how long keys count after the issuer last confirmed them. Default 24 h, at most 30 days.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.draft.policy.max_stale = max_stale;
        self
    }

    /// How many verified tokens are remembered, so that their signatures need not be checked again. Default 10,000 tokens in 16 MiB;
    /// [`TokenCache::OFF`] remembers none.
    pub fn token_cache(mut self, cache: TokenCache) -> Self {
        self.draft.token_cache = cache;
        self
    }

    /// Another source of time, for tests and for machines without a clock: on wasm32-unknown-unknown it has to be given.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.draft.clock = Some(Arc::new(clock));
        self
    }

    /// Whoever is to hear of what happens, to count it; by default nobody.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.draft.observer = Some(Arc::new(observer));
        self
    }

    /// Lets keys be fetched over plain http from other machines: whoever sits in between can put in keys of their own.
    pub fn dangerous_allow_plain_http(mut self) -> Self {
        self.draft.allow_plain_http = true;
        self
    }

    fn step<J, B>(self) -> VerifierBuilder<J, B> {
        VerifierBuilder { draft: self.draft, steps: PhantomData }
    }
}

impl VerifierBuilder<Given, Given> {
    /// Builds the verifier. Does no I/O but to read the last-known-good file, where there is one: unless the keys are fixed, a
    /// task is started on the current tokio runtime that fetches them, and until they arrive every token is answered
    /// [`KeysMissing`](crate::Reason::KeysMissing) (503).
    ///
    /// # Errors
    /// When a setting makes no sense, or keys are to be fetched outside a tokio runtime.
    pub fn build(self) -> Result<Verifier, BuildError> {
        let Draft { policy, source, feed, allow_plain_http, .. } = &self.draft;
        check(policy, *allow_plain_http)?;
        feed.check(policy, *allow_plain_http)?;
        if self.draft.token_cache.entries > TokenCache::MOST_ENTRIES {
            return Err(BuildError::TokenCache);
        }
        if !signature::AVAILABLE {
            return Err(BuildError::NoBackend);
        }
        if let Some(unsupported) = policy.algorithms.iter().find(|algorithm| !signature::is_supported(**algorithm)) {
            return Err(BuildError::UnsupportedAlgorithm(*unsupported));
        }
        let clock = self.draft.clock.clone().ok_or(BuildError::NoClock)?;
        let keys = match source {
            KeySource::Fixed(json) => KeyCell::fixed(KeySet::parse(json, &policy.algorithms).map_err(BuildError::StaticJwks)?),
            #[cfg(feature = "testing")]
            KeySource::HandedIn => KeyCell::empty(policy.max_stale),
            KeySource::Address(_) | KeySource::Discovery if !cfg!(feature = "http") => return Err(BuildError::NoKeys),
            KeySource::Discovery if policy.issuer.is_none() => return Err(BuildError::NoKeys),
            KeySource::Discovery => KeyCell::empty(policy.max_stale),
            KeySource::Address(uri) => {
                check_address(uri, *allow_plain_http).map_err(BuildError::JwksUri)?;
                KeyCell::empty(policy.max_stale)
            }
        };
        let keys = Arc::new(keys);
        let watch = Watch::new(self.draft.observer.clone(), policy.issuer.as_deref());
        let rules = Rules { leeway: policy.leeway, fixed_keys: matches!(source, KeySource::Fixed(_)) };
        let revocations = Arc::new(Revocations::new(feed.is_certain(), feed.max_age, feed.ignore_stale, rules, watch.clone()));
        #[cfg(feature = "http")]
        let follower = {
            self.check_last_known_good()?;
            crate::http::Follower::start(crate::http::Plan {
                policy: policy.clone(),
                clock: clock.clone(),
                source: self.draft.source,
                roots: self.draft.root_certificates.as_deref().map(crate::http::roots).transpose()?,
                keys: keys.clone(),
                feed: self.draft.feed,
                revocations: revocations.clone(),
                last_known_good: self.draft.last_known_good,
                watch: watch.clone(),
            })?
        };
        let issuer = TrustedIssuer {
            policy: self.draft.policy,
            clock,
            keys,
            revocations,
            logouts: Replays::default(),
            watch: watch.clone(),
            #[cfg(feature = "http")]
            follower,
        };
        let inner = Inner::new(Arc::new(issuer), Box::default(), self.draft.token_cache, watch);
        Ok(Verifier { inner: Arc::new(inner) })
    }
}

fn check(policy: &Policy, allow_plain_http: bool) -> Result<(), BuildError> {
    if let Some(issuer) = &policy.issuer {
        check_issuer(issuer, allow_plain_http).map_err(BuildError::Issuer)?;
    }
    if policy.audiences.as_ref().is_some_and(|audiences| audiences.iter().any(String::is_empty)) {
        return Err(BuildError::Audience);
    }
    if policy.algorithms.is_empty() {
        return Err(BuildError::NoAlgorithm);
    }
    if policy.leeway > Policy::MAX_LEEWAY {
        return Err(BuildError::Leeway);
    }
    if policy.clients.as_ref().is_some_and(|clients| clients.iter().any(String::is_empty)) {
        return Err(BuildError::Client);
    }
    if policy.max_lifetime().as_secs() == 0 || policy.id_token_max_lifetime.as_secs() == 0 {
        return Err(BuildError::MaxLifetime);
    }
    if policy.max_stale.is_zero() || policy.max_stale > Policy::LONGEST_MAX_STALE {
        return Err(BuildError::MaxStale);
    }
    Ok(())
}

impl<I, A> fmt::Debug for VerifierBuilder<I, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder").field("policy", &self.draft.policy).finish_non_exhaustive()
    }
}

/// Why a verifier cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is not an address that an issuer may have.
    #[error("the issuer is not usable: {0}")]
    Issuer(&'static str),
    /// An audience is empty.
    #[error("an audience is empty")]
    Audience,
    /// A client is empty.
    #[error("a client is empty")]
    Client,
    /// The list of accepted algorithms is empty.
    #[error("no algorithm is accepted")]
    NoAlgorithm,
    /// None of the cryptographic backends that are compiled in can do this algorithm.
    #[error("no cryptographic backend that is compiled in can do {0}")]
    UnsupportedAlgorithm(Algorithm),
    /// The leeway is above 300 s.
    #[error("the leeway is above 300 s")]
    Leeway,
    /// A longest lifetime is below one second.
    #[error("max_lifetime or id_token_max_lifetime is below one second")]
    MaxLifetime,
    /// `max_stale` is zero or above 30 days.
    #[error("max_stale is zero or above 30 days")]
    MaxStale,
    /// More than a million tokens are to be remembered.
    #[error("token_cache is to remember more than a million tokens")]
    TokenCache,
    /// The machine has no clock that could be asked, and none was given.
    #[error("the machine has no clock: give one")]
    NoClock,
    /// There is no way to come by keys: give `static_jwks`, or `issuer` or `jwks_uri` with the feature `http`.
    #[error("there is no way to come by keys: give static_jwks, or an issuer or jwks_uri with the feature \"http\"")]
    NoKeys,
    /// The fixed keys are of no use.
    #[error("the given keys are not usable: {0}")]
    StaticJwks(JwksError),
    /// The keys' address is not one to fetch from.
    #[error("jwks_uri is not usable: {0}")]
    JwksUri(&'static str),
    /// A feed of revocations is to be followed, but there is no issuer whose feed it would be.
    #[error("revocations need an issuer: they are of one issuer's tokens")]
    RevocationsWithoutIssuer,
    /// The feed's address is not one to fetch from.
    #[error("the address of the revocations is not usable: {0}")]
    RevocationsUri(&'static str),
    /// The longest tolerated age of what is known of revocations is zero or above one hour.
    #[error("revocations_max_age is zero or above one hour")]
    RevocationsMaxAge,
    /// The bearer token for the feed is empty, longer than 4096 characters or not made of visible ASCII.
    #[error("the bearer token for the feed is empty, too long or has characters that no token has")]
    FeedBearer,
    /// A follower's name or instance is not made of 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    #[error("the follower's name or instance is not made of 1 to 64 characters of A-Z a-z 0-9 . _ : -")]
    FollowerName,
    /// A last-known-good file makes no sense here.
    #[error("the last-known-good file is not usable: {0}")]
    LastKnownGood(&'static str),
    /// Keys are to be fetched, but `build` was called outside a tokio runtime.
    #[error("keys are fetched by a tokio task, and there is no tokio runtime here")]
    NoRuntime,
    /// There is no verifier to put together.
    #[error("there is no verifier to put together")]
    NoIssuer,
    /// Two verifiers of the same issuer were to be put together.
    #[error("two of the verifiers are of the same issuer, {0}")]
    SameIssuer(String),
    /// A verifier that accepts any issuer was to be put together with others.
    #[error("one of the verifiers accepts any issuer, and would speak for the others")]
    AnyIssuerAmongOthers,
    /// Every one of several verifiers is optional.
    #[error("every one of the verifiers is optional, so none tells when they are ready")]
    AllOptional,
    /// What was given as root certificates has none in PEM.
    #[error("root_certificates has no certificate in PEM")]
    RootCertificates,
    /// The HTTP client could not be set up, for instance because the machine has no root certificates.
    #[error("the HTTP client could not be set up: {0}")]
    HttpClient(String),
    /// The crate was compiled without any cryptographic backend.
    #[error("no cryptographic backend: switch on one of the features \"aws-lc-rs\", \"ring\" and \"rust-crypto\"")]
    NoBackend,
}
