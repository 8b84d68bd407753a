//! The `master_key` and `retired_master_keys` tables: which master key is in force, by name, and the two ways to another one: every
//! key sealed anew, or every key dead. Each happens as a whole or not at all.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit, feed_head, signing_keys};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::Target;
use crate::domain::ids::{KeyId, Tick};
use crate::domain::signing_key::SigningKey;

/// What the database says about master keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MasterKeys {
    /// The name of the one in force; none before the first start has written it down.
    pub in_force: Option<String>,
    /// Those that were in force before, the oldest first.
    pub retired: Vec<RetiredMasterKey>,
}

/// A master key that was in force before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredMasterKey {
    /// Its name.
    pub id: String,
    /// Since when.
    pub retired_at: UnixTime,
    /// The key that it derived refresh tokens' successors by, sealed under the master key in force; none once nobody can ask.
    pub sealed_refresh_key: Option<String>,
}

/// From one master key to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The one that must still be in force.
    pub from: String,
    /// The one that will be.
    pub to: String,
}

/// Every signing key sealed anew.
#[derive(Debug, Clone)]
pub struct Resealing {
    /// Under which master keys.
    pub succession: Succession,
    /// Each unrevoked key as it was read, and as it will be.
    pub keys: Vec<(SigningKey, SigningKey)>,
    /// What is still needed of those retired, the one that retires now among them: name and sealed key.
    pub refresh_keys: Vec<(String, String)>,
    /// Now.
    pub now: UnixTime,
}

/// Every signing key dead, and one to sign in their stead.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Under which master keys.
    pub succession: Succession,
    /// The new key, sealed under the new master key.
    pub key: SigningKey,
    /// Now.
    pub now: UnixTime,
}

/// What a replacement killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The keys.
    pub dead: Vec<KeyId>,
    /// The tick of their cut-off.
    pub tick: Tick,
}

#[derive(sqlx::FromRow)]
struct RetiredRow {
    master_key_id: String,
    retired_at: i64,
    sealed_refresh_key: Option<String>,
}

/// What the database says.
pub async fn read(conn: &mut Conn<'_>) -> Result<MasterKeys, StoreError> {
    let in_force = in_force(conn).await?;
    let rows = sql!(
        conn,
        all as RetiredRow,
        "SELECT master_key_id, retired_at, sealed_refresh_key FROM retired_master_keys ORDER BY retired_at, master_key_id",
    )?;
    let retired = rows.into_iter().map(|row| RetiredMasterKey {
        id: row.master_key_id,
        retired_at: UnixTime::from_millis(row.retired_at),
        sealed_refresh_key: row.sealed_refresh_key,
    });
    Ok(MasterKeys { in_force, retired: retired.collect() })
}

/// Writes down which master key is in force, unless that is known.
pub async fn begin(db: &Db, id: String) -> Result<(), StoreError> {
    db.write(id, |tx, id| {
        async move {
            sql!(
                tx,
                execute,
                "INSERT INTO master_key (id, master_key_id) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
                id.as_str(),
            )
            .map(drop)
        }
        .boxed()
    })
    .await
}

/// Puts another master key in force, with every living key sealed under it; `false`, with nothing changed, when the keys or the
/// master key are no longer what was read.
pub async fn reseal(db: &Db, resealing: Resealing) -> Result<bool, StoreError> {
    let written = db.write(resealing, |tx, resealing| async move { reseal_in(tx, resealing).await }.boxed()).await;
    unless_superseded(written).map(|done| done.is_some())
}

async fn reseal_in(tx: &mut Tx<'_>, resealing: &Resealing) -> Result<(), StoreError> {
    let Resealing { succession, keys, refresh_keys, now } = resealing;
    demand(is_in_force(tx, &succession.from).await?)?;
    let living = signing_keys::all(tx).await?.into_iter().filter(|key| !key.is_revoked());
    demand(living.eq(keys.iter().map(|(read, _)| read.clone())))?;
    for (read, sealed) in keys {
        demand(signing_keys::set_seal(tx, read, sealed).await?)?;
    }
    succeed(tx, succession, *now).await?;
    for (id, sealed) in refresh_keys {
        sql!(
            tx,
            execute,
            "UPDATE retired_master_keys SET sealed_refresh_key = $2 WHERE master_key_id = $1",
            id.as_str(),
            sealed.as_str(),
        )?;
    }
    tell(tx, succession, *now).await
}

/// Puts another master key and a single new signing key in force: every other key is dead, and what a stolen master key derived is
/// worth nothing. `None`, with nothing changed, when another process was faster.
pub async fn replace(db: &Db, replacement: Replacement) -> Result<Option<Replaced>, StoreError> {
    unless_superseded(db.write(replacement, |tx, it| async move { replace_in(tx, it).await }.boxed()).await)
}

async fn replace_in(tx: &mut Tx<'_>, replacement: &Replacement) -> Result<Replaced, StoreError> {
    let Replacement { succession, key, now } = replacement;
    demand(is_in_force(tx, &succession.from).await?)?;
    let mut dead = Vec::new();
    for living in signing_keys::all(tx).await?.into_iter().filter(|key| !key.is_revoked()) {
        demand(signing_keys::revoke(tx, &living.kid, *now).await?)?;
        dead.push(living.kid);
    }
    succeed(tx, succession, *now).await?;
    sql!(tx, execute, "UPDATE retired_master_keys SET sealed_refresh_key = NULL")?;
    demand(signing_keys::insert(tx, key).await?)?;
    let targets: Vec<Target> = dead.iter().cloned().map(Target::Key).collect();
    let tick = feed_head::raise(tx, *now, &targets).await?;
    for kid in &dead {
        audit::append(tx, &Event::done(Action::KeyRevoke).saying(kid.as_str()).at(tick), *now).await?;
    }
    audit::append(tx, &Event::done(Action::KeyRotate).saying(key.kid.as_str()), *now).await?;
    tell(tx, succession, *now).await?;
    Ok(Replaced { dead, tick })
}

/// Whether this master key is in force or none is written down; for the rest of the transaction, no other comes into force.
pub(super) async fn is_in_force(tx: &mut Tx<'_>, id: &str) -> Result<bool, StoreError> {
    sql!(tx, execute, "UPDATE master_key SET master_key_id = master_key_id WHERE id = 1")?;
    Ok(in_force(tx).await?.is_none_or(|in_force| in_force == id))
}

async fn in_force(conn: &mut Conn<'_>) -> Result<Option<String>, StoreError> {
    let row = sql!(conn, optional as (String,), "SELECT master_key_id FROM master_key WHERE id = 1")?;
    Ok(row.map(|(id,)| id))
}

async fn succeed(tx: &mut Tx<'_>, succession: &Succession, now: UnixTime) -> Result<(), StoreError> {
    let Succession { from, to } = succession;
    let succeeded =
        sql!(tx, execute, "UPDATE master_key SET master_key_id = $2 WHERE master_key_id = $1", from.as_str(), to.as_str())?;
    demand(succeeded == 1)?;
    let retired = sql!(
        tx,
        execute,
        "INSERT INTO retired_master_keys (master_key_id, retired_at) VALUES ($1, $2) ON CONFLICT (master_key_id) DO NOTHING",
        from.as_str(),
        now.millis(),
    )?;
    demand(retired == 1)
}

async fn tell(tx: &mut Tx<'_>, Succession { from, to }: &Succession, now: UnixTime) -> Result<(), StoreError> {
    audit::append(tx, &Event::done(Action::MasterKeyRotate).saying(format!("{from}, now {to}")), now).await
}

/// Rolls everything back where the world is no longer what was read.
fn demand(so: bool) -> Result<(), StoreError> {
    if so { Ok(()) } else { Err(StoreError::Superseded) }
}

fn unless_superseded<T>(written: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match written {
        Ok(done) => Ok(Some(done)),
        Err(StoreError::Superseded) => Ok(None),
        Err(fault) => Err(fault),
    }
}
