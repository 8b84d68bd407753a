//! The applications of a user: what lives of their grants and consents, and nothing else.

use passant::domain::consent::Consent;
use passant::store::applications::{self, Application};
use passant::store::consents::{self, GivenConsent};
use passant::store::{Db, grants, sessions, users};

use super::rows::{HOUR, approval, approval_with, user};
use super::{NOW, execute};

async fn of(db: &Db, user: &passant::domain::ids::UserId) -> Vec<Application> {
    read!(db, conn => applications::of_user(conn, user, NOW))
}

on_both_databases! {
    async fn a_grant_shows_its_application_and_a_consent_adds_to_it(it) {
        let (one, _other) = (approval(&it.db).await.grant, approval(&it.db).await);
        let shown = of(&it.db, &one.user_id).await;
        assert_eq!(shown.len(), 1);
        assert_eq!((&shown[0].client.id, &shown[0].scopes, shown[0].offline), (&one.client_id, &one.scopes, false));
        let given = GivenConsent {
            user_id: one.user_id.clone(),
            client_id: one.client_id.clone(),
            consent: Consent { scopes: "email".parse().unwrap(), ..Consent::default() },
            updated_at: NOW - HOUR,
        };
        let born = it.tick().await;
        commit!(it.db, (given.clone(), born), |tx, (given, born)| consents::add(tx, given, *born)).unwrap();
        let shown = of(&it.db, &one.user_id).await;
        assert_eq!((shown.len(), shown[0].since), (1, NOW - HOUR));
        assert_eq!(shown[0].scopes, "openid orders:read email".parse().unwrap());
        sessions::end(&it.db, one.session_id.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(of(&it.db, &one.user_id).await[0].scopes, "email".parse().unwrap(), "the answer outlives the sign-in");
        consents::withdraw(&it.db, one.user_id.clone(), one.client_id.clone(), NOW).await.unwrap();
        assert!(of(&it.db, &one.user_id).await.is_empty());
        let born = it.tick().await;
        commit!(it.db, (given, born), |tx, (given, born)| consents::add(tx, given, *born)).unwrap();
        assert_eq!(of(&it.db, &one.user_id).await.len(), 1);
        users::log_out_everywhere(&it.db, one.user_id.clone(), NOW).await.unwrap().unwrap();
        assert!(of(&it.db, &one.user_id).await.is_empty(), "but not logging out everywhere");
        assert!(of(&it.db, &user(&it.db).await.id).await.is_empty());
    }

    async fn what_outlives_sessions_is_shown_when_the_session_is_over(it) {
        let grant = approval_with(&it.db, "openid offline_access").await.grant;
        sessions::end(&it.db, grant.session_id.clone(), NOW).await.unwrap().unwrap();
        assert!(of(&it.db, &grant.user_id).await[0].offline);
        grants::revoke(&it.db, grant.id.clone(), NOW).await.unwrap().unwrap();
        assert!(of(&it.db, &grant.user_id).await.is_empty());
    }

    async fn what_is_dead_at_any_level_is_not_shown(it) {
        for statement in [
            "UPDATE sessions SET ended_at = 1",
            "UPDATE sessions SET idle_until = 0",
            "UPDATE grants SET refresh_until = 0",
            "UPDATE clients SET disabled_at = 1",
            "UPDATE clients SET cutoff = (SELECT tick + 1 FROM feed_head)",
            "UPDATE users SET cutoff = (SELECT tick + 1 FROM feed_head)",
            "UPDATE feed_head SET issuer_cutoff = tick + 1",
        ] {
            let it = crate::store::Replicas::open(it.engine).await;
            let grant = approval(&it.db).await.grant;
            assert_eq!(of(&it.db, &grant.user_id).await.len(), 1);
            execute(&it.db, statement).await;
            assert!(of(&it.db, &grant.user_id).await.is_empty(), "{statement}");
        }
    }
}
