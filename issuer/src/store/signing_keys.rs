//! The `signing_keys` table: schedules, added by epoch and changed by compare-and-set, so that any number of planners may try.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit, feed_head, master_keys};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::Target;
use crate::domain::ids::{KeyId, Tick};
use crate::domain::signing_key::{Reschedule, Schedule, SigningKey};

/// A change of the table, made as a whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// The keys that die.
    pub revoke: Vec<KeyId>,
    /// Schedules that move, each from what the planner saw.
    pub reschedules: Vec<Reschedule>,
    /// The key that comes, with an epoch nobody else may have taken.
    pub insert: Option<SigningKey>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was made; the tick of the cut-off, where keys died.
    Done(Option<Tick>),
    /// Another process was faster with a part of it, or put another master key in force; nothing changed.
    TooLate,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    kid: String,
    epoch: i64,
    public_jwk: String,
    sealed_private_key: String,
    master_key_id: String,
    published_from: i64,
    signs_from: i64,
    signs_until: i64,
    published_until: i64,
    revoked_at: Option<i64>,
}

impl From<KeyRow> for SigningKey {
    fn from(row: KeyRow) -> Self {
        Self {
            kid: KeyId::new(row.kid),
            epoch: row.epoch,
            schedule: Schedule {
                published_from: UnixTime::from_millis(row.published_from),
                signs_from: UnixTime::from_millis(row.signs_from),
                signs_until: UnixTime::from_millis(row.signs_until),
                published_until: UnixTime::from_millis(row.published_until),
            },
            revoked_at: row.revoked_at.map(UnixTime::from_millis),
            public_jwk: row.public_jwk,
            sealed_private_key: row.sealed_private_key,
            master_key_id: row.master_key_id,
        }
    }
}

/// Every key, by epoch.
pub async fn all(conn: &mut Conn<'_>) -> Result<Vec<SigningKey>, StoreError> {
    let rows = sql!(
        conn,
        all as KeyRow,
        "SELECT kid, epoch, public_jwk, sealed_private_key, master_key_id, published_from, signs_from, signs_until,
                published_until, revoked_at
         FROM signing_keys ORDER BY epoch",
    )?;
    Ok(rows.into_iter().map(SigningKey::from).collect())
}

/// Applies a change as a whole or not at all.
pub async fn apply(db: &Db, change: KeyChange, now: UnixTime) -> Result<Applied, StoreError> {
    let applied = db
        .write((change, now), |tx, (change, now)| {
            async move {
                if let Some(key) = &change.insert {
                    // Sealed under another one, it could not be opened by whoever starts next.
                    demand(master_keys::is_in_force(tx, &key.master_key_id).await?)?;
                }
                for kid in &change.revoke {
                    demand(revoke(tx, kid, *now).await?)?;
                }
                for reschedule in &change.reschedules {
                    demand(self::reschedule(tx, reschedule).await?)?;
                }
                if let Some(key) = &change.insert {
                    demand(insert(tx, key).await?)?;
                }
                let mut cut_off = None;
                if !change.revoke.is_empty() {
                    let targets: Vec<Target> = change.revoke.iter().cloned().map(Target::Key).collect();
                    let tick = feed_head::raise(tx, *now, &targets).await?;
                    for kid in &change.revoke {
                        audit::append(tx, &Event::done(Action::KeyRevoke).saying(kid.as_str()).at(tick), *now).await?;
                    }
                    cut_off = Some(tick);
                }
                if let Some(key) = &change.insert {
                    audit::append(tx, &Event::done(Action::KeyRotate).saying(key.kid.as_str()), *now).await?;
                }
                Ok(cut_off)
            }
            .boxed()
        })
        .await;
    match applied {
        Ok(cut_off) => Ok(Applied::Done(cut_off)),
        Err(StoreError::Superseded) => Ok(Applied::TooLate),
        Err(fault) => Err(fault),
    }
}

/// Rolls everything back where a part of a change came too late.
fn demand(done: bool) -> Result<(), StoreError> {
    if done { Ok(()) } else { Err(StoreError::Superseded) }
}

/// Adds a key; `false` when its epoch is taken.
pub async fn insert(tx: &mut Tx<'_>, key: &SigningKey) -> Result<bool, StoreError> {
    let inserted = sql!(
        tx,
        execute,
        "INSERT INTO signing_keys (kid, epoch, public_jwk, sealed_private_key, master_key_id, published_from, signs_from,
                                   signs_until, published_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        key.kid.as_str(),
        key.epoch,
        key.public_jwk.as_str(),
        key.sealed_private_key.as_str(),
        key.master_key_id.as_str(),
        key.schedule.published_from.millis(),
        key.schedule.signs_from.millis(),
        key.schedule.signs_until.millis(),
        key.schedule.published_until.millis(),
    )?;
    Ok(inserted == 1)
}

/// Moves a schedule; `false` when it is no longer what the planner saw.
pub async fn reschedule(tx: &mut Tx<'_>, change: &Reschedule) -> Result<bool, StoreError> {
    let moved = sql!(
        tx,
        execute,
        "UPDATE signing_keys SET published_from = $6, signs_from = $7, signs_until = $8, published_until = $9
         WHERE kid = $1 AND published_from = $2 AND signs_from = $3 AND signs_until = $4 AND published_until = $5
           AND revoked_at IS NULL",
        change.kid.as_str(),
        change.from.published_from.millis(),
        change.from.signs_from.millis(),
        change.from.signs_until.millis(),
        change.from.published_until.millis(),
        change.to.published_from.millis(),
        change.to.signs_from.millis(),
        change.to.signs_until.millis(),
        change.to.published_until.millis(),
    )?;
    Ok(moved == 1)
}

/// Puts a living key under another seal; `false` when its seal is no longer the one that was read.
pub(super) async fn set_seal(tx: &mut Tx<'_>, read: &SigningKey, sealed: &SigningKey) -> Result<bool, StoreError> {
    let set = sql!(
        tx,
        execute,
        "UPDATE signing_keys SET sealed_private_key = $3, master_key_id = $4
         WHERE kid = $1 AND sealed_private_key = $2 AND revoked_at IS NULL",
        read.kid.as_str(),
        read.sealed_private_key.as_str(),
        sealed.sealed_private_key.as_str(),
        sealed.master_key_id.as_str(),
    )?;
    Ok(set == 1)
}

/// Marks a key as dead; `false` when it was before. The caller raises the feed.
pub async fn revoke(tx: &mut Tx<'_>, kid: &KeyId, now: UnixTime) -> Result<bool, StoreError> {
    let revoked = sql!(
        tx,
        execute,
        "UPDATE signing_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL",
        kid.as_str(),
        now.millis(),
    )?;
    Ok(revoked == 1)
}
