//! The `clients` and `client_secrets` tables.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit, evidence, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::client::{Client, ClientOrigin};
use crate::domain::cutoff::{Evidence, Target};
use crate::domain::ids::{ClientId, Tick};
use crate::domain::reconciliation::differing_keys;
use crate::secret::TokenHash;

/// A client with what authenticates it and the tick that was read with both.
#[derive(Debug, Clone)]
pub struct ClientRecord {
    /// The registration.
    pub client: Client,
    /// The hashes of its live secrets.
    pub secrets: Vec<TokenHash>,
    /// How it stands, and the tick to stamp with.
    pub evidence: Evidence,
}

/// A client as somebody wants it to be.
#[derive(Debug, Clone)]
pub struct DeclaredClient {
    /// The registration.
    pub client: Client,
    /// The hashes of its secrets.
    pub secrets: Vec<TokenHash>,
}

/// What reconciliation did, or why it did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciled {
    /// Applied as a whole.
    Applied {
        /// Clients that were new.
        created: Vec<ClientId>,
        /// Clients that had changed.
        updated: Vec<ClientId>,
        /// Clients of this origin that nobody declares any more: left alone, or removed where that was asked for.
        undeclared: Vec<ClientId>,
    },
    /// This client's id is the `sub` of a user, whose tokens it could pass off as its own; nothing was applied.
    IsAUser(ClientId),
    /// This client belongs to another origin; nothing was applied.
    BelongsTo(ClientId, ClientOrigin),
}

#[derive(sqlx::FromRow)]
struct ClientRow {
    tick: i64,
    issuer_cutoff: i64,
    registration: String,
    cutoff: i64,
    disabled_at: Option<i64>,
    secret_hash: Option<String>,
    secret_expires_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct RegistrationRow {
    registration: String,
}

pub(super) fn parse(registration: &str) -> Result<Client, StoreError> {
    serde_json::from_str(registration).map_err(|why| StoreError::impossible("clients", why))
}

pub(super) fn print(client: &Client) -> Result<String, StoreError> {
    serde_json::to_string(client).map_err(|why| StoreError::impossible("clients", why))
}

/// The client of this id with its live secrets, how it stands, and the tick: one statement.
pub async fn find(conn: &mut Conn<'_>, id: &ClientId, now: UnixTime) -> Result<Option<ClientRecord>, StoreError> {
    let rows = sql!(
        conn,
        all as ClientRow,
        "SELECT h.tick, h.issuer_cutoff, c.registration, c.cutoff, c.disabled_at, s.secret_hash,
                s.expires_at AS secret_expires_at
         FROM feed_head h JOIN clients c ON c.id = $1 LEFT JOIN client_secrets s ON s.client_id = c.id WHERE h.id = 1",
        id.as_str(),
    )?;
    let Some(first) = rows.first() else { return Ok(None) };
    let evidence = Evidence {
        client: evidence::cut_off(true, Some(first.cutoff), first.disabled_at),
        ..Evidence::of_issuer(Tick::new(first.tick), Tick::new(first.issuer_cutoff))
    };
    let client = parse(&first.registration)?;
    let live = |row: &ClientRow| row.secret_expires_at.is_none_or(|end| now.millis() < end);
    let secrets = rows.into_iter().filter(live).filter_map(|row| row.secret_hash).map(TokenHash::from_stored).collect();
    Ok(Some(ClientRecord { client, secrets, evidence }))
}

/// Every client, by id.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<Client>, StoreError> {
    let rows = sql!(conn, all as RegistrationRow, "SELECT registration FROM clients ORDER BY id")?;
    rows.iter().map(|row| parse(&row.registration)).collect()
}

/// What becomes of the clients of an origin that nobody declares any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// They stay as they are.
    Keep,
    /// They go, and with them all that they had.
    Remove,
}

/// Registers a client; `None` when the id is taken, by a client or as the `sub` of a user. Its cut-off is the tick of its creation, so that nothing an earlier client of
/// the same id had comes alive.
pub async fn create(db: &Db, declared: DeclaredClient, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    register(db, declared, None, now).await
}

/// Registers a client whose secrets end at this time.
pub async fn create_until(
    db: &Db,
    declared: DeclaredClient,
    secrets_end: UnixTime,
    now: UnixTime,
) -> Result<Option<Tick>, StoreError> {
    register(db, declared, Some(secrets_end), now).await
}

async fn register(
    db: &Db,
    declared: DeclaredClient,
    secrets_end: Option<UnixTime>,
    now: UnixTime,
) -> Result<Option<Tick>, StoreError> {
    let registration = print(&declared.client)?;
    db.write((declared, registration, secrets_end, now), |tx, (declared, registration, secrets_end, now)| {
        async move {
            let id = &declared.client.id;
            if is_a_user(tx, id).await? || !insert(tx, declared, registration, *now).await? {
                return Ok(None);
            }
            if let Some(end) = secrets_end {
                sql!(tx, execute, "UPDATE client_secrets SET expires_at = $2 WHERE client_id = $1", id.as_str(), end.millis(),)?;
            }
            let about = std::slice::from_ref(id);
            let tick = cut_off(tx, about, &[], *now).await?;
            tell(tx, (Action::ClientCreate, tick), about, *now).await?;
            Ok(tick)
        }
        .boxed()
    })
    .await
}

/// Makes the clients of one origin what is declared: in one transaction, all or nothing.
pub async fn reconcile(
    db: &Db,
    origin: ClientOrigin,
    declared: Vec<DeclaredClient>,
    now: UnixTime,
) -> Result<Reconciled, StoreError> {
    reconcile_with(db, (origin, Undeclared::Keep), declared, now).await
}

/// The same, with a say in what becomes of those that are no longer declared.
pub async fn reconcile_with(
    db: &Db,
    (origin, undeclared): (ClientOrigin, Undeclared),
    declared: Vec<DeclaredClient>,
    now: UnixTime,
) -> Result<Reconciled, StoreError> {
    let declared: Vec<(DeclaredClient, String)> =
        declared.into_iter().map(|one| print(&one.client).map(|registration| (one, registration))).collect::<Result<_, _>>()?;
    let wanted = Arc::new((origin, undeclared, declared, now));
    loop {
        let reconciled = db
            .write(Arc::clone(&wanted), |tx, wanted| {
                let (origin, undeclared, declared, now) = wanted.as_ref();
                async move { reconcile_in(tx, (*origin, *undeclared), declared, *now).await }.boxed()
            })
            .await;
        match reconciled {
            // The list was too old. Each time it has grown by one of the declared, so this ends.
            Err(StoreError::Superseded) => {}
            outcome => return outcome,
        }
    }
}

async fn reconcile_in(
    tx: &mut Tx<'_>,
    (origin, of_undeclared): (ClientOrigin, Undeclared),
    declared: &[(DeclaredClient, String)],
    now: UnixTime,
) -> Result<Reconciled, StoreError> {
    let present = list(tx).await?;
    let find = |id: &ClientId| present.iter().find(|known| known.id == *id);
    if let Some(foreign) = declared.iter().filter_map(|(one, _)| find(&one.client.id)).find(|known| known.origin != origin) {
        return Ok(Reconciled::BelongsTo(foreign.id.clone(), foreign.origin));
    }
    for (one, _) in declared.iter().filter(|(one, _)| find(&one.client.id).is_none()) {
        if is_a_user(tx, &one.client.id).await? {
            return Ok(Reconciled::IsAUser(one.client.id.clone()));
        }
    }
    let (mut created, mut updated, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (one, registration) in declared {
        let id = &one.client.id;
        if insert(tx, one, registration, now).await? {
            created.push(id.clone());
        } else if find(id).is_none() && !created.contains(id) {
            // Somebody registered it after the list was read, perhaps for another origin.
            return Err(StoreError::Superseded);
        } else {
            let changed = update(tx, one, registration, now).await?;
            if changed.anything() {
                let mut keys =
                    find(id).filter(|_| changed.registration).map(|old| differing_keys(old, &one.client)).unwrap_or_default();
                keys.extend(changed.secrets.then(|| "secret".to_owned()));
                told.push(Event::changed(Action::ClientUpdate, &keys).of_client(id));
                updated.push(id.clone());
            }
        }
    }
    let mut undeclared: Vec<ClientId> = present
        .iter()
        .filter(|known| known.origin == origin && declared.iter().all(|(one, _)| one.client.id != known.id))
        .map(|known| known.id.clone())
        .collect();
    let mut removed: &[ClientId] = &[];
    if of_undeclared == Undeclared::Remove {
        undeclared = remove(tx, origin, undeclared).await?;
        removed = &undeclared;
    }
    let tick = cut_off(tx, &created, removed, now).await?;
    tell(tx, (Action::ClientRemove, tick), removed, now).await?;
    tell(tx, (Action::ClientCreate, tick), &created, now).await?;
    for event in &told {
        audit::append(tx, event, now).await?;
    }
    Ok(Reconciled::Applied { created, updated, undeclared })
}

/// Deletes clients of this origin with their secrets; those that were still there.
async fn remove(tx: &mut Tx<'_>, origin: ClientOrigin, clients: Vec<ClientId>) -> Result<Vec<ClientId>, StoreError> {
    let mut removed = Vec::new();
    for id in clients {
        let gone = sql!(tx, execute, "DELETE FROM clients WHERE id = $1 AND origin = $2", id.as_str(), origin.as_str())?;
        if gone == 1 {
            removed.push(id);
        }
    }
    Ok(removed)
}

/// Whether the id is a user's `sub`. A token of such a client's own would read as the user's (RFC 9068, section 5).
async fn is_a_user(tx: &mut Tx<'_>, id: &ClientId) -> Result<bool, StoreError> {
    Ok(sql!(tx, optional as (String,), "SELECT id FROM users WHERE id = $1", id.as_str())?.is_some())
}

async fn tell(
    tx: &mut Tx<'_>,
    (action, tick): (Action, Option<Tick>),
    about: &[ClientId],
    now: UnixTime,
) -> Result<(), StoreError> {
    for id in about {
        audit::append(tx, &Event { tick, ..Event::done(action).of_client(id) }, now).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx<'_>, one: &DeclaredClient, registration: &str, now: UnixTime) -> Result<bool, StoreError> {
    let inserted = sql!(
        tx,
        execute,
        "INSERT INTO clients (id, origin, registration, created_at, updated_at, cutoff) VALUES ($1, $2, $3, $4, $4, 0)
         ON CONFLICT (id) DO NOTHING",
        one.client.id.as_str(),
        one.client.origin.as_str(),
        registration,
        now.millis(),
    )?;
    if inserted == 1 {
        set_secrets(tx, one, now).await?;
    }
    Ok(inserted == 1)
}

/// What an update changed.
struct Changed {
    registration: bool,
    secrets: bool,
}

impl Changed {
    fn anything(&self) -> bool {
        self.registration || self.secrets
    }
}

/// Updates a client of the same origin.
async fn update(tx: &mut Tx<'_>, one: &DeclaredClient, registration: &str, now: UnixTime) -> Result<Changed, StoreError> {
    let changed = sql!(
        tx,
        execute,
        "UPDATE clients SET registration = $3, updated_at = $4 WHERE id = $1 AND origin = $2 AND registration <> $3",
        one.client.id.as_str(),
        one.client.origin.as_str(),
        registration,
        now.millis(),
    )?;
    Ok(Changed { registration: changed == 1, secrets: set_secrets(tx, one, now).await? })
}

/// Makes the declared secrets the only ones; whether anything changed.
async fn set_secrets(tx: &mut Tx<'_>, one: &DeclaredClient, now: UnixTime) -> Result<bool, StoreError> {
    let id = one.client.id.as_str();
    let held = sql!(tx, all as (String,), "SELECT secret_hash FROM client_secrets WHERE client_id = $1", id)?;
    let mut changed = false;
    for (stale,) in held.iter().filter(|(held,)| one.secrets.iter().all(|wanted| wanted.as_str() != held)) {
        let deleted =
            sql!(tx, execute, "DELETE FROM client_secrets WHERE client_id = $1 AND secret_hash = $2", id, stale.as_str(),)?;
        changed |= deleted == 1;
    }
    for wanted in &one.secrets {
        let added = sql!(
            tx,
            execute,
            "INSERT INTO client_secrets (client_id, secret_hash, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (client_id, secret_hash) DO NOTHING",
            id,
            wanted.as_str(),
            now.millis(),
        )?;
        changed |= added == 1;
    }
    Ok(changed)
}

/// Cuts off what clients of these ids had, and notes it with those that have just come into being.
async fn cut_off(tx: &mut Tx<'_>, created: &[ClientId], removed: &[ClientId], now: UnixTime) -> Result<Option<Tick>, StoreError> {
    if created.is_empty() && removed.is_empty() {
        return Ok(None);
    }
    let targets: Vec<Target> = created.iter().chain(removed).cloned().map(Target::Client).collect();
    let tick = feed_head::raise(tx, now, &targets).await?;
    for id in created {
        sql!(tx, execute, "UPDATE clients SET cutoff = $2 WHERE id = $1", id.as_str(), tick.get())?;
    }
    Ok(Some(tick))
}
