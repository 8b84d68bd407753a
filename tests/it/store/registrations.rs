//! Registrations in the operator's hands: one state replaces one other, and what is removed or switched off is cut off.

use passant::domain::client::{Client, ClientAuthentication, ClientOrigin};
use passant::domain::cutoff::Standing;
use passant::domain::ids::ClientId;
use passant::store::audit::{self, Filter};
use passant::store::clients::{self, DeclaredClient};
use passant::store::registrations::{self, Registered, Update};

use super::rows::{HOUR, client, declared, fresh_hash, fresh_name};
use super::{NOW, Replicas, count, execute};

async fn registered(it: &Replicas, id: &ClientId) -> Option<Registered> {
    read!(it.db, conn => registrations::find(conn, id))
}

async fn standing(it: &Replicas, id: &ClientId) -> Option<Standing> {
    read!(it.db, conn => clients::find(conn, id, NOW)).map(|record| record.evidence.client)
}

fn renamed(held: &Registered, name: &str) -> Update {
    let mut registration = held.client.clone().into_registration();
    registration.name = name.to_owned();
    Update { client: Client::new(registration).unwrap(), replaces: held.revision.clone(), secret: None, now: NOW + HOUR }
}

on_both_databases! {
    async fn clients_are_shown_with_what_stands_around_them(it) {
        let (one, other) = (client(&it.db).await.0, client(&it.db).await.0);
        let all = read!(it.db, conn => registrations::all(conn));
        assert_eq!(all.len(), 2);
        let held = registered(&it, &one.client.id).await.unwrap();
        assert_eq!((&held.client, held.created_at, held.disabled_at), (&one.client, NOW, None));
        assert_eq!(held.secrets.iter().map(|secret| secret.hash.clone()).collect::<Vec<_>>(), one.secrets);
        assert!(all.iter().any(|held| held.client == other.client));
        assert!(registered(&it, &ClientId::new("unknown")).await.is_none());
    }

    async fn a_change_replaces_the_state_that_was_read_and_no_other(it) {
        let id = client(&it.db).await.0.client.id.clone();
        let held = registered(&it, &id).await.unwrap();
        assert!(registrations::update(&it.db, renamed(&held, "Second")).await.unwrap());
        assert!(!registrations::update(&it.db, renamed(&held, "Third")).await.unwrap(), "it was read too early");
        let now = registered(&it, &id).await.unwrap();
        assert_eq!((now.client.name.as_str(), now.updated_at), ("Second", NOW + HOUR));
        assert_eq!(now.secrets, held.secrets);
    }

    async fn the_trail_says_what_a_change_changed(it) {
        let one = client(&it.db).await.0;
        let id = one.client.id.clone();
        let details = async || {
            let filter = Filter { client: Some(id.clone()), action: Some("client_update".to_owned()), most: 9, ..Filter::default() };
            read!(it.db, conn => audit::list(conn, &filter)).into_iter().filter_map(|entry| entry.detail).collect::<Vec<_>>()
        };
        let held = registered(&it, &id).await.unwrap();
        assert!(registrations::update(&it.db, renamed(&held, "Second")).await.unwrap());
        assert_eq!(details().await, ["changed name"]);
        let declared = DeclaredClient { secrets: vec![fresh_hash()], ..one };
        clients::reconcile(&it.db, ClientOrigin::CommandLine, vec![declared], NOW).await.unwrap();
        let mut told = details().await;
        told.sort_unstable();
        assert_eq!(told, ["changed name", "changed name, secret"]);
    }

    async fn a_client_of_another_origin_is_not_changed(it) {
        let id = client(&it.db).await.0.client.id.clone();
        execute(&it.db, "UPDATE clients SET origin = 'file'").await;
        let held = registered(&it, &id).await.unwrap();
        assert!(!registrations::update(&it.db, renamed(&held, "Second")).await.unwrap());
        assert_eq!(registrations::remove(&it.db, id.clone(), ClientOrigin::CommandLine, NOW).await.unwrap(), None);
        assert!(registered(&it, &id).await.is_some());
    }

    async fn a_client_that_becomes_public_keeps_no_secret_and_gets_one_again(it) {
        let id = client(&it.db).await.0.client.id.clone();
        let change = async |authentication, secret| {
            let held = registered(&it, &id).await.unwrap();
            let mut registration = held.client.into_registration();
            registration.authentication = authentication;
            registration.grant_types.remove(&passant::domain::client::GrantType::ClientCredentials);
            let client = Client::new(registration).unwrap();
            assert!(registrations::update(&it.db, Update { client, replaces: held.revision, secret, now: NOW }).await.unwrap());
            registered(&it, &id).await.unwrap().secrets.len()
        };
        assert_eq!(change(ClientAuthentication::None, None).await, 0);
        assert_eq!(change(ClientAuthentication::SecretPost, Some(fresh_hash())).await, 1);
    }

    async fn a_removed_client_is_gone_with_its_secrets_and_cut_off(it) {
        let (one, created) = client(&it.db).await;
        let id = one.client.id.clone();
        let tick = registrations::remove(&it.db, id.clone(), ClientOrigin::CommandLine, NOW).await.unwrap().unwrap();
        assert!(tick > created && it.tick().await == tick);
        assert_eq!(standing(&it, &id).await, None);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM client_secrets").await, 0);
        assert_eq!(registrations::remove(&it.db, id.clone(), ClientOrigin::CommandLine, NOW).await.unwrap(), None);
        let again = clients::create(&it.db, declared(id.as_str()), NOW).await.unwrap().unwrap();
        assert!(again > tick, "what the first of this id had stays dead");
    }

    async fn what_a_disabled_client_had_stays_dead_when_it_is_enabled(it) {
        let (one, created) = client(&it.db).await;
        let id = one.client.id.clone();
        assert!(!registrations::enable(&it.db, id.clone(), NOW).await.unwrap(), "it is on");
        let tick = registrations::disable(&it.db, id.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(standing(&it, &id).await, Some(Standing::Ended));
        assert_eq!(registrations::disable(&it.db, id.clone(), NOW).await.unwrap(), None, "it is off");
        assert!(registrations::enable(&it.db, id.clone(), NOW).await.unwrap());
        assert_eq!(standing(&it, &id).await, Some(Standing::CutOff(tick)));
        assert!(tick > created);
        assert_eq!(registrations::disable(&it.db, ClientId::new("unknown"), NOW).await.unwrap(), None);
    }

    async fn one_of_two_changes_replaces_a_state(it) {
        it.one_wins(async || {
            let id = client(&it.db).await.0.client.id.clone();
            registered(&it, &id).await.unwrap()
        }, |db, held, side| async move { registrations::update(&db, renamed(&held, ["left", "right"][side])).await.unwrap() }).await;
    }

    async fn one_of_two_switches_a_client_off(it) {
        it.one_wins(async || client(&it.db).await.0.client.id.clone(), |db, id, _| async move {
            registrations::disable(&db, id, NOW).await.unwrap().is_some()
        }).await;
    }

    async fn one_of_two_removes_a_client(it) {
        it.one_wins(async || {
            let one = declared(&fresh_name());
            clients::create(&it.db, one.clone(), NOW).await.unwrap().unwrap();
            one.client.id.clone()
        }, |db, id, _| async move {
            registrations::remove(&db, id, ClientOrigin::CommandLine, NOW).await.unwrap().is_some()
        }).await;
    }
}
