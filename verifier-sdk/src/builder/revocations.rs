//! What the builder asks about revocations: where the feed is, how old it may be, and what is waived.

use std::time::Duration;

use super::{BuildError, VerifierBuilder};
use crate::issuer_url::check_address;
use crate::policy::Policy;

/// How revocations are followed.
#[derive(Default)]
pub(crate) struct FeedSettings {
    pub(crate) source: FeedSource,
    pub(crate) max_age: Option<Duration>,
    pub(crate) ignore_stale: bool,
    #[cfg(feature = "http")]
    pub(crate) bearer: Option<reqwest::header::HeaderValue>,
    #[cfg(feature = "http")]
    pub(crate) name: Option<FollowerName>,
    spoiled: Option<BuildError>,
}

/// Where the feed comes from.
#[derive(Default)]
pub(crate) enum FeedSource {
    /// From where discovery says, if it says so.
    #[default]
    Announced,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only what fetches has an address to fetch from"))]
    Address(String),
    HandedIn,
    Ignored,
}

/// How a follower calls itself.
#[cfg(feature = "http")]
pub(crate) struct FollowerName {
    pub(crate) name: String,
    pub(crate) instance: String,
}

impl FeedSettings {
    /// Whether there is a feed to judge by, whatever discovery will say.
    pub(super) fn is_certain(&self) -> bool {
        matches!(self.source, FeedSource::Address(_) | FeedSource::HandedIn)
    }

    pub(super) fn check(&self, policy: &Policy, allow_plain_http: bool) -> Result<(), BuildError> {
        if let Some(spoiled) = &self.spoiled {
            return Err(spoiled.clone());
        }
        if self.is_certain() && policy.issuer.is_none() {
            return Err(BuildError::RevocationsWithoutIssuer);
        }
        if let FeedSource::Address(uri) = &self.source {
            check_address(uri, allow_plain_http).map_err(BuildError::RevocationsUri)?;
        }
        if self.max_age.is_some_and(|age| age.is_zero() || age > LONGEST_MAX_AGE) {
            Err(BuildError::RevocationsMaxAge)
        } else {
            Ok(())
        }
    }
}

/// No token of a feed that is followed lives longer.
const LONGEST_MAX_AGE: Duration = Duration::from_secs(3_600);

impl<I, A> VerifierBuilder<I, A> {
    /// Judges tokens by the messages of the issuer's revocation feed that the service hands to
    /// [`take_revocations`](crate::Verifier::take_revocations); nothing is fetched.
    pub fn revocations_handed_in(mut self) -> Self {
        self.draft.feed.source = FeedSource::HandedIn;
        self
    }

    /// For how long the feed may go unheard before every token is answered
    /// [`RevocationsStale`](crate::Reason::RevocationsStale) (503). Default: the longest life of the issuer's access tokens, as the
    /// feed says it. A service that alone is cut off from the feed can be shown tokens that were issued and revoked meanwhile.
    ///
    /// Heartbeats come every ten seconds, and clocks that differ count into the age: below about 15 s an idle feed is stale now
    /// and then. At most an hour: [`dangerous_ignore_stale_feed`](Self::dangerous_ignore_stale_feed) is the name of what is more.
    pub fn revocations_max_age(mut self, max_age: Duration) -> Self {
        self.draft.feed.max_age = Some(max_age);
        self
    }

    /// Goes on by what is known, or without knowing anything, when the feed cannot be heard: whoever can keep this service from
    /// the feed can use a revoked token here until it expires.
    pub fn dangerous_ignore_stale_feed(mut self) -> Self {
        self.draft.feed.ignore_stale = true;
        self
    }

    /// Follows no revocation feed, announced or not: a revoked token is good here until it expires.
    pub fn dangerous_without_revocations(mut self) -> Self {
        self.draft.feed.source = FeedSource::Ignored;
        self
    }
}

#[cfg(feature = "http")]
impl<I, A> VerifierBuilder<I, A> {
    /// Follows the issuer's revocation feed at this address instead of where discovery announces one. https, or http on localhost.
    /// Needed with [`jwks_uri`](VerifierBuilder::jwks_uri) or fixed keys, since nothing is discovered then.
    pub fn revocations(mut self, uri: impl Into<String>) -> Self {
        self.draft.feed.source = FeedSource::Address(uri.into());
        self
    }

    /// Trusts these certificate authorities, one or more certificates in PEM, in place of the machine's when keys and revocations are
    /// fetched: for an issuer with a certificate of the organisation's own.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.draft.root_certificates = Some(pem.into());
        self
    }

    /// The token that the feed's operator has handed out, for a feed that is not public.
    pub fn feed_bearer(mut self, token: impl AsRef<str>) -> Self {
        let token = token.as_ref();
        let plausible = (1..=4096).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
        match reqwest::header::HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| plausible) {
            Some(mut bearer) => {
                bearer.set_sensitive(true);
                self.draft.feed.bearer = Some(bearer);
            }
            None => self.draft.feed.spoiled = Some(BuildError::FeedBearer),
        }
        self
    }

    /// Lets the issuer's operator see this follower in `passant followers`: the service's name, and which of its instances this is.
    /// Each is made of 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    pub fn follower_name(mut self, name: impl Into<String>, instance: impl Into<String>) -> Self {
        let is_name = |text: &str| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
        };
        let name = FollowerName { name: name.into(), instance: instance.into() };
        if is_name(&name.name) && is_name(&name.instance) {
            self.draft.feed.name = Some(name);
        } else {
            self.draft.feed.spoiled = Some(BuildError::FollowerName);
        }
        self
    }

    /// Keeps keys and revocations in this file, so that a service that starts while the issuer is down has them, as old as they
    /// are. The file is a trust root: it is written with mode 0600, and not read if it belongs to another user, is readable by
    /// others, or is a link. Its folder should be the service's alone, and outlive its restarts.
    ///
    /// It is written by a task on the runtime in which the verifier is built, a second after the last time at the soonest, and once more,
    /// where something changed since, by whoever drops the last clone of the [`Verifier`](crate::Verifier): do that where a write to the disk may block. With
    /// fixed keys it keeps the revocations alone.
    pub fn last_known_good(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.draft.last_known_good = Some(path.into());
        self
    }

    pub(super) fn check_last_known_good(&self) -> Result<(), BuildError> {
        let why = match &self.draft.last_known_good {
            None => return Ok(()),
            Some(_) if !cfg!(unix) => "who may read a file is checked on Unix only",
            Some(_) if self.draft.policy.issuer.is_none() => "it belongs to one issuer, and none is given",
            Some(_) if matches!(self.draft.source, super::KeySource::Fixed(_)) && !self.draft.feed.is_certain() => {
                "fixed keys are not fetched, and without revocations there is nothing else to keep"
            }
            Some(path) if path.file_name().is_none() => "it has no name",
            Some(_) => return Ok(()),
        };
        Err(BuildError::LastKnownGood(why))
    }
}
