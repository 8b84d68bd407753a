//! The tick only grows, and the entries form one chain.

use passant::clock::UnixTime;
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::{NamedCutoff, Target, chain};
use passant::domain::ids::{FeedId, Tick, TokenId, UserId};
use passant::store::Db;
use passant::store::evidence::{self, Levels};
use passant::store::feed_head::{self, TokenCutOff};
use passant::store::signing_keys::{self, Applied, KeyChange};

use super::rows::signing_key;
use super::{NOW, Replicas, count, rows};

async fn raise(db: &Db, now: UnixTime) -> Tick {
    commit!(db, now, |tx, now| feed_head::raise(tx, *now, &[])).unwrap()
}

async fn cut_off(db: &Db, target: Target) -> Tick {
    feed_head::cut_off(db, vec![target], Event::done(Action::TokenRevoke), NOW).await.unwrap()
}

/// Recomputes the chain over all entries and compares it with what was stored, and its end with the head.
async fn the_chain_holds(it: &Replicas) {
    let entries: Vec<(i64, String, i64, String)> =
        rows(&it.db, "SELECT tick, feed_id, previous_tick, chain FROM feed_entries ORDER BY tick").await;
    let cutoffs: Vec<(i64, String, String)> = rows(&it.db, "SELECT tick, level, identifier FROM cutoffs").await;
    let (mut before, mut link) = (0, String::new());
    for (tick, feed_id, previous_tick, stored) in entries {
        let named: Vec<NamedCutoff> = cutoffs
            .iter()
            .filter(|(at, ..)| *at == tick)
            .map(|(_, level, identifier)| NamedCutoff { level: level.clone(), identifier: identifier.clone() })
            .collect();
        link = chain(&FeedId::new(feed_id), &link, Tick::new(tick), &named);
        assert_eq!((previous_tick, &stored), (before, &link), "the entry at {tick}");
        before = tick;
    }
    let head = read!(it.db, conn => feed_head::read(conn));
    assert_eq!((head.tick.get(), head.chain), (before, link));
}

on_both_databases! {
    async fn a_start_appends_an_empty_entry_and_keeps_the_history(it) {
        let before = read!(it.db, conn => feed_head::read(conn));
        let tick = feed_head::begin(&it.db).await.unwrap();
        let after = read!(it.db, conn => feed_head::read(conn));
        assert_eq!((after.tick, after.feed_id), (tick, before.feed_id));
        assert!(tick > before.tick && after.chain != before.chain);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs").await, 0);
        the_chain_holds(&it).await;
    }

    async fn a_token_is_cut_off_once(it) {
        let revoke = async |token: &TokenId| {
            feed_head::cut_off_token(&it.db, token.clone(), Event::done(Action::TokenRevoke), NOW).await.unwrap()
        };
        let (one, other) = (TokenId::random(), TokenId::random());
        let TokenCutOff::Now(tick) = revoke(&one).await else { panic!("it lived") };
        assert_eq!(it.tick().await, tick);
        assert_eq!(revoke(&one).await, TokenCutOff::Before(tick));
        assert_eq!(it.tick().await, tick, "the second time raises nothing");
        assert!(matches!(revoke(&other).await, TokenCutOff::Now(later) if later > tick));
        assert_eq!(read!(it.db, conn => feed_head::last_of(conn, &Target::Token(one))), Some(tick));
        assert_eq!(read!(it.db, conn => feed_head::last_of(conn, &Target::Token(TokenId::random()))), None);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs").await, 2);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'token_revoke' AND tick IS NOT NULL").await, 2);
        the_chain_holds(&it).await;
    }

    async fn one_of_two_requests_cuts_a_token_off(it) {
        it.one_wins(async || TokenId::random(), |db, token, _| async move {
            let cut_off = feed_head::cut_off_token(&db, token, Event::done(Action::TokenRevoke), NOW).await.unwrap();
            matches!(cut_off, TokenCutOff::Now(_))
        }).await;
    }

    async fn the_tick_grows_whatever_the_clock_does(it) {
        let tick = it.tick().await.get();
        let ahead = UnixTime::from_millis(tick + 1_000);
        assert_eq!(raise(&it.db, ahead).await.get(), tick + 1_000, "it follows the clock");
        assert_eq!(raise(&it.db, ahead).await.get(), tick + 1_001, "a clock that stands still");
        assert_eq!(raise(&it.db, UnixTime::from_millis(0)).await.get(), tick + 1_002, "a clock that goes back");
        assert_eq!(raise(&it.db, UnixTime::from_millis(-1)).await.get(), tick + 1_003, "a clock before the epoch");
        let broken = UnixTime::from_millis((1 << 52) + 1);
        assert_eq!(raise(&it.db, broken).await.get(), tick + 1_004, "a broken clock takes no part");
        the_chain_holds(&it).await;
    }

    async fn concurrent_raises_have_distinct_ticks_and_one_chain(it) {
        let before = it.tick().await.get();
        let raises: Vec<_> = (0..40)
            .map(|number| {
                let db = if number % 2 == 0 { it.db.clone() } else { it.other.clone() };
                tokio::spawn(async move { cut_off(&db, Target::User(UserId::random())).await.get() })
            })
            .collect();
        let mut ticks = Vec::new();
        for raise in raises {
            ticks.push(raise.await.unwrap());
        }
        ticks.sort_unstable();
        assert_eq!(ticks, (before + 1..=before + 40).collect::<Vec<i64>>());
        the_chain_holds(&it).await;
    }

    async fn a_head_below_what_was_seen_is_overtaken_once_and_its_history_goes_on_under_another_name(it) {
        let before = read!(it.db, conn => feed_head::read(conn));
        assert_eq!(feed_head::overtake(&it.db, before.tick).await.unwrap(), None, "it is where it was");
        let seen = Tick::new(before.tick.get() + 1_000_000_000);
        let raised = feed_head::overtake(&it.db, seen).await.unwrap().unwrap();
        assert!(raised > seen);
        let after = read!(it.db, conn => feed_head::read(conn));
        assert_eq!((after.tick, &after.salt), (raised, &before.salt));
        assert_ne!(after.feed_id, before.feed_id);
        assert_eq!(feed_head::overtake(&it.other, seen).await.unwrap(), None, "another process was faster");
        the_chain_holds(&it).await;
    }

    async fn one_of_two_processes_overtakes(it) {
        it.one_wins(async || Tick::new(it.tick().await.get() + 10), |db, seen, _| async move {
            feed_head::overtake(&db, seen).await.unwrap().is_some()
        }).await;
    }

    async fn only_an_issuer_wide_cut_off_lands_in_the_head(it) {
        let issuer = async || read!(it.db, conn => evidence::read(conn, &Levels::default(), NOW)).evidence.issuer;
        cut_off(&it.db, Target::Token(TokenId::random())).await;
        assert_eq!(issuer().await, Tick::ZERO);
        let tick = cut_off(&it.db, Target::Issuer).await;
        assert_eq!(issuer().await, tick);
        cut_off(&it.db, Target::Token(TokenId::random())).await;
        assert_eq!(issuer().await, tick);
        the_chain_holds(&it).await;
    }

    async fn pruning_drops_entries_below_a_tick_and_keeps_dead_keys(it) {
        let key = signing_key(1);
        let insert = KeyChange { insert: Some(key.clone()), ..KeyChange::default() };
        assert_ne!(signing_keys::apply(&it.db, insert, NOW).await.unwrap(), Applied::TooLate);
        let revoke = KeyChange { revoke: vec![key.kid], ..KeyChange::default() };
        assert_ne!(signing_keys::apply(&it.db, revoke, NOW).await.unwrap(), Applied::TooLate);
        let dead_key = it.tick().await.get();
        cut_off(&it.db, Target::Token(TokenId::random())).await;
        let kept = cut_off(&it.db, Target::Token(TokenId::random())).await;
        let entries = count(&it.db, "SELECT COUNT(*) FROM feed_entries").await;
        assert_eq!(feed_head::prune_below(&it.db, kept).await.unwrap(), u64::try_from(entries - 2).unwrap());
        let left: Vec<(i64, String)> = rows(&it.db, "SELECT tick, level FROM cutoffs ORDER BY tick").await;
        assert_eq!(left, [(dead_key, "kid".to_owned()), (kept.get(), "jti".to_owned())]);
        assert_eq!(feed_head::prune_below(&it.db, kept).await.unwrap(), 0, "nothing is left to do");
        assert_eq!(it.tick().await, kept);
    }
}
