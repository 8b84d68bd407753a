//! What the issuer has revoked, as every verification sees it: a snapshot behind an atomic pointer, like the keys. Whoever
//! receives messages of the feed publishes its successor; a request only reads it.

pub(crate) mod chain;
pub(crate) mod cutoffs;
pub(crate) mod follower;
pub(crate) mod level;
pub(crate) mod memory;
pub(crate) mod message;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{Reason, VerifyError};
use crate::issuer::TrustedIssuer;
use crate::keys::KeyCell;
use crate::observe::{Event, FeedMessage, Watch};
use crate::policy::Policy;
use crate::verifier::Verifier;
use follower::{FeedOutcome, Held, Now, Rules};
use level::{Level, Name};
use memory::Memory;
use message::{FeedError, Signer};

/// Where what is known about revocations hangs, and what is demanded of it.
#[derive(Debug)]
pub(crate) struct Revocations {
    /// Once set it stays: a feed that was announced does not get lost because a later document leaves it out.
    followed: AtomicBool,
    held: ArcSwapOption<Held>,
    last_failure: ArcSwapOption<String>,
    refused: AtomicU64,
    max_age: Option<Duration>,
    ignore_stale: bool,
    rules: Rules,
    writing: Mutex<()>,
    watch: Watch,
}

/// How current the knowledge of revocations is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationState {
    /// Nothing has been heard of the feed yet; every request is answered 503, unless the verifier was built with
    /// [`dangerous_ignore_stale_feed`](crate::VerifierBuilder::dangerous_ignore_stale_feed).
    Missing,
    /// The feed was heard recently enough.
    Current,
    /// The feed was last heard longer ago than is tolerated, its stamp lies so far ahead that our clock must be wrong, or it told of more
    /// than there is room for; every request is answered 503, with the same exception.
    Stale,
}

/// How a verifier keeps up with the feed, for readiness probes and metrics.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RevocationHealth {
    /// How current it is.
    pub state: RevocationState,
    /// The issuer's tick up to which every revocation is known.
    pub tick: Option<u64>,
    /// The position to resume from, `FEED.TICK.LINK`.
    pub position: Option<String>,
    /// As of how long ago nothing is missing: the larger of what the issuer's stamp and our own clock say.
    pub age: Option<Duration>,
    /// By how many ticks the position lies behind the highest head that was heard of; zero while nothing is missing. A tick is
    /// about a millisecond.
    pub lag: u64,
    /// Why a message was last refused, or the feed could not be reached; `None` after one that counted.
    pub last_failure: Option<String>,
    /// How many messages were refused since the start.
    pub refused_messages: u64,
    /// Whether all that the issuer has told is held. After more than a quarter of a million revocations of single tokens within 70
    /// minutes it is not, and until 70 minutes after the last that found no room the state is [`Stale`](RevocationState::Stale).
    pub complete: bool,
    /// How many cut-offs are held, by the level that the feed names.
    pub cutoffs: [(&'static str, usize); 8],
}

impl Revocations {
    /// `followed`: whether it is certain from the start that there is a feed.
    pub(crate) fn new(followed: bool, max_age: Option<Duration>, ignore_stale: bool, rules: Rules, watch: Watch) -> Self {
        Self {
            followed: AtomicBool::new(followed),
            held: ArcSwapOption::empty(),
            last_failure: ArcSwapOption::empty(),
            refused: AtomicU64::new(0),
            max_age,
            ignore_stale,
            rules,
            writing: Mutex::new(()),
            watch,
        }
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    /// Whether this key was revoked, whichever set it stands in.
    pub(crate) fn is_dead(&self, kid: &str) -> bool {
        self.held.load().as_deref().is_some_and(|held| held.cutoffs.tick_of(Level::Key, &[kid]).is_some())
    }

    /// Where a token's judgements leave what the next may save.
    pub(crate) fn memory(&self) -> Memory {
        Memory::under(self.held.load().as_deref().and_then(|held| held.cutoffs.salt().cloned()))
    }

    /// Judges a token whose signature was verified; answers how old the knowledge is by which it passed.
    pub(crate) fn judge(&self, kid: &str, claims: &Claims, memory: &Memory, now: Now) -> Result<Option<Duration>, VerifyError> {
        if !self.is_followed() {
            return Ok(None);
        }
        let missing = |name| VerifyError::about(Reason::ClaimMissing, name);
        let born = claims.born().ok_or_else(|| missing("born"))?;
        let jti = claims.jti().ok_or_else(|| missing("jti"))?;
        let held = self.held.load();
        let Some(held) = held.as_deref() else {
            return if self.ignore_stale { Ok(None) } else { Err(VerifyError::new(Reason::RevocationsMissing)) };
        };
        let lifetime = claims.period().expires_at.saturating_sub(claims.period().issued_at);
        if lifetime > i64::try_from(held.life.as_secs()).unwrap_or(i64::MAX) {
            return Err(VerifyError::about(Reason::LivesTooLong, "exp"));
        }
        let generation = held.cutoffs.generation();
        if !memory.is_clear_at(generation) {
            let tick_of = |level, identifiers: &[&str]| {
                held.cutoffs.find(level, |salt| memory.name(salt, level, || Name::salted(salt, level, identifiers)))
            };
            if let Some(level) = revoked_at(tick_of, kid, claims, (jti, born)) {
                return Err(VerifyError::about(Reason::Revoked, level.name()));
            }
            memory.note_clear(generation);
        }
        if self.is_stale(held, now) && !self.ignore_stale {
            return Err(VerifyError::new(Reason::RevocationsStale));
        }
        if !held.cutoffs.are_whole(now.monotonic) {
            return Ok(None);
        }
        Ok(Some(held.news.age(now).max(held.news.ahead(now, self.rules.leeway).unwrap_or_default())))
    }

    /// Whether tokens can be judged by what is known.
    pub(crate) fn is_ready(&self, now: Now) -> bool {
        !self.is_followed() || self.ignore_stale || self.state(now) == RevocationState::Current
    }

    pub(crate) fn health(&self, now: Now) -> Option<RevocationHealth> {
        if !self.is_followed() {
            return None;
        }
        let held = self.held.load();
        let held = held.as_deref();
        Some(RevocationHealth {
            state: self.state(now),
            tick: held.map(|held| held.position.tick),
            position: held.map(|held| held.position.to_string()),
            age: held.map(|held| held.news.age(now)),
            lag: held.map_or(0, |held| held.heard_tick.saturating_sub(held.position.tick)),
            last_failure: self.last_failure.load().as_deref().cloned(),
            refused_messages: self.refused.load(Ordering::Relaxed),
            complete: held.is_none_or(|held| held.cutoffs.are_whole(now.monotonic)),
            cutoffs: Level::ALL.map(|level| (level.name(), held.map_or(0, |held| held.cutoffs.count(level)))),
        })
    }

    fn state(&self, now: Now) -> RevocationState {
        match self.held.load().as_deref() {
            None => RevocationState::Missing,
            Some(held) if self.is_stale(held, now) => RevocationState::Stale,
            Some(_) => RevocationState::Current,
        }
    }

    /// A stamp ahead of our clock proves that the clock is wrong: what it takes for a living token may have expired, and its
    /// cut-off with it. And where a cut-off found no room, it may be this token's.
    fn is_stale(&self, held: &Held, now: Now) -> bool {
        !held.cutoffs.are_whole(now.monotonic)
            || held.news.age(now) > self.longest_age(held)
            || held.news.ahead(now, self.rules.leeway).is_some()
    }

    /// No token lives longer than `life`, so knowledge of that age says nothing of use about a token that could be shown.
    fn longest_age(&self, held: &Held) -> Duration {
        self.max_age.unwrap_or(held.life)
    }

    /// Takes a message in: verifies it, judges it and publishes what is held after it.
    pub(crate) fn take(&self, text: &str, policy: &Policy, keys: &KeyCell, now: Now) -> Result<FeedOutcome, FeedError> {
        let answer = self.try_take(text, policy, keys, now);
        self.tell(&answer, now);
        match &answer {
            Ok(_) if !self.held.load().as_deref().is_none_or(|held| held.cutoffs.are_whole(now.monotonic)) => {
                self.note_failure("more was revoked than there is room for".into());
            }
            Ok(FeedOutcome::Moved | FeedOutcome::Confirmed) => self.last_failure.store(None),
            Ok(FeedOutcome::Old) => {}
            Ok(FeedOutcome::NeedsSnapshot) => self.note_failure("a message did not join what is held".into()),
            Err(refused) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.note_failure(refused.to_string());
            }
        }
        answer
    }

    fn try_take(&self, text: &str, policy: &Policy, keys: &KeyCell, now: Now) -> Result<FeedOutcome, FeedError> {
        let issuer = policy.issuer.as_deref().filter(|_| self.is_followed()).ok_or(FeedError::NotFollowed)?;
        let keys = keys.usable(now.monotonic).map_err(|_| FeedError::NoKeys)?;
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.held.load_full();
        let signer = Signer { issuer, algorithms: &policy.algorithms, keys: &keys };
        let message = message::read(text, &signer, held.as_deref().map(|held| &held.cutoffs))?;
        let (next, outcome) = follower::apply(held.as_deref(), &message, text, now, self.rules)?;
        if let Some(next) = next {
            self.held.store(Some(Arc::new(next)));
        }
        Ok(outcome)
    }

    fn tell(&self, answer: &Result<FeedOutcome, FeedError>, now: Now) {
        let outcome = match answer {
            Ok(FeedOutcome::Moved | FeedOutcome::Confirmed) => FeedMessage::Counted,
            Ok(FeedOutcome::Old) => FeedMessage::Old,
            Ok(FeedOutcome::NeedsSnapshot) => FeedMessage::Apart,
            Err(_) => FeedMessage::Refused,
        };
        self.watch.tell(|| Event::FeedMessage { outcome });
        if let (true, Some(held)) = (answer.is_ok(), self.held.load().as_deref()) {
            let (tick, as_of) = (held.position.tick, held.news.as_of);
            let (lag, complete) = (held.heard_tick.saturating_sub(tick), held.cutoffs.are_whole(now.monotonic));
            self.watch.tell(|| Event::Feed { tick, lag, as_of, complete });
        }
    }

    pub(crate) fn note_failure(&self, why: String) {
        self.last_failure.store(Some(Arc::new(why)));
    }
}

#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only what fetches the feed asks"))]
impl Revocations {
    /// From now on tokens are judged by the feed.
    pub(crate) fn follow(&self) {
        self.followed.store(true, Ordering::Release);
    }

    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full()
    }

    /// Begins with what an earlier process knew.
    pub(crate) fn begin_with(&self, held: Arc<Held>) {
        self.held.store(Some(held));
    }
}

/// The judgement of the feed's description: the levels from the widest to the narrowest.
fn revoked_at(
    tick_of: impl Fn(Level, &[&str]) -> Option<u64>,
    kid: &str,
    claims: &Claims,
    (jti, born): (&str, u64),
) -> Option<Level> {
    let (sub, client) = (claims.subject(), claims.client_id());
    let one = |id: Option<&str>, level| id.and_then(|id| tick_of(level, &[id]));
    let is_dead = |level| match level {
        Level::Key => tick_of(level, &[kid]).is_some(),
        Level::Issuer => tick_of(level, &[]).is_some_and(|tick| born < tick),
        Level::Client => tick_of(level, &[client]).is_some_and(|tick| born < tick),
        Level::User => tick_of(level, &[sub]).is_some_and(|tick| born < tick),
        Level::Consent => tick_of(level, &[sub, client]).is_some_and(|tick| born < tick),
        Level::Session => one(claims.sid(), level).is_some_and(|tick| born < tick),
        Level::Grant => one(claims.gid(), level).is_some_and(|tick| born < tick),
        Level::Token => tick_of(level, &[jti]).is_some_and(|tick| born < tick),
    };
    Level::ALL.into_iter().find(|level| is_dead(*level))
}

impl Now {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { unix_millis: clock.unix_millis(), monotonic: clock.monotonic() }
    }
}

impl Verifier {
    /// Takes in a message of an issuer's revocation feed, however it came here: over a message bus, from a sibling or a file.
    /// With the feature `http` the verifier fetches them itself, and nobody has to call this.
    ///
    /// Each message is signed and chained, so its carrier need not be trusted. After [`FeedOutcome::NeedsSnapshot`] a snapshot has
    /// to be taken in.
    ///
    /// # Errors
    /// When the message is refused; what was known stays.
    pub fn take_revocations(&self, message: &str) -> Result<FeedOutcome, FeedError> {
        if self.inner.others.is_empty() {
            return self.inner.first.take_revocations(message);
        }
        let claimed = message::claimed_issuer(message)?;
        let issuer = self.issuers().find(|issuer| issuer.is_named(&claimed)).ok_or(FeedError::OtherIssuer)?;
        issuer.take_revocations(message)
    }
}

impl TrustedIssuer {
    pub(crate) fn take_revocations(&self, message: &str) -> Result<FeedOutcome, FeedError> {
        let outcome = self.revocations.take(message, &self.policy, &self.keys, self.now());
        #[cfg(feature = "http")]
        match &outcome {
            Ok(_) => {
                self.follower.tell();
                let (held, keys) = (self.revocations.held(), self.keys.current());
                if let Some(held) = held.filter(|held| keys.is_some_and(|keys| keys.set().digest() != *held.keys)) {
                    self.follower.feed_says(&held.keys);
                }
            }
            Err(FeedError::UnknownKey(_)) => self.follower.feed_says(message),
            Err(_) => {}
        }
        outcome
    }
}
