//! The `sessions` table.

use futures_util::FutureExt;

use super::evidence::cut_off;
use super::{Conn, Db, StoreError, Tx, audit, feed_head, session_list, users};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::{Evidence, Standing, Target};
use crate::domain::ids::{SessionId, Tick, UserId};
use crate::domain::session::{Cap, Session, WhenFull};
use crate::domain::user::User;
use crate::secret::TokenHash;

/// A session about to be created, with what its owner will recognise it by.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// SHA-256 of the cookie.
    pub cookie_hash: TokenHash,
    /// The browser's own name for itself, shortened.
    pub user_agent: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
}

/// A session found by its cookie, with its user and the evidence to judge it by, all from one statement.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// How it stands.
    pub evidence: Evidence,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    tick: i64,
    issuer_cutoff: i64,
    session_id: String,
    user_id: String,
    born: i64,
    auth_time: i64,
    amr: String,
    last_seen_at: i64,
    idle_until: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    user_cutoff: Option<i64>,
    disabled_at: Option<i64>,
}

/// What became of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// There is a session.
    Done,
    /// There are as many as there may be, and there is none more.
    Full,
}

/// Creates a session. Under a cap the user's row is locked first, so that no two sign-ins at once see the same place free.
pub async fn create(db: &Db, session: NewSession, cap: Option<Cap>) -> Result<Created, StoreError> {
    db.write((session, cap), |tx, (new, cap)| {
        async move {
            let (session, now) = (&new.session, new.session.auth_time);
            if let Some(cap) = cap
                && !make_room(tx, &session.user_id, *cap, now).await?
            {
                let event = Event::refused(Action::SignIn, "as many sessions as there may be").of_user(&session.user_id);
                audit::append(tx, &event, now).await?;
                return Ok(Created::Full);
            }
            let event = Event::done(Action::SignIn).of_user(&session.user_id).of_session(&session.id);
            insert(tx, new, session.born).await?;
            audit::append(tx, &event, now).await?;
            Ok(Created::Done)
        }
        .boxed()
    })
    .await
}

/// Inserts a session that is born at this tick.
pub(super) async fn insert(tx: &mut Tx<'_>, new: &NewSession, born: Tick) -> Result<(), StoreError> {
    let session = &new.session;
    sql!(
        tx,
        execute,
        "INSERT INTO sessions (id, cookie_hash, user_id, born, auth_time, amr, user_agent, address, created_at,
                               last_seen_at, idle_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)",
        session.id.as_str(),
        new.cookie_hash.as_str(),
        session.user_id.as_str(),
        born.get(),
        session.auth_time.millis(),
        session.amr.join(" "),
        new.user_agent.as_deref(),
        new.address.as_deref(),
        session.last_seen_at.millis(),
        session.idle_until.millis(),
        session.expires_at.millis(),
    )
    .map(drop)
}

/// Makes room for one more session by ending those that began first, in one cut-off; `false` where none may be ended.
async fn make_room(tx: &mut Tx<'_>, user: &UserId, cap: Cap, now: UnixTime) -> Result<bool, StoreError> {
    sql!(tx, execute, "UPDATE users SET cutoff = cutoff WHERE id = $1", user.as_str())?;
    let live = session_list::of_user(tx, user, now).await?;
    let most = usize::try_from(cap.most).unwrap_or(usize::MAX);
    let surplus = (live.len() + 1).saturating_sub(most);
    if surplus == 0 {
        return Ok(true);
    }
    if cap.when_full == WhenFull::Deny {
        return Ok(false);
    }
    let mut ended = Vec::new();
    for oldest in live.into_iter().take(surplus) {
        if set_ended(tx, Some(user), &oldest.id, now).await? {
            ended.push(oldest.id);
        }
    }
    let targets: Vec<Target> = ended.iter().cloned().map(Target::Session).collect();
    let tick = feed_head::raise(tx, now, &targets).await?;
    for id in &ended {
        let event = Event::done(Action::SessionEnd).of_user(user).of_session(id).at(tick).saying("made room for another");
        audit::append(tx, &event, now).await?;
    }
    Ok(true)
}

/// The session behind a cookie, dead or alive: the caller judges.
pub async fn find_by_cookie(conn: &mut Conn<'_>, cookie: &TokenHash) -> Result<Option<SessionRecord>, StoreError> {
    let Some(row) = sql!(
        conn,
        optional as SessionRow,
        "SELECT h.tick, h.issuer_cutoff, s.id AS session_id, s.user_id, s.born, s.auth_time, s.amr, s.last_seen_at,
                s.idle_until, s.expires_at, s.ended_at, u.cutoff AS user_cutoff, u.disabled_at
         FROM feed_head h JOIN sessions s ON s.cookie_hash = $1 LEFT JOIN users u ON u.id = s.user_id WHERE h.id = 1",
        cookie.as_str(),
    )?
    else {
        return Ok(None);
    };
    let user_id = UserId::new(row.user_id);
    // What a page shows of the user is no evidence: how the user stands came with the tick above.
    let Some(user) = users::find(conn, &user_id).await? else { return Ok(None) };
    Ok(Some(SessionRecord {
        session: Session {
            id: SessionId::new(row.session_id),
            user_id,
            born: Tick::new(row.born),
            auth_time: UnixTime::from_millis(row.auth_time),
            amr: row.amr.split_whitespace().map(str::to_owned).collect(),
            last_seen_at: UnixTime::from_millis(row.last_seen_at),
            idle_until: UnixTime::from_millis(row.idle_until),
            expires_at: UnixTime::from_millis(row.expires_at),
        },
        user,
        evidence: Evidence {
            user: cut_off(true, row.user_cutoff, row.disabled_at),
            session: if row.ended_at.is_some() { Standing::Ended } else { Standing::CutOff(Tick::ZERO) },
            ..Evidence::of_issuer(Tick::new(row.tick), Tick::new(row.issuer_cutoff))
        },
    }))
}

/// Notes that a session is in use, moving its idle limit; an ended one stays as it is.
pub async fn touch(db: &Db, id: SessionId, now: UnixTime, idle_until: UnixTime) -> Result<(), StoreError> {
    db.write((id, now, idle_until), |tx, (id, now, idle_until)| {
        async move {
            sql!(
                tx,
                execute,
                "UPDATE sessions SET last_seen_at = $2, idle_until = $3
                 WHERE id = $1 AND ended_at IS NULL AND last_seen_at < $2 AND idle_until > $2",
                id.as_str(),
                now.millis(),
                idle_until.millis(),
            )
            .map(drop)
        }
        .boxed()
    })
    .await
}

/// Ends a session and cuts off what hangs on it; `None` when it had ended before.
pub async fn end(db: &Db, id: SessionId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    end_if(db, None, id, now).await
}

/// The same for one that must be this user's own.
pub async fn end_own(db: &Db, user: UserId, id: SessionId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    end_if(db, Some(user), id, now).await
}

async fn end_if(db: &Db, owner: Option<UserId>, id: SessionId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((owner, id, now), |tx, (owner, id, now)| {
        async move {
            if !set_ended(tx, owner.as_ref(), id, *now).await? {
                return Ok(None);
            }
            let tick = feed_head::raise(tx, *now, &[Target::Session(id.clone())]).await?;
            let event = Event::done(Action::SessionEnd).of_session(id).at(tick);
            audit::append(tx, &event, *now).await?;
            Ok(Some(tick))
        }
        .boxed()
    })
    .await
}

async fn set_ended(tx: &mut Tx<'_>, owner: Option<&UserId>, id: &SessionId, now: UnixTime) -> Result<bool, StoreError> {
    let ended = sql!(
        tx,
        execute,
        "UPDATE sessions SET ended_at = $3
         WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR user_id = $2) AND ended_at IS NULL",
        id.as_str(),
        owner.map(UserId::as_str),
        now.millis(),
    )?;
    Ok(ended == 1)
}

/// A sign-in of the same person in the same browser: the session goes on under a new cookie.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// The cookie it goes by.
    pub old_cookie: TokenHash,
    /// The cookie it will go by.
    pub new_cookie: TokenHash,
    /// Now, and so the new `auth_time`.
    pub now: UnixTime,
    /// Its idle limit.
    pub idle_until: UnixTime,
    /// Its absolute limit.
    pub expires_at: UnixTime,
}

/// Renews a session. It stays born when it was, so that every cut-off since then still reaches it. `false` when it has ended or
/// goes by another cookie already.
pub async fn renew(db: &Db, renewal: Renewal) -> Result<bool, StoreError> {
    db.write(renewal, |tx, renewal| {
        async move {
            let renewed = sql!(
                tx,
                execute,
                "UPDATE sessions SET cookie_hash = $3, auth_time = $4, last_seen_at = $4, idle_until = $5, expires_at = $6
                 WHERE id = $1 AND cookie_hash = $2 AND ended_at IS NULL",
                renewal.id.as_str(),
                renewal.old_cookie.as_str(),
                renewal.new_cookie.as_str(),
                renewal.now.millis(),
                renewal.idle_until.millis(),
                renewal.expires_at.millis(),
            )?;
            if renewed == 1 {
                let event = Event::done(Action::SignIn).of_user(&renewal.user_id).of_session(&renewal.id).saying("again");
                audit::append(tx, &event, renewal.now).await?;
            }
            Ok(renewed == 1)
        }
        .boxed()
    })
    .await
}
