//! Signing keys: one key an epoch, schedules moved only from what the planner saw, changes made as a whole or not at all.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use passant::domain::cutoff::Target;
use passant::domain::ids::{KeyId, Tick};
use passant::domain::signing_key::{Reschedule, Schedule, SigningKey};
use passant::store::signing_keys::{self, Applied, KeyChange};
use passant::store::{Db, feed_head};

use super::rows::{HOUR, schedule, signing_key};
use super::{NOW, Replicas, rows};

async fn insert(db: &Db, key: SigningKey) -> bool {
    commit!(db, key, |tx, key| signing_keys::insert(tx, key)).unwrap()
}

async fn revoke(db: &Db, kid: KeyId) -> bool {
    commit!(db, kid, |tx, kid| signing_keys::revoke(tx, kid, NOW)).unwrap()
}

async fn reschedule(db: &Db, change: Reschedule) -> bool {
    commit!(db, change, |tx, change| signing_keys::reschedule(tx, change)).unwrap()
}

async fn apply(db: &Db, change: KeyChange) -> bool {
    signing_keys::apply(db, change, NOW).await.unwrap() != Applied::TooLate
}

async fn all(it: &Replicas) -> Vec<SigningKey> {
    read!(it.db, conn => signing_keys::all(conn))
}

fn next_epoch() -> i64 {
    static EPOCH: AtomicI64 = AtomicI64::new(1);
    EPOCH.fetch_add(1, Ordering::Relaxed)
}

/// A key that is there.
async fn key(it: &Replicas) -> SigningKey {
    let key = signing_key(next_epoch());
    assert!(insert(&it.db, key.clone()).await);
    key
}

fn moved(key: &SigningKey, to: Schedule) -> Reschedule {
    Reschedule { kid: key.kid.clone(), from: key.schedule, to }
}

/// The schedule with one of its four times moved.
fn with_one_moved(which: usize) -> Schedule {
    let (base, late) = (schedule(), Duration::from_secs(1));
    match which {
        0 => Schedule { published_from: base.published_from + late, ..base },
        1 => Schedule { signs_from: base.signs_from + late, ..base },
        2 => Schedule { signs_until: base.signs_until + late, ..base },
        _ => Schedule { published_until: base.published_until + late, ..base },
    }
}

on_both_databases! {
    async fn keys_are_read_as_inserted_and_by_epoch(it) {
        assert_eq!(all(&it).await, []);
        let (second, first) = (signing_key(2), signing_key(1));
        assert!(insert(&it.db, second.clone()).await && insert(&it.db, first.clone()).await);
        assert_eq!(all(&it).await, [first, second]);
    }

    async fn a_taken_epoch_or_kid_adds_no_key(it) {
        let key = key(&it).await;
        assert!(!insert(&it.db, signing_key(key.epoch)).await);
        assert!(!insert(&it.db, SigningKey { epoch: next_epoch(), ..key.clone() }).await);
        assert_eq!(all(&it).await, [key]);
    }

    async fn a_schedule_moves_only_from_what_the_planner_saw(it) {
        let key = key(&it).await;
        let to = Schedule { signs_until: NOW + HOUR * 5, ..schedule() };
        assert!(reschedule(&it.db, moved(&key, to)).await);
        assert!(!reschedule(&it.db, moved(&key, to)).await, "it moved before");
        assert_eq!(all(&it).await[0].schedule, to);
        assert!(!reschedule(&it.db, moved(&signing_key(0), to)).await, "an unknown key");
        for which in 0..4 {
            let fresh = self::key(&it).await;
            let stale = Reschedule { from: with_one_moved(which), ..moved(&fresh, to) };
            assert!(!reschedule(&it.db, stale).await, "time {which} is not what the planner saw");
        }
    }

    async fn a_dead_key_is_not_scheduled(it) {
        let key = key(&it).await;
        assert!(revoke(&it.db, key.kid.clone()).await);
        assert!(!reschedule(&it.db, moved(&key, with_one_moved(0))).await);
        assert_eq!(all(&it).await, [SigningKey { revoked_at: Some(NOW), ..key.clone() }]);
        assert!(!revoke(&it.db, key.kid).await, "it is dead");
        assert!(!revoke(&it.db, KeyId::new("unknown")).await);
    }

    async fn a_change_is_applied_as_a_whole(it) {
        let (dies, moves, comes) = (key(&it).await, key(&it).await, signing_key(next_epoch()));
        let before = it.tick().await;
        let to = with_one_moved(2);
        let change = KeyChange { revoke: vec![dies.kid.clone()], reschedules: vec![moved(&moves, to)], insert: Some(comes.clone()) };
        assert!(apply(&it.db, change.clone()).await);
        let expected = [SigningKey { revoked_at: Some(NOW), ..dies.clone() }, SigningKey { schedule: to, ..moves }, comes];
        assert_eq!(all(&it).await, expected);
        assert_eq!(it.tick().await, Tick::new(before.get() + 1));
        let named = rows::<(String, String)>(&it.db, "SELECT level, identifier FROM cutoffs").await;
        let salt = rows::<(String,)>(&it.db, "SELECT salt FROM feed_head").await.remove(0).0;
        assert_eq!(named, [("kid".to_owned(), Target::Key(dies.kid).salted(&salt))]);
        assert!(!apply(&it.db, change).await, "it was applied before");
        assert!(apply(&it.db, KeyChange::default()).await, "nothing to do is done");
        assert_eq!(all(&it).await, expected);
        assert_eq!(it.tick().await, Tick::new(before.get() + 1));
    }

    async fn a_change_that_lost_in_any_part_leaves_no_part(it) {
        let key = key(&it).await;
        let before = (all(&it).await, read!(it.db, conn => feed_head::read(conn)));
        let good = KeyChange { revoke: vec![key.kid.clone()], reschedules: vec![], insert: Some(signing_key(next_epoch())) };
        let stale = Reschedule { from: with_one_moved(1), ..moved(&key, with_one_moved(2)) };
        for lost in [
            KeyChange { reschedules: vec![stale], ..good.clone() },
            KeyChange { revoke: vec![key.kid.clone(), KeyId::new("unknown")], ..good.clone() },
            KeyChange { insert: Some(signing_key(key.epoch)), ..good },
        ] {
            assert!(!apply(&it.db, lost).await);
            assert_eq!((all(&it).await, read!(it.db, conn => feed_head::read(conn))), before);
        }
    }

    async fn one_of_two_planners_adds_the_key_of_an_epoch(it) {
        it.one_wins(async || next_epoch(), |db, epoch, _| async move { insert(&db, signing_key(epoch)).await }).await;
    }

    async fn one_of_two_planners_moves_a_schedule(it) {
        for which in 0..4 {
            it.one_wins(async || key(&it).await, |db, key, _| async move {
                reschedule(&db, moved(&key, with_one_moved(which))).await
            }).await;
        }
    }

    async fn one_of_two_operators_revokes_a_key(it) {
        it.one_wins(async || key(&it).await.kid, |db, kid, _| async move { revoke(&db, kid).await }).await;
    }

    async fn one_of_two_changes_is_applied_and_raises_one_tick(it) {
        let before = it.tick().await;
        let change = async || {
            let dies = key(&it).await.kid;
            KeyChange { revoke: vec![dies], reschedules: vec![], insert: Some(signing_key(next_epoch())) }
        };
        it.one_wins(change, |db, change, side| async move {
            // Each planner made a key of its own for the epoch.
            let insert = change.insert.map(|key| if side == 0 { key } else { signing_key(key.epoch) });
            apply(&db, KeyChange { insert, ..change }).await
        }).await;
        assert_eq!(it.tick().await.get(), before.get() + 40);
    }
}
