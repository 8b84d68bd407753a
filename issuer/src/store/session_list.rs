//! The `sessions` table as people see it: who is signed in, where, and since when. One judgement for the page of their owner, the
//! cap on their number and whoever administers the issuer.

use super::evidence::cut_off;
use super::{Conn, StoreError};
use crate::clock::UnixTime;
use crate::domain::cutoff::{Evidence, revoked};
use crate::domain::ids::{SessionId, Tick, UserId};

/// A live session and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// `sid`.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// The name they sign in with.
    pub username: String,
    /// The browser's own name for itself.
    pub user_agent: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// When it began.
    pub created_at: UnixTime,
    /// When it was last used, to a minute.
    pub last_seen_at: UnixTime,
    /// When it ends if it is not used.
    pub idle_until: UnixTime,
    /// When it ends however much it is used.
    pub expires_at: UnixTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    tick: i64,
    issuer_cutoff: i64,
    user_cutoff: i64,
    disabled_at: Option<i64>,
    id: String,
    born: i64,
    user_id: String,
    username: String,
    user_agent: Option<String>,
    address: Option<String>,
    created_at: i64,
    last_seen_at: i64,
    idle_until: i64,
    expires_at: i64,
}

/// The live sessions of a user, the one that began first foremost.
pub async fn of_user(conn: &mut Conn<'_>, user: &UserId, now: UnixTime) -> Result<Vec<ListedSession>, StoreError> {
    let rows = sql!(
        conn,
        all as Row,
        "SELECT h.tick, h.issuer_cutoff, u.cutoff AS user_cutoff, u.disabled_at, s.id, s.born, s.user_id, u.username, s.user_agent,
                s.address, s.created_at, s.last_seen_at, s.idle_until, s.expires_at
         FROM feed_head h JOIN sessions s ON s.user_id = $1 JOIN users u ON u.id = s.user_id
         WHERE h.id = 1 AND s.ended_at IS NULL AND s.idle_until > $2 AND s.expires_at > $2
         ORDER BY s.created_at, s.id",
        user.as_str(),
        now.millis(),
    )?;
    Ok(living(rows))
}

/// The live sessions of everybody, the one that began first foremost.
pub async fn of_everybody(conn: &mut Conn<'_>, now: UnixTime) -> Result<Vec<ListedSession>, StoreError> {
    let rows = sql!(
        conn,
        all as Row,
        "SELECT h.tick, h.issuer_cutoff, u.cutoff AS user_cutoff, u.disabled_at, s.id, s.born, s.user_id, u.username, s.user_agent,
                s.address, s.created_at, s.last_seen_at, s.idle_until, s.expires_at
         FROM feed_head h JOIN sessions s ON h.id = 1 JOIN users u ON u.id = s.user_id
         WHERE s.ended_at IS NULL AND s.idle_until > $1 AND s.expires_at > $1
         ORDER BY s.created_at, s.id",
        now.millis(),
    )?;
    Ok(living(rows))
}

/// Those that no cut-off killed.
fn living(rows: Vec<Row>) -> Vec<ListedSession> {
    let alive = |row: &Row| {
        let evidence = Evidence {
            user: cut_off(true, Some(row.user_cutoff), row.disabled_at),
            ..Evidence::of_issuer(Tick::new(row.tick), Tick::new(row.issuer_cutoff))
        };
        revoked(Tick::new(row.born), &evidence).is_none()
    };
    let listed = rows.into_iter().filter(alive).map(|row| ListedSession {
        id: SessionId::new(row.id),
        user_id: UserId::new(row.user_id),
        username: row.username,
        user_agent: row.user_agent,
        address: row.address,
        created_at: UnixTime::from_millis(row.created_at),
        last_seen_at: UnixTime::from_millis(row.last_seen_at),
        idle_until: UnixTime::from_millis(row.idle_until),
        expires_at: UnixTime::from_millis(row.expires_at),
    });
    listed.collect()
}
