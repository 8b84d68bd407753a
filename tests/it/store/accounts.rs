//! Accounts in the operator's hands: what is said of a user, switching off, deleting, and the last administrator.

use passant::clock::UnixTime;
use passant::domain::cutoff::Standing;
use passant::domain::ids::UserId;
use passant::domain::user::User;
use passant::domain::user_details::{Details, DetailsChange};
use passant::store::accounts::{self, Changed, LastAdministrator, Update};
use passant::store::audit::{self, Filter};
use passant::store::users::{self, NewUser};

use super::rows::{fresh_name, new_user, user};
use super::{NOW, Replicas, at_once, count, execute};

use LastAdministrator::{Spare, Take};

async fn found(it: &Replicas, id: &UserId) -> Option<User> {
    read!(it.db, conn => users::find(conn, id))
}

async fn administrator(it: &Replicas) -> NewUser {
    let user = NewUser { administrator: true, ..new_user(&fresh_name()) };
    assert!(users::create(&it.db, user.clone()).await.unwrap());
    user
}

fn details() -> Details {
    let change = DetailsChange {
        name: Some("Ada King".to_owned()),
        email: Some("ada@example.org".to_owned()),
        email_verified: Some(true),
        phone_number: Some("+493012345678".to_owned()),
        claims: vec!["birthdate=1815-12-10".parse().unwrap(), "address.locality=London".parse().unwrap()],
        roles: Some(vec!["clerk".to_owned(), "auditor".to_owned()]),
        attributes: vec!["department=Sales".parse().unwrap(), "floor=3".parse().unwrap()],
        ..DetailsChange::default()
    };
    change.apply(Details::default()).unwrap()
}

fn change(user: &User, name: &str) -> Update {
    let details = Details { name: Some(name.to_owned()), ..Details::from(user.clone()) };
    Update { id: user.id.clone(), replaces: user.updated_at, held: Details::from(user.clone()), details, now: NOW }
}

on_both_databases! {
    async fn a_user_is_created_with_all_that_is_said_of_them(it) {
        let ada = new_user("ada");
        assert!(accounts::create(&it.db, ada.clone(), details()).await.unwrap());
        assert_eq!(Details::from(found(&it, &ada.id).await.unwrap()), details());
        assert!(!accounts::create(&it.db, new_user("ada"), details()).await.unwrap());
    }

    async fn what_is_said_replaces_what_was_read_even_within_one_millisecond(it) {
        let id = user(&it.db).await.id;
        let read = found(&it, &id).await.unwrap();
        assert!(accounts::update(&it.db, change(&read, "Second")).await.unwrap());
        assert!(!accounts::update(&it.db, change(&read, "Third")).await.unwrap(), "it was read too early");
        let now = found(&it, &id).await.unwrap();
        assert_eq!((now.name.as_deref(), now.updated_at), (Some("Second"), UnixTime::from_millis(NOW.millis() + 1)));
        let all = Update { details: details(), ..change(&now, "") };
        assert!(accounts::update(&it.db, all).await.unwrap());
        assert_eq!(Details::from(found(&it, &id).await.unwrap()), details());
    }

    async fn the_trail_says_what_an_update_changed(it) {
        let id = user(&it.db).await.id;
        let read = found(&it, &id).await.unwrap();
        let mut details = Details::from(read.clone());
        (details.email, details.roles) = (None, ["clerk".to_owned()].into());
        assert!(accounts::update(&it.db, Update { details, ..change(&read, "") }).await.unwrap());
        let filter = Filter { user: Some(id), action: Some("user_update".to_owned()), most: 9, ..Filter::default() };
        let told = read!(it.db, conn => audit::list(conn, &filter)).remove(0);
        assert_eq!(told.detail.as_deref(), Some("changed email, role +clerk"));
    }

    async fn what_a_disabled_user_had_stays_dead_when_the_account_is_enabled(it) {
        let ada = user(&it.db).await;
        let standing = async || read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap().evidence.user;
        assert_eq!(accounts::enable(&it.db, ada.id.clone(), NOW).await.unwrap(), Changed::Nothing);
        let Changed::Done(Some(tick)) = accounts::disable(&it.db, ada.id.clone(), Spare, NOW).await.unwrap() else { panic!("cut off") };
        assert_eq!((standing().await, it.tick().await), (Standing::Ended, tick));
        assert_eq!(accounts::disable(&it.db, ada.id.clone(), Spare, NOW).await.unwrap(), Changed::Nothing);
        assert_eq!(accounts::enable(&it.db, ada.id.clone(), NOW).await.unwrap(), Changed::Done(None));
        assert_eq!(standing().await, Standing::CutOff(tick));
    }

    async fn a_deleted_user_is_gone_and_the_name_is_free_for_another_sub(it) {
        let ada = user(&it.db).await;
        let before = it.tick().await;
        let Changed::Done(Some(tick)) = accounts::delete(&it.db, ada.id.clone(), Spare, NOW).await.unwrap() else { panic!("cut off") };
        assert!(tick > before && found(&it, &ada.id).await.is_none());
        assert_eq!(accounts::delete(&it.db, ada.id.clone(), Spare, NOW).await.unwrap(), Changed::Nothing);
        let again = new_user(ada.username.as_str());
        assert!(users::create(&it.db, again.clone()).await.unwrap() && again.id != ada.id);
    }

    async fn the_last_administrator_is_not_lost_by_accident(it) {
        let (root, other) = (administrator(&it).await.id, user(&it.db).await.id);
        let tick = it.tick().await;
        for refused in [
            accounts::disable(&it.db, root.clone(), Spare, NOW).await.unwrap(),
            accounts::delete(&it.db, root.clone(), Spare, NOW).await.unwrap(),
            accounts::revoke_administrator(&it.db, root.clone(), Spare, NOW).await.unwrap(),
        ] {
            assert_eq!(refused, Changed::LastAdministrator);
        }
        assert!(found(&it, &root).await.unwrap().disabled_at.is_none() && it.tick().await == tick);
        assert_eq!(accounts::grant_administrator(&it.db, other.clone(), NOW).await.unwrap(), Changed::Done(None));
        assert_eq!(accounts::grant_administrator(&it.db, other.clone(), NOW).await.unwrap(), Changed::Nothing);
        assert!(matches!(accounts::disable(&it.db, root.clone(), Spare, NOW).await.unwrap(), Changed::Done(Some(_))));
        assert_eq!(accounts::revoke_administrator(&it.db, other.clone(), Spare, NOW).await.unwrap(), Changed::LastAdministrator, "the other is off");
        assert_eq!(accounts::revoke_administrator(&it.db, other, Take, NOW).await.unwrap(), Changed::Done(None));
        assert!(matches!(accounts::delete(&it.db, root, Take, NOW).await.unwrap(), Changed::Done(Some(_))));
    }

    async fn two_administrators_do_not_take_each_others_right(it) {
        for _ in 0..20 {
            execute(&it.db, "UPDATE users SET administrator = FALSE").await;
            let (one, other) = (administrator(&it).await.id, administrator(&it).await.id);
            let act = |db, id: UserId| async move { accounts::revoke_administrator(&db, id, Spare, NOW).await.unwrap() };
            at_once(act(it.db.clone(), one), act(it.other.clone(), other)).await;
            assert_eq!(count(&it.db, "SELECT COUNT(*) FROM users WHERE administrator").await, 1);
        }
    }

    async fn one_of_two_changes_replaces_what_was_read(it) {
        it.one_wins(async || {
            let id = user(&it.db).await.id;
            found(&it, &id).await.unwrap()
        }, |db, read, side| async move { accounts::update(&db, change(&read, ["left", "right"][side])).await.unwrap() }).await;
    }

    async fn one_of_two_disables_an_account(it) {
        it.one_wins(async || user(&it.db).await.id, |db, id, _| async move {
            accounts::disable(&db, id, Take, NOW).await.unwrap() != Changed::Nothing
        }).await;
    }
}
