//! Rotation of the signing keys: what the rules ask for, made and written, by whoever comes first.

use std::sync::Arc;

use super::App;
use crate::domain::ids::KeyId;
use crate::domain::signing_key::{self, NewKey, Rotation, SigningKey};
use crate::keys::{FreshKey, KeyError};
use crate::store::StoreError;
use crate::store::signing_keys::{self, KeyChange};

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
const ATTEMPTS: usize = 5;

/// Plans the successor when its time has come, and loads what others planned. Running it at any time, anywhere, does no harm.
pub async fn plan(app: &App) -> Result<(), RotationError> {
    let now = app.now();
    change(app, |rows| Some((signing_key::plan(rows, now, app.keys.policy()), vec![]))).await.map(drop)
}

/// Lets the successor sign as soon as every verifier can know it; whether anything changed.
pub async fn rotate_now(app: &App) -> Result<bool, RotationError> {
    let now = app.now();
    change(app, |rows| Some((signing_key::rotate_now(rows, now, app.keys.policy()), vec![]))).await
}

/// Revokes a key: out of the JWKS at once, and its successor signs from now. `false` when there is no such live key.
pub async fn revoke(app: &App, kid: &KeyId) -> Result<bool, RotationError> {
    let now = app.now();
    change(app, |rows| {
        let mut rows = rows.to_vec();
        let key = rows.iter_mut().find(|key| key.kid == *kid && key.revoked_at.is_none())?;
        key.revoked_at = Some(now);
        Some((signing_key::after_revocation(&rows, now, app.keys.policy()), vec![kid.clone()]))
    })
    .await
}

/// Reads the rows, asks what should change, makes the key that is asked for, writes it all or nothing, and loads the outcome.
async fn change(app: &App, decide: impl Fn(&[SigningKey]) -> Option<(Rotation, Vec<KeyId>)>) -> Result<bool, RotationError> {
    for _ in 0..ATTEMPTS {
        let rows = read(app).await?;
        let Some((rotation, revoke)) = decide(&rows) else { return Ok(false) };
        if rotation.is_nothing() && revoke.is_empty() {
            load(app, rows)?;
            return Ok(false);
        }
        let insert = match rotation.new_key {
            Some(new) => Some(make(app, new).await?),
            None => None,
        };
        let change = KeyChange { revoke, reschedules: rotation.reschedules, insert };
        if signing_keys::apply(&app.db, change, app.now()).await? {
            tracing::info!("the signing keys have changed");
            load(app, read(app).await?)?;
            return Ok(true);
        }
    }
    Err(RotationError::Contended)
}

/// Loads the rows into the ring if they are not what it holds; how a running server notices another's change.
pub async fn reload(app: &App) -> Result<(), RotationError> {
    load(app, read(app).await?)
}

fn load(app: &App, rows: Vec<SigningKey>) -> Result<(), RotationError> {
    if !app.keys.is_current(&rows) {
        app.keys.replace(rows)?;
    }
    Ok(())
}

async fn read(app: &App) -> Result<Vec<SigningKey>, StoreError> {
    let mut reader = app.db.reader().await?;
    signing_keys::all(&mut reader.conn()).await
}

async fn make(app: &App, new: NewKey) -> Result<SigningKey, RotationError> {
    let generator = Arc::clone(&app.generator);
    let fresh = tokio::task::spawn_blocking(move || generator.generate());
    let fresh: FreshKey = fresh.await.map_err(|fault| KeyError::Generate(fault.to_string()))??;
    Ok(fresh.into_row(new, app.keys.master())?)
}
