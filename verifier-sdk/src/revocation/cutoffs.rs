//! The cut-offs that are held, as a value that is never changed, only succeeded: a large base that versions share, and a small
//! overlay of what came since. So a new cut-off costs a copy of the overlay alone, and a look-up at most two probes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::revocation::level::{Level, Name};

/// No token that a cut-off could kill is alive so long after the cut-off came: the longest life, leeway, and some more.
pub(crate) const CUTOFFS_COUNT_FOR: Duration = Duration::from_secs(70 * 60);

/// A dead key stays dead for longer than any key set is kept.
pub(crate) const DEAD_KEYS_COUNT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// So many cut-offs of single tokens are held. What is more is left out, and until all of that has expired nothing is known of tokens
/// that are not on the list.
const MOST_CUTOFFS: usize = 250_000;

/// Each wider level has so much room beyond what the narrower ones can fill: a flood of single tokens keeps no user's and no key's
/// cut-off out.
const ROOM_OF_ITS_OWN: usize = 10_000;

/// More than so many are never held, whatever their levels.
#[cfg(test)]
pub(crate) const MOST_IN_ALL: usize = MOST_CUTOFFS + (Level::ALL.len() - 1) * ROOM_OF_ITS_OWN;

/// Past so many entries the overlay goes into the base.
const MOST_IN_OVERLAY: usize = 1_024;

/// Tables of so many salts are held; there is more than one only after the issuer began a new database. With one more the oldest goes.
const MOST_SALTS: usize = 64;

/// How often expired entries are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// A cut-off as a message gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cutoff {
    pub(crate) level: Level,
    pub(crate) name: Name,
    pub(crate) tick: u64,
}

/// The numbers of what came, each given once in this process: what is clear of one verifier's cut-offs is not clear of another's. Zero
/// is what nothing has come to.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// All that is held, the current salt first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cutoffs {
    tables: Vec<Salted>,
    /// Another one whenever cut-offs came; that some went leaves it alone, since what was clear of them all stays so.
    generation: u64,
    swept_at: Duration,
    /// When something last found no room, in whole seconds of the monotonic clock, rounded up.
    left_out: Option<i64>,
    /// Whether dead keys are dead for good: keys that nobody exchanges may be shown for longer than any others.
    keys_for_good: bool,
}

impl Cutoffs {
    /// Nothing yet. `keys_for_good`: whether dead keys never expire.
    pub(crate) fn none(keys_for_good: bool) -> Self {
        Self { keys_for_good, ..Self::default() }
    }

    /// Whether all that came, and has not expired, is held.
    pub(crate) fn are_whole(&self, now: Duration) -> bool {
        self.left_out.is_none_or(|at| is_past(at, CUTOFFS_COUNT_FOR, now))
    }

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

    /// What came so far, as a number: a token that was clear of all at this number is clear of all while it is the same.
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

    /// What is held once these have come as well. The larger tick wins; nothing else is lost but what has expired, and what finds no
    /// room is noted.
    pub(crate) fn united(&self, salt: &str, came: impl IntoIterator<Item = Cutoff>, now: Duration) -> Self {
        self.united_with_ages(salt, came.into_iter().map(|cutoff| (cutoff, Duration::ZERO)), now)
    }

    /// The same for cut-offs that came so long ago.
    pub(crate) fn united_with_ages(&self, salt: &str, came: impl IntoIterator<Item = (Cutoff, Duration)>, now: Duration) -> Self {
        let mut next = self.clone();
        next.sweep(now);
        match next.tables.iter().position(|table| *table.salt == *salt) {
            Some(at) => next.tables.swap(0, at),
            None => next.tables.insert(0, Salted::empty(salt)),
        }
        let mut all_held = true;
        while next.tables.len() > MOST_SALTS {
            let oldest = next.tables.pop();
            all_held &=
                oldest.is_none_or(|oldest| Level::ALL.iter().all(|level| *level == Level::Key || oldest.count(*level) == 0));
        }
        let held = next.len();
        if let Some(current) = next.tables.first_mut() {
            let United { anything, everything } = current.unite(came, held, now);
            if anything {
                next.generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
            }
            all_held &= everything;
        }
        if !all_held {
            next.left_out = Some(seconds(now));
        }
        next
    }

    /// Drops what has expired, if it is time to look.
    pub(crate) fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept_at) < SWEEP_EVERY {
            return;
        }
        self.swept_at = now;
        if self.are_whole(now) {
            self.left_out = None;
        }
        for table in &mut self.tables {
            table.sweep(self.keys_for_good, now);
        }
        let mut first = true;
        self.tables.retain(|table| std::mem::take(&mut first) || Level::ALL.iter().any(|level| table.count(*level) > 0));
    }

    /// Everything, for the file: each salt with its cut-offs and how long ago they came at least, the current salt first.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn tables(&self, now: Duration) -> impl Iterator<Item = (&str, impl Iterator<Item = (Cutoff, Duration)>)> {
        self.tables.iter().map(move |table| (&*table.salt, table.iter(now)))
    }

    /// How long ago something was left out, where that still matters.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn left_out_since(&self, now: Duration) -> Option<Duration> {
        self.left_out.filter(|_| !self.are_whole(now)).map(|at| age(at, now))
    }

    /// Notes that so long ago something was left out.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn note_left_out(&mut self, ago: Duration, now: Duration) {
        self.left_out = Some(seconds(now).saturating_sub(whole_seconds(ago)));
    }
}

/// What became of cut-offs that came.
struct United {
    /// Whether anything in it was new.
    anything: bool,
    /// Whether all of it is held.
    everything: bool,
}

/// How many cut-offs of all levels may be held where another one of this level comes.
fn room(level: Level) -> usize {
    let wider = match level {
        Level::Token => 0,
        Level::Grant => 1,
        Level::Session => 2,
        Level::Consent => 3,
        Level::User => 4,
        Level::Client => 5,
        Level::Key => 6,
        Level::Issuer => 7,
    };
    MOST_CUTOFFS + wider * ROOM_OF_ITS_OWN
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

    /// `held`: how many are held already, under all salts.
    fn unite(&mut self, came: impl IntoIterator<Item = (Cutoff, Duration)>, mut held: usize, now: Duration) -> United {
        let mut united = United { anything: false, everything: true };
        let mut overlay = Table::clone(&self.overlay);
        for (Cutoff { level, name, tick }, age) in came {
            let known = overlay.get(level, name).or_else(|| self.base.get(level, name));
            if known.is_none() && held >= room(level) {
                united.everything = false;
            } else if known.is_none_or(|known| known.tick < tick) {
                held += usize::from(known.is_none());
                united.anything = true;
                let arrived = i32::try_from(seconds(now).saturating_sub(whole_seconds(age))).unwrap_or(i32::MAX);
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
        united
    }

    fn sweep(&mut self, keys_for_good: bool, now: Duration) {
        let is_over = |level, held: Held| !(keys_for_good && level == Level::Key) && held.is_over(level, now);
        for part in [&mut self.base, &mut self.overlay] {
            if part.iter().any(|(level, _, held)| is_over(level, held)) {
                *part = Arc::new(part.iter().filter(|(level, _, held)| !is_over(*level, *held)).collect());
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
    fn iter(&self, now: Duration) -> impl Iterator<Item = (Cutoff, Duration)> {
        let below = self.base.iter().filter(|(level, name, _)| self.overlay.get(*level, *name).is_none());
        let all = self.overlay.iter().chain(below);
        all.map(move |(level, name, held)| (Cutoff { level, name, tick: held.tick }, age(held.arrived.into(), now)))
    }
}

/// A tick and when it came, in whole seconds of the monotonic clock, rounded up: before its beginning where an earlier process heard it.
#[derive(Debug, Clone, Copy)]
struct Held {
    tick: u64,
    arrived: i32,
}

impl Held {
    fn is_over(self, level: Level, now: Duration) -> bool {
        let counts_for = if level == Level::Key { DEAD_KEYS_COUNT_FOR } else { CUTOFFS_COUNT_FOR };
        is_past(self.arrived.into(), counts_for, now)
    }
}

/// Whether what came at this second has counted for so long.
fn is_past(arrived: i64, counts_for: Duration, now: Duration) -> bool {
    whole_seconds(now) > arrived.saturating_add(whole_seconds(counts_for))
}

/// How long ago this second was, at least.
#[cfg(any(feature = "http", test))]
fn age(arrived: i64, now: Duration) -> Duration {
    Duration::from_secs(u64::try_from(whole_seconds(now).saturating_sub(arrived)).unwrap_or(0))
}

/// Rounded up.
fn seconds(now: Duration) -> i64 {
    whole_seconds(now).saturating_add(1)
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
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
            held = held.united("s", came, round * MINUTE / 60);
            assert_eq!(held.len(), model.len());
        }
        for level in Level::ALL {
            assert_eq!(held.count(level), model.keys().filter(|(of, _)| *of == level).count());
            for id in 0..1_024 {
                assert_eq!(tick_of(&held, level, id), model.get(&(level, id)).copied());
            }
        }
        let (salt, listed) = held.tables(MINUTE).next().unwrap();
        assert_eq!((salt, listed.count()), ("s", model.len()));
    }

    #[test]
    fn a_few_new_cutoffs_share_the_base_and_never_copy_it() {
        let many = (0..5_000).map(|id| cutoff(Level::User, id, 1));
        let before = Cutoffs::default().united("s", many, Duration::ZERO);
        let mut after = before.clone();
        for id in 0..MOST_IN_OVERLAY as u64 {
            after = after.united("s", [cutoff(Level::Session, id, 2)], MINUTE);
            assert!(Arc::ptr_eq(&before.tables[0].base, &after.tables[0].base));
        }
        after = after.united("s", [cutoff(Level::Session, 9_999, 2)], MINUTE);
        assert_eq!((after.tables[0].overlay.len(), after.len()), (0, 5_000 + MOST_IN_OVERLAY + 1));
    }

    #[test]
    fn cutoffs_count_for_seventy_minutes_after_they_came_and_dead_keys_for_ninety_days() {
        let came = [cutoff(Level::User, 1, 5), cutoff(Level::Key, 1, 5)];
        let held = Cutoffs::default().united("s", came, MINUTE);
        let again = held.united("s", [cutoff(Level::User, 1, 5), cutoff(Level::User, 2, 5)], 30 * MINUTE);
        let raised = held.united("s", [cutoff(Level::User, 1, 6)], 30 * MINUTE);
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
        let mut held = Cutoffs::default().united("s", [cutoff(Level::User, 1, 5), cutoff(Level::Key, 7, 5)], MINUTE);
        let other = Cutoff { level: Level::User, name: Name::salted("t", Level::User, &["1"]), tick: 9 };
        held = held.united("t", [other], MINUTE);
        assert!(held.is_salted("t") && !held.is_salted("s"));
        assert_eq!((tick_of(&held, Level::User, 1), tick_of(&held, Level::Key, 7), held.len()), (Some(9), Some(5), 3));
        held.sweep(100 * MINUTE);
        assert_eq!((tick_of(&held, Level::User, 1), tick_of(&held, Level::Key, 7)), (None, Some(5)));
    }

    #[test]
    fn the_newest_salt_is_never_refused_and_what_goes_with_the_oldest_is_noted() {
        let of = |salt: &str, level| Cutoff { level, name: Name::salted(salt, level, &["1"]), tick: 1 };
        for (level, is_noted) in [(Level::User, true), (Level::Key, false)] {
            let mut held = Cutoffs::default();
            for salt in (0..MOST_SALTS).map(|salt| salt.to_string()) {
                held = held.united(&salt, [of(&salt, if salt == "0" { level } else { Level::Key })], MINUTE);
            }
            assert!(held.are_whole(MINUTE) && held.tick_of(level, &["1"]).is_some());
            held = held.united("new", [of("new", Level::Issuer)], MINUTE);
            assert!(held.is_salted("new") && held.count(Level::Issuer) == 1 && held.tables.len() == MOST_SALTS);
            assert_eq!((held.count(level) > 0, held.are_whole(MINUTE)), (level == Level::Key, !is_noted), "{level:?}");
        }
    }

    fn many(level: Level, ids: std::ops::Range<usize>) -> impl Iterator<Item = Cutoff> {
        ids.map(move |id| Cutoff { level, name: Name::from_halves([1, id as u64]), tick: 1 })
    }

    #[test]
    fn what_finds_no_room_is_noted_until_it_has_expired_and_wider_levels_have_room_of_their_own() {
        let full = Cutoffs::default().united("s", many(Level::Token, 0..MOST_CUTOFFS), MINUTE);
        assert!(full.are_whole(MINUTE) && full.len() == MOST_CUTOFFS);
        let again = full.united("s", many(Level::Token, 0..MOST_CUTOFFS), 2 * MINUTE);
        assert!(again.are_whole(2 * MINUTE) && again.generation() == full.generation(), "told again is nothing new");

        let mut more = full.united("s", many(Level::Token, MOST_CUTOFFS..MOST_CUTOFFS + 1), 2 * MINUTE);
        assert!(!more.are_whole(2 * MINUTE) && more.len() == MOST_CUTOFFS);
        for level in Level::ALL.into_iter().filter(|level| *level != Level::Token) {
            let before = more.len();
            more = more.united("s", [cutoff(level, 1, 7)], 3 * MINUTE);
            assert_eq!((more.len(), tick_of(&more, level, 1)), (before + 1, Some(7)), "{level:?}");
        }
        more = more.united(
            "s",
            [Cutoff { level: Level::Token, name: many(Level::Token, 0..1).next().unwrap().name, tick: 9 }],
            3 * MINUTE,
        );
        assert_eq!(more.find(Level::Token, |_| many(Level::Token, 0..1).next().unwrap().name), Some(9), "what is held is raised");

        assert_eq!(more.left_out_since(3 * MINUTE), Some(MINUTE - Duration::from_secs(1)));
        assert!(!more.are_whole(72 * MINUTE));
        let over = 72 * MINUTE + Duration::from_secs(2);
        assert!(more.are_whole(over), "what was left out has expired, and could kill no living token");
        more.sweep(over);
        assert_eq!((more.left_out_since(over), more.count(Level::Token)), (None, 1));
        assert!(more.united("s", many(Level::Token, 0..MOST_CUTOFFS - 10), over).are_whole(over));
    }

    #[test]
    fn no_mixture_of_levels_holds_more_than_there_is_room_for() {
        let mut held = Cutoffs::default();
        for level in
            [Level::Token, Level::Grant, Level::Session, Level::Consent, Level::User, Level::Client, Level::Key, Level::Issuer]
        {
            held = held.united("s", many(level, 0..MOST_IN_ALL + 1), MINUTE);
        }
        assert_eq!(held.len(), MOST_IN_ALL);
        assert_eq!(held.count(Level::Issuer), ROOM_OF_ITS_OWN);
    }

    #[test]
    fn what_an_earlier_process_heard_is_as_old_as_it_is() {
        let minutes = |count: u32| count * MINUTE;
        let came = [
            (cutoff(Level::User, 1, 5), minutes(69)),
            (cutoff(Level::User, 2, 5), minutes(10)),
            (cutoff(Level::Key, 1, 5), DEAD_KEYS_COUNT_FOR),
        ];
        let mut held = Cutoffs::default().united_with_ages("s", came, Duration::ZERO);
        held.sweep(MINUTE);
        assert_eq!(
            (tick_of(&held, Level::User, 1), tick_of(&held, Level::Key, 1)),
            (Some(5), None),
            "older than the process itself"
        );
        held.sweep(minutes(2));
        assert_eq!((tick_of(&held, Level::User, 1), tick_of(&held, Level::User, 2)), (None, Some(5)));
        let age_of = |held: &Cutoffs, now| held.tables(now).next().unwrap().1.next().unwrap().1;
        let age = age_of(&held, minutes(2));
        assert!(age <= minutes(12) && age + Duration::from_secs(1) >= minutes(12), "{age:?}");
        let mut noted = Cutoffs::default();
        noted.note_left_out(minutes(60), MINUTE);
        assert!(!noted.are_whole(minutes(11)) && noted.are_whole(minutes(12)));
    }

    #[test]
    fn keys_that_nobody_exchanges_are_dead_for_good() {
        for (for_good, expected) in [(false, None), (true, Some(5))] {
            let mut held = Cutoffs::none(for_good).united("s", [cutoff(Level::Key, 1, 5), cutoff(Level::User, 1, 5)], MINUTE);
            held.sweep(1_000 * DEAD_KEYS_COUNT_FOR);
            assert_eq!((tick_of(&held, Level::Key, 1), tick_of(&held, Level::User, 1)), (expected, None));
        }
    }
}
