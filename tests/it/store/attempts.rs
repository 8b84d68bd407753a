//! Attempts: counted one after the other however many come at once, and never taken back by what fails.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::audit::{Action, Event, Outcome};
use passant::domain::throttle::ThrottlePolicy;
use passant::store::Db;
use passant::store::attempts::{self, Counted, CountedLane, Lane};
use passant::store::sweep;
use tokio::task::JoinSet;

use super::rows::{HOUR, fresh_hash};
use super::{NOW, count, rows};

const POLICY: ThrottlePolicy = ThrottlePolicy {
    free: 3,
    first_delay: Duration::from_secs(1),
    longest_delay: Duration::from_secs(60),
    forget: Duration::from_secs(3_600),
};

fn lane(own: bool) -> Lane {
    Lane { name: fresh_hash(), policy: POLICY, own }
}

/// Counts an attempt that need not wait.
async fn allowed(db: &Db, lanes: &[Lane], now: UnixTime) -> Vec<CountedLane> {
    match attempts::count(db, lanes.to_vec(), now).await.unwrap() {
        Counted::Allowed(counted) => counted,
        Counted::Wait(until) => panic!("must wait until {until}"),
    }
}

/// An attempt that fails.
async fn wrong(db: &Db, lanes: &[Lane], now: UnixTime) {
    let counted = allowed(db, lanes, now).await;
    attempts::fail_counted(db, counted, Event::refused(Action::SignIn, "wrong password"), now).await.unwrap();
}

/// The failures of the lanes there are.
async fn failures(db: &Db) -> Vec<i64> {
    let all: Vec<(i64,)> = rows(db, "SELECT failures FROM attempts WHERE failures > 0 ORDER BY failures").await;
    all.into_iter().map(|(failures,)| failures).collect()
}

fn throttled() -> Event {
    Event::new(Action::SignIn, Outcome::Throttled)
}

on_both_databases! {
    async fn a_hundred_attempts_at_once_are_looked_at_as_often_as_is_free(it) {
        let (own, shared) = (lane(true), lane(false));
        let mut all = JoinSet::new();
        for number in 0..100 {
            let db = if number % 2 == 0 { it.db.clone() } else { it.other.clone() };
            let lanes = if number % 3 == 0 { vec![own.clone(), shared.clone()] } else { vec![shared.clone(), own.clone()] };
            all.spawn(async move { attempts::count(&db, lanes, NOW).await.unwrap() });
        }
        let counted = all.join_all().await;
        assert_eq!(counted.iter().filter(|counted| matches!(counted, Counted::Allowed(_))).count(), 3);
        assert!(counted.iter().all(|counted| matches!(counted, Counted::Allowed(_)) || matches!(counted, Counted::Wait(until) if *until == NOW + POLICY.first_delay)));
        assert_eq!(failures(&it.db).await, [3, 3], "what waits is not counted");
    }

    async fn a_success_clears_its_own_lane_and_takes_one_count_back_elsewhere(it) {
        let lanes = vec![lane(true), lane(false)];
        wrong(&it.db, &lanes, NOW).await;
        let counted = allowed(&it.db, &lanes, NOW).await;
        attempts::succeed(&it.db, counted, NOW).await.unwrap();
        assert_eq!(failures(&it.db).await, [1]);
    }

    async fn a_success_past_the_free_ones_leaves_the_lane_as_it_was_for_others(it) {
        let lanes = vec![lane(false)];
        for _ in 0..3 {
            wrong(&it.db, &lanes, NOW).await;
        }
        let mut now = NOW;
        while now < NOW + POLICY.forget - POLICY.longest_delay {
            now = now + POLICY.longest_delay;
            for _ in 0..2 {
                let counted = allowed(&it.db, &lanes, now).await;
                attempts::succeed(&it.other, counted, now).await.unwrap();
            }
        }
        assert_eq!(failures(&it.db).await, [3]);
        allowed(&it.db, &lanes, NOW + POLICY.forget).await;
        assert_eq!(failures(&it.db).await, [1], "forgotten as long after the last failure, whoever succeeded meanwhile");
    }

    async fn a_failure_is_what_a_lane_remembers(it) {
        let lanes = vec![lane(false)];
        let late = NOW + POLICY.forget - POLICY.first_delay;
        wrong(&it.db, &lanes, NOW).await;
        wrong(&it.db, &lanes, late).await;
        allowed(&it.db, &lanes, NOW + POLICY.forget).await;
        assert_eq!(failures(&it.db).await, [3]);
    }

    async fn a_success_takes_nothing_of_a_failure_that_came_after_it(it) {
        let lanes = vec![lane(false)];
        for _ in 0..2 {
            wrong(&it.db, &lanes, NOW).await;
        }
        let slow = allowed(&it.db, &lanes, NOW).await;
        wrong(&it.db, &lanes, NOW + POLICY.first_delay).await;
        attempts::succeed(&it.db, slow, NOW).await.unwrap();
        assert_eq!(failures(&it.db).await, [3]);
        let until = NOW + POLICY.first_delay * 2;
        assert_eq!(attempts::waiting(&it.db, &lanes, &throttled(), NOW + POLICY.first_delay).await.unwrap(), Some(until));
    }

    async fn an_attempt_that_was_not_looked_at_is_taken_back_with_its_delay(it) {
        let lanes = vec![lane(true)];
        for _ in 0..2 {
            wrong(&it.db, &lanes, NOW).await;
        }
        let counted = allowed(&it.db, &lanes, NOW).await;
        assert!(matches!(attempts::count(&it.db, lanes.clone(), NOW).await.unwrap(), Counted::Wait(_)));
        attempts::take_back(&it.db, counted, NOW).await.unwrap();
        allowed(&it.db, &lanes, NOW).await;
    }

    async fn a_lane_that_waits_is_told_of_once_a_block_and_costs_no_more(it) {
        let lanes = vec![lane(true)];
        let waiting = async |db: &Db, now| attempts::waiting(db, &lanes, &throttled(), now).await.unwrap();
        assert_eq!(waiting(&it.db, NOW).await, None);
        for _ in 0..3 {
            attempts::count(&it.db, lanes.clone(), NOW).await.unwrap();
        }
        let until = NOW + POLICY.first_delay;
        for db in [&it.db, &it.db, &it.other] {
            assert_eq!(waiting(db, NOW).await, Some(until));
        }
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE outcome = 'throttled'").await, 1);
        assert_eq!(waiting(&it.db, until).await, None);
        attempts::count(&it.db, lanes.clone(), until).await.unwrap();
        assert_eq!(waiting(&it.db, until).await, Some(until + POLICY.first_delay * 2));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE outcome = 'throttled'").await, 2, "another block");
    }

    async fn a_failure_found_without_cost_is_counted_with_what_is_told_of_it(it) {
        let lanes = vec![lane(false)];
        let told = Event::refused(Action::ClientAuthentication, "wrong secret");
        attempts::fail(&it.db, lanes.clone(), Some(told), NOW).await.unwrap();
        attempts::fail(&it.db, lanes, None, NOW).await.unwrap();
        assert_eq!((failures(&it.db).await, count(&it.db, "SELECT COUNT(*) FROM audit").await), (vec![2], 1));
    }

    async fn a_lane_goes_when_it_counts_nothing_any_more(it) {
        attempts::count(&it.db, vec![lane(true)], NOW).await.unwrap();
        assert_eq!(sweep::lanes(&it.db, NOW).await.unwrap(), 0);
        assert_eq!(sweep::lanes(&it.db, NOW + HOUR).await.unwrap(), 1);
        assert_eq!(failures(&it.db).await, [0_i64; 0]);
    }
}
