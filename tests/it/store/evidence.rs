//! Tick and evidence from one statement: what is missing is dead, what was not asked is not judged, and nothing shows a cut-off
//! that its own tick does not know of.

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::{Evidence, Standing, Target};
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, Tick, TokenId, UserId};
use passant::domain::password::PasswordHash;
use passant::secret::TokenHash;
use passant::store::client_secrets::{self, OldSecrets, Rotated, Rotation};
use passant::store::evidence::{self, Found, Levels};
use passant::store::signing_keys::KeyChange;
use passant::store::signing_keys::{self, Applied};
use passant::store::{Db, clients, feed_head, sessions, users};

use super::rows::{HOUR, approval, client, fresh_hash, password_hash, session, signing_key, user};
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

    async fn every_record_is_what_was_committed_at_its_own_tick(it) {
        let (ada, (shop, made)) = (user(&it.db).await, client(&it.db).await);
        let cookie = session(&it.db, &ada.id).await.cookie_hash;
        let levels = Levels { user: Some(ada.id.clone()), client: Some(shop.client.id.clone()), ..Levels::default() };
        let first = Raised { of_user: vec![(Tick::ZERO, password_hash("first"))], of_client: vec![(made, shop.secrets[0].clone())] };
        let writer = tokio::spawn(raise_both(it.other.clone(), ada.id, shop.client.id.clone(), first));
        let mut seen = Vec::new();
        while !writer.is_finished() {
            let sign_in = read!(it.db, conn => users::sign_in_record(conn, &ada.username)).unwrap();
            let cookie = read!(it.db, conn => sessions::find_by_cookie(conn, &cookie)).unwrap();
            let client = read!(it.db, conn => clients::find(conn, &shop.client.id, NOW)).unwrap();
            let found = read!(it.db, conn => evidence::read(conn, &levels, NOW));
            seen.extend([
                Seen { record: "sign-in", evidence: sign_in.evidence, password: sign_in.password_hash, secret: None },
                Seen { record: "cookie", evidence: cookie.evidence, password: None, secret: None },
                Seen { record: "client", evidence: client.evidence, password: None, secret: client.secrets.first().cloned() },
                Seen { record: "levels", evidence: found.evidence, password: None, secret: None },
            ]);
        }
        let raised = writer.await.unwrap();
        for seen in &seen {
            seen.is_of_its_tick(&raised);
        }
        let ticks: std::collections::BTreeSet<Tick> = seen.iter().map(|seen| seen.evidence.tick).collect();
        assert!(ticks.len() > 10, "the reader saw the writer at work: {ticks:?}");
    }
}

/// What a reader was given.
struct Seen {
    record: &'static str,
    evidence: Evidence,
    password: Option<PasswordHash>,
    secret: Option<TokenHash>,
}

impl Seen {
    /// Fails when any part of it is older or newer than its tick.
    fn is_of_its_tick(&self, raised: &Raised) {
        let Self { record, evidence, password, secret } = self;
        let tick = evidence.tick;
        let (of_user, of_client) = (last(&raised.of_user, tick), last(&raised.of_client, tick));
        for (found, at) in [(evidence.user, of_user.0), (evidence.client, of_client.0)] {
            assert!(found == Standing::NotJudged || found == Standing::CutOff(at), "{record} at {tick}: {found:?}, not {at}");
        }
        assert!(password.as_ref().is_none_or(|found| *found == of_user.1), "{record} at {tick}: the password of another one");
        assert!(secret.as_ref().is_none_or(|found| *found == of_client.1), "{record} at {tick}: the secret of another one");
    }
}

/// What was proved by at the last of these ticks up to this one.
fn last<T>(raised: &[(Tick, T)], tick: Tick) -> &(Tick, T) {
    raised.iter().rfind(|(at, _)| *at <= tick).expect("there was something before")
}

/// The ticks at which a user and a client were cut off, each with what has proved who they are since.
struct Raised {
    of_user: Vec<(Tick, PasswordHash)>,
    of_client: Vec<(Tick, TokenHash)>,
}

/// Cuts a user and a client off, again and again.
async fn raise_both(db: Db, user: UserId, client: ClientId, mut raised: Raised) -> Raised {
    for number in 0..100 {
        let hash = password_hash(&format!("number {number}"));
        let tick = users::set_password(&db, user.clone(), hash.clone(), NOW).await.unwrap().unwrap();
        raised.of_user.push((tick, hash));
        let secret = fresh_hash();
        let leaked =
            Rotation { client: client.clone(), secret: secret.clone(), expires_at: None, old: OldSecrets::Leaked, now: NOW };
        let Rotated::Done(committed) = client_secrets::rotate(&db, leaked).await.unwrap() else { panic!("it has secrets") };
        raised.of_client.push((committed.tick.unwrap(), secret));
    }
    raised
}
