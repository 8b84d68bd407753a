//! How many connections there may be, together and of one address: whoever opens thousands and sends nothing takes nobody else's.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::activity::{Activity, Patience};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::client_address::TrustedProxies;

/// When all places are taken, one in so many of them is made free at once.
const SHARE: usize = 16;
/// How often somebody who waits for a place looks again for one that can be made free.
const LOOK: Duration = Duration::from_millis(250);

/// The places for connections.
pub(super) struct Places {
    all: Arc<Semaphore>,
    guests: Arc<Mutex<Guests>>,
    most_of_one: u32,
    trusted: TrustedProxies,
    clock: Arc<dyn Clock>,
    patience: Patience,
}

#[derive(Default)]
struct Guests {
    next: u64,
    here: HashMap<u64, Guest>,
    of_addresses: HashMap<IpAddr, u32>,
}

struct Guest {
    /// Who holds the place; nobody in particular behind a trusted proxy.
    address: Option<IpAddr>,
    activity: Activity,
    leave: Arc<Notify>,
}

/// The place of one connection, free again when it is dropped.
pub(super) struct Place {
    number: u64,
    guests: Arc<Mutex<Guests>>,
    activity: Activity,
    leave: Arc<Notify>,
    _any: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(config: &Config, clock: &Arc<dyn Clock>) -> Self {
        let all = usize::try_from(config.limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(all)),
            guests: Arc::default(),
            most_of_one: config.limits.connections_per_address,
            trusted: config.http.trusted_proxies.clone(),
            clock: Arc::clone(clock),
            patience: Patience::of(&config.limits),
        }
    }

    /// A place for a connection from this address, unless the address has all that it may have. When all are taken, those leave
    /// who have had the longest to ask for something as a whole, then those who take no answer; when all are busy, it waits.
    pub(super) async fn take(&self, peer: IpAddr) -> Option<Place> {
        // Behind a trusted proxy is everybody.
        let address = (!self.trusted.contain(peer)).then(|| one_holder(peer));
        if address.is_some_and(|address| guests(&self.guests).of_addresses.get(&address) >= Some(&self.most_of_one)) {
            tracing::debug!(%peer, "closed a connection: its address has as many as it may have");
            return None;
        }
        let any = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(any) => any,
            Err(_) => self.wait().await?,
        };
        let (activity, leave) = (Activity::new(Arc::clone(&self.clock), self.patience), Arc::<Notify>::default());
        let mut guests = guests(&self.guests);
        let number = guests.next;
        guests.next += 1;
        guests.here.insert(number, Guest { address, activity: activity.clone(), leave: Arc::clone(&leave) });
        if let Some(address) = address {
            *guests.of_addresses.entry(address).or_default() += 1;
        }
        Some(Place { number, guests: Arc::clone(&self.guests), activity, leave, _any: any })
    }

    /// Waits for a place. Who is busy now may be one that takes no answer a moment later.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let any = Arc::clone(&self.all).acquire_owned();
        tokio::pin!(any);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                any = &mut any => return any.ok(),
                _ = look.tick() => self.make_room(),
            }
        }
    }

    fn make_room(&self) {
        let guests = guests(&self.guests);
        let leaving =
            guests.here.iter().filter_map(|(number, guest)| Some((guest.activity.dispensable()?, *number, &guest.leave)));
        let mut leaving: Vec<_> = leaving.collect();
        // Of those that came in one moment, the first.
        leaving.sort_by_key(|(why, number, _)| (*why, *number));
        leaving.truncate(guests.here.len().div_ceil(SHARE));
        tracing::debug!(leaving = leaving.len(), "all places are taken: closing the connections that wait the longest");
        leaving.into_iter().for_each(|(_, _, leave)| leave.notify_one());
    }
}

impl Place {
    /// What the connection is doing.
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Waits until the place is needed by somebody else, and there is nothing to finish that its guest would take.
    pub(super) async fn must_be_left(&self) {
        loop {
            self.leave.notified().await;
            if self.activity.dispensable().is_some() {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut guests = guests(&self.guests);
        let Some(address) = guests.here.remove(&self.number).and_then(|guest| guest.address) else { return };
        if let Some(count) = guests.of_addresses.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                guests.of_addresses.remove(&address);
            }
        }
    }
}

fn guests(guests: &Mutex<Guests>) -> MutexGuard<'_, Guests> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever has one address of version 6 has the other 2^64 of its network too.
pub(in crate::http) fn one_holder(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::super::activity::Answering;
    use super::*;
    use crate::clock::{ManualClock, UnixTime};

    fn places(connections: u32, connections_per_address: u32) -> (Places, ManualClock) {
        let mut config = Config::for_issuer("https://auth.example.com".parse().unwrap());
        (config.limits.connections, config.limits.connections_per_address) = (connections, connections_per_address);
        config.http.trusted_proxies = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        let clock = ManualClock::at(UnixTime::from_seconds(1_000));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        (Places::new(&config, &shared), clock)
    }

    async fn at(places: &Places, address: &str) -> Option<Place> {
        places.take(address.parse().unwrap()).await
    }

    #[tokio::test]
    async fn one_address_has_as_many_as_it_may_and_others_have_theirs() {
        let (places, _) = places(100, 2);
        for (one, same, other) in
            [("203.0.113.1", "::ffff:203.0.113.1", "203.0.113.2"), ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")]
        {
            let held = (at(&places, one).await.unwrap(), at(&places, same).await.unwrap());
            assert!(at(&places, one).await.is_none() && at(&places, same).await.is_none(), "{one}");
            assert!(at(&places, other).await.is_some(), "{other}");
            drop(held.0);
            assert!(at(&places, one).await.is_some(), "a place that was left is free");
        }
        let guests = guests(&places.guests);
        assert!(guests.of_addresses.is_empty() && guests.here.is_empty(), "who has left is forgotten");
    }

    #[tokio::test]
    async fn trusted_proxy_is_not_one_address() {
        let (places, _) = places(100, 1);
        let held = (at(&places, "10.0.0.1").await.unwrap(), at(&places, "10.0.0.1").await.unwrap());
        assert!(at(&places, "10.0.0.1").await.is_some());
        drop(held);
    }

    /// A request of which all has come.
    fn answering(place: &Place) -> Answering {
        let answering = place.activity().answering();
        answering.has_come_whole();
        answering
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn when_all_places_are_taken_who_has_waited_the_longest_leaves() {
        let (places, clock) = places(3, 3);
        let busy = at(&places, "203.0.113.1").await.unwrap();
        let _answering = answering(&busy);
        clock.advance(Duration::from_secs(1));
        let older = at(&places, "203.0.113.1").await.unwrap();
        clock.advance(Duration::from_secs(1));
        let newer = at(&places, "203.0.113.1").await.unwrap();
        tokio::select! {
            biased;
            place = at(&places, "203.0.113.2") => panic!("there is no place yet: {}", place.is_some()),
            () = busy.must_be_left() => panic!("it has something to finish"),
            () = newer.must_be_left() => panic!("another one has waited longer"),
            () = older.must_be_left() => {}
        }
        drop(older);
        assert!(tokio::time::timeout(HOUR, at(&places, "203.0.113.2")).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_busy_the_next_waits_for_one() {
        let (places, _) = places(1, 2);
        let held = at(&places, "203.0.113.1").await.unwrap();
        let answering = answering(&held);
        assert!(tokio::time::timeout(HOUR, at(&places, "203.0.113.2")).await.is_err(), "nobody gets in");
        drop((answering, held));
        assert!(tokio::time::timeout(HOUR, at(&places, "203.0.113.2")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_no_answer_leaves_after_those_who_wait_and_before_those_who_are_being_answered() {
        let (places, clock) = places(3, 3);
        let stalled = at(&places, "203.0.113.1").await.unwrap();
        let _never_taken = answering(&stalled);
        clock.advance(Duration::from_secs(31));
        let (waiting, busy) = (at(&places, "203.0.113.1").await.unwrap(), at(&places, "203.0.113.1").await.unwrap());
        let _answering = answering(&busy);
        tokio::select! {
            biased;
            place = at(&places, "203.0.113.2") => panic!("there is no place yet: {}", place.is_some()),
            () = stalled.must_be_left() => panic!("another one has asked for nothing"),
            () = waiting.must_be_left() => {}
        }
        drop(waiting);
        let other = at(&places, "203.0.113.2").await.unwrap();
        let _asking = answering(&other);
        tokio::select! {
            biased;
            place = at(&places, "203.0.113.2") => panic!("there is no place yet: {}", place.is_some()),
            () = busy.must_be_left() => panic!("it is being answered"),
            () = stalled.must_be_left() => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_place_gets_it_when_the_busy_turn_out_to_take_no_answer() {
        let (places, clock) = places(1, 2);
        let held = at(&places, "203.0.113.1").await.unwrap();
        let _never_taken = answering(&held);
        let next = at(&places, "203.0.113.2");
        tokio::pin!(next);
        assert!(tokio::time::timeout(HOUR, &mut next).await.is_err(), "it may still be answered");
        clock.advance(Duration::from_secs(31));
        tokio::select! {
            place = &mut next => panic!("there is no place yet: {}", place.is_some()),
            () = held.must_be_left() => drop(held),
        }
        assert!(tokio::time::timeout(HOUR, next).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_to_the_end_of_a_body_leaves_before_those_who_have_just_come() {
        let (places, clock) = places(3, 3);
        let (slow, busy) = (at(&places, "203.0.113.1").await.unwrap(), at(&places, "203.0.113.1").await.unwrap());
        let _never_whole = slow.activity().answering();
        let _answering = answering(&busy);
        clock.advance(Duration::from_secs(1));
        let newcomer = at(&places, "203.0.113.3").await.unwrap();
        tokio::select! {
            biased;
            place = at(&places, "203.0.113.2") => panic!("there is no place yet: {}", place.is_some()),
            () = newcomer.must_be_left() => panic!("it has just come"),
            () = busy.must_be_left() => panic!("it is being answered"),
            () = slow.must_be_left() => {}
        }
    }
}
