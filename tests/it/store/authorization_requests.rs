//! Kept requests: one browser claims them, one answer takes them out of circulation.

use passant::domain::audit::{Action, Event};
use passant::secret::TokenHash;
use passant::store::{Db, authorization_requests};

use super::rows::{HOUR, fresh_hash, keep};
use super::{NOW, Replicas};

async fn consume(db: &Db, handle: TokenHash) -> bool {
    commit!(db, handle, |tx, handle| authorization_requests::consume(tx, handle, NOW)).unwrap()
}

async fn gone(it: &Replicas, handle: &TokenHash) -> bool {
    read!(it.db, conn => authorization_requests::find(conn, handle, NOW)).is_none()
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
