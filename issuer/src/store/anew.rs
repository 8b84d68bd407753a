//! The two acts that cut a user off and give authority anew in the same transaction: a changed password with its new session, and
//! *end all others* with the session that stays. Each reads all its evidence again once it holds the feed head, and any change rolls
//! it back: whatever raced with it must not come back to life.

use futures_util::FutureExt;

use super::evidence::{self, Levels};
use super::sessions::{self, NewSession};
use super::{Db, StoreError, Tx, audit, feed_head, grants};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::{Target, revoked};
use crate::domain::ids::{GrantId, SessionId, Tick, UserId};
use crate::domain::password::PasswordHash;
use crate::secret::TokenHash;

/// The session on whose authority a user acts, as it was when it was judged.
#[derive(Debug, Clone)]
pub struct ActingSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// The cookie it goes by.
    pub cookie_hash: TokenHash,
    /// When it was born.
    pub born: Tick,
}

/// A password about to be changed.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// Who asks.
    pub acting: ActingSession,
    /// The hash that the current password was verified by.
    pub verified: PasswordHash,
    /// The hash of the new one.
    pub new: PasswordHash,
    /// The session that this browser goes on with; it is born at the cut-off's own tick, whatever it says.
    pub session: NewSession,
    /// Now.
    pub now: UnixTime,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// Done, at this tick.
    Done(Tick),
    /// Something that it leaned on changed meanwhile; nothing was done, and the person signs in again.
    SignInAgain,
}

/// Changes a password: everything the user had ends, and this browser goes on with a new session.
pub async fn change_password(db: &Db, change: PasswordChange) -> Result<Anew, StoreError> {
    answered(db.write(change, |tx, change| async move { change_password_in(tx, change).await }.boxed()).await)
}

/// Ends every session of a user but one. That one and the grants that hang on it are born anew; what the user had elsewhere, and
/// what was to outlive sessions, is dead.
pub async fn end_others(db: &Db, acting: ActingSession, now: UnixTime) -> Result<Anew, StoreError> {
    answered(db.write((acting, now), |tx, (acting, now)| async move { end_others_in(tx, acting, *now).await }.boxed()).await)
}

fn answered(written: Result<Tick, StoreError>) -> Result<Anew, StoreError> {
    match written {
        Ok(tick) => Ok(Anew::Done(tick)),
        Err(StoreError::Superseded) => Ok(Anew::SignInAgain),
        Err(fault) => Err(fault),
    }
}

async fn change_password_in(tx: &mut Tx<'_>, change: &PasswordChange) -> Result<Tick, StoreError> {
    let PasswordChange { acting, verified, new, session, now } = change;
    let replaced = sql!(
        tx,
        execute,
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        acting.user_id.as_str(),
        verified.as_str(),
        new.as_str(),
    )?;
    unchanged(replaced == 1)?;
    lock_session(tx, acting).await?;
    let tick = feed_head::raise(tx, *now, &[Target::User(acting.user_id.clone())]).await?;
    judge_session(tx, acting, *now).await?;
    sql!(tx, execute, "UPDATE sessions SET ended_at = $2 WHERE id = $1", acting.id.as_str(), now.millis())?;
    cut_off(tx, &acting.user_id, tick).await?;
    sessions::insert(tx, session, tick).await?;
    let event = Event::done(Action::PasswordChange).of_user(&acting.user_id).of_session(&session.session.id).at(tick);
    audit::append(tx, &event, *now).await?;
    Ok(tick)
}

async fn end_others_in(tx: &mut Tx<'_>, acting: &ActingSession, now: UnixTime) -> Result<Tick, StoreError> {
    // Locked before the head, as every row is; nothing of it changes yet.
    let user = acting.user_id.as_str();
    unchanged(sql!(tx, execute, "UPDATE users SET cutoff = cutoff WHERE id = $1", user)? == 1)?;
    lock_session(tx, acting).await?;
    sql!(
        tx,
        execute,
        "UPDATE grants SET born = born WHERE user_id = $1 AND session_id = $2 AND ended_at IS NULL",
        user,
        acting.id.as_str(),
    )?;
    let tick = feed_head::raise(tx, now, &[Target::User(acting.user_id.clone())]).await?;
    judge_session(tx, acting, now).await?;
    let kept = living_grants(tx, acting, now).await?;
    for grant in &kept {
        sql!(tx, execute, "UPDATE grants SET born = $2 WHERE id = $1", grant.as_str(), tick.get())?;
    }
    sql!(tx, execute, "UPDATE sessions SET born = $2 WHERE id = $1", acting.id.as_str(), tick.get())?;
    cut_off(tx, &acting.user_id, tick).await?;
    let event = Event::done(Action::OtherSessionsEnd).of_user(&acting.user_id).of_session(&acting.id).at(tick);
    audit::append(tx, &event.saying(format!("{} grants stay", kept.len())), now).await?;
    Ok(tick)
}

/// The grants that hang on a session and are alive at every level, now that the head is held. Those that were to outlive sessions
/// are not among them.
async fn living_grants(tx: &mut Tx<'_>, acting: &ActingSession, now: UnixTime) -> Result<Vec<GrantId>, StoreError> {
    let mut living = Vec::new();
    for grant in grants::of_session(tx, &acting.user_id, &acting.id).await? {
        let found = evidence::read(tx, &Levels::of(&grant), now).await?;
        if !grant.offline() && revoked(grant.born, &found.evidence).is_none() {
            living.push(grant.id);
        }
    }
    Ok(living)
}

/// Locks the session for the rest of the transaction, if it is still the one that was judged. Whether it has ended is asked once
/// the head is held, and nowhere else.
async fn lock_session(tx: &mut Tx<'_>, acting: &ActingSession) -> Result<(), StoreError> {
    let locked = sql!(
        tx,
        execute,
        "UPDATE sessions SET born = born
         WHERE id = $1 AND user_id = $2 AND cookie_hash = $3 AND born = $4",
        acting.id.as_str(),
        acting.user_id.as_str(),
        acting.cookie_hash.as_str(),
        acting.born.get(),
    )?;
    unchanged(locked == 1)
}

/// Judges the session anew, at every level, by what is so while the head is held.
async fn judge_session(tx: &mut Tx<'_>, acting: &ActingSession, now: UnixTime) -> Result<(), StoreError> {
    let levels = Levels { user: Some(acting.user_id.clone()), session: Some(acting.id.clone()), ..Levels::default() };
    let found = evidence::read(tx, &levels, now).await?;
    unchanged(revoked(acting.born, &found.evidence).is_none() && !found.session_expired)
}

async fn cut_off(tx: &mut Tx<'_>, user: &UserId, tick: Tick) -> Result<(), StoreError> {
    sql!(tx, execute, "UPDATE users SET cutoff = $2 WHERE id = $1", user.as_str(), tick.get()).map(drop)
}

fn unchanged(so: bool) -> Result<(), StoreError> {
    if so { Ok(()) } else { Err(StoreError::Superseded) }
}
