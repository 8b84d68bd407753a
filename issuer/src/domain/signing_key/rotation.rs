//! Who signs next. Three occasions (the tick of the planner, an operator's wish, a revocation) lead to one kind of answer: rows
//! to reschedule and perhaps a key to make, applied by the store in one transaction.

use super::{KeyPolicy, Schedule, SigningKey, signer, unrevoked};
use crate::clock::UnixTime;
use crate::domain::ids::KeyId;

/// What has to change in the key table. The default is nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rotation {
    /// Rows that get another schedule.
    pub reschedules: Vec<Reschedule>,
    /// A key to generate and insert.
    pub new_key: Option<NewKey>,
}

impl Rotation {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.reschedules.is_empty() && self.new_key.is_none()
    }

    fn first(keys: &[SigningKey], now: UnixTime, policy: &KeyPolicy) -> Self {
        let new_key = NewKey { epoch: next_epoch(keys), schedule: policy.schedule(now, now) };
        Self { reschedules: Vec::new(), new_key: Some(new_key) }
    }

    fn successor(keys: &[SigningKey], now: UnixTime, signs_from: UnixTime, of: &SigningKey, policy: &KeyPolicy) -> Self {
        let new_key = NewKey { epoch: next_epoch(keys), schedule: policy.schedule(now, signs_from) };
        let ending = Reschedule::of(of, policy.ending(of.schedule, signs_from));
        Self { reschedules: ending.into_iter().collect(), new_key: Some(new_key) }
    }
}

/// Another schedule for one row, as a compare-and-set: it holds only while the row still has the schedule it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reschedule {
    /// Which row.
    pub kid: KeyId,
    /// What it must still say.
    pub from: Schedule,
    /// What it is to say.
    pub to: Schedule,
}

impl Reschedule {
    fn of(key: &SigningKey, to: Schedule) -> Option<Self> {
        (key.schedule != to).then(|| Self { kid: key.kid.clone(), from: key.schedule, to })
    }
}

/// A key that does not exist yet. Its epoch is unique in the table: of two processes that plan it, one inserts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewKey {
    /// One more than any row's, the revoked ones included.
    pub epoch: i64,
    /// When it is published and when it signs.
    pub schedule: Schedule,
}

/// What the planner does on its tick. Without any unrevoked key: a first one, which signs at once. Within the lead before the
/// newest key's end: its successor, published now. A successor that is planned late does not sign before every cache knows it;
/// its predecessor signs until then.
pub fn plan(keys: &[SigningKey], now: UnixTime, policy: &KeyPolicy) -> Rotation {
    let Some(last) = unrevoked(keys).max_by_key(|key| key.age()) else {
        return Rotation::first(keys, now, policy);
    };
    if now + policy.lead() < last.schedule.signs_until {
        return Rotation::default();
    }
    Rotation::successor(keys, now, last.schedule.signs_until.max(now + policy.notice()), last, policy)
}

/// What `passant keys rotate` does: the successor signs as soon as every cache has had time to learn of it, which is at once
/// when it has been published long enough; without a successor, one is planned. Nothing, when that is the plan already.
pub fn rotate_now(keys: &[SigningKey], now: UnixTime, policy: &KeyPolicy) -> Rotation {
    let Some(current) = signer(keys, now) else {
        return Rotation::first(keys, now, policy);
    };
    // Where the clock went back, the current key may sign before its time; its successor still has to come after it.
    let earliest = now.max(current.schedule.signs_from + std::time::Duration::from_millis(1));
    let Some(successor) = unrevoked(keys).filter(|key| key.age() > current.age()).min_by_key(|key| key.age()) else {
        return Rotation::successor(keys, now, earliest.max(now + policy.notice()), current, policy);
    };
    let signs_from = earliest.max(successor.schedule.published_from + policy.notice());
    if signs_from >= successor.schedule.signs_from {
        return Rotation::default();
    }
    let ending = Reschedule::of(current, policy.ending(current.schedule, signs_from));
    let beginning = Reschedule::of(successor, policy.schedule(successor.schedule.published_from, signs_from));
    Rotation { reschedules: ending.into_iter().chain(beginning).collect(), new_key: None }
}

/// What a revocation does, given all rows with the revoked ones marked: when the signing key was among them, the successor
/// signs from this moment, and where there is none, a new key that no verifier has seen yet. Nothing, when the signing key was
/// not among them.
pub fn after_revocation(keys: &[SigningKey], now: UnixTime, policy: &KeyPolicy) -> Rotation {
    let was_retired = |key: &SigningKey| {
        keys.iter().any(|other| other.is_revoked() && other.schedule.signs_from <= now && other.age() > key.age())
    };
    if signer(keys, now).is_some_and(|key| key.schedule.signs_from <= now && !was_retired(key)) {
        return Rotation::default();
    }
    let Some(successor) = unrevoked(keys).filter(|key| key.schedule.signs_from > now).min_by_key(|key| key.age()) else {
        return Rotation::first(keys, now, policy);
    };
    let beginning = Reschedule::of(successor, policy.schedule(successor.schedule.published_from.min(now), now));
    Rotation { reschedules: beginning.into_iter().collect(), new_key: None }
}

fn next_epoch(keys: &[SigningKey]) -> i64 {
    keys.iter().map(|key| key.epoch).max().unwrap_or(0).saturating_add(1)
}
