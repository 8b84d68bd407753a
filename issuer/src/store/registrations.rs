//! The `clients` table as whoever administers the issuer sees it, and the changes that are made by command. A registration is
//! changed by its own origin alone; switching a client off and on is open to every one.

use std::collections::BTreeMap;

use futures_util::FutureExt;

use super::clients::{parse, print};
use super::{Conn, Db, StoreError, Tx, audit, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::client::{Client, ClientOrigin};
use crate::domain::cutoff::Target;
use crate::domain::ids::{ClientId, Tick};
use crate::domain::reconciliation::differing_keys;
use crate::secret::TokenHash;

/// A client with what stands around its registration.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The registration.
    pub client: Client,
    /// Which state of the registration this is.
    pub revision: Revision,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it last changed.
    pub updated_at: UnixTime,
    /// Since when it may do nothing.
    pub disabled_at: Option<UnixTime>,
    /// Its secrets, the oldest first; expired ones too, until they are swept.
    pub secrets: Vec<StoredSecret>,
}

/// One state of a registration: a change says which one it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

/// What rests of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its hash.
    pub hash: TokenHash,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it stops working.
    pub expires_at: Option<UnixTime>,
}

/// Another registration in place of the one that was read.
#[derive(Debug, Clone)]
pub struct Update {
    /// The new one.
    pub client: Client,
    /// What it replaces.
    pub replaces: Revision,
    /// A secret, where the client gets its first.
    pub secret: Option<TokenHash>,
    /// Now.
    pub now: UnixTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    registration: String,
    created_at: i64,
    updated_at: i64,
    disabled_at: Option<i64>,
    secret_hash: Option<String>,
    secret_created_at: Option<i64>,
    secret_expires_at: Option<i64>,
}

/// Every client, by id.
pub async fn all(conn: &mut Conn<'_>) -> Result<Vec<Registered>, StoreError> {
    read(conn, None).await
}

/// The client of this id.
pub async fn find(conn: &mut Conn<'_>, id: &ClientId) -> Result<Option<Registered>, StoreError> {
    Ok(read(conn, Some(id)).await?.pop())
}

async fn read(conn: &mut Conn<'_>, id: Option<&ClientId>) -> Result<Vec<Registered>, StoreError> {
    let rows = sql!(
        conn,
        all as Row,
        "SELECT c.id, c.registration, c.created_at, c.updated_at, c.disabled_at, s.secret_hash,
                s.created_at AS secret_created_at, s.expires_at AS secret_expires_at
         FROM clients c LEFT JOIN client_secrets s ON s.client_id = c.id
         WHERE CAST($1 AS TEXT) IS NULL OR c.id = $1 ORDER BY c.id, s.created_at, s.secret_hash",
        id.map(ClientId::as_str),
    )?;
    let mut found: BTreeMap<String, Registered> = BTreeMap::new();
    for row in rows {
        let secret = row.secret_hash.zip(row.secret_created_at).map(|(hash, created_at)| StoredSecret {
            hash: TokenHash::from_stored(hash),
            created_at: UnixTime::from_millis(created_at),
            expires_at: row.secret_expires_at.map(UnixTime::from_millis),
        });
        if let Some(known) = found.get_mut(&row.id) {
            known.secrets.extend(secret);
            continue;
        }
        let one = Registered {
            client: parse(&row.registration)?,
            revision: Revision(row.registration),
            created_at: UnixTime::from_millis(row.created_at),
            updated_at: UnixTime::from_millis(row.updated_at),
            disabled_at: row.disabled_at.map(UnixTime::from_millis),
            secrets: secret.into_iter().collect(),
        };
        found.insert(row.id, one);
    }
    Ok(found.into_values().collect())
}

/// Changes a registration that was made by command; `false` when it is another one by now. A client that has become public keeps no
/// secret. What it may no longer do is refused from its next request on.
pub async fn update(db: &Db, update: Update) -> Result<bool, StoreError> {
    let registration = print(&update.client)?;
    db.write((update, registration), |tx, (update, registration)| {
        async move {
            let id = &update.client.id;
            let changed = sql!(
                tx,
                execute,
                "UPDATE clients SET registration = $2, updated_at = $3
                 WHERE id = $1 AND registration = $4 AND origin = 'command_line'",
                id.as_str(),
                registration.as_str(),
                update.now.millis(),
                update.replaces.0.as_str(),
            )?;
            if changed == 0 {
                return Ok(false);
            }
            if update.client.is_public() {
                sql!(tx, execute, "DELETE FROM client_secrets WHERE client_id = $1", id.as_str())?;
            }
            if let Some(secret) = &update.secret {
                sql!(
                    tx,
                    execute,
                    "INSERT INTO client_secrets (client_id, secret_hash, created_at) VALUES ($1, $2, $3)",
                    id.as_str(),
                    secret.as_str(),
                    update.now.millis(),
                )?;
            }
            let mut keys = differing_keys(&parse(&update.replaces.0)?, &update.client);
            keys.extend(update.secret.as_ref().map(|_| "secret".to_owned()));
            audit::append(tx, &Event::changed(Action::ClientUpdate, &keys).of_client(id), update.now).await?;
            Ok(true)
        }
        .boxed()
    })
    .await
}

/// Removes a client of this origin with its secrets, and cuts off what it had; `None` when there is none.
pub async fn remove(db: &Db, id: ClientId, origin: ClientOrigin, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((id, origin, now), |tx, (id, origin, now)| {
        async move {
            let gone = sql!(tx, execute, "DELETE FROM clients WHERE id = $1 AND origin = $2", id.as_str(), origin.as_str())?;
            if gone == 0 {
                return Ok(None);
            }
            let tick = feed_head::raise(tx, *now, &[Target::Client(id.clone())]).await?;
            audit::append(tx, &Event::done(Action::ClientRemove).of_client(id).at(tick), *now).await?;
            Ok(Some(tick))
        }
        .boxed()
    })
    .await
}

/// Switches a client off, whatever its origin, and cuts off what it had; `None` when it was off, or is not there.
pub async fn disable(db: &Db, id: ClientId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((id, now), |tx, (id, now)| {
        async move {
            let disabled = sql!(
                tx,
                execute,
                "UPDATE clients SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL",
                id.as_str(),
                now.millis(),
            )?;
            if disabled == 0 {
                return Ok(None);
            }
            let tick = cut_off(tx, id, *now).await?;
            audit::append(tx, &Event::done(Action::ClientDisable).of_client(id).at(tick), *now).await?;
            Ok(Some(tick))
        }
        .boxed()
    })
    .await
}

/// Switches a client on again; what it had before stays dead. `false` when it was on, or is not there.
pub async fn enable(db: &Db, id: ClientId, now: UnixTime) -> Result<bool, StoreError> {
    db.write((id, now), |tx, (id, now)| {
        async move {
            let enabled = sql!(
                tx,
                execute,
                "UPDATE clients SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
                id.as_str(),
            )?;
            if enabled == 1 {
                audit::append(tx, &Event::done(Action::ClientEnable).of_client(id), *now).await?;
            }
            Ok(enabled == 1)
        }
        .boxed()
    })
    .await
}

/// Cuts off what a client had; its row has been locked before.
pub(super) async fn cut_off(tx: &mut Tx<'_>, id: &ClientId, now: UnixTime) -> Result<Tick, StoreError> {
    let tick = feed_head::raise(tx, now, &[Target::Client(id.clone())]).await?;
    sql!(tx, execute, "UPDATE clients SET cutoff = $2 WHERE id = $1", id.as_str(), tick.get())?;
    Ok(tick)
}
