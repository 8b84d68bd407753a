use futures_util::FutureExt;
use passant::domain::audit::{Action, Actor, Entry, Event, Outcome, Source};
use passant::domain::client::ClientOrigin;
use passant::domain::ids::{ClientId, UserId};
use passant::store::audit::{self, Filter};
use passant::store::codes::{self, Redeemed};
use passant::store::{StoreError, accounts, registrations, sessions};

use super::rows::{approval, client, redemption, session, user};
use super::{NOW, Replicas};

async fn trail(it: &Replicas, filter: Filter) -> Vec<Entry> {
    let filter = Filter { most: 100, ..filter };
    read!(it.db, conn => audit::list(conn, &filter))
}

fn said(entries: &[Entry]) -> Vec<(&str, &str)> {
    let mut said: Vec<(&str, &str)> = entries.iter().map(|it| (it.action.as_str(), it.outcome.as_str())).collect();
    said.sort_unstable();
    said
}

on_both_databases! {
    async fn what_has_an_id_of_its_own_is_told_once(it) {
        let (event, id) = (Event::done(Action::KeyRotate), "of-its-own".to_owned());
        for _ in 0..2 {
            commit!(it.db, (id.clone(), event.clone()), |tx, (id, event)| audit::append_once(tx, id, event, NOW)).unwrap();
        }
        let filter = Filter { most: 9, ..Filter::default() };
        assert_eq!(read!(it.db, conn => audit::list(conn, &filter)).len(), 1);
    }

    async fn an_act_and_its_entry_commit_together_or_not_at_all(it) {
        let lost = commit!(it.db, (), |tx, ()| async {
            audit::append(tx, &Event::done(Action::KeyRotate), NOW).await?;
            Err::<(), _>(StoreError::Superseded)
        });
        assert!(matches!(lost, Err(StoreError::Superseded)));
        assert_eq!(trail(&it, Filter::default()).await, []);
        commit!(it.db, (), |tx, ()| audit::append(tx, &Event::done(Action::KeyRotate), NOW)).unwrap();
        assert_eq!(said(&trail(&it, Filter::default()).await), [("key_rotate", "done")]);
    }

    async fn an_entry_says_who_acted_and_from_where(it) {
        let source = Source {
            actor: Actor::Operator("ada".to_owned()),
            address: Some("192.0.2.1".to_owned()),
            request_id: Some("r1".to_owned()),
        };
        let event = Event::refused(Action::ClientUpdate, "not yours").of_client(&ClientId::new("shop"));
        commit!(it.db.by(source), event, |tx, event| audit::append(tx, event, NOW)).unwrap();
        let entry = trail(&it, Filter::default()).await.remove(0);
        assert_eq!((entry.actor_kind.as_str(), entry.actor.as_deref()), ("operator", Some("ada")));
        assert_eq!((entry.address.as_deref(), entry.request_id.as_deref()), (Some("192.0.2.1"), Some("r1")));
        assert_eq!((entry.client_id.as_deref(), entry.detail.as_deref(), entry.at), (Some("shop"), Some("not yours"), NOW));
    }

    async fn names_of_today_stand_beside_the_ids_of_then(it) {
        let (ada, shop) = (user(&it.db).await, client(&it.db).await.0.client);
        let source = Source { actor: Actor::User(ada.id.clone()), ..Source::PASSANT };
        let event = Event::done(Action::ConsentWithdraw).of_user(&ada.id).of_client(&shop.id);
        commit!(it.db.by(source), event, |tx, event| audit::append(tx, event, NOW)).unwrap();
        let told = async || {
            let filter = Filter { action: Some("consent_withdraw".to_owned()), ..Filter::default() };
            let entry = trail(&it, filter).await.remove(0);
            (entry.actor_username, entry.username, entry.client_name)
        };
        let name = || Some(ada.username.as_str().to_owned());
        assert_eq!(told().await, (name(), name(), Some(shop.name.clone())));
        accounts::delete(&it.db, ada.id.clone(), accounts::LastAdministrator::Spare, NOW).await.unwrap();
        registrations::remove(&it.db, shop.id.clone(), ClientOrigin::CommandLine, NOW).await.unwrap().unwrap();
        assert_eq!(told().await, (None, None, None), "who is gone has an id alone");
    }

    async fn a_replay_is_told_with_the_user_of_its_grant(it) {
        let approval = approval(&it.db).await;
        assert!(matches!(codes::redeem(&it.db, redemption(&approval)).await.unwrap(), Redeemed::Tokens { .. }));
        assert!(matches!(codes::redeem(&it.db, redemption(&approval)).await.unwrap(), Redeemed::Replayed(_)));
        let of_user = trail(&it, Filter { user: Some(approval.grant.user_id), ..Filter::default() }).await;
        let redeemed: Vec<(&str, &str)> = said(&of_user).into_iter().filter(|(action, _)| *action == "code_redeem").collect();
        assert_eq!(redeemed, [("code_redeem", "done"), ("code_redeem", "replayed")]);
        assert!(of_user.iter().all(|entry| entry.client_id.is_some() || entry.action != "code_redeem"));
    }

    async fn the_end_of_a_session_is_told_once_with_its_tick(it) {
        let session = session(&it.db, &user(&it.db).await.id).await.session;
        let tick = sessions::end(&it.db, session.id.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(sessions::end(&it.db, session.id.clone(), NOW).await.unwrap(), None);
        let ended = trail(&it, Filter { action: Some("session_end".to_owned()), ..Filter::default() }).await;
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].tick, ended[0].user_id.as_deref()), (Some(tick.get()), Some(session.user_id.as_str())));
    }

    async fn a_filter_narrows_and_the_newest_come_first(it) {
        let later = NOW + std::time::Duration::from_secs(5);
        let about = |id: &str| Event::new(Action::TokenRevoke, Outcome::Done).of_client(&ClientId::new(id));
        for (event, at) in [(about("a"), NOW), (about("b"), later)] {
            it.db.write((event, at), |tx, (event, at)| async move { audit::append(tx, event, *at).await }.boxed()).await.unwrap();
        }
        let clients = |entries: Vec<Entry>| entries.into_iter().filter_map(|entry| entry.client_id).collect::<Vec<_>>();
        assert_eq!(clients(trail(&it, Filter::default()).await), ["b", "a"]);
        assert_eq!(clients(trail(&it, Filter { since: Some(later), ..Filter::default() }).await), ["b"]);
        assert_eq!(clients(trail(&it, Filter { client: Some(ClientId::new("a")), ..Filter::default() }).await), ["a"]);
        assert_eq!(trail(&it, Filter { user: Some(UserId::new("nobody")), ..Filter::default() }).await, []);
    }
}

/// The statements about the table `audit` that would take something away from it, with the file they stand in.
fn changes_to_the_trail(file: &str, source: &str) -> Vec<String> {
    let words = source.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let forbidden =
        ["delete from audit ", "delete from audit\"", "update audit ", "truncate audit", "drop table audit", "alter table audit"];
    forbidden.iter().flat_map(|change| words.matches(change).map(|found| format!("{file}: {}", found.trim_end()))).collect()
}

#[test]
fn nothing_but_the_sweep_takes_anything_from_the_trail() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let files =
        ["issuer/src/store", "migrations"].into_iter().flat_map(|folder| std::fs::read_dir(format!("{root}/{folder}")).unwrap());
    let found: Vec<String> = files
        .map(|entry| entry.unwrap())
        .flat_map(|entry| {
            changes_to_the_trail(entry.file_name().to_str().unwrap(), &std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    assert_eq!(found, ["sweep.rs: delete from audit"]);
    assert_eq!(changes_to_the_trail("x", "UPDATE\n  audit SET at = 0; \"DELETE FROM audit\"").len(), 2, "the test can fail");
}
