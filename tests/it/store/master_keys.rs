//! One master key is in force; another one follows with every key sealed anew, or with every key dead, as a whole or not at all.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::cutoff::Target;
use passant::domain::ids::KeyId;
use passant::domain::signing_key::SigningKey;
use passant::store::master_keys::{self, MasterKeys, Replacement, Resealing, RetiredMasterKey, Succession};
use passant::store::signing_keys::{self, Applied, KeyChange};
use passant::store::{Db, sweep};

use super::rows::signing_key;
use super::{NOW, Replicas, at_once, count, rows};

fn succession(from: &str, to: &str) -> Succession {
    Succession { from: from.to_owned(), to: to.to_owned() }
}

/// A key of this epoch under a master key.
fn under(master: &str, epoch: i64) -> SigningKey {
    SigningKey { master_key_id: master.to_owned(), ..signing_key(epoch) }
}

/// A database whose keys are sealed under `old`, one of them dead.
async fn begun(it: &Replicas) -> Vec<SigningKey> {
    master_keys::begin(&it.db, "old".to_owned()).await.unwrap();
    let keys = [under("old", 1), under("old", 2), under("old", 3)];
    for key in keys.clone() {
        assert_eq!(insert(&it.db, key).await, Applied::Done(None));
    }
    let dead = KeyChange { revoke: vec![keys[0].kid.clone()], ..KeyChange::default() };
    assert_ne!(signing_keys::apply(&it.db, dead, NOW).await.unwrap(), Applied::TooLate);
    all(it).await
}

async fn insert(db: &Db, key: SigningKey) -> Applied {
    signing_keys::apply(db, KeyChange { insert: Some(key), ..KeyChange::default() }, NOW).await.unwrap()
}

async fn all(it: &Replicas) -> Vec<SigningKey> {
    read!(it.db, conn => signing_keys::all(conn))
}

async fn said(it: &Replicas) -> MasterKeys {
    read!(it.db, conn => master_keys::read(conn))
}

fn anew(key: &SigningKey, master: &str) -> SigningKey {
    SigningKey { sealed_private_key: format!("sealed under {master}"), master_key_id: master.to_owned(), ..key.clone() }
}

/// The living of these keys, sealed under `new`.
fn resealing(keys: &[SigningKey], succession: Succession) -> Resealing {
    let living = keys.iter().filter(|key| !key.is_revoked());
    Resealing {
        keys: living.map(|key| (key.clone(), anew(key, &succession.to))).collect(),
        refresh_keys: vec![(succession.from.clone(), "sealed refresh key".to_owned())],
        succession,
        now: NOW,
    }
}

on_both_databases! {
    async fn the_first_to_begin_says_which_is_in_force(it) {
        assert_eq!(said(&it).await, MasterKeys::default());
        master_keys::begin(&it.db, "old".to_owned()).await.unwrap();
        master_keys::begin(&it.other, "other".to_owned()).await.unwrap();
        assert_eq!(said(&it).await, MasterKeys { in_force: Some("old".to_owned()), retired: vec![] });
    }

    async fn every_living_key_is_sealed_anew_and_nothing_dies(it) {
        let keys = begun(&it).await;
        let tick = it.tick().await;
        assert!(master_keys::reseal(&it.db, resealing(&keys, succession("old", "new"))).await.unwrap());
        assert_eq!(all(&it).await, [keys[0].clone(), anew(&keys[1], "new"), anew(&keys[2], "new")]);
        let retired = RetiredMasterKey {
            id: "old".to_owned(), retired_at: NOW, sealed_refresh_key: Some("sealed refresh key".to_owned()),
        };
        assert_eq!(said(&it).await, MasterKeys { in_force: Some("new".to_owned()), retired: vec![retired] });
        assert_eq!(it.tick().await, tick, "no cut-off");
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'master_key_rotate' AND detail = 'old, now new'").await, 1);
    }

    async fn a_move_that_read_another_world_changes_nothing(it) {
        let keys = begun(&it).await;
        let good = resealing(&keys, succession("old", "new"));
        let mut missing = good.clone();
        missing.keys.pop();
        let mut stale = good.clone();
        stale.keys[0].0.sealed_private_key = "as it was before".to_owned();
        for lost in [missing, stale, resealing(&keys, succession("other", "new")), resealing(&keys, succession("new", "old"))] {
            assert!(!master_keys::reseal(&it.db, lost).await.unwrap());
        }
        assert_eq!(insert(&it.db, under("old", 4)).await, Applied::Done(None), "a key comes after the move was planned");
        assert!(!master_keys::reseal(&it.db, good).await.unwrap());
        assert_eq!((&all(&it).await[..3], said(&it).await.in_force), (&keys[..], Some("old".to_owned())));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'master_key_rotate'").await, 0);
    }

    async fn no_key_is_sealed_under_one_that_is_in_force_no_more(it) {
        let keys = begun(&it).await;
        assert!(master_keys::reseal(&it.db, resealing(&keys, succession("old", "new"))).await.unwrap());
        assert_eq!(insert(&it.db, under("old", 4)).await, Applied::TooLate);
        assert_eq!(insert(&it.db, under("new", 4)).await, Applied::Done(None));
        let back = resealing(&all(&it).await, succession("new", "old"));
        assert!(master_keys::reseal(&it.db, back).await.unwrap());
        let back = resealing(&all(&it).await, succession("old", "new"));
        assert!(!master_keys::reseal(&it.db, back).await.unwrap(), "one that was retired does not retire again");
    }

    async fn a_stolen_one_leaves_no_key_alive_but_the_new_one(it) {
        let keys = begun(&it).await;
        assert!(master_keys::reseal(&it.db, resealing(&keys, succession("old", "stolen"))).await.unwrap());
        let replacement = Replacement { succession: succession("stolen", "new"), key: under("new", 4), now: NOW };
        let replaced = master_keys::replace(&it.db, replacement.clone()).await.unwrap().unwrap();
        assert_eq!(replaced.dead, [keys[1].kid.clone(), keys[2].kid.clone()]);
        assert_eq!(replaced.tick, it.tick().await);
        let living: Vec<KeyId> = all(&it).await.into_iter().filter(|key| !key.is_revoked()).map(|key| key.kid).collect();
        assert_eq!(living, [replacement.key.kid.clone()]);
        let after = said(&it).await;
        assert_eq!(after.in_force.as_deref(), Some("new"));
        assert!(after.retired.iter().all(|retired| retired.sealed_refresh_key.is_none()), "what it derived is worth nothing");
        let salt = rows::<(String,)>(&it.db, "SELECT salt FROM feed_head").await.remove(0).0;
        let mut names: Vec<String> = replaced.dead.iter().map(|kid| Target::Key(kid.clone()).salted(&salt)).collect();
        names.sort();
        let sql = "SELECT identifier FROM cutoffs WHERE tick = (SELECT tick FROM feed_head) AND level = 'kid' ORDER BY identifier";
        assert_eq!(rows::<(String,)>(&it.db, sql).await.into_iter().map(|(name,)| name).collect::<Vec<_>>(), names);
        assert_eq!(master_keys::replace(&it.db, replacement).await.unwrap(), None, "it was done before");
        assert_eq!(it.tick().await, replaced.tick);
    }

    async fn one_of_two_moves_puts_its_master_key_in_force(it) {
        begun(&it).await;
        for round in 0..20 {
            let from = said(&it).await.in_force.unwrap();
            let keys = all(&it).await;
            let moves = ["one", "other"].map(|side| resealing(&keys, succession(&from, &format!("{side}-{round}"))));
            let [one, other] = moves.clone();
            let (left, right) = (it.db.clone(), if round % 2 == 0 { it.db.clone() } else { it.other.clone() });
            let won = at_once(
                async move { master_keys::reseal(&left, one).await.unwrap() },
                async move { master_keys::reseal(&right, other).await.unwrap() },
            )
            .await;
            assert!(won[0] != won[1], "{won:?}");
            let winner = &moves[usize::from(won[1])].succession.to;
            assert_eq!(said(&it).await.in_force.as_ref(), Some(winner));
            assert!(all(&it).await.iter().filter(|key| !key.is_revoked()).all(|key| key.master_key_id == *winner));
        }
    }

    async fn a_planner_beside_a_move_never_leaves_a_key_behind_under_the_old_one(it) {
        begun(&it).await;
        for round in 0..20 {
            let from = said(&it).await.in_force.unwrap();
            let (keys, to) = (all(&it).await, format!("master-{round}"));
            let (moving, late) = (resealing(&keys, succession(&from, &to)), under(&from, 10 + round));
            let (left, right) = (it.db.clone(), it.other.clone());
            let _ = at_once(
                async move { master_keys::reseal(&left, moving).await.unwrap() },
                async move { insert(&right, late).await != Applied::TooLate },
            )
            .await;
            let in_force = said(&it).await.in_force.unwrap();
            assert!(all(&it).await.iter().filter(|key| !key.is_revoked()).all(|key| key.master_key_id == in_force));
        }
    }

    async fn what_a_retired_one_derived_goes_when_nobody_can_ask_any_more(it) {
        let keys = begun(&it).await;
        assert!(master_keys::reseal(&it.db, resealing(&keys, succession("old", "new"))).await.unwrap());
        let kept = async || said(&it).await.retired[0].sealed_refresh_key.is_some();
        let sweep = async |now: UnixTime| while sweep::batch(&it.db, now).await.unwrap() > 0 {};
        sweep(NOW + sweep::REFRESH_KEYS_AFTER_END).await;
        assert!(kept().await);
        sweep(NOW + sweep::REFRESH_KEYS_AFTER_END + Duration::from_millis(1)).await;
        assert!(!kept().await);
    }
}
