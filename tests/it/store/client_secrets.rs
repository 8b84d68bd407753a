//! Secrets: two alive at most, and a stolen one dead at once with all that it led to.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::client::ClientOrigin;
use passant::domain::cutoff::Standing;
use passant::domain::ids::ClientId;
use passant::secret::TokenHash;
use passant::store::client_secrets::{self, Committed, OldSecrets, Rotated, Rotation};
use passant::store::clients;

use super::rows::{HOUR, client, fresh_hash};
use super::{NOW, Replicas, execute};

const MINUTE: Duration = Duration::from_secs(60);

async fn alive(it: &Replicas, id: &ClientId, at: UnixTime) -> Vec<TokenHash> {
    read!(it.db, conn => clients::find(conn, id, at)).unwrap().secrets
}

fn rotation(id: &ClientId, old: OldSecrets, now: UnixTime) -> Rotation {
    Rotation { client: id.clone(), secret: fresh_hash(), expires_at: None, old, now }
}

on_both_databases! {
    async fn the_old_secret_works_until_its_end_and_the_new_one_on(it) {
        let one = client(&it.db).await.0;
        let (id, later) = (one.client.id.clone(), NOW + MINUTE);
        let change = rotation(&id, OldSecrets::Until(NOW + HOUR), later);
        let tick = it.tick().await;
        let done = Rotated::Done(Committed { old_until: Some(NOW + HOUR), ended: 0, tick: None });
        assert_eq!(client_secrets::rotate(&it.db, change.clone()).await.unwrap(), done);
        let both = alive(&it, &id, later).await;
        assert!(both.len() == 2 && both.contains(&change.secret) && both.contains(&one.secrets[0]));
        assert_eq!(alive(&it, &id, NOW + HOUR).await, [change.secret]);
        assert_eq!(it.tick().await, tick, "nothing is cut off");
    }

    async fn of_three_secrets_the_oldest_goes_at_once(it) {
        let one = client(&it.db).await.0;
        let id = one.client.id.clone();
        let (second, third) = (
            rotation(&id, OldSecrets::Until(NOW + HOUR * 9), NOW + MINUTE),
            rotation(&id, OldSecrets::Until(NOW + HOUR * 5), NOW + MINUTE * 2),
        );
        for (change, hours, ended) in [(second.clone(), 9, 0), (third.clone(), 5, 1)] {
            let done = Rotated::Done(Committed { old_until: Some(NOW + HOUR * hours), ended, tick: None });
            assert_eq!(client_secrets::rotate(&it.db, change).await.unwrap(), done);
        }
        let left = alive(&it, &id, NOW + MINUTE * 2).await;
        assert!(left.len() == 2 && left.contains(&second.secret) && left.contains(&third.secret));
        assert_eq!(alive(&it, &id, NOW + HOUR * 5).await, [third.secret]);
    }

    async fn a_new_secret_can_have_an_end_and_an_old_one_lives_no_longer_than_before(it) {
        let id = client(&it.db).await.0.client.id.clone();
        execute(&it.db, "DELETE FROM client_secrets").await;
        let short = Rotation { expires_at: Some(NOW + HOUR), ..rotation(&id, OldSecrets::Until(NOW + HOUR), NOW) };
        client_secrets::rotate(&it.db, short).await.unwrap();
        let next = rotation(&id, OldSecrets::Until(NOW + HOUR * 9), NOW + MINUTE);
        let own_end = Rotated::Done(Committed { old_until: Some(NOW + HOUR), ended: 0, tick: None });
        assert_eq!(client_secrets::rotate(&it.db, next.clone()).await.unwrap(), own_end, "told as it is, not as it was wished");
        assert_eq!(alive(&it, &id, NOW + MINUTE).await.len(), 2);
        assert_eq!(alive(&it, &id, NOW + HOUR).await, [next.secret]);
    }

    async fn where_no_old_secret_works_none_is_told_of(it) {
        let id = client(&it.db).await.0.client.id.clone();
        execute(&it.db, "UPDATE client_secrets SET expires_at = 1").await;
        let none = Rotated::Done(Committed { old_until: None, ended: 0, tick: None });
        assert_eq!(client_secrets::rotate(&it.db, rotation(&id, OldSecrets::Until(NOW + HOUR), NOW)).await.unwrap(), none);
    }

    async fn stolen_secrets_die_at_once_and_all_that_the_client_had(it) {
        let (one, created) = client(&it.db).await;
        let id = one.client.id.clone();
        let change = rotation(&id, OldSecrets::Leaked, NOW);
        client_secrets::rotate(&it.db, rotation(&id, OldSecrets::Until(NOW + HOUR), NOW)).await.unwrap();
        let committed = client_secrets::rotate(&it.db, change.clone()).await.unwrap();
        let tick = it.tick().await;
        assert_eq!(committed, Rotated::Done(Committed { old_until: None, ended: 2, tick: Some(tick) }));
        assert!(tick > created);
        assert_eq!(alive(&it, &id, NOW).await, [change.secret]);
        let standing = read!(it.db, conn => clients::find(conn, &id, NOW)).unwrap().evidence.client;
        assert_eq!(standing, Standing::CutOff(tick));
    }

    async fn a_stolen_secret_of_the_files_does_not_come_back_with_the_file(it) {
        let mut one = client(&it.db).await.0;
        let id = one.client.id.clone();
        let mut registration = one.client.into_registration();
        registration.origin = ClientOrigin::File;
        one.client = passant::domain::client::Client::new(registration).unwrap();
        execute(&it.db, "DELETE FROM clients").await;
        clients::reconcile(&it.db, ClientOrigin::File, vec![one.clone()], NOW).await.unwrap();
        let refused = client_secrets::rotate(&it.db, rotation(&id, OldSecrets::Until(NOW + HOUR), NOW)).await.unwrap();
        assert_eq!(refused, Rotated::BelongsTo(ClientOrigin::File));
        let leaked = client_secrets::rotate(&it.db, rotation(&id, OldSecrets::Leaked, NOW)).await.unwrap();
        assert_eq!(leaked, Rotated::DeadInTheFile(Committed { old_until: None, ended: 1, tick: Some(it.tick().await) }));
        let again = client_secrets::rotate(&it.db, rotation(&id, OldSecrets::Leaked, NOW)).await.unwrap();
        assert_eq!(again, Rotated::DeadInTheFile(Committed { old_until: None, ended: 0, tick: Some(it.tick().await) }));
        clients::reconcile(&it.db, ClientOrigin::File, vec![one.clone()], NOW).await.unwrap();
        assert_eq!(alive(&it, &id, NOW).await, [], "the next start with the same file");
        one.secrets = vec![fresh_hash()];
        clients::reconcile(&it.db, ClientOrigin::File, vec![one.clone()], NOW).await.unwrap();
        assert_eq!(alive(&it, &id, NOW).await, one.secrets, "another secret in the file works");
    }

    async fn who_has_no_secret_gets_none(it) {
        let unknown = rotation(&ClientId::new("unknown"), OldSecrets::Leaked, NOW);
        assert_eq!(client_secrets::rotate(&it.db, unknown).await.unwrap(), Rotated::Unknown);
        let one = client(&it.db).await.0;
        let mut registration = one.client.clone().into_registration();
        registration.authentication = passant::domain::client::ClientAuthentication::None;
        registration.grant_types.remove(&passant::domain::client::GrantType::ClientCredentials);
        let public = passant::domain::client::Client::new(registration).unwrap();
        let declared = clients::DeclaredClient { client: public, secrets: vec![] };
        clients::reconcile(&it.db, ClientOrigin::CommandLine, vec![declared], NOW).await.unwrap();
        let outcome = client_secrets::rotate(&it.db, rotation(&one.client.id, OldSecrets::Leaked, NOW)).await.unwrap();
        assert_eq!(outcome, Rotated::Public);
    }

    async fn two_rotations_at_once_leave_two_secrets(it) {
        let rounds = it.race(async || client(&it.db).await.0.client.id.clone(), |db, id, side| async move {
            let now = NOW + MINUTE * (1 + u32::try_from(side).unwrap());
            let change = rotation(&id, OldSecrets::Until(NOW + HOUR), now);
            let committed = client_secrets::rotate(&db, change).await.unwrap();
            assert!(matches!(committed, Rotated::Done(Committed { old_until: Some(until), tick: None, .. }) if until == NOW + HOUR));
        }).await;
        for (id, _) in rounds {
            assert_eq!(alive(&it, &id, NOW + MINUTE * 3).await.len(), 2);
        }
    }
}
