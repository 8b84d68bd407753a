//! The `audit` table: rows are added in the transaction of the act they tell of, read by the operator, and never changed. The source
//! of an act travels with the database handle: see [`super::Db::by`].

use std::collections::BTreeMap;

use super::{Conn, StoreError, Tx, clients};
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
    actor_username: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    user_id: Option<String>,
    username: Option<String>,
    client_id: Option<String>,
    session_id: Option<String>,
    grant_id: Option<String>,
    detail: Option<String>,
}

impl EntryRow {
    fn entry(self, client_names: &BTreeMap<ClientId, String>) -> Entry {
        Entry {
            actor_username: self.actor_username,
            username: self.username,
            client_name: self.client_id.as_ref().and_then(|id| client_names.get(&ClientId::new(id.clone())).cloned()),
            id: self.id,
            at: UnixTime::from_millis(self.at),
            action: self.action,
            outcome: self.outcome,
            actor_kind: self.actor_kind,
            actor: self.actor,
            address: self.address,
            request_id: self.request_id,
            tick: self.tick,
            user_id: self.user_id,
            client_id: self.client_id,
            session_id: self.session_id,
            grant_id: self.grant_id,
            detail: self.detail,
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

/// The entries that a filter asks for, the newest first, with the names of today beside the ids.
pub async fn list(conn: &mut Conn<'_>, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let rows = sql!(
        conn,
        all as EntryRow,
        "SELECT a.id, a.at, a.tick, a.action, a.outcome, a.actor_kind, a.actor, w.username AS actor_username, a.address,
                a.request_id, a.user_id, u.username, a.client_id, a.session_id, a.grant_id, a.detail
         FROM audit a
         LEFT JOIN users u ON u.id = a.user_id
         LEFT JOIN users w ON a.actor_kind = 'user' AND w.id = a.actor
         WHERE (CAST($1 AS TEXT) IS NULL OR a.user_id = $1 OR (a.actor_kind = 'user' AND a.actor = $1))
           AND (CAST($2 AS TEXT) IS NULL OR a.client_id = $2 OR (a.actor_kind = 'client' AND a.actor = $2))
           AND (CAST($3 AS TEXT) IS NULL OR a.action = $3)
           AND (CAST($4 AS BIGINT) IS NULL OR a.at >= $4)
         ORDER BY a.at DESC, a.id DESC LIMIT $5",
        filter.user.as_ref().map(UserId::as_str),
        filter.client.as_ref().map(ClientId::as_str),
        filter.action.as_deref(),
        filter.since.map(UnixTime::millis),
        i64::from(filter.most),
    )?;
    let client_names = match rows.iter().any(|row| row.client_id.is_some()) {
        true => clients::list(conn).await?.into_iter().map(|client| (client.id.clone(), client.name.clone())).collect(),
        false => BTreeMap::new(),
    };
    Ok(rows.into_iter().map(|row| row.entry(&client_names)).collect())
}
