//! How many followers may stay at a time, together and of one address: they hold connections for long, and must leave some for
//! people who sign in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places for followers.
#[derive(Debug)]
pub(super) struct Places {
    most: u32,
    most_of_one: u32,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    of_holders: HashMap<IpAddr, u32>,
}

/// The place of one follower, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    holder: Option<IpAddr>,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    pub(super) fn new(most: u32, most_of_one: u32) -> Self {
        Self { most, most_of_one, taken: Arc::default() }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> u32 {
        locked(&self.taken).all
    }

    /// A place, unless all are taken, or all that this holder may have.
    pub(super) fn take(&self, holder: Option<IpAddr>) -> Option<Place> {
        let mut taken = locked(&self.taken);
        let own = holder.map_or(0, |holder| taken.of_holders.get(&holder).copied().unwrap_or_default());
        if taken.all >= self.most || own >= self.most_of_one {
            return None;
        }
        taken.all += 1;
        if let Some(holder) = holder {
            taken.of_holders.insert(holder, own + 1);
        }
        Some(Place { holder, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        taken.all = taken.all.saturating_sub(1);
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
        let places = Places::new(4, 2);
        let mut held = vec![places.take(one).unwrap(), places.take(one).unwrap()];
        assert!(places.take(one).is_none(), "one has all that one may have");
        held.extend([places.take(other).unwrap(), places.take(None).unwrap()]);
        assert!(places.take(other).is_none() && places.take(None).is_none(), "all are taken");
        held.remove(0);
        assert!(places.take(one).is_some());
        held.clear();
        let taken = locked(&places.taken);
        assert!(taken.all == 0 && taken.of_holders.is_empty(), "who has left is forgotten");
    }
}
