//! The `client_secrets` table: another secret for a client, beside the old one for a while, or instead of stolen ones at once.

use futures_util::FutureExt;

use super::clients::parse;
use super::{Db, StoreError, Tx, audit, registrations};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::client::ClientOrigin;
use crate::domain::ids::{ClientId, Tick};
use crate::secret::TokenHash;

/// Another secret for a client.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Whose.
    pub client: ClientId,
    /// The new one's hash.
    pub secret: TokenHash,
    /// When the new one stops working.
    pub expires_at: Option<UnixTime>,
    /// What becomes of the old ones.
    pub old: OldSecrets,
    /// Now.
    pub now: UnixTime,
}

/// What becomes of a client's old secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecrets {
    /// The newest works until then, or its own earlier end; any other is gone at once, so that two are alive at most.
    Until(UnixTime),
    /// They are stolen: all are dead, and so is everything that the client had.
    Leaked,
}

/// What a rotation committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// When the secret that worked so far stops working: as was wished, or at its own earlier end. None where none works on.
    pub old_until: Option<UnixTime>,
    /// How many secrets that worked so far do not any more.
    pub ended: usize,
    /// The tick of the cut-off, where the old ones were stolen.
    pub tick: Option<Tick>,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The new secret works.
    Done(Committed),
    /// The secrets are dead, and the new one does not work: it is for the configuration file to hold another.
    DeadInTheFile(Committed),
    /// Only its own origin gives this client another secret.
    BelongsTo(ClientOrigin),
    /// A public client has none.
    Public,
    /// There is no such client.
    Unknown,
}

/// Gives a client another secret.
pub async fn rotate(db: &Db, rotation: Rotation) -> Result<Rotated, StoreError> {
    db.write(rotation, |tx, rotation| async move { rotate_in(tx, rotation).await }.boxed()).await
}

async fn rotate_in(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Rotated, StoreError> {
    let (id, now) = (&rotation.client, rotation.now);
    // The lock: two rotations at once follow each other, and the second sees the first one's secret.
    sql!(tx, execute, "UPDATE clients SET updated_at = updated_at WHERE id = $1", id.as_str())?;
    let row = sql!(tx, optional as (String,), "SELECT registration FROM clients WHERE id = $1", id.as_str())?;
    let Some((registration,)) = row else { return Ok(Rotated::Unknown) };
    let client = parse(&registration)?;
    match (client.origin, rotation.old) {
        _ if client.is_public() => Ok(Rotated::Public),
        (ClientOrigin::CommandLine, OldSecrets::Until(end)) => {
            let committed = keep_the_newest(tx, rotation, end).await?;
            insert(tx, rotation).await?;
            let event = Event::done(Action::SecretRotate).of_client(id).saying(match committed.old_until {
                Some(until) => format!("the old one works until {until}"),
                None => "no old one works".to_owned(),
            });
            audit::append(tx, &event, now).await?;
            Ok(Rotated::Done(committed))
        }
        (origin, OldSecrets::Until(_)) => Ok(Rotated::BelongsTo(origin)),
        (ClientOrigin::File, OldSecrets::Leaked) => {
            let ended = working(tx, rotation).await?.len();
            // Kept as dead: a start with the same file must not bring it back.
            sql!(tx, execute, "UPDATE client_secrets SET expires_at = 0 WHERE client_id = $1", id.as_str())?;
            leak(tx, rotation, ended).await.map(Rotated::DeadInTheFile)
        }
        (ClientOrigin::CommandLine | ClientOrigin::Registration | ClientOrigin::Demo, OldSecrets::Leaked) => {
            let ended = working(tx, rotation).await?.len();
            sql!(tx, execute, "DELETE FROM client_secrets WHERE client_id = $1", id.as_str())?;
            insert(tx, rotation).await?;
            leak(tx, rotation, ended).await.map(Rotated::Done)
        }
    }
}

/// The hashes of the secrets that work before the rotation, the newest first.
async fn working(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Vec<String>, StoreError> {
    let held = sql!(
        tx,
        all as (String,),
        "SELECT secret_hash FROM client_secrets WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)
         ORDER BY created_at DESC, secret_hash",
        rotation.client.as_str(),
        rotation.now.millis(),
    )?;
    Ok(held.into_iter().map(|(hash,)| hash).collect())
}

async fn keep_the_newest(tx: &mut Tx<'_>, rotation: &Rotation, end: UnixTime) -> Result<Committed, StoreError> {
    let id = rotation.client.as_str();
    let held = working(tx, rotation).await?;
    let newest = held.first().map(String::as_str).unwrap_or_default();
    sql!(tx, execute, "DELETE FROM client_secrets WHERE client_id = $1 AND secret_hash <> $2", id, newest)?;
    sql!(
        tx,
        execute,
        "UPDATE client_secrets SET expires_at = $2 WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
        id,
        end.millis(),
    )?;
    let kept = sql!(tx, optional as (Option<i64>,), "SELECT expires_at FROM client_secrets WHERE client_id = $1", id)?;
    let old_until = kept.and_then(|(until,)| until).map(UnixTime::from_millis);
    Ok(Committed { old_until, ended: held.len().saturating_sub(1), tick: None })
}

async fn insert(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "INSERT INTO client_secrets (client_id, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        rotation.client.as_str(),
        rotation.secret.as_str(),
        rotation.now.millis(),
        rotation.expires_at.map(UnixTime::millis),
    )
    .map(drop)
}

async fn leak(tx: &mut Tx<'_>, rotation: &Rotation, ended: usize) -> Result<Committed, StoreError> {
    let (id, now) = (&rotation.client, rotation.now);
    let tick = registrations::cut_off(tx, id, now).await?;
    audit::append(tx, &Event::done(Action::SecretLeak).of_client(id).at(tick), now).await?;
    Ok(Committed { old_until: None, ended, tick: Some(tick) })
}
