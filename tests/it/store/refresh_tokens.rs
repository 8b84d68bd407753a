//! Rotation: one live leaf, the same successor for an honest retry, the grant's end for a replay.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::cutoff::{Level, Standing};
use passant::domain::grant::{Asked, Excess, Grant};
use passant::domain::ids::ClientId;
use passant::domain::refresh::SuccessorSeed;
use passant::secret::TokenHash;
use passant::store::evidence::{self, Levels};
use passant::store::refresh_tokens::{self, NewRefreshToken, Revocation, Rotated, Rotation};
use passant::store::{Db, grants};

use super::rows::{HOUR, approval, family, fresh_hash, new_refresh_token};
use super::{NOW, Replicas, count, execute_with};

const WINDOW: Duration = Duration::from_secs(10);

fn seed() -> SuccessorSeed {
    SuccessorSeed { salt: "salt".to_owned(), key_id: "key".to_owned() }
}

fn rotation(grant: &Grant, token: &TokenHash) -> Rotation {
    Rotation {
        token_hash: token.clone(),
        client_id: grant.client_id.clone(),
        successor: new_refresh_token(),
        seed: seed(),
        asked: Asked::default(),
        retry_window: WINDOW,
        now: NOW,
    }
}

async fn rotate(db: &Db, rotation: Rotation) -> Rotated {
    refresh_tokens::rotate(db, rotation).await.unwrap()
}

/// Uses a token and answers its successor.
async fn used(db: &Db, grant: &Grant, token: &TokenHash) -> TokenHash {
    let rotation = rotation(grant, token);
    let successor = rotation.successor.token_hash.clone();
    assert_eq!(rotate(db, rotation).await, Rotated::Successor(grant.clone()));
    successor
}

async fn grant_ended(it: &Replicas, grant: &Grant) -> bool {
    let levels = Levels { grant: Some(grant.id.clone()), ..Levels::default() };
    read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence.grant == Standing::Ended
}

fn at(now: UnixTime, rotation: Rotation) -> Rotation {
    Rotation { now, successor: NewRefreshToken { now, ..new_refresh_token() }, ..rotation }
}

on_both_databases! {
    async fn a_revoked_token_takes_its_grant_along_once_and_for_its_own_client_alone(it) {
        let (grant, token) = family(&it.db).await;
        let leaf = used(&it.db, &grant, &token).await;
        let revoke = async |token: &TokenHash, client: &ClientId| {
            refresh_tokens::revoke(&it.db, token.clone(), client.clone(), NOW).await.unwrap()
        };
        assert_eq!(revoke(&leaf, &ClientId::new("other")).await, Revocation::AnotherClients);
        assert_eq!(revoke(&fresh_hash(), &grant.client_id).await, Revocation::Unknown);
        assert!(!grant_ended(&it, &grant).await);
        let before = it.tick().await;
        let Revocation::Ended(tick) = revoke(&token, &grant.client_id).await else { panic!("a used token revokes as well") };
        assert!(grant_ended(&it, &grant).await && tick > before);
        assert_eq!(revoke(&leaf, &grant.client_id).await, Revocation::EndedBefore(Some(tick)));
        assert_eq!(it.tick().await, tick);
        assert_eq!(rotate(&it.db, rotation(&grant, &leaf)).await, Rotated::Dead(Level::Grant));
    }

    async fn a_first_use_leaves_one_live_leaf_of_the_next_generation(it) {
        let (grant, token) = family(&it.db).await;
        let leaf = used(&it.db, &grant, &token).await;
        let parent = read!(it.db, conn => refresh_tokens::find(conn, &token)).unwrap().consumed.unwrap();
        assert_eq!((parent.seed, parent.retry_until), (Some(seed()), NOW + WINDOW));
        assert!(!parent.successor.unwrap().used);
        let leaf = read!(it.db, conn => refresh_tokens::find(conn, &leaf)).unwrap();
        assert_eq!((leaf.generation, leaf.consumed, leaf.expires_at), (1, None, NOW + HOUR));
        assert!(read!(it.db, conn => refresh_tokens::find(conn, &fresh_hash())).is_none());
    }

    async fn a_retry_in_the_window_gets_the_same_successor(it) {
        let (grant, token) = family(&it.db).await;
        used(&it.db, &grant, &token).await;
        let again = rotate(&it.db, at(NOW + WINDOW / 2, rotation(&grant, &token))).await;
        assert_eq!(again, Rotated::Again(grant.clone(), seed()));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM refresh_tokens").await, 2);
        assert!(!grant_ended(&it, &grant).await);
    }

    async fn a_use_after_the_window_is_a_replay(it) {
        let (grant, token) = family(&it.db).await;
        used(&it.db, &grant, &token).await;
        let before = it.tick().await;
        let replay = rotate(&it.db, at(NOW + WINDOW, rotation(&grant, &token))).await;
        assert_eq!(replay, Rotated::Replayed(grant.id.clone()));
        assert!(grant_ended(&it, &grant).await && it.tick().await > before);
        assert_eq!(rotate(&it.db, rotation(&grant, &token)).await, Rotated::Dead(Level::Grant));
    }

    async fn a_token_that_is_presented_again_and_again_is_told_once_a_reason(it) {
        const TOLD: &str = "SELECT COUNT(*) FROM audit WHERE action = 'token_refresh'";
        let (grant, token) = family(&it.db).await;
        let right = rotation(&grant, &token);
        let elsewhere = Asked { resources: vec!["https://other.example.com".parse().unwrap()], ..Asked::default() };
        for (rows, what, attempt) in [
            (1, "another client's", Rotation { client_id: ClientId::new("x"), ..right.clone() }),
            (2, "too much", Rotation { asked: elsewhere, ..right.clone() }),
            (3, "late", at(NOW + HOUR, right.clone())),
        ] {
            for _ in 0..5 {
                rotate(&it.db, attempt.clone()).await;
            }
            assert_eq!(count(&it.db, TOLD).await, rows, "{what}");
        }
        used(&it.db, &grant, &token).await;
        for _ in 0..5 {
            rotate(&it.db, at(NOW + WINDOW, right.clone())).await;
        }
        assert_eq!(count(&it.db, TOLD).await, 5, "the replay that ended the grant, and that it had ended");
    }

    async fn the_first_use_of_a_successor_closes_the_window_and_forgets_its_seed(it) {
        let (grant, token) = family(&it.db).await;
        let leaf = used(&it.db, &grant, &token).await;
        used(&it.db, &grant, &leaf).await;
        assert_eq!(read!(it.db, conn => refresh_tokens::find(conn, &token)).unwrap().consumed.unwrap().seed, None);
        assert!(read!(it.db, conn => refresh_tokens::find(conn, &leaf)).unwrap().consumed.unwrap().seed.is_some());
        assert_eq!(rotate(&it.db, rotation(&grant, &token)).await, Rotated::Replayed(grant.id.clone()));
        assert!(grant_ended(&it, &grant).await);
    }

    async fn an_attempt_with_something_wrong_changes_nothing(it) {
        let (grant, token) = family(&it.db).await;
        let right = rotation(&grant, &token);
        let wider = Asked { scopes: Some("openid orders:write".parse().unwrap()), ..Asked::default() };
        for (attempt, outcome) in [
            (Rotation { token_hash: fresh_hash(), ..right.clone() }, Rotated::Refused("unknown refresh token")),
            (Rotation { client_id: ClientId::new("x"), ..right.clone() }, Rotated::Refused("another client's refresh token")),
            (Rotation { now: NOW + HOUR / 2, asked: wider, ..right.clone() }, Rotated::Exceeds(Excess::Scope)),
        ] {
            assert_eq!(rotate(&it.db, attempt).await, outcome);
        }
        execute_with(&it.db, "UPDATE sessions SET idle_until = $1", (NOW + HOUR * 9).millis()).await;
        assert_eq!(rotate(&it.db, at(NOW + HOUR, right.clone())).await, Rotated::Refused("expired refresh token"));
        assert_eq!(rotate(&it.db, right).await, Rotated::Successor(grant));
    }

    async fn a_token_of_a_revoked_grant_is_dead(it) {
        let (grant, token) = family(&it.db).await;
        grants::revoke(&it.db, grant.id.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(rotate(&it.db, rotation(&grant, &token)).await, Rotated::Dead(Level::Grant));
        assert_eq!(read!(it.db, conn => refresh_tokens::find(conn, &token)).unwrap().consumed, None);
    }

    async fn no_token_outlives_the_absolute_limit_of_its_grant(it) {
        let grant = approval(&it.db).await.grant;
        let new = NewRefreshToken { idle: HOUR * 24, ..new_refresh_token() };
        commit!(it.db, (grant.clone(), new.clone()), |tx, (grant, new)| refresh_tokens::insert(tx, grant, 7, new)).unwrap();
        let found = read!(it.db, conn => refresh_tokens::find(conn, &new.token_hash)).unwrap();
        assert_eq!((found.generation, found.expires_at), (7, grant.refresh_until));
        let twin = NewRefreshToken { token_hash: fresh_hash(), ..new };
        let second = commit!(it.db, (grant, twin), |tx, (grant, new)| refresh_tokens::insert(tx, grant, 7, new));
        assert!(second.is_err(), "a generation has one token");
    }

    async fn a_token_is_consumed_once(it) {
        let (grant, token) = family(&it.db).await;
        let consume = async |rotation| commit!(it.db, rotation, |tx, rotation| refresh_tokens::consume(tx, rotation)).unwrap();
        assert!(consume(rotation(&grant, &token)).await);
        assert!(!consume(rotation(&grant, &token)).await);
        assert!(!consume(rotation(&grant, &fresh_hash())).await, "an unknown one");
    }

    async fn one_of_two_requests_consumes_a_token(it) {
        it.one_wins(async || family(&it.db).await, |db, (grant, token), _| async move {
            commit!(db, rotation(&grant, &token), |tx, rotation| refresh_tokens::consume(tx, rotation)).unwrap()
        }).await;
    }

    async fn two_rotations_at_once_name_one_successor(it) {
        let rounds = it.race(async || family(&it.db).await, |db, (grant, token), _| async move {
            rotate(&db, rotation(&grant, &token)).await
        }).await;
        for ((grant, _), outcomes) in rounds {
            assert!(outcomes.contains(&Rotated::Successor(grant.clone())), "{outcomes:?}");
            assert!(outcomes.contains(&Rotated::Again(grant.clone(), seed())), "{outcomes:?}");
            assert!(!grant_ended(&it, &grant).await);
        }
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM refresh_tokens WHERE consumed_at IS NULL").await, 40);
    }

    async fn two_rotations_at_once_without_a_window_are_a_success_and_a_replay(it) {
        let rounds = it.race(async || family(&it.db).await, |db, (grant, token), _| async move {
            rotate(&db, Rotation { retry_window: Duration::ZERO, ..rotation(&grant, &token) }).await
        }).await;
        for ((grant, _), outcomes) in rounds {
            assert!(outcomes.contains(&Rotated::Successor(grant.clone())), "{outcomes:?}");
            assert!(outcomes.contains(&Rotated::Replayed(grant.id.clone())), "{outcomes:?}");
            assert!(grant_ended(&it, &grant).await);
        }
    }
}
