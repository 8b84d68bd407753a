//! The list of sessions shows those that live, and whose they are.

use passant::store::{session_list, sessions, users};

use super::rows::{HOUR, session, user};
use super::{NOW, Replicas};

async fn listed(it: &Replicas, user: Option<&passant::domain::ids::UserId>) -> usize {
    match user {
        Some(user) => read!(it.db, conn => session_list::of_user(conn, user, it.now())).len(),
        None => read!(it.db, conn => session_list::of_everybody(conn, it.now())).len(),
    }
}

on_both_databases! {
    async fn live_sessions_are_listed_with_their_users(it) {
        let (ada, bob) = (user(&it.db).await, user(&it.db).await);
        let (kept, ended) = (session(&it.db, &ada.id).await.session, session(&it.db, &ada.id).await.session);
        session(&it.db, &bob.id).await;
        sessions::end(&it.db, ended.id, NOW).await.unwrap();
        assert_eq!((listed(&it, None).await, listed(&it, Some(&ada.id)).await), (2, 1));
        let one = read!(it.db, conn => session_list::of_user(conn, &ada.id, NOW)).remove(0);
        assert_eq!((one.id, one.username.as_str(), one.address.as_deref()), (kept.id, ada.username.as_str(), Some("192.0.2.1")));
        users::log_out_everywhere(&it.db, ada.id.clone(), NOW).await.unwrap();
        assert_eq!(listed(&it, Some(&ada.id)).await, 0, "what is cut off is not alive");
        it.clock.set(NOW + HOUR);
        assert_eq!(listed(&it, None).await, 0, "nor what is idle too long");
    }
}
