//! The applications of users: what lives of their grants and consents, and nothing else.

use passant::domain::consent::Consent;
use passant::domain::ids::{ClientId, UserId};
use passant::store::applications::{self, Allowed, Application};
use passant::store::consents::{self, GivenConsent};
use passant::store::evidence::{self, Levels};
use passant::store::grants::{self, Approved};
use passant::store::{Db, accounts, sessions, users};

use super::rows::{HOUR, approval, approval_with, client, new_approval, password_hash, session, user};
use super::{NOW, Replicas, execute};

/// Remembers an answer of nothing but `openid`.
async fn allow(it: &Replicas, user: &UserId, client: &ClientId) {
    let consent = Consent { scopes: "openid".parse().unwrap(), ..Consent::default() };
    let given = GivenConsent { user_id: user.clone(), client_id: client.clone(), consent, updated_at: NOW };
    let born = it.tick().await;
    commit!(it.db, (given, born), |tx, (given, born)| consents::add(tx, given, *born)).unwrap();
}

async fn everybodys(it: &Replicas, client: Option<&ClientId>) -> Vec<Allowed> {
    read!(it.db, conn => applications::allowed_by_everybody(conn, client, NOW))
}

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

    async fn what_is_allowed_is_listed_until_it_is_withdrawn_or_cut_off(it) {
        let (ada, bob) = (user(&it.db).await, user(&it.db).await);
        let (shop, till) = (client(&it.db).await.0.client.id.clone(), client(&it.db).await.0.client.id.clone());
        for (user, client) in [(&ada, &shop), (&ada, &till), (&bob, &shop)] {
            allow(&it, &user.id, client).await;
        }
        assert_eq!((everybodys(&it, None).await.len(), everybodys(&it, Some(&shop)).await.len()), (3, 2));
        assert_eq!(read!(it.db, conn => applications::allowed_by(conn, &ada.id, NOW)).len(), 2);
        let one = read!(it.db, conn => applications::allowed_by(conn, &bob.id, NOW)).remove(0);
        assert_eq!((one.username.as_str(), &one.client.id, one.consent.scopes.to_string()), (bob.username.as_str(), &shop, "openid".to_owned()));
        assert!(one.remembered && one.grants == 0 && !one.offline);
        consents::withdraw(&it.db, ada.id.clone(), shop.clone(), NOW).await.unwrap();
        assert_eq!(everybodys(&it, None).await.len(), 2);
        accounts::disable(&it.db, bob.id.clone(), accounts::LastAdministrator::Spare, NOW).await.unwrap();
        assert_eq!(everybodys(&it, None).await.len(), 1);
    }

    async fn grants_of_a_client_that_asks_every_time_are_listed_with_all_that_they_allow(it) {
        let first = approval(&it.db).await.grant;
        let session = session(&it.db, &first.user_id).await.session;
        let mut second = new_approval(&first.user_id, &first.client_id, &session.id, session.born);
        second.grant.scopes = "openid offline_access".parse().unwrap();
        second.grant.resources = vec!["https://other.example.com".parse().unwrap()];
        second.grant.claims = serde_json::from_str(r#"{"userinfo":{"nickname":null,"sub":null}}"#).unwrap();
        assert_eq!(grants::approve(&it.db, second.clone()).await.unwrap(), Approved::Written);
        let found = everybodys(&it, Some(&first.client_id)).await;
        assert_eq!(found.len(), 1, "one line for a user and a client");
        let one = &found[0];
        assert_eq!((one.remembered, one.grants, one.offline, one.since), (false, 2, true, NOW));
        assert_eq!(one.consent.scopes, "openid orders:read offline_access".parse().unwrap());
        assert_eq!(one.consent.resources.len(), 2);
        assert!(one.consent.claims.contains("nickname") && one.consent.claims.len() == 1, "{:?}", one.consent.claims);
        allow(&it, &first.user_id, &first.client_id).await;
        assert!(everybodys(&it, None).await[0].remembered);
        grants::revoke(&it.db, second.grant.id, NOW).await.unwrap().unwrap();
        assert_eq!(everybodys(&it, None).await[0].grants, 1);
        consents::withdraw(&it.db, first.user_id.clone(), first.client_id.clone(), NOW).await.unwrap();
        assert!(everybodys(&it, None).await.is_empty());
    }

    async fn what_is_listed_is_what_an_approval_would_remember(it) {
        let (ada, shop) = (user(&it.db).await.id, client(&it.db).await.0.client.id.clone());
        let levels = Levels { user: Some(ada.clone()), client: Some(shop.clone()), ..Levels::default() };
        let seen = async || {
            let listed = read!(it.db, conn => applications::allowed_by(conn, &ada, NOW)).len();
            (listed, read!(it.db, conn => evidence::read(conn, &levels, NOW)).consent.scopes.to_string())
        };
        allow(&it, &ada, &shop).await;
        assert_eq!(seen().await, (1, "openid".to_owned()));
        users::set_password(&it.db, ada.clone(), password_hash("new"), NOW).await.unwrap().unwrap();
        assert_eq!(seen().await, (0, String::new()), "a thief's yes dies with the old password");
        allow(&it, &ada, &shop).await;
        assert_eq!(seen().await, (1, "openid".to_owned()));
        users::log_out_everywhere(&it.db, ada.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(seen().await, (0, String::new()));
    }
}
