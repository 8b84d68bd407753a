//! The cut-offs that are held, as a value that is never changed, only succeeded: a large base that versions share, and a small
//! overlay of what came since. So a new cut-off costs a copy of the overlay alone, and a look-up at most two probes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::revocation::level::{Level, Name};

/// No token that a cut-off could kill is alive so long after the cut-off came: the longest life, leeway, and some more.
pub(crate) const CUTOFFS_COUNT_FOR: Duration = Duration::from_secs(70 * 60);

/// A dead key stays dead for longer than any key set is kept.
pub(crate) const DEAD_KEYS_COUNT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// More than so many cut-offs are refused: a message that would exceed it changes nothing.
pub(crate) const MOST_CUTOFFS: usize = 500_000;

/// Past so many entries the overlay goes into the base.
const MOST_IN_OVERLAY: usize = 1_024;

/// Tables of so many salts are held; there is more than one only after the issuer began a new database.
const MOST_SALTS: usize = 4;

/// How often expired entries are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// A cut-off as a message gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cutoff {
    pub(crate) level: Level,
    pub(crate) name: Name,
    pub(crate) tick: u64,
}

/// All that is held, the current salt first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cutoffs {
    tables: Vec<Salted>,
    /// Grows whenever cut-offs came; that some went leaves it alone, since what was clear of them all stays so.
    generation: u64,
    swept_at: Duration,
}

/// There would be too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Cutoffs {
    /// The largest tick before which the target's tokens are dead.
    pub(crate) fn tick_of(&self, level: Level, identifiers: &[&str]) -> Option<u64> {
        self.find(level, |salt| Name::salted(salt, level, identifiers))
    }

    /// Looks a name up, which is formed only where the level has cut-offs.
    pub(crate) fn find(&self, level: Level, name: impl Fn(&str) -> Name) -> Option<u64> {
        let tables = self.tables.iter().filter(|table| table.count(level) > 0);
        tables.filter_map(|table| table.tick_of(level, name(&table.salt))).max()
    }

    pub(crate) fn count(&self, level: Level) -> usize {
        self.tables.iter().map(|table| table.count(level)).sum()
    }

    pub(crate) fn len(&self) -> usize {
        Level::ALL.into_iter().map(|level| self.count(level)).sum()
    }

    /// What came so far, as a number: a token that was clear of all at this number is clear of all until it grows.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The salt under which new names come.
    pub(crate) fn salt(&self) -> Option<&Arc<str>> {
        self.tables.first().map(|table| &table.salt)
    }

    /// Whether names of this salt are the current ones.
    pub(crate) fn is_salted(&self, salt: &str) -> bool {
        self.tables.first().is_some_and(|table| *table.salt == *salt)
    }

    /// What is held once these have come as well. The larger tick wins; nothing else is lost but what has expired.
    pub(crate) fn united(&self, salt: &str, came: impl IntoIterator<Item = Cutoff>, now: Duration) -> Result<Self, TooMany> {
        let mut next = self.clone();
        next.generation += 1;
        match next.tables.iter().position(|table| *table.salt == *salt) {
            Some(at) => next.tables.swap(0, at),
            None => next.tables.insert(0, Salted::empty(salt)),
        }
        if let Some(current) = next.tables.first_mut() {
            current.unite(came, now);
        }
        next.sweep(now);
        if next.tables.len() > MOST_SALTS || next.len() > MOST_CUTOFFS { Err(TooMany) } else { Ok(next) }
    }

    /// Drops what has expired, if it is time to look.
    pub(crate) fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept_at) < SWEEP_EVERY {
            return;
        }
        self.swept_at = now;
        for table in &mut self.tables {
            table.sweep(now);
        }
        let mut first = true;
        self.tables.retain(|table| std::mem::take(&mut first) || Level::ALL.iter().any(|level| table.count(*level) > 0));
    }

    /// Everything, for the file: each salt with its cut-offs, the current salt first.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = Cutoff>)> {
        self.tables.iter().map(|table| (&*table.salt, table.iter()))
    }
}

/// The cut-offs under one salt.
#[derive(Debug, Clone)]
struct Salted {
    salt: Arc<str>,
    base: Arc<Table>,
    overlay: Arc<Table>,
    counts: [usize; Level::ALL.len()],
}

impl Salted {
    fn empty(salt: &str) -> Self {
        Self { salt: salt.into(), base: Arc::default(), overlay: Arc::default(), counts: Default::default() }
    }

    fn count(&self, level: Level) -> usize {
        self.counts.get(level as usize).copied().unwrap_or(0)
    }

    fn tick_of(&self, level: Level, name: Name) -> Option<u64> {
        self.overlay.get(level, name).or_else(|| self.base.get(level, name)).map(|held| held.tick)
    }

    fn unite(&mut self, came: impl IntoIterator<Item = Cutoff>, now: Duration) {
        let arrived = seconds(now);
        let mut overlay = Table::clone(&self.overlay);
        for Cutoff { level, name, tick } in came {
            let held = overlay.get(level, name).or_else(|| self.base.get(level, name));
            if held.is_none_or(|held| held.tick < tick) {
                overlay.insert(level, name, Held { tick, arrived });
            }
        }
        if overlay.len() <= MOST_IN_OVERLAY {
            self.overlay = Arc::new(overlay);
        } else if self.base.len() == 0 {
            (self.base, self.overlay) = (Arc::new(overlay), Arc::default());
        } else {
            let mut base = Table::clone(&self.base);
            base.extend(overlay.iter());
            (self.base, self.overlay) = (Arc::new(base), Arc::default());
        }
        self.recount();
    }

    fn sweep(&mut self, now: Duration) {
        for part in [&mut self.base, &mut self.overlay] {
            if part.iter().any(|(level, _, held)| held.is_over(level, now)) {
                *part = Arc::new(part.iter().filter(|(level, _, held)| !held.is_over(*level, now)).collect());
            }
        }
        self.recount();
    }

    fn recount(&mut self) {
        self.counts = Level::ALL.map(|level| {
            let only_above = self.overlay.names(level).filter(|(name, _)| self.base.get(level, **name).is_none()).count();
            self.base.names(level).len() + only_above
        });
    }

    #[cfg(any(feature = "http", test))]
    fn iter(&self) -> impl Iterator<Item = Cutoff> {
        let below = self.base.iter().filter(|(level, name, _)| self.overlay.get(*level, *name).is_none());
        self.overlay.iter().chain(below).map(|(level, name, held)| Cutoff { level, name, tick: held.tick })
    }
}

/// A tick and when it came, in whole seconds of the monotonic clock, rounded up.
#[derive(Debug, Clone, Copy)]
struct Held {
    tick: u64,
    arrived: u32,
}

impl Held {
    fn is_over(self, level: Level, now: Duration) -> bool {
        let counts_for = if level == Level::Key { DEAD_KEYS_COUNT_FOR } else { CUTOFFS_COUNT_FOR };
        now > Duration::from_secs(self.arrived.into()) + counts_for
    }
}

fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs().saturating_add(1)).unwrap_or(u32::MAX)
}

/// A name is a piece of a SHA-256, so it is its own hash.
#[derive(Debug, Clone, Copy, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, name: u128) {
        self.0 = name as u64;
    }
}

type Names = HashMap<Name, Held, BuildHasherDefault<Identity>>;

#[derive(Debug, Clone, Default)]
struct Table([Names; Level::ALL.len()]);

impl Table {
    fn get(&self, level: Level, name: Name) -> Option<Held> {
        self.0.get(level as usize)?.get(&name).copied()
    }

    fn insert(&mut self, level: Level, name: Name, held: Held) {
        if let Some(names) = self.0.get_mut(level as usize) {
            names.insert(name, held);
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(HashMap::len).sum()
    }

    fn names(&self, level: Level) -> impl ExactSizeIterator<Item = (&Name, &Held)> {
        self.0.get(level as usize).map(HashMap::iter).unwrap_or_default()
    }

    fn iter(&self) -> impl Iterator<Item = (Level, Name, Held)> {
        Level::ALL.into_iter().flat_map(|level| self.names(level).map(move |(name, held)| (level, *name, *held)))
    }
}

impl Extend<(Level, Name, Held)> for Table {
    fn extend<T: IntoIterator<Item = (Level, Name, Held)>>(&mut self, entries: T) {
        entries.into_iter().for_each(|(level, name, held)| self.insert(level, name, held));
    }
}

impl FromIterator<(Level, Name, Held)> for Table {
    fn from_iter<T: IntoIterator<Item = (Level, Name, Held)>>(entries: T) -> Self {
        let mut table = Self::default();
        table.extend(entries);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn cutoff(level: Level, id: u64, tick: u64) -> Cutoff {
        Cutoff { level, name: Name::salted("s", level, &[&id.to_string()]), tick }
    }

    fn tick_of(cutoffs: &Cutoffs, level: Level, id: u64) -> Option<u64> {
        cutoffs.tick_of(level, &[&id.to_string()])
    }

    #[test]
    fn whatever_comes_in_whatever_order_the_largest_tick_is_held() {
        let (mut held, mut model, mut dice) = (Cutoffs::default(), HashMap::new(), 1_u64);
        for round in 0..60 {
            let came: Vec<_> = (0..100)
                .map(|_| {
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let (level, id, tick) = (Level::ALL[(dice >> 61) as usize], dice >> 33 & 1_023, dice >> 45 & 1_023);
                    let largest = model.entry((level, id)).or_insert(tick);
                    *largest = tick.max(*largest);
                    cutoff(level, id, tick)
                })
                .collect();
            held = held.united("s", came, round * MINUTE / 60).unwrap();
            assert_eq!(held.len(), model.len());
        }
        for level in Level::ALL {
            assert_eq!(held.count(level), model.keys().filter(|(of, _)| *of == level).count());
            for id in 0..1_024 {
                assert_eq!(tick_of(&held, level, id), model.get(&(level, id)).copied());
            }
        }
        let (salt, listed) = held.tables().next().unwrap();
        assert_eq!((salt, listed.count()), ("s", model.len()));
    }

    #[test]
    fn a_few_new_cutoffs_share_the_base_and_never_copy_it() {
        let many = (0..5_000).map(|id| cutoff(Level::User, id, 1));
        let before = Cutoffs::default().united("s", many, Duration::ZERO).unwrap();
        let mut after = before.clone();
        for id in 0..MOST_IN_OVERLAY as u64 {
            after = after.united("s", [cutoff(Level::Session, id, 2)], MINUTE).unwrap();
            assert!(Arc::ptr_eq(&before.tables[0].base, &after.tables[0].base));
        }
        after = after.united("s", [cutoff(Level::Session, 9_999, 2)], MINUTE).unwrap();
        assert_eq!((after.tables[0].overlay.len(), after.len()), (0, 5_000 + MOST_IN_OVERLAY + 1));
    }

    #[test]
    fn cutoffs_count_for_seventy_minutes_after_they_came_and_dead_keys_for_ninety_days() {
        let came = [cutoff(Level::User, 1, 5), cutoff(Level::Key, 1, 5)];
        let held = Cutoffs::default().united("s", came, MINUTE).unwrap();
        let again = held.united("s", [cutoff(Level::User, 1, 5), cutoff(Level::User, 2, 5)], 30 * MINUTE).unwrap();
        let raised = held.united("s", [cutoff(Level::User, 1, 6)], 30 * MINUTE).unwrap();
        let at = |held: &Cutoffs, now| {
            let mut held = held.clone();
            held.sweep(now);
            (tick_of(&held, Level::User, 1), tick_of(&held, Level::User, 2), tick_of(&held, Level::Key, 1))
        };
        assert_eq!(at(&again, 71 * MINUTE), (Some(5), Some(5), Some(5)));
        let over = 71 * MINUTE + Duration::from_secs(2);
        assert_eq!(at(&again, over), (None, Some(5), Some(5)), "told again is not come again");
        assert_eq!(at(&raised, over), (Some(6), None, Some(5)), "a larger tick has come anew");
        assert_eq!(at(&again, MINUTE + DEAD_KEYS_COUNT_FOR), (None, None, Some(5)));
        assert_eq!(at(&again, 2 * MINUTE + DEAD_KEYS_COUNT_FOR), (None, None, None));
    }

    #[test]
    fn another_salt_loses_nothing_of_the_one_before() {
        let mut held = Cutoffs::default().united("s", [cutoff(Level::User, 1, 5), cutoff(Level::Key, 7, 5)], MINUTE).unwrap();
        let other = Cutoff { level: Level::User, name: Name::salted("t", Level::User, &["1"]), tick: 9 };
        held = held.united("t", [other], MINUTE).unwrap();
        assert!(held.is_salted("t") && !held.is_salted("s"));
        assert_eq!((tick_of(&held, Level::User, 1), tick_of(&held, Level::Key, 7), held.len()), (Some(9), Some(5), 3));
        held.sweep(100 * MINUTE);
        assert_eq!((tick_of(&held, Level::User, 1), tick_of(&held, Level::Key, 7)), (None, Some(5)));
        for salt in 0..MOST_SALTS - 2 {
            held = held.united(&salt.to_string(), [cutoff(Level::Key, 1, 1)], MINUTE).unwrap();
        }
        assert_eq!(held.united("one more", [], MINUTE).unwrap_err(), TooMany);
    }

    #[test]
    fn more_than_half_a_million_are_refused() {
        let name = |id: u128| Name::parse(&crate::base64url::encode(&id.to_be_bytes())).unwrap();
        let many = |count: usize| (0..count).map(move |id| Cutoff { level: Level::Token, name: name(id as u128), tick: 1 });
        let full = Cutoffs::default().united("s", many(MOST_CUTOFFS), MINUTE).unwrap();
        assert_eq!(full.united("s", [cutoff(Level::User, 1, 1)], MINUTE).unwrap_err(), TooMany);
    }
}
