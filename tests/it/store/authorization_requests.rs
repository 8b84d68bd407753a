//! Kept requests: one browser claims them, one answer takes them out of circulation.

use passant::domain::audit::{Action, Event};
use passant::secret::TokenHash;
use passant::store::authorization_requests::{KeptRequest, Room};
use passant::store::{Db, authorization_requests};

use super::rows::{HOUR, fresh_hash, keep, kept, room};
use super::{NOW, Replicas, count};

async fn consume(db: &Db, handle: TokenHash) -> bool {
    commit!(db, handle, |tx, handle| authorization_requests::consume(tx, handle, NOW)).unwrap()
}

async fn gone(it: &Replicas, handle: &TokenHash) -> bool {
    read!(it.db, conn => authorization_requests::find(conn, handle, NOW)).is_none()
}

/// A lane of this name: its first character is the part that it is in.
fn lane(name: &str, of_lane: u32, of_all: u32) -> Room {
    Room { lane: TokenHash::from_stored(name.to_owned()), of_lane, of_all }
}

/// A request that came so many minutes after the beginning, for an hour, and waits for this browser.
fn after(minutes: u32) -> KeptRequest {
    let since = HOUR / 60 * minutes;
    KeptRequest { created_at: NOW + since, expires_at: NOW + since + HOUR, ..kept(Some(fresh_hash())) }
}

async fn keep_in(db: &Db, room: &Room, kept: &KeptRequest) -> u64 {
    authorization_requests::keep(db, kept.clone(), room.clone()).await.unwrap()
}

async fn follow(db: &Db, kept: &KeptRequest) -> bool {
    authorization_requests::follow(db, kept.handle_hash.clone(), kept.created_at).await.unwrap()
}

on_both_databases! {
    async fn a_kept_request_is_found_whole_until_it_expires(it) {
        let kept = keep(&it.db, Some(fresh_hash())).await;
        let handle = &kept.handle_hash;
        let found = read!(it.db, conn => authorization_requests::find(conn, handle, NOW));
        assert_eq!(found.as_ref(), Some(&kept));
        assert!(read!(it.db, conn => authorization_requests::find(conn, handle, NOW + HOUR)).is_none(), "its end is its end");
        assert!(gone(&it, &fresh_hash()).await, "an unknown handle");
    }

    async fn a_claim_binds_the_first_browser_for_good(it) {
        let kept = keep(&it.db, None).await;
        let (mine, theirs) = (fresh_hash(), fresh_hash());
        let claim = async |browser: &TokenHash| {
            authorization_requests::claim(&it.db, kept.handle_hash.clone(), browser.clone(), kept.created_at).await.unwrap()
        };
        assert!(claim(&mine).await);
        assert!(!claim(&theirs).await);
        let found = read!(it.db, conn => authorization_requests::find(conn, &kept.handle_hash, NOW)).unwrap();
        assert_eq!(found.browser_hash, Some(mine.clone()));
        assert!(!authorization_requests::claim(&it.db, fresh_hash(), mine, kept.created_at).await.unwrap(), "an unknown handle");
    }

    async fn an_answer_takes_a_request_out_of_circulation(it) {
        let (approved, denied) = (keep(&it.db, None).await.handle_hash, keep(&it.db, None).await.handle_hash);
        assert!(consume(&it.db, approved.clone()).await && gone(&it, &approved).await);
        assert!(!authorization_requests::refuse(&it.db, approved, Event::done(Action::GrantDeny), NOW).await.unwrap());
        assert!(authorization_requests::refuse(&it.db, denied.clone(), Event::done(Action::GrantDeny), NOW).await.unwrap() && gone(&it, &denied).await);
        assert!(!consume(&it.db, denied).await);
        assert!(!consume(&it.db, fresh_hash()).await, "an unknown handle");
    }

    async fn a_request_is_followed_once_and_a_claim_follows_it(it) {
        let (bound, posted) = (keep(&it.db, Some(fresh_hash())).await, keep(&it.db, None).await);
        assert!(follow(&it.db, &bound).await && !follow(&it.db, &bound).await);
        assert!(authorization_requests::claim(&it.db, posted.handle_hash.clone(), fresh_hash(), NOW).await.unwrap());
        for kept in [&bound, &posted] {
            let found = read!(it.db, conn => authorization_requests::find(conn, &kept.handle_hash, NOW)).unwrap();
            assert!(found.followed && found.created_at == NOW, "following a request makes it no younger");
        }
        assert!(!follow(&it.db, &kept(None)).await, "an unknown handle");
    }

    async fn a_full_lane_gives_up_what_is_over_then_what_nobody_came_for_then_the_oldest(it) {
        let room = lane("a-lane", 4, 100_000);
        let requests: Vec<KeptRequest> = (0..4).map(after).collect();
        for kept in &requests {
            assert_eq!(keep_in(&it.db, &room, kept).await, 0);
        }
        assert!(follow(&it.db, &requests[0]).await && follow(&it.db, &requests[1]).await);
        let elsewhere = keep(&it.db, None).await;
        // In this order, each by one more: 2 and 3 were followed by nobody, and then the oldest of those that were.
        let mut more = Vec::new();
        for (minutes, displaced) in [(10, 2), (11, 3), (12, 10), (13, 11)] {
            let kept = after(minutes);
            assert_eq!(keep_in(&it.db, &room, &kept).await, 1);
            let all: Vec<(u32, &KeptRequest)> = (0..4).zip(&requests).chain(more.iter().map(|(minutes, kept)| (*minutes, kept))).collect();
            let (_, victim) = all.iter().find(|(minutes, _)| *minutes == displaced).unwrap();
            assert!(gone(&it, &victim.handle_hash).await, "{displaced} goes for {minutes}");
            more.push((minutes, kept));
        }
        for (_, kept) in more.iter().filter(|(minutes, _)| *minutes >= 12) {
            assert!(follow(&it.db, kept).await);
        }
        assert_eq!(keep_in(&it.db, &room, &after(14)).await, 1);
        assert!(gone(&it, &requests[0].handle_hash).await, "all have been followed: the oldest goes");
        assert!(!gone(&it, &requests[1].handle_hash).await && !gone(&it, &elsewhere.handle_hash).await);
        // 1 ends before 14 does, and 14 was followed by nobody.
        assert_eq!(keep_in(&it.db, &room, &after(61)).await, 1);
        assert!(gone(&it, &requests[1].handle_hash).await);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM authorization_requests WHERE lane = 'a-lane'").await, 4);
    }

    async fn an_answered_request_takes_no_room(it) {
        let room = lane("answered", 1, 100_000);
        for minutes in 0..3 {
            let kept = after(minutes);
            assert_eq!(keep_in(&it.db, &room, &kept).await, 0);
            assert!(consume(&it.db, kept.handle_hash).await);
        }
    }

    async fn lanes_of_one_part_share_its_room_and_other_parts_have_theirs(it) {
        let of_all = 64 * 3;
        let in_part: Vec<KeptRequest> = (0..3).map(after).collect();
        for (number, kept) in in_part.iter().enumerate() {
            assert_eq!(keep_in(&it.db, &lane(&format!("p{number}"), 2, of_all), kept).await, 0);
        }
        assert!(follow(&it.db, &in_part[0]).await);
        assert_eq!(keep_in(&it.db, &lane("q", 2, of_all), &after(3)).await, 0);
        assert_eq!(keep_in(&it.db, &lane("p-another", 2, of_all), &after(3)).await, 1);
        assert!(gone(&it, &in_part[1].handle_hash).await && !gone(&it, &in_part[0].handle_hash).await);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM authorization_requests WHERE part = 'p'").await, 3);
        // A limit that was lowered is kept from then on.
        assert_eq!(keep_in(&it.db, &lane("p0", 2, 64), &after(4)).await, 3);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM authorization_requests WHERE part = 'p'").await, 1);
    }

    async fn two_at_once_never_exceed_the_last_place(it) {
        let fresh = async || Room { of_lane: 1, ..room() };
        let rounds = it.race(fresh, |db, room, _| async move { keep_in(&db, &room, &kept(None)).await }).await;
        for (_, outcomes) in &rounds {
            assert_eq!(outcomes[0] + outcomes[1], 1, "the second takes the place of the first: {outcomes:?}");
        }
        let most = "SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM authorization_requests GROUP BY lane) AS lanes";
        assert_eq!(count(&it.db, most).await, 1);
    }

    async fn one_of_answer_and_displacement_takes_a_request(it) {
        it.one_wins(async || {
            let room = Room { of_lane: 1, ..room() };
            let waiting = kept(None);
            assert_eq!(keep_in(&it.db, &room, &waiting).await, 0);
            (room, waiting.handle_hash)
        }, |db, (room, handle), side| async move {
            if side == 0 { consume(&db, handle).await } else { keep_in(&db, &room, &kept(None)).await == 1 }
        }).await;
    }

    async fn one_of_two_browsers_claims_a_request(it) {
        it.one_wins(async || keep(&it.db, None).await.handle_hash, |db, handle, _| async move {
            authorization_requests::claim(&db, handle, fresh_hash(), NOW).await.unwrap()
        }).await;
    }

    async fn one_of_two_answers_consumes_a_request(it) {
        it.one_wins(async || keep(&it.db, None).await.handle_hash, |db, handle, _| async move { consume(&db, handle).await }).await;
    }

    async fn one_of_approval_and_refusal_answers_a_request(it) {
        it.one_wins(async || keep(&it.db, None).await.handle_hash, |db, handle, side| async move {
            if side == 0 { consume(&db, handle).await } else { authorization_requests::refuse(&db, handle, Event::done(Action::GrantDeny), NOW).await.unwrap() }
        }).await;
    }
}
