//! How a follower goes from message to message, as a pure function: what it holds, a message, the time → what it holds then, and
//! what it must do next. Nothing is ever forgotten because of a message; what does not fit the chain asks for a snapshot.

use std::sync::Arc;
use std::time::Duration;

use crate::revocation::chain::{Position, last_link};
use crate::revocation::cutoffs::{Cutoff, Cutoffs};
use crate::revocation::message::{Body, FeedError, Message};

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) unix_millis: i64,
    pub(crate) monotonic: Duration,
}

/// All that a follower holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) position: Position,
    pub(crate) cutoffs: Cutoffs,
    pub(crate) life: Duration,
    /// The digest of the key set that is published.
    pub(crate) keys: Arc<str>,
    pub(crate) news: News,
    /// The highest tick that any message named as its feed's head.
    pub(crate) heard_tick: u64,
    /// The last message that counted, if it is short enough to be shown to the issuer as a proof.
    pub(crate) proof: Option<Arc<str>>,
}

/// As of when the position was the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct News {
    /// Unix milliseconds.
    pub(crate) as_of: i64,
    /// By the monotonic clock.
    pub(crate) arrived: Duration,
    /// How old it was at least when it arrived; more than nothing only when it came from a file.
    pub(crate) age_then: Duration,
}

impl News {
    /// The larger of what the issuer's stamp and what our own monotonic clock say: neither a wall clock put back nor a message
    /// held back makes it younger.
    pub(crate) fn age(self, now: Now) -> Duration {
        let by_stamp = u64::try_from(now.unix_millis.saturating_sub(self.as_of)).unwrap_or(0);
        let by_arrival = now.monotonic.saturating_sub(self.arrived).saturating_add(self.age_then);
        by_arrival.max(Duration::from_millis(by_stamp))
    }

    /// How far the issuer's stamp lies ahead of our wall clock, if that is more than the leeway. The stamp is signed and was not
    /// ahead when it came, so one of the clocks has jumped since, and no age can be told.
    pub(crate) fn ahead(self, now: Now, leeway: Duration) -> Option<Duration> {
        let ahead = u64::try_from(self.as_of.saturating_sub(now.unix_millis)).map(Duration::from_millis);
        ahead.ok().filter(|ahead| *ahead > leeway)
    }
}

/// What a message was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedOutcome {
    /// It brought the position to its head: what is held is what the issuer has revoked.
    Moved,
    /// It confirmed that the position is the head.
    Confirmed,
    /// It is older than what is held.
    Old,
    /// It does not join what is held. What it told counts all the same, but now a snapshot is needed.
    NeedsSnapshot,
}

/// What does not change from message to message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// By how much clocks may differ.
    pub(crate) leeway: Duration,
    /// Whether the issuer's keys were given for good.
    pub(crate) fixed_keys: bool,
}

/// Messages up to this length are kept as a proof; a snapshot that is longer is soon followed by a heartbeat.
const LONGEST_PROOF: usize = 32 * 1024;

/// Judges a message whose signature was verified. Refused is only what comes from the future; that changes nothing.
pub(crate) fn apply(
    held: Option<&Held>,
    message: &Message,
    text: &str,
    now: Now,
    rules: Rules,
) -> Result<(Option<Held>, FeedOutcome), FeedError> {
    let Rules { leeway, fixed_keys } = rules;
    if news(message, now).ahead(now, leeway).is_some() {
        return Err(FeedError::FromTheFuture);
    }
    let next = match held {
        None => first(message, fixed_keys, now),
        Some(held) => next(held, message, now, leeway),
    };
    let (held, outcome) = next;
    let held = held.map(|mut held| {
        held.heard_tick = if *held.position.feed == *message.feed { held.heard_tick.max(message.tick) } else { held.heard_tick };
        if matches!(outcome, FeedOutcome::Moved | FeedOutcome::Confirmed) {
            held.life = message.life;
            held.keys = message.keys.as_str().into();
            if text.len() <= LONGEST_PROOF {
                held.proof = Some(text.into());
            }
        }
        held.cutoffs.sweep(now.monotonic);
        held
    });
    Ok((held, outcome))
}

fn first(message: &Message, fixed_keys: bool, now: Now) -> (Option<Held>, FeedOutcome) {
    let Body::Snapshot(cutoffs) = &message.body else {
        return (None, FeedOutcome::NeedsSnapshot);
    };
    let held = Held {
        position: head(message),
        cutoffs: unite(&Cutoffs::none(fixed_keys), message, cutoffs.iter().copied(), now),
        life: message.life,
        keys: message.keys.as_str().into(),
        news: news(message, now),
        heard_tick: message.tick,
        proof: None,
    };
    (Some(held), FeedOutcome::Moved)
}

fn next(held: &Held, message: &Message, now: Now, leeway: Duration) -> (Option<Held>, FeedOutcome) {
    let news = news(message, now);
    // Once a stamp from a clock that ran ahead was believed, no true one would be later for as long as it ran ahead.
    let is_later = news.as_of > held.news.as_of || held.news.ahead(now, leeway).is_some();
    let own = &held.position;
    let same_feed = *own.feed == *message.feed;
    let is_own_head = same_feed && own.tick == message.tick && *own.link == *message.chain;
    let mut next = held.clone();
    let outcome = match &message.body {
        Body::Snapshot(cutoffs) => {
            next.cutoffs = unite(&held.cutoffs, message, cutoffs.iter().copied(), now);
            if is_own_head {
                FeedOutcome::Confirmed
            } else if if same_feed { message.tick < own.tick } else { news.as_of < held.news.as_of && !is_later } {
                FeedOutcome::Old
            } else {
                FeedOutcome::Moved
            }
        }
        _ if !same_feed || !held.cutoffs.is_salted(&message.salt) => FeedOutcome::NeedsSnapshot,
        _ if message.tick < own.tick => FeedOutcome::Old,
        Body::Heartbeat if is_own_head => FeedOutcome::Confirmed,
        Body::Heartbeat => FeedOutcome::NeedsSnapshot,
        Body::Delta { after, entries } => {
            let told = entries.iter().flat_map(|entry| {
                entry.cutoffs.iter().map(|(level, name)| Cutoff { level: *level, name: *name, tick: entry.tick })
            });
            next.cutoffs = unite(&held.cutoffs, message, told, now);
            let known = entries.partition_point(|entry| entry.tick <= own.tick);
            let (known, unknown) = entries.split_at_checked(known).unwrap_or_default();
            let joins = known.last().map_or(*after, |entry| entry.tick) == own.tick;
            if is_own_head {
                FeedOutcome::Confirmed
            } else if joins && !unknown.is_empty() && last_link(&own.feed, &own.link, unknown) == message.chain {
                FeedOutcome::Moved
            } else {
                FeedOutcome::NeedsSnapshot
            }
        }
    };
    if outcome == FeedOutcome::Moved {
        next.position = head(message);
        next.heard_tick = if same_feed { held.heard_tick } else { message.tick };
    }
    // Only a later stamp is news: a message shown again must not seem to have just arrived.
    if matches!(outcome, FeedOutcome::Moved | FeedOutcome::Confirmed) && is_later {
        next.news = news;
    }
    (Some(next), outcome)
}

fn head(message: &Message) -> Position {
    Position { feed: message.feed.as_str().into(), tick: message.tick, link: message.chain.as_str().into() }
}

fn news(message: &Message, now: Now) -> News {
    News { as_of: message.iat.saturating_mul(1000), arrived: now.monotonic, age_then: Duration::ZERO }
}

fn unite(held: &Cutoffs, message: &Message, came: impl IntoIterator<Item = Cutoff>, now: Now) -> Cutoffs {
    held.united(&message.salt, came, now.monotonic)
}
