//! Users: one name one account, and a password change that nothing born before survives.

use passant::domain::cutoff::Standing;
use passant::domain::ids::{Tick, UserId};
use passant::store::users;

use super::rows::{fresh_name, new_user, password_hash, user};
use super::{NOW, execute};

on_both_databases! {
    async fn a_created_user_is_found_as_created(it) {
        let ada = new_user("ada");
        assert!(users::create(&it.db, ada.clone()).await.unwrap());
        let found = read!(it.db, conn => users::find(conn, &ada.id)).unwrap();
        assert_eq!((&found.id, found.username.as_str()), (&ada.id, "ada"));
        assert_eq!((&found.name, &found.email), (&ada.name, &ada.email));
        assert_eq!((found.email_verified, found.administrator, found.created_at), (false, false, NOW));
        assert!(read!(it.db, conn => users::find(conn, &UserId::random())).is_none());
    }

    async fn a_taken_name_makes_no_second_account(it) {
        let (first, second) = (new_user("ada"), new_user("ADA"));
        assert!(commit!(it.db, first, |tx, user| users::insert(tx, user)).unwrap());
        let id = second.id.clone();
        assert!(!commit!(it.db, second.clone(), |tx, user| users::insert(tx, user)).unwrap());
        assert!(!users::create(&it.db, second).await.unwrap());
        assert!(read!(it.db, conn => users::find(conn, &id)).is_none());
    }

    async fn a_sign_in_is_judged_by_hash_standing_and_tick(it) {
        let ada = user(&it.db).await;
        let record = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
        assert_eq!((record.user.id, record.password_hash), (ada.id, ada.password_hash));
        assert_eq!((record.evidence.tick, record.evidence.user), (it.tick().await, Standing::CutOff(Tick::ZERO)));
        execute(&it.db, "UPDATE users SET disabled_at = 1, password_hash = NULL").await;
        let record = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
        assert_eq!((record.evidence.user, record.password_hash), (Standing::Ended, None));
        let nobody = new_user("nobody").username;
        assert!(read!(it.db, conn => users::sign_in_record(conn, &nobody)).is_none());
    }

    async fn a_new_password_cuts_off_what_its_user_had_and_nobody_else(it) {
        let (ada, bob) = (user(&it.db).await, user(&it.db).await);
        let before = it.tick().await;
        let tick = users::set_password(&it.db, ada.id.clone(), password_hash("second"), NOW).await.unwrap().unwrap();
        assert!(tick > before);
        let record = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
        assert_eq!((record.evidence.user, record.evidence.tick), (Standing::CutOff(tick), tick));
        assert_eq!(record.password_hash, Some(password_hash("second")));
        let other = read!(it.db, conn => users::sign_in_record(conn, &bob.username)).unwrap();
        assert_eq!((other.evidence.user, other.password_hash), (Standing::CutOff(Tick::ZERO), bob.password_hash));
        assert_eq!(users::set_password(&it.db, UserId::random(), password_hash("x"), NOW).await.unwrap(), None);
        assert_eq!(it.tick().await, tick, "nobody's password raises nothing");
    }

    async fn a_rehash_gives_way_to_another_password(it) {
        let ada = user(&it.db).await;
        let rehash = async |verified: &str, stronger: &str| {
            users::rehash(&it.db, ada.id.clone(), password_hash(verified), password_hash(stronger)).await.unwrap()
        };
        assert!(rehash("first", "stronger").await);
        assert!(!rehash("first", "late").await);
        let record = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
        assert_eq!(record.password_hash, Some(password_hash("stronger")));
        assert_eq!(record.evidence.user, Standing::CutOff(Tick::ZERO), "a rehash cuts nothing off");
    }

    async fn users_are_listed_by_name_in_pages(it) {
        for name in ["cleo", "ada", "bob"] {
            assert!(users::create(&it.db, new_user(name)).await.unwrap());
        }
        let names = |users: Vec<passant::domain::user::User>| users.into_iter().map(|user| user.username).collect::<Vec<_>>();
        assert_eq!(names(read!(it.db, conn => users::list(conn, "", 2))), ["ada", "bob"]);
        assert_eq!(names(read!(it.db, conn => users::list(conn, "bob", 2))), ["cleo"]);
    }

    async fn logging_out_everywhere_cuts_off_one_user(it) {
        let (ada, bob) = (user(&it.db).await, user(&it.db).await);
        let before = it.tick().await;
        let tick = users::log_out_everywhere(&it.db, ada.id.clone(), NOW).await.unwrap().unwrap();
        let standing = async |name| read!(it.db, conn => users::sign_in_record(conn, name)).unwrap().evidence.user;
        assert!(tick > before);
        assert_eq!((standing(&ada.username).await, standing(&bob.username).await), (Standing::CutOff(tick), Standing::CutOff(Tick::ZERO)));
        assert_eq!(users::log_out_everywhere(&it.db, UserId::random(), NOW).await.unwrap(), None);
    }

    async fn one_of_two_people_gets_a_name(it) {
        it.one_wins(async || fresh_name(), |db, name, _| async move { users::create(&db, new_user(&name)).await.unwrap() }).await;
    }

    async fn one_of_two_rehashes_replaces_the_verified_hash(it) {
        it.one_wins(async || user(&it.db).await.id, |db, id, side| async move {
            users::rehash(&db, id, password_hash("first"), password_hash(["left", "right"][side])).await.unwrap()
        }).await;
    }

    async fn a_new_password_outlives_a_rehash_at_the_same_time(it) {
        let rounds = it.race(async || user(&it.db).await, |db, ada, side| async move {
            if side == 0 {
                users::set_password(&db, ada.id, password_hash("new"), NOW).await.unwrap().is_some()
            } else {
                users::rehash(&db, ada.id, password_hash("first"), password_hash("stronger")).await.unwrap()
            }
        }).await;
        for (ada, _) in rounds {
            let record = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
            assert_eq!(record.password_hash, Some(password_hash("new")));
        }
    }
}
