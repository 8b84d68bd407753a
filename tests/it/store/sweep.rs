//! Rows go when nobody needs them any more, most of them 70 minutes after their time; what lives stays.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::store::signing_keys::{self, Applied, KeyChange};
use passant::store::sweep::{self, SEEDS_AFTER_WINDOW};
use passant::store::{authorization_requests, feed_head, grants, refresh_tokens, sessions, set_up_tokens};

use super::rows::{HOUR, approval, client, family, fresh_hash, keep, session, signing_key, user};
use super::{NOW, Replicas, count, execute, execute_with};

const MOMENT: Duration = Duration::from_millis(1);
const AFTER_END: Duration = Duration::from_secs(70 * 60);
const KEYS_AFTER_END: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Sweeps at a time and demands how many rows go.
async fn sweeps(it: &Replicas, now: UnixTime, rows: u64) {
    it.clock.set(now);
    assert_eq!(sweep::batch(&it.db, it.now()).await.unwrap(), rows);
}

/// Nothing goes 70 minutes after this end, and these rows a moment later.
async fn goes_after(it: &Replicas, end: UnixTime, rows: u64) {
    sweeps(it, end + AFTER_END, 0).await;
    sweeps(it, end + AFTER_END + MOMENT, rows).await;
    sweeps(it, end + AFTER_END + MOMENT, 0).await;
}

/// Nothing goes at this end, and these rows a moment later.
async fn goes_at_once(it: &Replicas, end: UnixTime, rows: u64) {
    sweeps(it, end, 0).await;
    sweeps(it, end + MOMENT, rows).await;
    sweeps(it, end + MOMENT, 0).await;
}

on_both_databases! {
    async fn nothing_is_swept_from_what_lives(it) {
        family(&it.db).await;
        keep(&it.db, None).await;
        set_up_tokens::create(&it.db, fresh_hash(), it.tick().await, NOW + HOUR).await.unwrap();
        sweeps(&it, NOW, 0).await;
    }

    async fn a_request_goes_after_its_time(it) {
        let kept = keep(&it.db, None).await;
        goes_at_once(&it, kept.expires_at, 1).await;
    }

    async fn an_answered_request_goes_at_once(it) {
        let kept = keep(&it.db, None).await;
        assert!(authorization_requests::refuse(&it.db, kept.handle_hash, Event::done(Action::GrantDeny), NOW).await.unwrap());
        sweeps(&it, NOW, 1).await;
    }

    async fn a_set_up_link_goes_after_its_time(it) {
        set_up_tokens::create(&it.db, fresh_hash(), it.tick().await, NOW + HOUR).await.unwrap();
        goes_at_once(&it, NOW + HOUR, 1).await;
    }

    async fn only_a_secret_with_an_end_goes(it) {
        client(&it.db).await;
        sweeps(&it, NOW + HOUR * 1_000, 0).await;
        execute_with(&it.db, "UPDATE client_secrets SET expires_at = $1", (NOW + HOUR).millis()).await;
        goes_at_once(&it, NOW + HOUR, 1).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM clients").await, 1);
    }

    async fn a_stolen_secret_of_the_files_is_remembered(it) {
        client(&it.db).await;
        execute(&it.db, "UPDATE clients SET origin = 'file'").await;
        execute(&it.db, "UPDATE client_secrets SET expires_at = 0").await;
        sweeps(&it, NOW + HOUR * 1_000, 0).await;
    }

    async fn the_trail_is_kept_as_long_as_was_asked_and_goes_in_batches(it) {
        let insert = "INSERT INTO audit (id, at, action, outcome, actor_kind)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 502)
             SELECT CAST(i AS TEXT), i, 'sign_in', 'done', 'passant' FROM n";
        execute(&it.db, insert).await;
        sweeps(&it, NOW + HOUR * 100_000, 0).await;
        let before = UnixTime::from_millis(502);
        for rows in [500, 1, 0] {
            assert_eq!(sweep::audit_before(&it.db, before).await.unwrap(), rows);
        }
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit").await, 1, "what is not older stays");
    }

    async fn a_refresh_token_goes_after_its_own_limit_and_its_grant_after_the_absolute_one(it) {
        let (grant, token) = family(&it.db).await;
        execute_with(&it.db, "UPDATE sessions SET expires_at = $1", (NOW + HOUR * 1_000).millis()).await;
        execute(&it.db, "UPDATE codes SET consumed_at = 0").await;
        goes_after(&it, NOW + HOUR, 1).await;
        assert!(read!(it.db, conn => refresh_tokens::find(conn, &token)).is_none());
        goes_after(&it, grant.refresh_until, 1).await;
        assert_eq!(count(&it.db, "SELECT (SELECT COUNT(*) FROM grants) + (SELECT COUNT(*) FROM codes)").await, 0);
    }

    async fn a_grant_that_nobody_redeemed_goes_after_its_code(it) {
        let approval = approval(&it.db).await;
        goes_after(&it, approval.code_expires_at, 1).await;
        assert_eq!(count(&it.db, "SELECT (SELECT COUNT(*) FROM grants) + (SELECT COUNT(*) FROM codes)").await, 0);
    }

    async fn an_ended_grant_goes_after_its_end_with_its_code(it) {
        let (ended, other) = (approval(&it.db).await, approval(&it.db).await);
        grants::revoke(&it.db, ended.grant.id.clone(), NOW).await.unwrap().unwrap();
        goes_after(&it, NOW, 1).await;
        assert!(read!(it.db, conn => grants::find(conn, &ended.grant.id)).is_none());
        assert!(read!(it.db, conn => grants::find(conn, &other.grant.id)).is_some());
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM codes").await, 1);
    }

    async fn a_session_goes_after_its_absolute_limit_or_its_end(it) {
        let ada = user(&it.db).await.id;
        let (ended, other) = (session(&it.db, &ada).await, session(&it.db, &ada).await);
        sessions::end(&it.db, ended.session.id, NOW).await.unwrap().unwrap();
        goes_after(&it, NOW, 1).await;
        goes_after(&it, other.session.expires_at, 1).await;
    }

    async fn the_seed_of_a_closed_window_is_forgotten(it) {
        let (_, token) = family(&it.db).await;
        execute_with(
            &it.db,
            "UPDATE refresh_tokens SET consumed_at = 0, retry_until = $1, successor_salt = 's', successor_key_id = 'k',
                    expires_at = expires_at * 2",
            NOW.millis(),
        ).await;
        goes_at_once(&it, NOW + SEEDS_AFTER_WINDOW, 1).await;
        let token = read!(it.db, conn => refresh_tokens::find(conn, &token)).unwrap();
        assert_eq!(token.consumed.unwrap().seed, None);
    }

    async fn keys_stay_ninety_days_and_the_latest_for_good(it) {
        for epoch in 1..=2 {
            let change = KeyChange { insert: Some(signing_key(epoch)), ..KeyChange::default() };
            assert_ne!(signing_keys::apply(&it.db, change, NOW).await.unwrap(), Applied::TooLate);
        }
        let end = signing_key(0).schedule.published_until;
        sweeps(&it, end + KEYS_AFTER_END, 0).await;
        sweeps(&it, end + KEYS_AFTER_END + MOMENT, 1).await;
        sweeps(&it, end + KEYS_AFTER_END * 9, 0).await;
        let left: Vec<i64> = read!(it.db, conn => signing_keys::all(conn)).iter().map(|key| key.epoch).collect();
        assert_eq!(left, [2]);
    }

    async fn a_key_revoked_late_stays_ninety_days_from_then(it) {
        for epoch in 1..=2 {
            let change = KeyChange { insert: Some(signing_key(epoch)), ..KeyChange::default() };
            assert_ne!(signing_keys::apply(&it.db, change, NOW).await.unwrap(), Applied::TooLate);
        }
        let late = NOW + HOUR * 24;
        execute_with(&it.db, "UPDATE signing_keys SET revoked_at = $1 WHERE epoch = 1", late.millis()).await;
        sweeps(&it, late + KEYS_AFTER_END, 0).await;
        sweeps(&it, late + KEYS_AFTER_END + MOMENT, 1).await;
    }

    async fn rows_go_in_batches(it) {
        execute(
            &it.db,
            "INSERT INTO set_up_tokens (token_hash, born, expires_at)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501) SELECT CAST(i AS TEXT), 0, 0 FROM n",
        ).await;
        sweeps(&it, NOW, 500).await;
        sweeps(&it, NOW, 1).await;
        sweeps(&it, NOW, 0).await;
    }

    async fn what_the_feed_says_of_a_dead_key_goes_after_ninety_days(it) {
        for epoch in 1..=2 {
            let change = KeyChange { insert: Some(signing_key(epoch)), ..KeyChange::default() };
            assert_ne!(signing_keys::apply(&it.db, change, NOW).await.unwrap(), Applied::TooLate);
        }
        let kid = read!(it.db, conn => signing_keys::all(conn))[0].kid.clone();
        let revoke = KeyChange { revoke: vec![kid], ..KeyChange::default() };
        let Applied::Done(Some(tick)) = signing_keys::apply(&it.db, revoke, NOW).await.unwrap() else { panic!("it lived") };
        let died = UnixTime::from_millis(tick.get());
        sweeps(&it, died + KEYS_AFTER_END, 0).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs WHERE level = 'kid'").await, 1);
        while sweep::batch(&it.db, died + KEYS_AFTER_END + MOMENT).await.unwrap() > 0 {}
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs WHERE level = 'kid'").await, 0);
    }

    async fn the_sweep_leaves_the_feed_alone(it) {
        feed_head::cut_off(&it.db, vec![Target::Issuer], Event::done(Action::IssuerCutOff), NOW).await.unwrap();
        sweeps(&it, NOW + HOUR * 100_000, 0).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs").await, 1);
    }
}
