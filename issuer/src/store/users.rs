//! The `users` table.

use futures_util::FutureExt;

use super::evidence::cut_off;
use super::{Conn, Db, StoreError, Tx, audit, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::{Evidence, Target};
use crate::domain::ids::{Tick, UserId};
use crate::domain::password::PasswordHash;
use crate::domain::user::{User, Username};

/// A user about to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// `sub`.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// The claim `name`.
    pub name: Option<String>,
    /// The claim `email`; unverified.
    pub email: Option<String>,
    /// The password's hash; without one nobody signs in.
    pub password_hash: Option<PasswordHash>,
    /// May administer this issuer.
    pub administrator: bool,
    /// Now.
    pub created_at: UnixTime,
}

/// What a sign-in is judged by: the hash, and the tick that was read with it and before it was looked at.
#[derive(Debug, Clone)]
pub struct SignInRecord {
    /// Who.
    pub user: User,
    /// The hash to verify; `None` where no password was ever set.
    pub password_hash: Option<PasswordHash>,
    /// The tick to stamp with, and how the user stands.
    pub evidence: Evidence,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: String,
    username: String,
    name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    phone_number: Option<String>,
    phone_number_verified: bool,
    profile: String,
    roles: String,
    attributes: String,
    administrator: bool,
    created_at: i64,
    updated_at: i64,
    disabled_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct SignInRow {
    tick: i64,
    issuer_cutoff: i64,
    password_hash: Option<String>,
    cutoff: i64,
    #[sqlx(flatten)]
    user: UserRow,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let impossible = |why| StoreError::impossible("users", why);
        Ok(Self {
            id: UserId::new(row.id),
            username: row.username,
            name: row.name,
            email: row.email,
            email_verified: row.email_verified,
            phone_number: row.phone_number,
            phone_number_verified: row.phone_number_verified,
            profile: serde_json::from_str(&row.profile).map_err(impossible)?,
            roles: row.roles.split_whitespace().map(str::to_owned).collect(),
            attributes: serde_json::from_str(&row.attributes).map_err(impossible)?,
            administrator: row.administrator,
            created_at: UnixTime::from_millis(row.created_at),
            updated_at: UnixTime::from_millis(row.updated_at),
            disabled_at: row.disabled_at.map(UnixTime::from_millis),
        })
    }
}

/// Creates a user; `false` when the name is taken.
pub async fn create(db: &Db, user: NewUser) -> Result<bool, StoreError> {
    db.write(user, |tx, user| {
        async move {
            let created = insert(tx, user).await?;
            if created {
                let event = Event::done(Action::UserCreate).of_user(&user.id);
                audit::append(tx, &event, user.created_at).await?;
            }
            Ok(created)
        }
        .boxed()
    })
    .await
}

/// Inserts a user; `false` when the name is taken.
pub async fn insert(tx: &mut Tx<'_>, user: &NewUser) -> Result<bool, StoreError> {
    let inserted = sql!(
        tx,
        execute,
        "INSERT INTO users (id, username, name, email, email_verified, password_hash, administrator, created_at, updated_at,
                            cutoff)
         VALUES ($1, $2, $3, $4, FALSE, $5, $6, $7, $7, 0) ON CONFLICT (username) DO NOTHING",
        user.id.as_str(),
        user.username.as_str(),
        user.name.as_deref(),
        user.email.as_deref(),
        user.password_hash.as_ref().map(PasswordHash::as_str),
        user.administrator,
        user.created_at.millis(),
    )?;
    Ok(inserted == 1)
}

/// The user of this id.
pub async fn find(conn: &mut Conn<'_>, id: &UserId) -> Result<Option<User>, StoreError> {
    let row = sql!(
        conn,
        optional as UserRow,
        "SELECT id, username, name, email, email_verified, phone_number, phone_number_verified, profile, roles, attributes,
                administrator, created_at, updated_at, disabled_at
         FROM users WHERE id = $1",
        id.as_str(),
    )?;
    row.map(User::try_from).transpose()
}

/// The hash of a user's password.
pub async fn password_hash(conn: &mut Conn<'_>, id: &UserId) -> Result<Option<PasswordHash>, StoreError> {
    let row = sql!(conn, optional as (Option<String>,), "SELECT password_hash FROM users WHERE id = $1", id.as_str())?;
    Ok(row.and_then(|(hash,)| hash).map(PasswordHash::from_stored))
}

/// Users by name, after this one, at most so many.
pub async fn list(conn: &mut Conn<'_>, after: &str, most: u32) -> Result<Vec<User>, StoreError> {
    let rows = sql!(
        conn,
        all as UserRow,
        "SELECT id, username, name, email, email_verified, phone_number, phone_number_verified, profile, roles, attributes,
                administrator, created_at, updated_at, disabled_at
         FROM users WHERE username > $1 ORDER BY username LIMIT $2",
        after,
        i64::from(most),
    )?;
    rows.into_iter().map(User::try_from).collect()
}

/// The user of this name with what a sign-in needs, and the tick, from one statement.
pub async fn sign_in_record(conn: &mut Conn<'_>, username: &Username) -> Result<Option<SignInRecord>, StoreError> {
    let row = sql!(
        conn,
        optional as SignInRow,
        "SELECT h.tick, h.issuer_cutoff, u.password_hash, u.cutoff, u.id, u.username, u.name, u.email, u.email_verified,
                u.phone_number, u.phone_number_verified, u.profile, u.roles, u.attributes, u.administrator, u.created_at,
                u.updated_at, u.disabled_at
         FROM feed_head h JOIN users u ON u.username = $1 WHERE h.id = 1",
        username.as_str(),
    )?;
    row.map(|row| {
        Ok(SignInRecord {
            password_hash: row.password_hash.map(PasswordHash::from_stored),
            evidence: Evidence {
                user: cut_off(true, Some(row.cutoff), row.user.disabled_at),
                ..Evidence::of_issuer(Tick::new(row.tick), Tick::new(row.issuer_cutoff))
            },
            user: row.user.try_into()?,
        })
    })
    .transpose()
}

/// Sets a password and cuts off everything the user had before; `None` when there is no such user.
pub async fn set_password(db: &Db, id: UserId, password_hash: PasswordHash, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((id, password_hash, now), |tx, (id, password_hash, now)| {
        async move {
            let changed =
                sql!(tx, execute, "UPDATE users SET password_hash = $2 WHERE id = $1", id.as_str(), password_hash.as_str(),)?;
            if changed == 0 {
                return Ok(None);
            }
            let tick = feed_head::raise(tx, *now, &[Target::User(id.clone())]).await?;
            sql!(tx, execute, "UPDATE users SET cutoff = $2 WHERE id = $1", id.as_str(), tick.get())?;
            audit::append(tx, &Event::done(Action::PasswordSet).of_user(id).at(tick), *now).await?;
            Ok(Some(tick))
        }
        .boxed()
    })
    .await
}

/// Ends everything a user has, wherever it is; `None` when there is no such user.
pub async fn log_out_everywhere(db: &Db, id: UserId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((id, now), |tx, (id, now)| {
        async move {
            // Locked before the head, as every row is.
            if sql!(tx, execute, "UPDATE users SET cutoff = cutoff WHERE id = $1", id.as_str())? == 0 {
                return Ok(None);
            }
            let tick = feed_head::raise(tx, *now, &[Target::User(id.clone())]).await?;
            sql!(tx, execute, "UPDATE users SET cutoff = $2 WHERE id = $1", id.as_str(), tick.get())?;
            audit::append(tx, &Event::done(Action::LogOutEverywhere).of_user(id).at(tick), *now).await?;
            Ok(Some(tick))
        }
        .boxed()
    })
    .await
}

/// Replaces the hash that was just verified by a stronger one of the same password; `false` when another password was set
/// meanwhile, which then stays.
pub async fn rehash(db: &Db, id: UserId, verified: PasswordHash, stronger: PasswordHash) -> Result<bool, StoreError> {
    db.write((id, verified, stronger), |tx, (id, verified, stronger)| {
        async move {
            let changed = sql!(
                tx,
                execute,
                "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
                id.as_str(),
                verified.as_str(),
                stronger.as_str(),
            )?;
            Ok(changed == 1)
        }
        .boxed()
    })
    .await
}
