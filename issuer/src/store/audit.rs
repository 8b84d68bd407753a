//! The `audit` table: rows are added in the transaction of the act they tell of, read by the operator, and never changed. The source
//! of an act travels with the database handle: see [`super::Db::by`].

use super::{Conn, StoreError, Tx};
use crate::clock::UnixTime;
use crate::domain::audit::{Entry, Event};
use crate::domain::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use crate::secret::{TokenHash, random_id};

/// Which entries to read; what is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this user, as actor or as subject.
    pub user: Option<UserId>,
    /// Of this client, as actor or as subject.
    pub client: Option<ClientId>,
    /// Of this action.
    pub action: Option<String>,
    /// Not before this moment.
    pub since: Option<UnixTime>,
    /// The newest so many.
    pub most: u32,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: String,
    at: i64,
    tick: Option<i64>,
    action: String,
    outcome: String,
    actor_kind: String,
    actor: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    user_id: Option<String>,
    client_id: Option<String>,
    session_id: Option<String>,
    grant_id: Option<String>,
    detail: Option<String>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            action: row.action,
            outcome: row.outcome,
            actor_kind: row.actor_kind,
            actor: row.actor,
            address: row.address,
            request_id: row.request_id,
            tick: row.tick,
            user_id: row.user_id,
            client_id: row.client_id,
            session_id: row.session_id,
            grant_id: row.grant_id,
            detail: row.detail,
        }
    }
}

/// Adds an event, as a part of the act itself. Whose a grant or a session is need not be said: the row knows.
pub async fn append(tx: &mut Tx<'_>, event: &Event, now: UnixTime) -> Result<(), StoreError> {
    append_once(tx, &random_id(), event, now).await
}

/// The same under an id of its own; what was told under it before is not told again.
pub async fn append_once(tx: &mut Tx<'_>, id: &str, event: &Event, now: UnixTime) -> Result<(), StoreError> {
    let source = tx.source().clone();
    sql!(
        tx,
        execute,
        "INSERT INTO audit (id, at, tick, action, outcome, actor_kind, actor, address, request_id, user_id, client_id, session_id,
                            grant_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                 COALESCE($10, (SELECT g.user_id FROM grants g WHERE g.id = $13), (SELECT s.user_id FROM sessions s WHERE s.id = $12)),
                 COALESCE($11, (SELECT g.client_id FROM grants g WHERE g.id = $13)), $12, $13, $14)
         ON CONFLICT (id) DO NOTHING",
        id,
        now.millis(),
        event.tick.map(Tick::get),
        event.action.as_str(),
        event.outcome.as_str(),
        source.actor.kind(),
        source.actor.name(),
        source.address.as_deref(),
        source.request_id.as_deref(),
        event.user.as_ref().map(UserId::as_str),
        event.client.as_ref().map(ClientId::as_str),
        event.session.as_ref().map(SessionId::as_str),
        event.grant.as_ref().map(GrantId::as_str),
        event.detail.as_deref(),
    )
    .map(drop)
}

/// Tells why a token was refused, once for each token and reason: whoever presents one token again and again must not fill the trail.
pub(super) async fn append_of_token(tx: &mut Tx<'_>, token: &TokenHash, event: &Event, now: UnixTime) -> Result<(), StoreError> {
    let (action, outcome) = (event.action.as_str(), event.outcome.as_str());
    let said = format!("{action} {outcome} {} {}", token.as_str(), event.detail.as_deref().unwrap_or_default());
    append_once(tx, TokenHash::of(&said).as_str(), event, now).await
}

/// The entries that a filter asks for, the newest first.
pub async fn list(conn: &mut Conn<'_>, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let rows = sql!(
        conn,
        all as EntryRow,
        "SELECT id, at, tick, action, outcome, actor_kind, actor, address, request_id, user_id, client_id, session_id, grant_id, detail
         FROM audit
         WHERE (CAST($1 AS TEXT) IS NULL OR user_id = $1 OR (actor_kind = 'user' AND actor = $1))
           AND (CAST($2 AS TEXT) IS NULL OR client_id = $2 OR (actor_kind = 'client' AND actor = $2))
           AND (CAST($3 AS TEXT) IS NULL OR action = $3)
           AND (CAST($4 AS BIGINT) IS NULL OR at >= $4)
         ORDER BY at DESC, id DESC LIMIT $5",
        filter.user.as_ref().map(UserId::as_str),
        filter.client.as_ref().map(ClientId::as_str),
        filter.action.as_deref(),
        filter.since.map(UnixTime::millis),
        i64::from(filter.most),
    )?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
