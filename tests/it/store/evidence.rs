//! Tick and evidence from one statement: what is missing is dead, what was not asked is not judged, and nothing shows a cut-off
//! that its own tick does not know of.

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::{Evidence, Standing, Target};
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, Tick, TokenId, UserId};
use passant::store::evidence::{self, Found, Levels};
use passant::store::signing_keys::KeyChange;
use passant::store::signing_keys::{self, Applied};
use passant::store::{Db, clients, feed_head, sessions, users};

use super::rows::{HOUR, approval, password_hash, session, signing_key, user};
use super::{NOW, Replicas, execute, execute_with};

const LIVE: Standing = Standing::CutOff(Tick::ZERO);

fn all_missing() -> Levels {
    Levels {
        user: Some(UserId::random()),
        client: Some(ClientId::new("unknown")),
        session: Some(SessionId::random()),
        grant: Some(GrantId::random()),
        token: Some(TokenId::random()),
        key: Some(KeyId::new("unknown")),
    }
}

fn standings(found: &Found) -> [Standing; 6] {
    let it = &found.evidence;
    [it.user, it.client, it.session, it.grant, it.token, it.key]
}

async fn read_levels(it: &Replicas, levels: &Levels) -> Found {
    read!(it.db, conn => evidence::read(conn, levels, NOW))
}

/// Everything alive, and the tick at which the client was made.
async fn all_alive(it: &Replicas) -> (Levels, Tick) {
    let grant = approval(&it.db).await.grant;
    let key = signing_key(1);
    let change = KeyChange { insert: Some(key.clone()), ..KeyChange::default() };
    assert_ne!(signing_keys::apply(&it.db, change, NOW).await.unwrap(), Applied::TooLate);
    let levels = Levels {
        user: Some(grant.user_id),
        client: Some(grant.client_id),
        session: Some(grant.session_id),
        grant: Some(grant.id),
        token: Some(TokenId::random()),
        key: Some(key.kid),
    };
    (levels, it.tick().await)
}

fn clear_of_its_own_tick(evidence: &Evidence) {
    for standing in [evidence.user, evidence.client] {
        if let Standing::CutOff(at) = standing {
            assert!(at <= evidence.tick, "{at} is above {}", evidence.tick);
        }
    }
    assert!(evidence.issuer <= evidence.tick);
}

on_both_databases! {
    async fn what_is_not_asked_is_not_judged(it) {
        let found = read_levels(&it, &Levels::default()).await;
        assert_eq!(standings(&found), [Standing::NotJudged; 6]);
        assert_eq!((found.evidence.tick, found.evidence.issuer), (it.tick().await, Tick::ZERO));
        assert!(!found.session_expired);
    }

    async fn a_missing_row_is_missing_but_a_missing_cut_off_is_none(it) {
        let missing = Standing::Missing;
        assert_eq!(standings(&read_levels(&it, &all_missing()).await), [missing, missing, missing, missing, LIVE, missing]);
    }

    async fn live_rows_stand_at_their_cut_offs(it) {
        let (levels, tick) = all_alive(&it).await;
        assert_eq!(standings(&read_levels(&it, &levels).await), [LIVE, Standing::CutOff(tick), LIVE, LIVE, LIVE, LIVE]);
        let user = levels.user.clone().unwrap();
        let tick = users::set_password(&it.db, user, password_hash("new"), NOW).await.unwrap().unwrap();
        assert_eq!(read_levels(&it, &levels).await.evidence.user, Standing::CutOff(tick));
    }

    async fn a_revoked_token_stands_at_its_latest_cut_off(it) {
        let (one, other) = (TokenId::random(), TokenId::random());
        let of = |token: &TokenId| Levels { token: Some(token.clone()), ..Levels::default() };
        feed_head::cut_off(&it.db, vec![Target::Token(one.clone())], Event::done(Action::TokenRevoke), NOW).await.unwrap();
        let tick = feed_head::cut_off(&it.db, vec![Target::Token(one.clone())], Event::done(Action::TokenRevoke), NOW).await.unwrap();
        assert_eq!(read_levels(&it, &of(&one)).await.evidence.token, Standing::CutOff(tick));
        assert_eq!(read_levels(&it, &of(&other)).await.evidence.token, LIVE);
    }

    async fn what_is_disabled_or_ended_is_ended(it) {
        let (levels, _) = all_alive(&it).await;
        for statement in [
            "UPDATE users SET disabled_at = 1",
            "UPDATE clients SET disabled_at = 1",
            "UPDATE sessions SET ended_at = 1",
            "UPDATE grants SET ended_at = 1",
            "UPDATE signing_keys SET revoked_at = 1",
        ] {
            execute(&it.db, statement).await;
        }
        let ended = Standing::Ended;
        assert_eq!(standings(&read_levels(&it, &levels).await), [ended, ended, ended, ended, LIVE, ended]);
    }

    async fn either_limit_of_a_session_passes(it) {
        let id = session(&it.db, &user(&it.db).await.id).await.session.id;
        let levels = Levels { session: Some(id), ..Levels::default() };
        let expired = async |now| read!(it.db, conn => evidence::read(conn, &levels, now)).session_expired;
        assert!(!expired(NOW).await && expired(NOW + HOUR).await);
        execute_with(&it.db, "UPDATE sessions SET idle_until = $1", (NOW + HOUR * 9).millis()).await;
        assert!(!expired(NOW + HOUR).await && expired(NOW + HOUR * 2).await);
    }

    async fn no_record_shows_a_cut_off_above_its_own_tick(it) {
        let approval = approval(&it.db).await;
        let (user, client) = (approval.grant.user_id.clone(), approval.grant.client_id.clone());
        let username = read!(it.db, conn => users::find(conn, &user)).unwrap().username;
        let username = passant::domain::user::Username::parse(&username).unwrap();
        let cookie = session(&it.db, &user).await.cookie_hash;
        let levels = Levels { user: Some(user.clone()), client: Some(client.clone()), ..Levels::default() };
        let writer = tokio::spawn(raise_both(it.other.clone(), user, client.clone()));
        let mut seen = std::collections::BTreeSet::new();
        while !writer.is_finished() {
            let sign_in = read!(it.db, conn => users::sign_in_record(conn, &username)).unwrap().evidence;
            let cookie = read!(it.db, conn => sessions::find_by_cookie(conn, &cookie)).unwrap().evidence;
            let client = read!(it.db, conn => clients::find(conn, &client, NOW)).unwrap().evidence;
            let found = read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence;
            for evidence in [&sign_in, &cookie, &client, &found] {
                clear_of_its_own_tick(evidence);
                seen.insert(evidence.tick);
            }
        }
        writer.await.unwrap();
        assert!(seen.len() > 10, "the reader saw the writer at work: {seen:?}");
    }
}

/// Cuts a user and a client off, again and again.
async fn raise_both(db: Db, user: UserId, client: ClientId) {
    for _ in 0..100 {
        users::set_password(&db, user.clone(), password_hash("new"), NOW).await.unwrap().unwrap();
        let targets = vec![Target::Client(client.clone())];
        commit!(db, targets, |tx, targets| async {
            feed_head::raise(tx, NOW, targets).await?;
            let cut = "UPDATE clients SET cutoff = (SELECT tick FROM feed_head)";
            match &mut **tx {
                passant::store::Conn::Sqlite(conn) => sqlx::query(cut).execute(&mut **conn).await.map(drop)?,
                passant::store::Conn::Postgres(conn) => sqlx::query(cut).execute(&mut **conn).await.map(drop)?,
            }
            Ok(())
        })
        .unwrap();
    }
}
