//! The `users` table in the hands of whoever administers the issuer: claims, roles and attributes, switching off and on, deleting,
//! and who else administers. The last administrator is never lost by accident.

use futures_util::FutureExt;

use super::users::{self, NewUser};
use super::{Db, StoreError, Tx, audit, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::Target;
use crate::domain::ids::{Tick, UserId};
use crate::domain::user_details::Details;

/// What a change to an account did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made; the tick of the cut-off, where it raised one.
    Done(Option<Tick>),
    /// The account was so before, or is not there.
    Nothing,
    /// Nobody could administer the issuer any more; nothing changed.
    LastAdministrator,
}

/// Whether an act may take the last administrator away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastAdministrator {
    /// It is refused.
    Spare,
    /// It was asked for.
    Take,
}

/// What is said of a user, in place of what was read.
#[derive(Debug, Clone)]
pub struct Update {
    /// Who.
    pub id: UserId,
    /// `updated_at` of what was read.
    pub replaces: UnixTime,
    /// What was read.
    pub held: Details,
    /// The new details.
    pub details: Details,
    /// Now.
    pub now: UnixTime,
}

/// Creates a user with all that is said of them; `false` when the name is taken.
pub async fn create(db: &Db, user: NewUser, details: Details) -> Result<bool, StoreError> {
    db.write((user, details), |tx, (user, details)| {
        async move {
            let now = user.created_at;
            if !users::insert(tx, user).await? {
                return Ok(false);
            }
            set_details(tx, (&user.id, now), details, now).await?;
            audit::append(tx, &Event::done(Action::UserCreate).of_user(&user.id), now).await?;
            Ok(true)
        }
        .boxed()
    })
    .await
}

/// Changes what is said of a user; `false` when something else is said by now. Tokens say it from their next issue on.
pub async fn update(db: &Db, update: Update) -> Result<bool, StoreError> {
    db.write(update, |tx, update| {
        async move {
            let changed = set_details(tx, (&update.id, update.replaces), &update.details, update.now).await?;
            if changed {
                let event = Event::changed(Action::UserUpdate, &update.details.differences(&update.held));
                audit::append(tx, &event.of_user(&update.id), update.now).await?;
            }
            Ok(changed)
        }
        .boxed()
    })
    .await
}

/// `updated_at` only grows, so that it tells every state from every other.
async fn set_details(
    tx: &mut Tx<'_>,
    (id, replaces): (&UserId, UnixTime),
    details: &Details,
    now: UnixTime,
) -> Result<bool, StoreError> {
    let impossible = |why| StoreError::impossible("users", why);
    let changed = sql!(
        tx,
        execute,
        "UPDATE users SET name = $3, email = $4, email_verified = $5, phone_number = $6, phone_number_verified = $7, profile = $8,
                roles = $9, attributes = $10, updated_at = CASE WHEN updated_at + 1 > $11 THEN updated_at + 1 ELSE $11 END
         WHERE id = $1 AND updated_at = $2",
        id.as_str(),
        replaces.millis(),
        details.name.as_deref(),
        details.email.as_deref(),
        details.email_verified,
        details.phone_number.as_deref(),
        details.phone_number_verified,
        serde_json::to_string(&details.profile).map_err(impossible)?,
        details.roles.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        serde_json::to_string(&details.attributes).map_err(impossible)?,
        now.millis(),
    )?;
    Ok(changed == 1)
}

/// Switches an account off and cuts off what the user had.
pub async fn disable(db: &Db, id: UserId, last: LastAdministrator, now: UnixTime) -> Result<Changed, StoreError> {
    db.write((id, last, now), |tx, (id, last, now)| {
        async move {
            if would_be_missed(tx, id, *last).await? {
                return Ok(Changed::LastAdministrator);
            }
            let disabled = sql!(
                tx,
                execute,
                "UPDATE users SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL",
                id.as_str(),
                now.millis(),
            )?;
            if disabled == 0 {
                return Ok(Changed::Nothing);
            }
            let tick = feed_head::raise(tx, *now, &[Target::User(id.clone())]).await?;
            sql!(tx, execute, "UPDATE users SET cutoff = $2 WHERE id = $1", id.as_str(), tick.get())?;
            audit::append(tx, &Event::done(Action::UserDisable).of_user(id).at(tick), *now).await?;
            Ok(Changed::Done(Some(tick)))
        }
        .boxed()
    })
    .await
}

/// Switches an account on again; what the user had before stays dead.
pub async fn enable(db: &Db, id: UserId, now: UnixTime) -> Result<Changed, StoreError> {
    db.write((id, now), |tx, (id, now)| {
        async move {
            let enabled =
                sql!(tx, execute, "UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL", id.as_str(),)?;
            if enabled == 0 {
                return Ok(Changed::Nothing);
            }
            audit::append(tx, &Event::done(Action::UserEnable).of_user(id), *now).await?;
            Ok(Changed::Done(None))
        }
        .boxed()
    })
    .await
}

/// Deletes an account. What the user had is dead because the row is missing, and the name is free for somebody else with another
/// `sub`. Sessions and grants are left to the sweep.
pub async fn delete(db: &Db, id: UserId, last: LastAdministrator, now: UnixTime) -> Result<Changed, StoreError> {
    db.write((id, last, now), |tx, (id, last, now)| {
        async move {
            if would_be_missed(tx, id, *last).await? {
                return Ok(Changed::LastAdministrator);
            }
            if sql!(tx, execute, "DELETE FROM users WHERE id = $1", id.as_str())? == 0 {
                return Ok(Changed::Nothing);
            }
            let tick = feed_head::raise(tx, *now, &[Target::User(id.clone())]).await?;
            audit::append(tx, &Event::done(Action::UserDelete).of_user(id).at(tick), *now).await?;
            Ok(Changed::Done(Some(tick)))
        }
        .boxed()
    })
    .await
}

/// Lets a user administer the issuer.
pub async fn grant_administrator(db: &Db, id: UserId, now: UnixTime) -> Result<Changed, StoreError> {
    db.write((id, now), |tx, (id, now)| async move { set_administrator(tx, id, true, *now).await }.boxed()).await
}

/// Takes that right away.
pub async fn revoke_administrator(db: &Db, id: UserId, last: LastAdministrator, now: UnixTime) -> Result<Changed, StoreError> {
    db.write((id, last, now), |tx, (id, last, now)| {
        async move {
            if would_be_missed(tx, id, *last).await? {
                return Ok(Changed::LastAdministrator);
            }
            set_administrator(tx, id, false, *now).await
        }
        .boxed()
    })
    .await
}

async fn set_administrator(tx: &mut Tx<'_>, id: &UserId, administrator: bool, now: UnixTime) -> Result<Changed, StoreError> {
    let changed = sql!(
        tx,
        execute,
        "UPDATE users SET administrator = $2 WHERE id = $1 AND administrator <> $2",
        id.as_str(),
        administrator,
    )?;
    if changed == 0 {
        return Ok(Changed::Nothing);
    }
    let event = Event::done(Action::AdministratorGrant).of_user(id).saying(if administrator { "given" } else { "taken" });
    audit::append(tx, &event, now).await?;
    Ok(Changed::Done(None))
}

/// Whether the user is the only one left who can administer the issuer. The rows of all administrators are locked first: two who
/// take each other's right at once would each see the other one.
async fn would_be_missed(tx: &mut Tx<'_>, id: &UserId, last: LastAdministrator) -> Result<bool, StoreError> {
    if last == LastAdministrator::Take {
        return Ok(false);
    }
    sql!(tx, execute, "UPDATE users SET administrator = TRUE WHERE administrator")?;
    let able = sql!(tx, all as (String,), "SELECT id FROM users WHERE administrator AND disabled_at IS NULL")?;
    Ok(matches!(able.as_slice(), [(only,)] if only == id.as_str()))
}
