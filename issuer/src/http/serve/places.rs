//! How many connections there may be, together and of one address: whoever opens thousands and sends nothing takes nobody else's.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::domain::client_address::TrustedProxies;

/// The places for connections.
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
    most_of_one: u32,
    trusted: TrustedProxies,
}

/// The place of one connection, free again when it is dropped.
pub(super) struct Place {
    _any: OwnedSemaphorePermit,
    counted: Option<Counted>,
}

struct Counted {
    address: IpAddr,
    of_addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Places {
    pub(super) fn new(config: &Config) -> Self {
        let all = usize::try_from(config.limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(all)),
            of_addresses: Arc::default(),
            most_of_one: config.limits.connections_per_address,
            trusted: config.http.trusted_proxies.clone(),
        }
    }

    /// Waits until any place is free. The machine's own queue keeps who comes meanwhile.
    pub(super) async fn any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// The place for an address, unless it has all that it may have.
    pub(super) fn at(&self, peer: IpAddr, any: Option<OwnedSemaphorePermit>) -> Option<Place> {
        let any = any?;
        // Behind a proxy is everybody.
        if self.trusted.contain(peer) {
            return Some(Place { _any: any, counted: None });
        }
        let address = one_holder(peer);
        let mut counts = self.of_addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.most_of_one {
            tracing::debug!(%address, "closed a connection: its address has as many as it may have");
            return None;
        }
        *count += 1;
        let of_addresses = Arc::clone(&self.of_addresses);
        Some(Place { _any: any, counted: Some(Counted { address, of_addresses }) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(Counted { address, of_addresses }) = self.counted.take() else { return };
        let mut counts = of_addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// Whoever has one address of version 6 has the other 2^64 of its network too.
fn one_holder(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: u32, connections_per_address: u32) -> Places {
        let mut config = Config::for_issuer("https://auth.example.com".parse().unwrap());
        (config.limits.connections, config.limits.connections_per_address) = (connections, connections_per_address);
        config.http.trusted_proxies = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        Places::new(&config)
    }

    async fn at(places: &Places, address: &str) -> Option<Place> {
        places.at(address.parse().unwrap(), places.any().await)
    }

    #[tokio::test]
    async fn one_address_has_as_many_as_it_may_and_others_have_theirs() {
        let places = places(100, 2);
        for (one, same, other) in
            [("203.0.113.1", "::ffff:203.0.113.1", "203.0.113.2"), ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")]
        {
            let held = (at(&places, one).await.unwrap(), at(&places, same).await.unwrap());
            assert!(at(&places, one).await.is_none() && at(&places, same).await.is_none(), "{one}");
            assert!(at(&places, other).await.is_some(), "{other}");
            drop(held.0);
            assert!(at(&places, one).await.is_some(), "a place that was left is free");
        }
        assert!(places.of_addresses.lock().unwrap().is_empty(), "who has left is forgotten");
    }

    #[tokio::test]
    async fn trusted_proxy_is_not_one_address() {
        let places = places(100, 1);
        let held = (at(&places, "10.0.0.1").await.unwrap(), at(&places, "10.0.0.1").await.unwrap());
        assert!(at(&places, "10.0.0.1").await.is_some());
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_places_are_taken_the_next_waits_for_one() {
        let places = places(2, 2);
        let held = at(&places, "203.0.113.1").await.unwrap();
        let _other = at(&places, "203.0.113.2").await.unwrap();
        let minute = std::time::Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, places.any()).await.is_err(), "nobody gets in");
        drop(held);
        assert!(tokio::time::timeout(minute, places.any()).await.is_ok());
    }
}
