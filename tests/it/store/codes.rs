//! Codes: one success under any concurrency, the grant's end for a replay, nothing changed for somebody else's attempt.

use std::time::Duration;

use passant::domain::cutoff::{Level, Standing, revoked};
use passant::domain::grant::{Asked, Excess};
use passant::domain::ids::ClientId;
use passant::store::codes::{self, Redeemed, Redemption};
use passant::store::evidence::{self, Levels};
use passant::store::grants::{self, Approval};
use passant::store::{Db, refresh_tokens, sessions, users};

use super::rows::{HOUR, REDIRECT_URI, approval, approval_with, fresh_hash, password_hash, redemption};
use super::{NOW, Replicas, count, execute_with};

async fn redeem(db: &Db, redemption: Redemption) -> Redeemed {
    codes::redeem(db, redemption).await.unwrap()
}

async fn grant_standing(it: &Replicas, approval: &Approval) -> Standing {
    let levels = Levels { grant: Some(approval.grant.id.clone()), ..Levels::default() };
    read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence.grant
}

async fn consumed(it: &Replicas, approval: &Approval) -> bool {
    read!(it.db, conn => codes::find(conn, &approval.code_hash)).unwrap().consumed
}

on_both_databases! {
    async fn a_code_is_found_with_all_that_binds_it(it) {
        let approval = approval(&it.db).await;
        let code = read!(it.db, conn => codes::find(conn, &approval.code_hash)).unwrap();
        assert_eq!((code.client_id, code.redirect_uri.as_str()), (approval.grant.client_id, REDIRECT_URI));
        assert_eq!(code.code_challenge.map(|challenge| challenge.as_str().to_owned()), approval.code_challenge);
        assert_eq!((code.nonce, code.expires_at), (approval.nonce, approval.code_expires_at));
        assert!(read!(it.db, conn => codes::find(conn, &fresh_hash())).is_none());
    }

    async fn a_redeemed_code_gives_its_grant_and_first_refresh_token(it) {
        let approval = approval(&it.db).await;
        let redemption = redemption(&approval);
        let token = redemption.refresh.clone().unwrap().token_hash;
        let tokens = Redeemed::Tokens { grant: Box::new(approval.grant.clone()), nonce: approval.nonce.clone() };
        assert_eq!(redeem(&it.db, redemption).await, tokens);
        assert!(consumed(&it, &approval).await);
        let token = read!(it.db, conn => refresh_tokens::find(conn, &token)).unwrap();
        assert_eq!((token.grant_id, token.generation, token.expires_at), (approval.grant.id, 0, NOW + HOUR));
    }

    async fn an_attempt_with_something_wrong_changes_nothing(it) {
        let approval = approval(&it.db).await;
        let right = redemption(&approval);
        let late = NOW + Duration::from_secs(60);
        let elsewhere = Asked { resources: vec!["https://other.example.com".parse().unwrap()], ..Asked::default() };
        for (what, attempt, outcome) in [
            ("unknown", Redemption { code_hash: fresh_hash(), ..right.clone() }, Redeemed::Refused("unknown code")),
            ("client", Redemption { client_id: ClientId::new("x"), ..right.clone() }, Redeemed::Refused("another client's code")),
            ("uri", Redemption { redirect_uri: None, ..right.clone() }, Redeemed::Refused("another redirect_uri")),
            ("late", Redemption { now: late, ..right.clone() }, Redeemed::Refused("expired code")),
            ("resource", Redemption { asked: elsewhere, ..right.clone() }, Redeemed::Exceeds(Excess::Resource)),
        ] {
            assert_eq!(redeem(&it.db, attempt).await, outcome, "{what}");
        }
        assert!(!consumed(&it, &approval).await);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM refresh_tokens").await, 0);
        assert!(matches!(redeem(&it.db, right).await, Redeemed::Tokens { .. }));
    }

    async fn a_wrong_verifier_burns_the_code_and_leaves_the_grant(it) {
        let approval = approval(&it.db).await;
        let wrong = Redemption { code_verifier: None, ..redemption(&approval) };
        assert_eq!(redeem(&it.db, wrong).await, Redeemed::Refused("wrong code_verifier"));
        assert!(consumed(&it, &approval).await);
        assert_ne!(grant_standing(&it, &approval).await, Standing::Ended);
    }

    async fn a_replay_ends_the_grant_and_keeps_it_ended(it) {
        let approval = approval(&it.db).await;
        redeem(&it.db, redemption(&approval)).await;
        let before = it.tick().await;
        let replayed = Redeemed::Replayed(approval.grant.id.clone());
        assert_eq!(redeem(&it.db, redemption(&approval)).await, replayed);
        assert_eq!(grant_standing(&it, &approval).await, Standing::Ended);
        let tick = it.tick().await;
        assert!(tick > before);
        assert_eq!(redeem(&it.db, redemption(&approval)).await, replayed);
        assert_eq!(it.tick().await, tick, "a dead grant does not die again");
    }

    async fn a_code_that_is_presented_again_and_again_is_told_once_a_reason(it) {
        const TOLD: &str = "SELECT COUNT(*) FROM audit WHERE action = 'code_redeem'";
        let approval = approval(&it.db).await;
        let right = redemption(&approval);
        let elsewhere = Asked { resources: vec!["https://other.example.com".parse().unwrap()], ..Asked::default() };
        for (rows, what, attempt) in [
            (1, "another client's", Redemption { client_id: ClientId::new("x"), ..right.clone() }),
            (2, "another address", Redemption { redirect_uri: None, ..right.clone() }),
            (3, "late", Redemption { now: NOW + Duration::from_secs(60), ..right.clone() }),
            (4, "too much", Redemption { asked: elsewhere, ..right.clone() }),
        ] {
            for _ in 0..5 {
                redeem(&it.db, attempt.clone()).await;
            }
            assert_eq!(count(&it.db, TOLD).await, rows, "{what}");
        }
        for _ in 0..5 {
            redeem(&it.db, right.clone()).await;
        }
        assert_eq!(count(&it.db, TOLD).await, 6, "one redemption and one replay");
    }

    async fn a_code_whose_authority_died_gives_nothing(it) {
        let (cut, ended, expired) = (approval(&it.db).await, approval(&it.db).await, approval(&it.db).await);
        users::set_password(&it.db, cut.grant.user_id.clone(), password_hash("new"), NOW).await.unwrap();
        assert_eq!(redeem(&it.db, redemption(&cut)).await, Redeemed::Dead(Level::User));
        grants::revoke(&it.db, ended.grant.id.clone(), NOW).await.unwrap();
        assert_eq!(redeem(&it.db, redemption(&ended)).await, Redeemed::Dead(Level::Grant));
        execute_with(&it.db, "UPDATE sessions SET idle_until = $1", NOW.millis()).await;
        assert_eq!(redeem(&it.db, redemption(&expired)).await, Redeemed::Dead(Level::Session));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM refresh_tokens").await, 0);
    }

    async fn the_session_of_an_offline_grant_is_not_judged(it) {
        let (bound, offline) = (approval(&it.db).await, approval_with(&it.db, "openid offline_access").await);
        for approval in [&bound, &offline] {
            sessions::end(&it.db, approval.grant.session_id.clone(), NOW).await.unwrap().unwrap();
        }
        assert_eq!(redeem(&it.db, redemption(&bound)).await, Redeemed::Dead(Level::Session));
        assert!(matches!(redeem(&it.db, redemption(&offline)).await, Redeemed::Tokens { .. }));
    }

    async fn a_code_is_consumed_once(it) {
        let code = approval(&it.db).await.code_hash;
        assert!(commit!(it.db, code.clone(), |tx, code| codes::consume(tx, code, NOW)).unwrap());
        assert!(!commit!(it.db, code, |tx, code| codes::consume(tx, code, NOW)).unwrap());
        assert!(!commit!(it.db, fresh_hash(), |tx, code| codes::consume(tx, code, NOW)).unwrap(), "an unknown one");
    }

    async fn one_of_two_requests_consumes_a_code(it) {
        it.one_wins(async || approval(&it.db).await.code_hash, |db, code, _| async move {
            commit!(db, code, |tx, code| codes::consume(tx, code, NOW)).unwrap()
        }).await;
    }

    async fn two_redemptions_at_once_are_a_success_and_a_replay(it) {
        let rounds = it.race(async || approval(&it.db).await, |db, approval, _| async move {
            redeem(&db, redemption(&approval)).await
        }).await;
        for (approval, outcomes) in rounds {
            let successes = outcomes.iter().filter(|outcome| matches!(outcome, Redeemed::Tokens { .. })).count();
            let replays = outcomes.iter().filter(|outcome| matches!(outcome, Redeemed::Replayed(_))).count();
            assert_eq!((successes, replays), (1, 1), "{outcomes:?}");
            assert_eq!(grant_standing(&it, &approval).await, Standing::Ended);
        }
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM refresh_tokens").await, 40);
    }

    async fn nothing_redeemed_at_the_time_of_a_cut_off_lives(it) {
        let rounds = it.race(async || approval(&it.db).await, |db, approval, side| async move {
            if side == 0 {
                users::set_password(&db, approval.grant.user_id.clone(), password_hash("new"), NOW).await.unwrap();
            } else {
                redeem(&db, redemption(&approval)).await;
            }
        }).await;
        for (approval, _) in rounds {
            let levels = Levels { user: Some(approval.grant.user_id), ..Levels::default() };
            let found = read!(it.db, conn => evidence::read(conn, &levels, NOW));
            assert_eq!(revoked(approval.grant.born, &found.evidence), Some(Level::User));
        }
    }
}
