//! Followers by their own word: the last word counts, and there are never more than is bearable.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::follower::Heard;
use passant::domain::ids::{FeedId, Tick};
use passant::store::followers::{self, MOST, MOST_OF_ADDRESS};

use super::{NOW, Replicas, count};

fn heard(address: &str, instance: usize, seen_at: UnixTime) -> Heard {
    Heard {
        address: address.to_owned(),
        name: "orders".to_owned(),
        instance: format!("i{instance}"),
        feed: FeedId::new("feed"),
        tick: Tick::new(seen_at.millis()),
        head: Tick::new(seen_at.millis() + 1),
        keys: "k".repeat(43),
        keys_at: seen_at - Duration::from_secs(35),
        seen_at,
    }
}

async fn all(it: &Replicas) -> Vec<Heard> {
    read!(it.db, conn => followers::heard_since(conn, UnixTime::from_millis(0)))
}

fn second(second: u64) -> UnixTime {
    NOW + Duration::from_secs(second)
}

on_both_databases! {
    async fn a_follower_is_as_it_was_last_heard_by_whichever_replica(it) {
        let (first, last) = (heard("203.0.113.1", 1, second(1)), heard("203.0.113.1", 1, second(9)));
        followers::note(&it.db, vec![first.clone()]).await.unwrap();
        assert_eq!(all(&it).await, [first]);
        followers::note(&it.other, vec![last.clone()]).await.unwrap();
        followers::note(&it.db, vec![heard("203.0.113.1", 1, second(5))]).await.unwrap();
        assert_eq!(all(&it).await, std::slice::from_ref(&last), "what comes late changes nothing");
        let elsewhere = heard("203.0.113.2", 1, second(2));
        followers::note(&it.db, vec![elsewhere.clone()]).await.unwrap();
        assert_eq!(all(&it).await, [last.clone(), elsewhere], "nobody speaks over another address");
        assert_eq!(read!(it.db, conn => followers::heard_since(conn, second(9))), [last]);
    }

    async fn past_the_bounds_those_go_that_were_last_heard_the_longest_ago(it) {
        let most = usize::try_from(MOST_OF_ADDRESS).unwrap();
        let crowd: Vec<Heard> = (0..most + 5).map(|number| heard("203.0.113.1", number, second(number as u64))).collect();
        followers::note(&it.db, vec![heard("203.0.113.2", 7, second(0))]).await.unwrap();
        followers::note(&it.db, crowd).await.unwrap();
        let left = all(&it).await;
        assert_eq!(left.len(), most + 1);
        assert!(left.iter().all(|one| one.address == "203.0.113.2" || one.seen_at >= second(5)));
        let world = 0..usize::try_from(MOST).unwrap();
        let world = world.map(|number| heard(&format!("198.51.{}.{}", number / 256, number % 256), 0, second(1000))).collect();
        followers::note(&it.db, world).await.unwrap();
        assert_eq!(all(&it).await.len(), usize::try_from(MOST).unwrap());
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM followers WHERE address LIKE '203%'").await, 0);
    }

    async fn who_was_last_heard_before_a_time_is_forgotten(it) {
        followers::note(&it.db, vec![heard("203.0.113.1", 1, second(1)), heard("203.0.113.1", 2, second(2))]).await.unwrap();
        assert_eq!(followers::forget(&it.db, second(2)).await.unwrap(), 1);
        assert_eq!(all(&it).await, [heard("203.0.113.1", 2, second(2))]);
    }
}
