//! The issuer's keys as every verification sees them: a snapshot behind an atomic pointer. Whoever fetches keys publishes a
//! new snapshot; nothing ever takes one away, it only grows old.

mod ec;
mod field;
mod jwk;
pub(crate) mod jwks;
mod okp;
mod rsa;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use crate::error::{Reason, VerifyError};
use crate::escape::escaped;
use crate::revocation::RevocationHealth;
use crate::signature::VerificationKey;
use jwks::{KeySet, SkipReason, SkippedKey};

/// The three ages of keys, and the time before there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// No keys have arrived yet; every request is answered 503.
    Missing,
    /// The keys are as new as the issuer asked for.
    Fresh,
    /// The keys should have been refreshed, but still count: the issuer may be down.
    Stale,
    /// The keys have gone without refresh for longer than `max_stale`; every request is answered 503.
    Dead,
}

/// How a verifier is doing, for readiness probes and metrics.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// The issuer whose keys and revocations these are; `None` where any issuer is accepted.
    pub issuer: Option<String>,
    /// The age of the keys.
    pub keys: KeyState,
    /// How many keys can be used.
    pub usable_keys: usize,
    /// The keys of the published set that are not used, and why.
    pub skipped_keys: Vec<SkippedKey>,
    /// How long ago the issuer last confirmed the keys; `None` for fixed keys, or before there are any.
    pub age: Option<Duration>,
    /// Why the last refresh failed; `None` after one that succeeded.
    pub last_failure: Option<String>,
    /// How the revocation feed is doing; `None` where none is followed.
    pub revocations: Option<RevocationHealth>,
}

/// A key set and how long it counts.
#[derive(Debug)]
pub(crate) struct Snapshot {
    set: Arc<KeySet>,
    validity: Validity,
    /// Another number for another document: what was proved with the keys of one counts as long as they are the current ones.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
enum Validity {
    Forever,
    Since(Confirmed),
}

/// When the issuer last confirmed keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirmed {
    pub(crate) at: Duration,
    /// How long ago that already was at `at`: more than nothing only for keys from a file.
    pub(crate) age_then: Duration,
    pub(crate) fresh_for: Duration,
}

impl Confirmed {
    fn age(self, now: Duration) -> Duration {
        now.saturating_sub(self.at).saturating_add(self.age_then)
    }
}

impl Snapshot {
    /// How long ago the issuer confirmed the keys, where it is asked at all.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        match self.validity {
            Validity::Forever => None,
            Validity::Since(confirmed) => Some(confirmed.age(now)),
        }
    }
}

#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only what fetches keys asks for them"))]
impl Snapshot {
    pub(crate) fn set(&self) -> &Arc<KeySet> {
        &self.set
    }
}

/// Where the current snapshot hangs. All times are those of [`Clock::monotonic`](crate::Clock::monotonic).
#[derive(Debug)]
pub(crate) struct KeyCell {
    current: ArcSwapOption<Snapshot>,
    last_failure: ArcSwapOption<String>,
    max_stale: Duration,
}

/// The numbers of key sets, each given once in this process: one verifier's number means nothing of another's keys.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

impl KeyCell {
    pub(crate) fn empty(max_stale: Duration) -> Self {
        let (current, last_failure) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self { current, last_failure, max_stale }
    }

    pub(crate) fn fixed(set: KeySet) -> Self {
        let cell = Self::empty(Duration::MAX);
        cell.store(Arc::new(set), Validity::Forever);
        cell
    }

    fn store(&self, set: Arc<KeySet>, validity: Validity) {
        let current = self.current.load();
        let same = current.as_ref().filter(|current| current.set.document() == set.document());
        let generation = same.map_or_else(|| GENERATIONS.fetch_add(1, Ordering::Relaxed), |same| same.generation);
        self.current.store(Some(Arc::new(Snapshot { set, validity, generation })));
    }

    /// The keys to verify with at `now`.
    pub(crate) fn usable(&self, now: Duration) -> Result<UsableKeys, VerifyError> {
        let snapshot = self.current.load();
        match self.state_of(snapshot.as_deref(), now) {
            KeyState::Fresh | KeyState::Stale => Ok(UsableKeys(snapshot)),
            KeyState::Missing => Err(VerifyError::new(Reason::KeysMissing)),
            KeyState::Dead => Err(VerifyError::new(Reason::KeysTooOld)),
        }
    }

    pub(crate) fn state(&self, now: Duration) -> KeyState {
        self.state_of(self.current.load().as_deref(), now)
    }

    /// `is_dead`: whether a key of the set was revoked.
    pub(crate) fn health(&self, now: Duration, is_dead: impl Fn(&str) -> bool) -> Health {
        let snapshot = self.current.load();
        let snapshot = snapshot.as_deref();
        let mut skipped_keys = snapshot.map_or_else(Vec::new, |snapshot| snapshot.set.skipped().to_vec());
        let dead: Vec<_> = snapshot.iter().flat_map(|snapshot| snapshot.set.kids()).filter(|kid| is_dead(kid)).collect();
        let usable_keys = snapshot.map_or(0, |snapshot| snapshot.set.len()).saturating_sub(dead.len());
        skipped_keys.extend(dead.iter().map(|kid| SkippedKey { kid: Some(escaped(kid)), reason: SkipReason::Revoked }));
        Health {
            issuer: None,
            keys: self.state_of(snapshot, now),
            usable_keys,
            skipped_keys,
            age: snapshot.and_then(|snapshot| snapshot.age(now)),
            last_failure: self.last_failure.load().as_deref().cloned(),
            revocations: None,
        }
    }

    fn state_of(&self, snapshot: Option<&Snapshot>, now: Duration) -> KeyState {
        match snapshot.map(|snapshot| snapshot.validity) {
            None => KeyState::Missing,
            Some(Validity::Forever) => KeyState::Fresh,
            Some(Validity::Since(confirmed)) => match confirmed.age(now) {
                age if age > self.max_stale => KeyState::Dead,
                age if age > confirmed.fresh_for => KeyState::Stale,
                _ => KeyState::Fresh,
            },
        }
    }
}

#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only what fetches keys asks for them"))]
impl KeyCell {
    pub(crate) fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// Notes a failure; the keys stay as they are.
    pub(crate) fn note_failure(&self, why: String) {
        self.last_failure.store(Some(Arc::new(why)));
    }
}

#[cfg_attr(not(any(feature = "http", feature = "testing")), expect(dead_code, reason = "only what fetches keys publishes them"))]
impl KeyCell {
    /// Publishes keys that the issuer confirmed.
    pub(crate) fn publish(&self, set: Arc<KeySet>, confirmed: Confirmed) {
        self.store(set, Validity::Since(confirmed));
        self.last_failure.store(None);
    }
}

/// Keys that were young enough when they were asked for.
pub(crate) struct UsableKeys(Guard<Option<Arc<Snapshot>>>);

impl UsableKeys {
    /// What a key proved while this was the generation need not be proved again while it still is.
    pub(crate) fn generation(&self) -> u64 {
        self.0.as_ref().map_or(0, |snapshot| snapshot.generation)
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&VerificationKey> {
        self.0.as_ref()?.set.get(kid)
    }

    /// The key and its `kid`, where there is no other.
    pub(crate) fn only(&self) -> Option<(&str, &VerificationKey)> {
        self.0.as_ref()?.set.only()
    }
}
