//! What the feed is made of.

use passant::domain::alarm::OnContradiction;
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::{FeedId, TokenId, UserId};
use passant::store::{feed_alarms, feed_head, feed_tail};

use super::*;

async fn cut_off(it: &Replicas, targets: &[Target]) -> Tick {
    feed_head::cut_off(&it.db, targets.to_vec(), Event::done(Action::TokenRevoke), it.now()).await.unwrap()
}

on_both_databases! {
    async fn entries_come_in_order_with_their_cut_offs_up_to_the_head_that_was_read(it) {
        let begun = it.tick().await;
        let targets: Vec<Target> = (0..3).map(|_| Target::Token(TokenId::random())).collect();
        let one = cut_off(&it, &targets[..2]).await;
        let empty = feed_head::begin(&it.other).await.unwrap();
        let head = read!(it.db, conn => feed_head::read(conn));
        cut_off(&it, &targets[2..]).await;
        let entries = read!(it.db, conn => feed_tail::entries(conn, &head.feed_id, (begun, head.tick), 100));
        let seen: Vec<_> = entries.iter().map(|entry| (entry.tick, entry.previous, entry.cutoffs.len())).collect();
        assert_eq!(seen, [(one, begun, 2), (empty, one, 0)]);
        assert_eq!(entries[1].link, head.chain);
        assert!(entries[0].cutoffs.is_sorted());
        let last = read!(it.db, conn => feed_tail::entries(conn, &head.feed_id, (Tick::ZERO, head.tick), 1));
        assert_eq!(last, entries[1..], "where there are more, the last");
        let other = FeedId::random();
        assert_eq!(read!(it.db, conn => feed_tail::entries(conn, &other, (Tick::ZERO, head.tick), 100)), []);
    }

    async fn first_entry_from_a_tick_on_is_found_whatever_lies_between(it) {
        let one = cut_off(&it, &[Target::Token(TokenId::random())]).await;
        it.clock.advance(std::time::Duration::from_secs(1));
        let other = cut_off(&it, &[Target::Token(TokenId::random())]).await;
        let feed = read!(it.db, conn => feed_head::read(conn)).feed_id;
        for (from, found) in [(one.get(), Some(one)), (one.get() + 1, Some(other)), (other.get(), Some(other)), (other.get() + 1, None)] {
            let entry = read!(it.db, conn => feed_tail::first_from(conn, &feed, Tick::new(from)));
            assert_eq!(entry.as_ref().map(|entry| entry.tick), found, "{from}");
            assert!(entry.is_none_or(|entry| entry.cutoffs.len() == 1));
        }
    }

    async fn cut_offs_stand_once_with_their_last_tick(it) {
        let (user, token) = (Target::User(UserId::random()), Target::Token(TokenId::random()));
        let first = cut_off(&it, &[user.clone(), token.clone()]).await;
        let last = cut_off(&it, std::slice::from_ref(&user)).await;
        let salt = read!(it.db, conn => feed_head::read(conn)).salt;
        let found = |cutoffs: &[(passant::domain::cutoff::NamedCutoff, Tick)], target: &Target| {
            let same = cutoffs.iter().filter(|(named, _)| named.level == target.level() && named.identifier == target.salted(&salt));
            same.map(|(_, tick)| *tick).collect::<Vec<Tick>>()
        };
        for (until, of_user) in [(first, first), (last, last)] {
            let cutoffs = read!(it.db, conn => feed_tail::cutoffs(conn, until));
            assert_eq!((found(&cutoffs, &user), found(&cutoffs, &token), cutoffs.len()), (vec![of_user], vec![first], 2));
        }
    }

    async fn what_was_pruned_or_belongs_to_another_history_is_not_among_the_entries(it) {
        let old = cut_off(&it, &[Target::Token(TokenId::random())]).await;
        let seen = Tick::new(old.get() + 5);
        let before = read!(it.db, conn => feed_head::read(conn));
        let raised = feed_alarms::overtake(&it.db, seen, OnContradiction::Alarm, NOW).await.unwrap().unwrap().tick;
        let head = read!(it.db, conn => feed_head::read(conn));
        let entries = read!(it.db, conn => feed_tail::entries(conn, &head.feed_id, (Tick::ZERO, head.tick), 100));
        assert_eq!(entries.iter().map(|entry| (entry.tick, entry.previous)).collect::<Vec<_>>(), [(raised, old)]);
        assert_eq!(read!(it.db, conn => feed_tail::first_from(conn, &before.feed_id, raised)), None);
        assert_eq!(read!(it.db, conn => feed_tail::cutoffs(conn, head.tick)).len(), 1, "its cut-offs hold");
    }
}
