//! What is cut off and given anew in one transaction: every piece of evidence is read again, and any change of it means that nothing
//! was done. Nothing that raced with it comes back to life.

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::{Target, revoked};
use passant::domain::grant::Grant;
use passant::domain::ids::{ClientId, Tick, UserId};
use passant::store::anew::{self, ActingSession, Anew, PasswordChange};
use passant::store::evidence::{self, Levels};
use passant::store::grants::{self, Approved};
use passant::store::sessions::{self, NewSession};
use passant::store::{Db, consents, feed_head, session_list, users};
use passant_tests::world::Holding;

use super::rows::{approval, client, new_approval, new_session, password_hash, session, user};
use super::{NOW, Replicas, count, execute};

/// What may change between the judgement and the deed; each is one piece of evidence.
const CHANGES: [&str; 8] = [
    "UPDATE users SET cutoff = (SELECT tick + 1 FROM feed_head)",
    "UPDATE users SET disabled_at = 1",
    "UPDATE feed_head SET issuer_cutoff = tick + 1",
    "UPDATE sessions SET ended_at = 1",
    "UPDATE sessions SET born = born + 1",
    "UPDATE sessions SET cookie_hash = 'another'",
    "UPDATE sessions SET idle_until = 0",
    "UPDATE sessions SET expires_at = 0",
];

/// Keeps every transaction that raises the tick waiting.
const HOLD_THE_HEAD: &str = "SELECT 1 FROM feed_head FOR UPDATE";

fn acting(session: &NewSession) -> ActingSession {
    ActingSession {
        id: session.session.id.clone(),
        user_id: session.session.user_id.clone(),
        cookie_hash: session.cookie_hash.clone(),
        born: session.session.born,
    }
}

/// Somebody who is signed in, and has the password hash `first`.
async fn signed_in(it: &Replicas) -> NewSession {
    session(&it.db, &user(&it.db).await.id).await
}

fn change(session: &NewSession, new: &str) -> PasswordChange {
    PasswordChange {
        acting: acting(session),
        verified: password_hash("first"),
        new: password_hash(new),
        session: new_session(&session.session.user_id, Tick::ZERO),
        now: NOW,
    }
}

/// A grant of these scopes that hangs on a session.
async fn granted(it: &Replicas, session: &NewSession, client: &ClientId, scopes: &str) -> Grant {
    let mut approval = new_approval(&session.session.user_id, client, &session.session.id, it.tick().await);
    approval.grant.scopes = scopes.parse().unwrap();
    assert_eq!(grants::approve(&it.db, approval.clone()).await.unwrap(), Approved::Written);
    approval.grant
}

async fn live_sessions(db: &Db, user: &UserId) -> Vec<session_list::ListedSession> {
    read!(db, conn => session_list::of_user(conn, user, NOW))
}

async fn alive(it: &Replicas, grant: &Grant) -> bool {
    let grant = read!(it.db, conn => grants::find(conn, &grant.id)).unwrap();
    let found = read!(it.db, conn => evidence::read(conn, &Levels::of(&grant), NOW));
    revoked(grant.born, &found.evidence).is_none()
}

async fn hash(it: &Replicas, user: &UserId) -> Option<passant::domain::password::PasswordHash> {
    read!(it.db, conn => users::password_hash(conn, user))
}

async fn withdraw_all(db: &Db, grant: &Grant) {
    consents::withdraw(db, grant.user_id.clone(), grant.client_id.clone(), NOW).await.unwrap();
}

on_both_databases! {
    async fn a_changed_password_ends_everything_but_the_new_session_of_this_browser(it) {
        let (here, other) = (signed_in(&it).await, approval(&it.db).await);
        let user = &here.session.user_id;
        let there = session(&it.db, user).await;
        let grant = granted(&it, &here, &other.grant.client_id, "openid").await;
        let change = change(&here, "second");
        let Anew::Done(tick) = anew::change_password(&it.db, change.clone()).await.unwrap() else { panic!("it is done") };
        let live: Vec<_> = live_sessions(&it.db, user).await.into_iter().map(|seen| seen.id).collect();
        assert_eq!(live, std::slice::from_ref(&change.session.session.id));
        let born = read!(it.db, conn => sessions::find_by_cookie(conn, &change.session.cookie_hash)).unwrap().session.born;
        assert_eq!(born, tick, "born at the cut-off's own tick");
        assert!(!alive(&it, &grant).await && alive(&it, &other.grant).await);
        assert!(read!(it.db, conn => sessions::find_by_cookie(conn, &there.cookie_hash)).is_some());
        assert_eq!(hash(&it, user).await, Some(password_hash("second")));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'password_change' AND outcome = 'done'").await, 1);
    }

    async fn any_change_of_the_evidence_undoes_a_password_change_whole(it) {
        let mut missed = Vec::new();
        for statement in CHANGES {
            let it = Replicas::open(it.engine).await;
            let here = signed_in(&it).await;
            execute(&it.db, statement).await;
            let before = (it.tick().await, Some(password_hash("first")), 1);
            let done = anew::change_password(&it.db, change(&here, "second")).await.unwrap();
            let sessions = count(&it.db, "SELECT COUNT(*) FROM sessions").await;
            if done != Anew::SignInAgain || (it.tick().await, hash(&it, &here.session.user_id).await, sessions) != before {
                missed.push(statement);
            }
        }
        assert_eq!(missed, [""; 0]);
    }

    async fn a_password_is_changed_only_from_the_one_that_was_verified(it) {
        let here = signed_in(&it).await;
        let user = here.session.user_id.clone();
        assert!(users::rehash(&it.db, user.clone(), password_hash("first"), password_hash("dearer")).await.unwrap());
        assert_eq!(anew::change_password(&it.db, change(&here, "second")).await.unwrap(), Anew::SignInAgain);
        assert_eq!(hash(&it, &user).await, Some(password_hash("dearer")));
    }

    async fn ending_all_others_keeps_this_session_and_what_hangs_on_it(it) {
        let (here, (shop, _)) = (signed_in(&it).await, client(&it.db).await);
        let there = session(&it.db, &here.session.user_id).await;
        let (kept, elsewhere) = (granted(&it, &here, &shop.client.id, "openid").await, granted(&it, &there, &shop.client.id, "openid").await);
        let offline = granted(&it, &here, &shop.client.id, "openid offline_access").await;
        let Anew::Done(tick) = anew::end_others(&it.db, acting(&here), NOW).await.unwrap() else { panic!("it is done") };
        let live: Vec<_> = live_sessions(&it.db, &here.session.user_id).await.into_iter().map(|seen| seen.id).collect();
        assert_eq!(live, std::slice::from_ref(&here.session.id));
        assert!(alive(&it, &kept).await && !alive(&it, &elsewhere).await && !alive(&it, &offline).await);
        assert_eq!(read!(it.db, conn => grants::find(conn, &kept.id)).unwrap().born, tick, "born anew, so that its old access tokens are dead");
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'other_sessions_end'").await, 1);
    }

    async fn any_change_of_the_evidence_undoes_ending_all_others_whole(it) {
        let mut missed = Vec::new();
        for statement in CHANGES {
            let it = Replicas::open(it.engine).await;
            let here = signed_in(&it).await;
            execute(&it.db, statement).await;
            let tick = it.tick().await;
            if anew::end_others(&it.db, acting(&here), NOW).await.unwrap() != Anew::SignInAgain || it.tick().await != tick {
                missed.push(statement);
            }
        }
        assert_eq!(missed, [""; 0]);
    }

    async fn only_a_grant_that_is_clear_at_every_level_is_born_anew(it) {
        let mut missed = Vec::new();
        for statement in [
            "UPDATE grants SET ended_at = 1",
            "UPDATE grants SET born = 0",
            "UPDATE clients SET disabled_at = 1",
            "UPDATE clients SET cutoff = (SELECT tick + 1 FROM feed_head)",
            "INSERT INTO consents (user_id, client_id, scopes, resources, claims, born, cutoff, updated_at)
             SELECT g.user_id, g.client_id, '', '[]', '[]', 0, g.born + 1, 0 FROM grants g",
            "DELETE FROM clients",
        ] {
            let it = Replicas::open(it.engine).await;
            let (here, (shop, _)) = (signed_in(&it).await, client(&it.db).await);
            let grant = granted(&it, &here, &shop.client.id, "openid").await;
            execute(&it.db, statement).await;
            let before = read!(it.db, conn => grants::find(conn, &grant.id)).unwrap().born;
            assert!(matches!(anew::end_others(&it.db, acting(&here), NOW).await.unwrap(), Anew::Done(_)), "{statement}");
            if read!(it.db, conn => grants::find(conn, &grant.id)).unwrap().born != before {
                missed.push(statement);
            }
        }
        assert_eq!(missed, [""; 0]);
    }

    async fn what_changes_until_the_head_is_held_is_evidence_as_well(it) {
        let cut_off = "UPDATE feed_head SET tick = tick + 1, issuer_cutoff = tick + 1";
        for changes_password in [true, false] {
            let here = signed_in(&it).await;
            // SQLite has one writer at a time: nothing can change while a transaction runs.
            let Some(mut holding) = Holding::begin(&it.storage, HOLD_THE_HEAD).await else { return };
            let (db, here_too) = (it.other.clone(), here.clone());
            let acting = tokio::spawn(async move {
                match changes_password {
                    true => anew::change_password(&db, change(&here_too, "second")).await.unwrap(),
                    false => anew::end_others(&db, acting(&here_too), NOW).await.unwrap(),
                }
            });
            holding.is_waited_for().await;
            holding.execute(cut_off).await;
            holding.commit().await;
            assert_eq!(acting.await.unwrap(), Anew::SignInAgain, "changes password: {changes_password}");
            assert_eq!(live_sessions(&it.db, &here.session.user_id).await, []);
            assert_eq!(hash(&it, &here.session.user_id).await, Some(password_hash("first")));
        }
    }

    async fn a_grant_that_dies_before_the_head_is_held_is_not_born_anew(it) {
        let mut missed = Vec::new();
        for statement in [
            "UPDATE clients SET disabled_at = 1",
            "UPDATE clients SET cutoff = (SELECT tick + 1 FROM feed_head); UPDATE feed_head SET tick = tick + 1",
            "INSERT INTO consents (user_id, client_id, scopes, resources, claims, born, cutoff, updated_at)
             SELECT g.user_id, g.client_id, '', '[]', '[]', 0, h.tick + 1, 0 FROM grants g, feed_head h ON CONFLICT DO NOTHING;
             UPDATE feed_head SET tick = tick + 1",
            "DELETE FROM clients",
        ] {
            let (here, (shop, _)) = (signed_in(&it).await, client(&it.db).await);
            let grant = granted(&it, &here, &shop.client.id, "openid").await;
            let Some(mut holding) = Holding::begin(&it.storage, HOLD_THE_HEAD).await else { return };
            let (db, here) = (it.other.clone(), acting(&here));
            let ending = tokio::spawn(async move { anew::end_others(&db, here, NOW).await.unwrap() });
            holding.is_waited_for().await;
            holding.execute(statement).await;
            holding.commit().await;
            assert!(matches!(ending.await.unwrap(), Anew::Done(_)), "{statement}");
            if read!(it.db, conn => grants::find(conn, &grant.id)).unwrap().born != grant.born {
                missed.push(statement);
            }
        }
        assert_eq!(missed, [""; 0]);
    }

    async fn logging_out_everywhere_ends_all_that_a_user_has_and_nothing_of_others(it) {
        let (here, other) = (signed_in(&it).await, approval(&it.db).await);
        let user = here.session.user_id.clone();
        let tick = users::log_out_everywhere(&it.db, user.clone(), NOW).await.unwrap().unwrap();
        assert_eq!((live_sessions(&it.db, &user).await, it.tick().await), (vec![], tick));
        assert!(alive(&it, &other.grant).await);
        assert_eq!(users::log_out_everywhere(&it.db, UserId::random(), NOW).await.unwrap(), None);
    }

    async fn one_of_two_password_changes_wins(it) {
        it.one_wins(async || signed_in(&it).await, |db, here, side| async move {
            matches!(anew::change_password(&db, change(&here, ["one", "other"][side])).await.unwrap(), Anew::Done(_))
        }).await;
    }

    async fn a_password_change_never_survives_a_log_out_everywhere_at_the_same_time(it) {
        let rounds = it.race(async || signed_in(&it).await, |db, here, side| async move {
            match side {
                0 => drop(anew::change_password(&db, change(&here, "second")).await.unwrap()),
                _ => drop(users::log_out_everywhere(&db, here.session.user_id, NOW).await.unwrap()),
            }
        }).await;
        for (here, _) in rounds {
            assert_eq!(live_sessions(&it.db, &here.session.user_id).await, []);
        }
    }

    async fn a_password_change_never_survives_the_operators_at_the_same_time(it) {
        let rounds = it.race(async || signed_in(&it).await, |db, here, side| async move {
            match side {
                0 => drop(anew::change_password(&db, change(&here, "second")).await.unwrap()),
                _ => drop(users::set_password(&db, here.session.user_id, password_hash("operators"), NOW).await.unwrap()),
            }
        }).await;
        for (here, _) in rounds {
            assert_eq!(live_sessions(&it.db, &here.session.user_id).await, []);
            assert_eq!(hash(&it, &here.session.user_id).await, Some(password_hash("operators")));
        }
    }

    async fn ending_all_others_brings_no_session_back_that_is_ended_at_the_same_time(it) {
        let rounds = it.race(async || signed_in(&it).await, |db, here, side| async move {
            match side {
                0 => drop(anew::end_others(&db, acting(&here), NOW).await.unwrap()),
                _ => drop(sessions::end(&db, here.session.id, NOW).await.unwrap()),
            }
        }).await;
        for (here, _) in rounds {
            assert_eq!(live_sessions(&it.db, &here.session.user_id).await, []);
        }
    }

    async fn ending_all_others_brings_no_grant_back_that_is_withdrawn_or_revoked_at_the_same_time(it) {
        for withdraw in [true, false] {
            let subject = async || {
                let (here, (shop, _)) = (signed_in(&it).await, client(&it.db).await);
                let grant = granted(&it, &here, &shop.client.id, "openid").await;
                (here, grant)
            };
            let rounds = it.race(subject, |db, (here, grant), side| async move {
                match (side, withdraw) {
                    (0, _) => drop(anew::end_others(&db, acting(&here), NOW).await.unwrap()),
                    (_, true) => withdraw_all(&db, &grant).await,
                    (_, false) => drop(grants::revoke(&db, grant.id, NOW).await.unwrap()),
                }
            }).await;
            for ((_, grant), _) in rounds {
                assert!(!alive(&it, &grant).await);
            }
        }
    }

    async fn ending_all_others_never_survives_an_issuer_wide_cut_off_at_the_same_time(it) {
        let rounds = it.race(async || signed_in(&it).await, |db, here, side| async move {
            match side {
                0 => drop(anew::end_others(&db, acting(&here), NOW).await.unwrap()),
                _ => drop(feed_head::cut_off(&db, vec![Target::Issuer], Event::done(Action::IssuerCutOff), NOW).await.unwrap()),
            }
        }).await;
        for (here, _) in rounds {
            assert_eq!(live_sessions(&it.db, &here.session.user_id).await, []);
        }
    }
}
