//! How many followers may stay at a time, together and of one address: they hold connections for long, and must leave some for
//! people who sign in. Whoever is nobody's can take only so many, so that a stranger with a few addresses keeps out none of those
//! that the operator knows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places for followers.
#[derive(Debug)]
pub(super) struct Places {
    bounds: Bounds,
    taken: Arc<Mutex<Taken>>,
}

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Together.
    pub(super) all: u32,
    /// Of these, for those who are known alone.
    pub(super) kept: u32,
    /// For one address of who is known,
    pub(super) of_known: u32,
    /// and of who is not.
    pub(super) of_stranger: u32,
}

/// Who wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Somebody with a secret of the feed.
    Known,
    /// Anybody.
    Stranger,
}

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    by_strangers: u32,
    of_holders: HashMap<Holder, u32>,
}

/// Known followers and strangers of one address are counted apart.
type Holder = (IpAddr, bool);

/// The place of one follower, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    holder: Option<Holder>,
    stranger: bool,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, taken: Arc::default() }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> u32 {
        locked(&self.taken).all
    }

    /// A place, unless all are taken, or all that strangers or this holder may have.
    pub(super) fn take(&self, holder: Option<IpAddr>, who: Follows) -> Option<Place> {
        let Bounds { all, kept, of_known, of_stranger } = self.bounds;
        let stranger = who == Follows::Stranger;
        let holder = holder.map(|address| (address, stranger));
        let mut taken = locked(&self.taken);
        let own = holder.map_or(0, |holder| taken.of_holders.get(&holder).copied().unwrap_or_default());
        let too_many = taken.all >= all
            || own >= if stranger { of_stranger } else { of_known }
            || stranger && taken.by_strangers >= all.saturating_sub(kept);
        if too_many {
            return None;
        }
        taken.all += 1;
        taken.by_strangers += u32::from(stranger);
        if let Some(holder) = holder {
            taken.of_holders.insert(holder, own + 1);
        }
        Some(Place { holder, stranger, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        taken.by_strangers = taken.by_strangers.saturating_sub(u32::from(self.stranger));
        let Some(holder) = self.holder else { return };
        match taken.of_holders.get_mut(&holder) {
            Some(own @ 2..) => *own -= 1,
            Some(_) | None => drop(taken.of_holders.remove(&holder)),
        }
    }
}

fn locked(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_together_and_for_each_holder_and_free_when_they_are_left() {
        let (one, other) = ("203.0.113.1".parse().ok(), "203.0.113.2".parse().ok());
        let places = Places::new(Bounds { all: 4, kept: 0, of_known: 4, of_stranger: 2 });
        let take = |holder| places.take(holder, Follows::Stranger);
        let mut held = vec![take(one).unwrap(), take(one).unwrap()];
        assert!(take(one).is_none(), "one has all that one may have");
        held.extend([take(other).unwrap(), take(None).unwrap()]);
        assert!(take(other).is_none() && take(None).is_none(), "all are taken");
        held.remove(0);
        assert!(take(one).is_some());
        held.clear();
        let taken = locked(&places.taken);
        assert!(taken.all == 0 && taken.by_strangers == 0 && taken.of_holders.is_empty(), "who has left is forgotten");
    }

    #[test]
    fn strangers_however_many_addresses_they_have_leave_the_places_that_are_kept() {
        let places = Places::new(Bounds { all: 6, kept: 3, of_known: 3, of_stranger: 2 });
        let address = |last: u8| Some(IpAddr::from([203, 0, 113, last]));
        let mut held: Vec<Place> = (0..10).filter_map(|last| places.take(address(last), Follows::Stranger)).collect();
        assert_eq!(held.len(), 3);
        assert!(places.take(None, Follows::Stranger).is_none());
        held.extend((0..10).filter_map(|_| places.take(address(1), Follows::Known)));
        assert_eq!(held.len(), 6, "from an address whose strangers have a place as well");
        assert!(places.take(address(2), Follows::Known).is_none(), "all are taken");
        drop(held.remove(0));
        assert!(places.take(address(2), Follows::Known).is_some(), "what no stranger takes is everybody's");
    }
}
