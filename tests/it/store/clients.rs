//! Clients: created once, reconciled as a whole, each origin touching only its own.

use passant::domain::client::{Client, ClientOrigin};
use passant::domain::cutoff::Standing;
use passant::domain::ids::{ClientId, UserId};
use passant::store::clients::{self, ClientRecord, DeclaredClient, Reconciled, Undeclared};
use passant::store::users;

use super::rows::{HOUR, client, declared, fresh_hash, fresh_name, new_user};
use super::{NOW, Replicas, execute, execute_with};

async fn found(it: &Replicas, id: &ClientId) -> Option<ClientRecord> {
    read!(it.db, conn => clients::find(conn, id, NOW))
}

/// A client as the file declares it.
fn in_file(id: &str) -> DeclaredClient {
    let declared = declared(id);
    let mut registration = declared.client.into_registration();
    registration.origin = ClientOrigin::File;
    DeclaredClient { client: Client::new(registration).unwrap(), ..declared }
}

fn renamed(one: &DeclaredClient, name: &str) -> DeclaredClient {
    let mut registration = one.client.clone().into_registration();
    registration.name = name.to_owned();
    DeclaredClient { client: Client::new(registration).unwrap(), ..one.clone() }
}

async fn reconcile(it: &Replicas, declared: &[DeclaredClient]) -> Reconciled {
    clients::reconcile(&it.db, ClientOrigin::File, declared.to_vec(), NOW).await.unwrap()
}

fn applied(created: &[&str], updated: &[&str], undeclared: &[&str]) -> Reconciled {
    let ids = |names: &[&str]| names.iter().map(|name| ClientId::new(*name)).collect();
    Reconciled::Applied { created: ids(created), updated: ids(updated), undeclared: ids(undeclared) }
}

on_both_databases! {
    async fn creating_a_client_raises_the_tick_and_takes_it_as_its_cut_off(it) {
        let before = it.tick().await;
        let (declared, tick) = client(&it.db).await;
        assert!(tick > before && it.tick().await == tick);
        let record = found(&it, &declared.client.id).await.unwrap();
        assert_eq!((record.evidence.client, record.evidence.tick), (Standing::CutOff(tick), tick));
        assert_eq!((record.client, record.secrets), (declared.client, declared.secrets));
        assert!(found(&it, &ClientId::new("unknown")).await.is_none());
    }

    async fn a_taken_id_registers_nothing(it) {
        let (first, tick) = client(&it.db).await;
        let second = DeclaredClient { secrets: vec![fresh_hash()], ..renamed(&first, "Another") };
        assert_eq!(clients::create(&it.db, second, NOW).await.unwrap(), None);
        let record = found(&it, &first.client.id).await.unwrap();
        assert_eq!((record.client, record.secrets), (first.client, first.secrets));
        assert_eq!(it.tick().await, tick);
    }

    async fn clients_are_listed_by_id(it) {
        assert_eq!(read!(it.db, conn => clients::list(conn)), []);
        for id in ["b", "a"] {
            clients::create(&it.db, declared(id), NOW).await.unwrap().unwrap();
        }
        let ids: Vec<ClientId> = read!(it.db, conn => clients::list(conn)).iter().map(|client| client.id.clone()).collect();
        assert_eq!(ids, [ClientId::new("a"), ClientId::new("b")]);
    }

    async fn an_expired_secret_and_a_disabled_client_show(it) {
        let id = client(&it.db).await.0.client.id.clone();
        execute_with(&it.db, "UPDATE client_secrets SET expires_at = $1", (NOW + HOUR).millis()).await;
        assert_eq!(found(&it, &id).await.unwrap().secrets.len(), 1);
        assert_eq!(read!(it.db, conn => clients::find(conn, &id, NOW + HOUR)).unwrap().secrets, []);
        execute(&it.db, "UPDATE clients SET disabled_at = 1").await;
        assert_eq!(found(&it, &id).await.unwrap().evidence.client, Standing::Ended);
    }

    async fn what_is_declared_is_made_so_once(it) {
        let (a, b) = (in_file("a"), in_file("b"));
        let before = it.tick().await;
        assert_eq!(reconcile(&it, &[a.clone(), b.clone()]).await, applied(&["a", "b"], &[], &[]));
        let tick = it.tick().await;
        assert_eq!(tick.get(), before.get() + 1, "one tick for all");
        assert_eq!(found(&it, &b.client.id).await.unwrap().evidence.client, Standing::CutOff(tick));
        assert_eq!(reconcile(&it, &[a.clone(), b.clone()]).await, applied(&[], &[], &[]));
        let new_secret = DeclaredClient { secrets: vec![fresh_hash()], ..b };
        assert_eq!(reconcile(&it, &[renamed(&a, "New"), new_secret.clone()]).await, applied(&[], &["a", "b"], &[]));
        assert_eq!(found(&it, &a.client.id).await.unwrap().client.name, "New");
        assert_eq!(found(&it, &new_secret.client.id).await.unwrap().secrets, new_secret.secrets);
        assert_eq!(reconcile(&it, std::slice::from_ref(&new_secret)).await, applied(&[], &[], &["a"]));
        assert!(found(&it, &a.client.id).await.is_some(), "an undeclared client is left alone");
        assert_eq!(it.tick().await, tick);
    }

    async fn a_client_of_another_origin_stops_the_whole_reconciliation(it) {
        clients::create(&it.db, declared("theirs"), NOW).await.unwrap().unwrap();
        let outcome = reconcile(&it, &[in_file("new"), in_file("theirs")]).await;
        assert_eq!(outcome, Reconciled::BelongsTo(ClientId::new("theirs"), ClientOrigin::CommandLine));
        assert!(found(&it, &ClientId::new("new")).await.is_none());
    }

    async fn an_undeclared_client_goes_where_that_is_asked_for(it) {
        let (a, b) = (in_file("a"), in_file("b"));
        let by_hand = client(&it.db).await.0.client.id.clone();
        reconcile(&it, &[a.clone(), b.clone()]).await;
        let before = it.tick().await;
        let pruned = clients::reconcile_with(&it.db, (ClientOrigin::File, Undeclared::Remove), vec![a.clone()], NOW).await.unwrap();
        assert_eq!(pruned, applied(&[], &[], &["b"]));
        assert!(found(&it, &b.client.id).await.is_none() && found(&it, &a.client.id).await.is_some());
        assert!(found(&it, &by_hand).await.is_some(), "those of other origins stay");
        assert!(it.tick().await > before, "what it had is cut off for verifiers too");
        let again = clients::reconcile_with(&it.db, (ClientOrigin::File, Undeclared::Remove), vec![a], NOW).await.unwrap();
        assert_eq!(again, applied(&[], &[], &[]));
    }

    async fn no_client_is_called_as_a_user(it) {
        let id = UserId::new("a-sub-like-a-client");
        assert!(users::create(&it.db, users::NewUser { id: id.clone(), ..new_user("ada") }).await.unwrap());
        let tick = it.tick().await;
        assert_eq!(clients::create(&it.db, declared(id.as_str()), NOW).await.unwrap(), None);
        let outcome = reconcile(&it, &[in_file("new"), in_file(id.as_str())]).await;
        assert_eq!(outcome, Reconciled::IsAUser(ClientId::new(id.as_str())));
        assert!(found(&it, &ClientId::new("new")).await.is_none(), "nothing is applied");
        assert_eq!(it.tick().await, tick);
    }

    async fn a_secret_can_have_its_end_from_the_beginning(it) {
        let one = declared(&fresh_name());
        assert!(clients::create_until(&it.db, one.clone(), NOW + HOUR, NOW).await.unwrap().is_some());
        assert_eq!(found(&it, &one.client.id).await.unwrap().secrets, one.secrets);
        assert_eq!(read!(it.db, conn => clients::find(conn, &one.client.id, NOW + HOUR)).unwrap().secrets, []);
        assert_eq!(clients::create_until(&it.db, one, NOW + HOUR, NOW).await.unwrap(), None);
    }

    async fn one_of_two_registrations_gets_an_id(it) {
        let before = it.tick().await;
        it.one_wins(async || fresh_name(), |db, id, _| async move {
            clients::create(&db, declared(&id), NOW).await.unwrap().is_some()
        }).await;
        assert_eq!(it.tick().await.get(), before.get() + 40);
    }

    async fn one_of_two_starts_creates_what_both_declare(it) {
        it.one_wins(async || in_file(&fresh_name()), |db, one, _| async move {
            let id = one.client.id.clone();
            match clients::reconcile(&db, ClientOrigin::File, vec![one], NOW).await.unwrap() {
                Reconciled::Applied { created, .. } => created == [id],
                other => panic!("both are of one origin: {other:?}"),
            }
        }).await;
    }

    async fn a_file_never_changes_a_client_that_the_command_line_registers_meanwhile(it) {
        let rounds = it.race(async || (in_file(&fresh_name()), fresh_hash()), |db, (one, secret), side| async move {
            if side == 0 {
                clients::reconcile(&db, ClientOrigin::File, vec![one], NOW).await.unwrap() == Reconciled::Applied { created: vec![], updated: vec![], undeclared: vec![] }
            } else {
                let by_hand = DeclaredClient { secrets: vec![secret], ..declared(one.client.id.as_str()) };
                clients::create(&db, by_hand, NOW).await.unwrap().is_some()
            }
        }).await;
        for ((one, secret), [_, by_hand]) in rounds {
            let record = found(&it, &one.client.id).await.unwrap();
            let expected = if by_hand { (ClientOrigin::CommandLine, vec![secret]) } else { (ClientOrigin::File, one.secrets) };
            assert_eq!((record.client.origin, record.secrets), expected);
        }
    }
}

/// The moment in between, made certain: the file's list is read before, and its insert waits for, the other registration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_waits_for_another_registration_of_the_id_leaves_it_alone() {
    let it = Replicas::open(passant_tests::world::Engine::Postgres).await;
    let (theirs, ours) = (declared("contended"), in_file("contended"));
    let (locked, may_commit) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let registration = serde_json::to_string(&theirs.client).unwrap();
    let (db, input) = (it.db.clone(), (registration, std::sync::Arc::clone(&locked), std::sync::Arc::clone(&may_commit)));
    let other = tokio::spawn(async move {
        commit!(db, input, |tx, (registration, locked, may_commit)| async {
            let passant::store::Conn::Postgres(conn) = &mut **tx else { panic!("this is Postgres") };
            sqlx::query(
                "INSERT INTO clients (id, origin, registration, created_at, updated_at, cutoff)
                 VALUES ('contended', 'command_line', $1, 0, 0, 0)",
            )
            .bind(registration)
            .execute(&mut **conn)
            .await?;
            locked.notify_one();
            may_commit.notified().await;
            Ok(())
        })
        .unwrap();
    });
    locked.notified().await;
    let (db, declared) = (it.other.clone(), ours.clone());
    let file = tokio::spawn(async move { clients::reconcile(&db, ClientOrigin::File, vec![declared], NOW).await.unwrap() });
    while super::count(
        &it.db,
        "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
                                AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())",
    )
    .await
        == 0
    {
        tokio::task::yield_now().await;
    }
    may_commit.notify_one();
    other.await.unwrap();
    assert_eq!(file.await.unwrap(), Reconciled::BelongsTo(ClientId::new("contended"), ClientOrigin::CommandLine));
    assert_eq!(found(&it, &theirs.client.id).await.unwrap().secrets, []);
}
