//! Rotation of the signing keys: what the rules ask for, made and written, by whoever comes first.

use std::sync::Arc;

use super::App;
use crate::domain::ids::{KeyId, Tick};
use crate::domain::signing_key::{self, NewKey, Rotation, SigningKey};
use crate::keys::{FreshKey, KeyError, MasterKey};
use crate::store::master_keys::{self, MasterKeys};
use crate::store::signing_keys::{self, Applied, KeyChange};
use crate::store::{Db, StoreError};

/// Why a rotation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made or sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Others changed the keys again and again while this process tried.
    #[error("other processes keep changing the keys; try again")]
    Contended,
}

/// How often a change is planned anew when another process was faster.
pub(super) const ATTEMPTS: usize = 5;

/// Plans the successor when its time has come, and loads what others planned. Running it at any time, anywhere, does no harm.
pub async fn plan(app: &App) -> Result<(), RotationError> {
    let now = app.now();
    change(app, |rows| Some((signing_key::plan(rows, now, app.keys.policy()), vec![]))).await.map(drop)
}

/// Lets the successor sign as soon as every verifier can know it; whether anything changed.
pub async fn rotate_now(app: &App) -> Result<bool, RotationError> {
    let now = app.now();
    let changed = change(app, |rows| Some((signing_key::rotate_now(rows, now, app.keys.policy()), vec![]))).await?;
    Ok(changed != Change::Nothing)
}

/// Revokes a key: out of the JWKS at once, and its successor signs from now. The tick of its cut-off; none when there is no such live
/// key.
pub async fn revoke(app: &App, kid: &KeyId) -> Result<Option<Tick>, RotationError> {
    let now = app.now();
    let changed = change(app, |rows| {
        let mut rows = rows.to_vec();
        let key = rows.iter_mut().find(|key| key.kid == *kid && key.revoked_at.is_none())?;
        key.revoked_at = Some(now);
        Some((signing_key::after_revocation(&rows, now, app.keys.policy()), vec![kid.clone()]))
    })
    .await?;
    match changed {
        Change::Done(cut_off) => Ok(cut_off),
        Change::Nothing => Ok(None),
    }
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Done(Option<Tick>),
}

/// Reads the rows, asks what should change, makes the key that is asked for, writes it all or nothing, and loads the outcome.
async fn change(app: &App, decide: impl Fn(&[SigningKey]) -> Option<(Rotation, Vec<KeyId>)>) -> Result<Change, RotationError> {
    for _ in 0..ATTEMPTS {
        let seen = read(&app.db).await?;
        load(app, &seen).await?;
        let Some((rotation, revoke)) = decide(&seen.rows) else { return Ok(Change::Nothing) };
        if rotation.is_nothing() && revoke.is_empty() {
            return Ok(Change::Nothing);
        }
        let insert = match rotation.new_key {
            Some(new) => Some(make(app, new, &app.masters.in_force()).await?),
            None => None,
        };
        let change = KeyChange { revoke, reschedules: rotation.reschedules, insert };
        if let Applied::Done(cut_off) = signing_keys::apply(&app.db, change, app.now()).await? {
            tracing::info!("the signing keys have changed");
            reload(app).await?;
            return Ok(Change::Done(cut_off));
        }
    }
    Err(RotationError::Contended)
}

/// The keys' rows and the master keys' names.
pub(super) struct Seen {
    pub(super) masters: MasterKeys,
    pub(super) rows: Vec<SigningKey>,
}

pub(super) async fn read(db: &Db) -> Result<Seen, StoreError> {
    let mut reader = db.reader().await?;
    let mut conn = reader.conn();
    Ok(Seen { masters: master_keys::read(&mut conn).await?, rows: signing_keys::all(&mut conn).await? })
}

/// Loads the rows into the ring if they are not what it holds, and follows to another master key; how a running server notices
/// another's change.
pub async fn reload(app: &App) -> Result<(), RotationError> {
    load(app, &read(&app.db).await?).await
}

/// What was revoked leaves the ring even where the master key in force is not at hand.
pub(super) async fn load(app: &App, seen: &Seen) -> Result<(), RotationError> {
    let followed = app.masters.follow(&seen.masters, app.clock().monotonic()).await;
    if !app.keys.is_current(&seen.rows) {
        let replaced = app.keys.replace(seen.rows.clone(), &app.masters.known());
        // Why the master key is missing says more than which row it does not open.
        return Ok(followed.and(replaced)?);
    }
    Ok(followed?)
}

/// Makes a key and seals it.
pub(super) async fn make(app: &App, new: NewKey, master: &MasterKey) -> Result<SigningKey, RotationError> {
    let generator = Arc::clone(&app.generator);
    let fresh = tokio::task::spawn_blocking(move || generator.generate());
    let fresh: FreshKey = fresh.await.map_err(|fault| KeyError::Generate(fault.to_string()))??;
    Ok(fresh.into_row(new, master)?)
}
