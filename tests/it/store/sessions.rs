//! Sessions: found by cookie with what they are judged by, moved on while they live, ended once.

use std::sync::Arc;
use std::time::Duration;

use passant::domain::cutoff::Standing;
use passant::domain::ids::{SessionId, Tick, UserId};
use passant::domain::session::{Cap, WhenFull};
use passant::store::evidence::{self, Levels};
use passant::store::sessions::{self, Created, NewSession, Renewal, SessionRecord};
use passant::store::{StoreError, session_list, users};

use tokio::sync::Notify;

use super::rows::{HOUR, fresh_hash, new_session, session, user};
use super::{NOW, Replicas, count, execute};

const MINUTE: Duration = Duration::from_secs(60);

fn renewal(session: &NewSession) -> Renewal {
    Renewal {
        id: session.session.id.clone(),
        user_id: session.session.user_id.clone(),
        old_cookie: session.cookie_hash.clone(),
        new_cookie: fresh_hash(),
        now: NOW + MINUTE,
        idle_until: NOW + HOUR * 5,
        expires_at: NOW + HOUR * 6,
    }
}

async fn fresh(it: &Replicas) -> NewSession {
    session(&it.db, &user(&it.db).await.id).await
}

async fn found(it: &Replicas, session: &NewSession) -> SessionRecord {
    read!(it.db, conn => sessions::find_by_cookie(conn, &session.cookie_hash)).unwrap()
}

on_both_databases! {
    async fn a_revocation_commits_though_whoever_asked_for_it_hangs_up(it) {
        let session = fresh(&it).await;
        let (locked, may_go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let given = (session.session.id.clone(), Arc::clone(&locked), Arc::clone(&may_go_on));
        let holder = it.db.clone();
        let holding = tokio::spawn(async move {
            // Holds the session's row, and on SQLite the one writer, so that the end below has to wait.
            commit!(holder, given, |tx, (id, locked, may_go_on)| async {
                let id = Levels { session: Some(id.clone()), ..Levels::default() };
                evidence::read(tx, &id, NOW).await?;
                locked.notify_one();
                may_go_on.notified().await;
                Ok::<_, StoreError>(())
            })
        });
        locked.notified().await;
        let mut ending = Box::pin(sessions::end(&it.db, session.session.id.clone(), NOW));
        assert!(futures_util::poll!(&mut ending).is_pending(), "it has begun");
        drop(ending);
        may_go_on.notify_one();
        holding.await.unwrap().unwrap();
        let mut looks = 0;
        while found(&it, &session).await.evidence.session != Standing::Ended {
            looks += 1;
            assert!(looks < 10_000, "the revocation was rolled back");
        }
    }

    async fn a_cookie_finds_its_session_with_the_evidence(it) {
        let ada = user(&it.db).await;
        let session = session(&it.db, &ada.id).await;
        let record = found(&it, &session).await;
        assert_eq!((&record.session, &record.user.id), (&session.session, &ada.id));
        assert_eq!((record.evidence.tick, record.evidence.user), (it.tick().await, Standing::CutOff(Tick::ZERO)));
        assert_eq!(record.evidence.session, Standing::CutOff(Tick::ZERO));
        assert!(read!(it.db, conn => sessions::find_by_cookie(conn, &fresh_hash())).is_none());
        execute(&it.db, "UPDATE users SET disabled_at = 1").await;
        assert_eq!(found(&it, &session).await.evidence.user, Standing::Ended);
    }

    async fn a_session_without_its_user_is_none(it) {
        let orphan = new_session(&UserId::random(), it.tick().await);
        sessions::create(&it.db, orphan.clone(), None).await.unwrap();
        assert!(read!(it.db, conn => sessions::find_by_cookie(conn, &orphan.cookie_hash)).is_none());
    }

    async fn use_moves_the_idle_limit_of_a_live_session_forward_only(it) {
        let session = fresh(&it).await;
        let id = &session.session.id;
        let later = NOW + MINUTE;
        let touch = async |now, until| sessions::touch(&it.db, id.clone(), now, until).await.unwrap();
        let seen = async || {
            let found = found(&it, &session).await.session;
            (found.last_seen_at, found.idle_until)
        };
        touch(later, later + HOUR).await;
        assert_eq!(seen().await, (later, later + HOUR));
        touch(NOW, NOW + HOUR).await;
        assert_eq!(seen().await, (later, later + HOUR), "a slower request does not turn time back");
        touch(later + HOUR, later + HOUR * 2).await;
        assert_eq!(seen().await, (later, later + HOUR), "an expired session is not woken");
        sessions::end(&it.db, id.clone(), later).await.unwrap().unwrap();
        touch(later + MINUTE, later + HOUR * 2).await;
        assert_eq!(seen().await, (later, later + HOUR), "nor an ended one");
    }

    async fn an_ended_session_is_cut_off_once(it) {
        let (session, other) = (fresh(&it).await, fresh(&it).await);
        let before = it.tick().await;
        let tick = sessions::end(&it.db, session.session.id.clone(), NOW).await.unwrap().unwrap();
        assert!(tick > before);
        assert_eq!(found(&it, &session).await.evidence.session, Standing::Ended);
        assert_eq!(found(&it, &other).await.evidence.session, Standing::CutOff(Tick::ZERO));
        assert_eq!(sessions::end(&it.db, session.session.id, NOW).await.unwrap(), None);
        assert_eq!(sessions::end(&it.db, SessionId::random(), NOW).await.unwrap(), None, "an unknown one");
        assert_eq!(it.tick().await, tick);
    }

    async fn a_renewed_session_goes_by_its_new_cookie_and_stays_as_old_as_it_is(it) {
        let (session, other) = (fresh(&it).await, fresh(&it).await);
        // What was born at the tick of now could not be told from what stayed as it was.
        let now = sessions::end(&it.db, other.session.id, NOW).await.unwrap().unwrap();
        assert!(now > session.session.born);
        let renewal = renewal(&session);
        assert!(sessions::renew(&it.db, renewal.clone()).await.unwrap());
        assert!(read!(it.db, conn => sessions::find_by_cookie(conn, &session.cookie_hash)).is_none());
        let renewed = read!(it.db, conn => sessions::find_by_cookie(conn, &renewal.new_cookie)).unwrap().session;
        assert_eq!((&renewed.id, renewed.born), (&session.session.id, session.session.born));
        assert_eq!((renewed.auth_time, renewed.last_seen_at), (renewal.now, renewal.now));
        assert_eq!((renewed.idle_until, renewed.expires_at), (renewal.idle_until, renewal.expires_at));
        assert!(!sessions::renew(&it.db, renewal).await.unwrap(), "the old cookie renews nothing");
    }

    async fn an_ended_session_is_not_renewed(it) {
        let session = fresh(&it).await;
        sessions::end(&it.db, session.session.id.clone(), NOW).await.unwrap().unwrap();
        assert!(!sessions::renew(&it.db, renewal(&session)).await.unwrap());
        assert_eq!(found(&it, &session).await.evidence.session, Standing::Ended);
    }

    async fn one_of_two_requests_ends_a_session(it) {
        it.one_wins(async || fresh(&it).await.session.id, |db, id, _| async move {
            sessions::end(&db, id, NOW).await.unwrap().is_some()
        }).await;
    }

    async fn one_of_two_sign_ins_renews_a_session(it) {
        it.one_wins(async || fresh(&it).await, |db, session, _| async move {
            sessions::renew(&db, renewal(&session)).await.unwrap()
        }).await;
    }

    async fn a_sign_out_ends_a_session_that_is_renewed_at_the_same_time(it) {
        let rounds = it.race(async || fresh(&it).await, |db, session, side| async move {
            if side == 0 {
                sessions::end(&db, session.session.id, NOW).await.unwrap().is_some()
            } else {
                sessions::renew(&db, renewal(&session)).await.unwrap()
            }
        }).await;
        assert!(rounds.iter().all(|(_, [ended, _])| *ended));
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 0);
    }

    async fn nobody_ends_what_is_not_their_own(it) {
        let (session, other) = (fresh(&it).await, user(&it.db).await);
        let (owner, id) = (session.session.user_id.clone(), session.session.id.clone());
        assert_eq!(sessions::end_own(&it.db, other.id, id.clone(), NOW).await.unwrap(), None);
        assert_ne!(found(&it, &session).await.evidence.session, Standing::Ended);
        assert!(sessions::end_own(&it.db, owner, id, NOW).await.unwrap().is_some());
        assert_eq!(found(&it, &session).await.evidence.session, Standing::Ended);
    }

    async fn the_live_sessions_of_a_user_and_of_nobody_else_are_listed(it) {
        let ada = user(&it.db).await.id;
        let list = async |now| {
            read!(it.db, conn => session_list::of_user(conn, &ada, now)).into_iter().map(|seen| seen.id).collect::<Vec<_>>()
        };
        fresh(&it).await;
        let (one, ended) = (session(&it.db, &ada).await.session, session(&it.db, &ada).await.session);
        sessions::end(&it.db, ended.id, NOW).await.unwrap().unwrap();
        assert_eq!(list(NOW).await, std::slice::from_ref(&one.id));
        assert_eq!(list(NOW + HOUR).await, [], "its time is over");
        users::log_out_everywhere(&it.db, ada.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(list(NOW).await, [], "it was cut off");
        let later = session(&it.db, &ada).await.session;
        assert_eq!(list(NOW).await, [later.id]);
        execute(&it.db, "UPDATE feed_head SET issuer_cutoff = tick + 1").await;
        assert_eq!(list(NOW).await, []);
    }

    async fn one_session_too_many_ends_the_one_that_began_first(it) {
        let ada = user(&it.db).await.id;
        let cap = Some(Cap { most: 2, when_full: WhenFull::EvictOldest });
        let mut all = Vec::new();
        for number in 0..3 {
            let mut new = new_session(&ada, it.tick().await);
            new.session.last_seen_at = NOW + MINUTE * number;
            assert_eq!(sessions::create(&it.db, new.clone(), cap).await.unwrap(), Created::Done);
            all.push(new.session.id);
        }
        let live: Vec<_> = read!(it.db, conn => session_list::of_user(conn, &ada, NOW)).into_iter().map(|seen| seen.id).collect();
        assert_eq!(live, all[1..]);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs WHERE level = 'sid'").await, 1);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'session_end' AND tick IS NOT NULL").await, 1);
    }

    async fn a_full_house_is_refused_where_nobody_is_to_be_put_out(it) {
        let ada = user(&it.db).await.id;
        let cap = Some(Cap { most: 1, when_full: WhenFull::Deny });
        let create = async || sessions::create(&it.db, new_session(&ada, it.tick().await), cap).await.unwrap();
        assert_eq!((create().await, create().await), (Created::Done, Created::Full));
        users::log_out_everywhere(&it.db, ada.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(create().await, Created::Done, "only what lives counts");
    }

    async fn sign_ins_at_once_do_not_pass_the_cap(it) {
        let cap = Some(Cap { most: 1, when_full: WhenFull::Deny });
        it.one_wins(async || user(&it.db).await.id, |db, ada, _| async move {
            let born = read!(db, conn => passant::store::feed_head::read(conn)).tick;
            sessions::create(&db, new_session(&ada, born), cap).await.unwrap() == Created::Done
        }).await;
    }
}
