//! From one master key to the next: every signing key sealed anew while all that was signed lives on, or, where the old one is stolen,
//! every signing key dead. At every moment the database holds what the master key that it names opens.

use super::App;
use super::rotation::{ATTEMPTS, RotationError, load, make, read, reload};
use crate::domain::signing_key::{self, SigningKey};
use crate::keys::{KeyError, MasterKey, seal};
use crate::store::master_keys::{self, Replaced, Replacement, Resealing, Succession};

/// Puts a master key in force and seals every signing key under it; `false` when it was in force before. What successors of refresh
/// tokens are derived by is kept for the retries that are still to come.
pub async fn reseal(app: &App, to: &MasterKey) -> Result<bool, RotationError> {
    for _ in 0..ATTEMPTS {
        let seen = read(&app.db).await?;
        load(app, &seen).await?;
        let from = app.masters.in_force();
        if from.id() == to.id() {
            return Ok(false);
        }
        let living = seen.rows.into_iter().filter(|row| !row.is_revoked());
        let keys = living.map(|row| sealed_anew(app, row, to)).collect::<Result<Vec<_>, _>>()?;
        let refresh_keys = app.masters.all_refresh().into_iter();
        let refresh_keys = refresh_keys.map(|(id, key)| seal::seal_refresh_key(&key, &id, to).map(|sealed| (id, sealed)));
        let resealing = Resealing {
            succession: Succession { from: from.id().to_owned(), to: to.id().to_owned() },
            keys,
            refresh_keys: refresh_keys.collect::<Result<_, _>>()?,
            now: app.now(),
        };
        if master_keys::reseal(&app.db, resealing).await? {
            reload(app).await?;
            return Ok(true);
        }
    }
    Err(RotationError::Contended)
}

fn sealed_anew(app: &App, row: SigningKey, to: &MasterKey) -> Result<(SigningKey, SigningKey), KeyError> {
    let known = app.masters.known();
    let under = known.iter().find(|master| master.id() == row.master_key_id).unwrap_or(to);
    let sealed = seal::reseal(&row, under, to)?;
    Ok((row, sealed))
}

/// Revokes every signing key and puts a new one, sealed under this new master key, in their stead: it signs at once.
pub async fn replace(app: &App, to: &MasterKey) -> Result<Replaced, RotationError> {
    for _ in 0..ATTEMPTS {
        let (seen, now) = (read(&app.db).await?, app.now());
        let dead = seen.rows.into_iter().map(|row| SigningKey { revoked_at: row.revoked_at.or(Some(now)), ..row });
        let planned = signing_key::plan(&dead.collect::<Vec<_>>(), now, app.keys.policy()).new_key.ok_or(KeyError::NoSigner)?;
        let from = seen.masters.in_force.unwrap_or_else(|| app.masters.in_force().id().to_owned());
        let succession = Succession { from, to: to.id().to_owned() };
        let replacement = Replacement { succession, key: make(app, planned, to).await?, now };
        if let Some(replaced) = master_keys::replace(&app.db, replacement).await? {
            reload(app).await?;
            return Ok(replaced);
        }
    }
    Err(RotationError::Contended)
}
