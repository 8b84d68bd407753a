//! A table of bounded size that is read without locks: many small sets, each with room for a few entries and a budget of bytes
//! of its own. A set is to this cache what a shard is to others, so whoever fills one, by chance or on purpose, crowds out
//! what is in that set and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;

/// How many entries a set has room for: their tags fill one line of the processor's cache.
pub(super) const WAYS: usize = 16;

/// The sets. Where an entry belongs is decided by 64 bits of hash; which entry it is, by whoever asks.
pub(super) struct Table<T> {
    sets: Box<[Set<T>]>,
    bytes_per_set: usize,
}

/// Starts on a cache line of its own, so that threads that use different sets do not disturb each other.
#[repr(align(64))]
struct Set<T> {
    /// Parts of the hashes, so that most of what is not here is seen without following a pointer. Zero where nothing is.
    tags: [AtomicU32; WAYS],
    slots: [ArcSwapOption<T>; WAYS],
    /// One bit for each entry that was used since the hand last passed it.
    used: AtomicU32,
    writer: Mutex<Writer>,
}

/// What only a writer needs.
#[derive(Default)]
struct Writer {
    hand: usize,
    costs: [usize; WAYS],
}

impl<T> Table<T> {
    /// A table of at most so many entries, though at least of one set, which hold at most so many bytes.
    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let sets = (entries / WAYS).max(1);
        Self { sets: (0..sets).map(|_| Set::empty()).collect(), bytes_per_set: bytes / sets }
    }

    /// The entry of this hash that is the one looked for. No lock, no allocation.
    pub(super) fn get(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let set = self.set(hash)?;
        let tag = tag(hash);
        for ((way, held), slot) in set.tags.iter().enumerate().zip(&set.slots) {
            if held.load(Ordering::Acquire) != tag {
                continue;
            }
            let entry = slot.load();
            if let Some(entry) = entry.as_ref().filter(|entry| is_it(entry)) {
                set.note_use(way);
                return Some(entry.clone());
            }
        }
        None
    }

    /// Takes an entry in, in place of `is_it` if that is here, else of what is least worth keeping: first what is spent, then
    /// what was not used since the hand last passed. What costs more than a set may hold is left out, and so is what comes
    /// while another thread is writing to the same set: nobody waits, and it will come again.
    pub(super) fn insert(
        &self,
        hash: u64,
        entry: Arc<T>,
        cost: usize,
        is_it: impl Fn(&T) -> bool,
        is_spent: impl Fn(&T) -> bool,
    ) {
        let Some(set) = self.set(hash).filter(|_| cost <= self.bytes_per_set) else { return };
        let Ok(mut writer) = set.writer.try_lock() else { return };
        let tag = tag(hash);
        let is_same = |(held, slot): (&AtomicU32, &ArcSwapOption<T>)| {
            held.load(Ordering::Relaxed) == tag && slot.load().as_deref().is_some_and(&is_it)
        };
        let same = set.tags.iter().zip(&set.slots).position(is_same);
        let free = same.or_else(|| writer.costs.iter().position(|cost| *cost == 0));
        let way = free.unwrap_or_else(|| set.least_worth(&mut writer, &is_spent));
        writer.take_out(way);
        while writer.costs.iter().sum::<usize>() + cost > self.bytes_per_set {
            let victim = set.least_worth(&mut writer, &is_spent);
            set.clear(&mut writer, victim);
        }
        set.put(&mut writer, way, tag, entry, cost);
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().flat_map(|set| &set.slots).filter(|slot| slot.load().is_some()).count()
    }

    fn set(&self, hash: u64) -> Option<&Set<T>> {
        let place = (u128::from(hash) * self.sets.len() as u128) >> 64;
        self.sets.get(place as usize)
    }
}

/// The low half of the hash; the high half has chosen the set.
fn tag(hash: u64) -> u32 {
    (hash as u32).max(1)
}

impl<T> Set<T> {
    fn empty() -> Self {
        Self {
            tags: Default::default(),
            slots: std::array::from_fn(|_| ArcSwapOption::empty()),
            used: AtomicU32::new(0),
            writer: Mutex::default(),
        }
    }

    /// Written only when it changes something: readers of one entry would else take the line from each other.
    fn note_use(&self, way: usize) {
        if self.used.load(Ordering::Relaxed) & 1 << way == 0 {
            self.used.fetch_or(1 << way, Ordering::Relaxed);
        }
    }

    /// A place whose entry is spent, else the next one that was not used since the hand last passed it: a second chance for all
    /// others. Never a free one, as long as there is another.
    fn least_worth(&self, writer: &mut Writer, is_spent: &impl Fn(&T) -> bool) -> usize {
        if let Some(spent) = self.slots.iter().position(|slot| slot.load().as_deref().is_some_and(is_spent)) {
            return spent;
        }
        for _ in 0..2 * WAYS {
            let way = writer.hand;
            writer.hand = (way + 1) % WAYS;
            let was_used = self.used.fetch_and(!(1 << way), Ordering::Relaxed) & 1 << way != 0;
            if !was_used && writer.holds(way) {
                return way;
            }
        }
        (0..WAYS).find(|way| writer.holds(*way)).unwrap_or_default()
    }

    fn clear(&self, writer: &mut Writer, way: usize) {
        if let (Some(tag), Some(slot)) = (self.tags.get(way), self.slots.get(way)) {
            tag.store(0, Ordering::Release);
            slot.store(None);
            writer.take_out(way);
        }
    }

    fn put(&self, writer: &mut Writer, way: usize, new_tag: u32, entry: Arc<T>, new_cost: usize) {
        if let (Some(tag), Some(slot), Some(cost)) = (self.tags.get(way), self.slots.get(way), writer.costs.get_mut(way)) {
            tag.store(0, Ordering::Release);
            self.used.fetch_and(!(1 << way), Ordering::Relaxed);
            slot.store(Some(entry));
            tag.store(new_tag, Ordering::Release);
            *cost = new_cost;
        }
    }
}

impl Writer {
    fn holds(&self, way: usize) -> bool {
        self.costs.get(way).is_some_and(|cost| *cost > 0)
    }

    fn take_out(&mut self, way: usize) {
        if let Some(cost) = self.costs.get_mut(way) {
            *cost = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY_BYTES: usize = 1 << 20;

    fn put(table: &Table<(u64, bool)>, id: u64, cost: usize) {
        table.insert(id, Arc::new((id, false)), cost, |entry| entry.0 == id, |entry| entry.1);
    }

    fn has(table: &Table<(u64, bool)>, id: u64) -> bool {
        table.get(id, |entry| entry.0 == id).is_some()
    }

    fn spread(turn: u64) -> u64 {
        turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        let table = Table::new(10_000, 16 * MANY_BYTES);
        (0..2_000).for_each(|turn| put(&table, spread(turn), 1_000));
        assert!((0..2_000).all(|turn| has(&table, spread(turn))));
        assert!(!(2_000..4_000).any(|turn| has(&table, spread(turn))));
    }

    #[test]
    fn neither_entries_nor_bytes_exceed_their_bounds_however_many_come() {
        for (cost, most) in [(100, 625 * 16), (1_000, 625 * 16), (4_000, 625 * 6), (26_000, 625)] {
            let table = Table::new(10_000, 16 * MANY_BYTES);
            (0..40_000).for_each(|turn| put(&table, spread(turn), cost));
            assert!(table.len() <= most && table.len() * cost <= 16 * MANY_BYTES, "{cost}: {}", table.len());
            assert!(table.len() > most * 9 / 10, "{cost}: {} of {most}", table.len());
            let share = 16 * MANY_BYTES / 625;
            put(&table, 7, share);
            put(&table, 9, share + 1);
            assert_eq!((has(&table, 7), has(&table, 9)), (true, false), "more than a set's share is not held");
        }
    }

    #[test]
    fn entries_of_one_tag_are_told_apart_by_what_they_are() {
        let table = Table::new(1, MANY_BYTES);
        for id in 0..3_u64 {
            table.insert(5, Arc::new((id, false)), 1, |entry| entry.0 == id, |_| false);
        }
        for id in 0..3 {
            assert_eq!(table.get(5, |entry| entry.0 == id).map(|entry| entry.0), Some(id));
        }
        assert!(table.get(5, |entry| entry.0 == 3).is_none());
    }

    #[test]
    fn the_same_entry_again_takes_its_own_place() {
        let table = Table::new(1, MANY_BYTES);
        (0..100).for_each(|_| put(&table, 5, 1));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let table = Table::new(1, MANY_BYTES);
        put(&table, 1, 1);
        for stranger in 100..1_000 {
            assert!(has(&table, 1), "{stranger}");
            put(&table, stranger, 1);
        }
        (1_000..1_100).for_each(|stranger| put(&table, stranger, 1));
        assert!(!has(&table, 1));
    }

    #[test]
    fn what_is_spent_goes_first() {
        let table = Table::new(1, MANY_BYTES);
        for id in 0..WAYS as u64 {
            table.insert(id, Arc::new((id, id == 11)), 1, |entry| entry.0 == id, |entry| entry.1);
        }
        put(&table, 99, 1);
        let gone: Vec<_> = (0..WAYS as u64).filter(|id| !has(&table, *id)).collect();
        assert_eq!((gone, has(&table, 99)), (vec![11], true));
    }

    #[test]
    fn nobody_waits_for_a_writer() {
        let table = Table::new(1, MANY_BYTES);
        put(&table, 1, 1);
        let writing = table.sets[0].writer.lock();
        put(&table, 2, 1);
        assert_eq!((has(&table, 1), has(&table, 2)), (true, false));
        drop(writing);
        put(&table, 2, 1);
        assert!(has(&table, 2));
    }
}
