//! The `set_up_tokens` table: the link that creates the first administrator, once.

use futures_util::FutureExt;

use super::users::{self, NewUser};
use super::{Conn, Db, StoreError, Tx, audit};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::ids::Tick;
use crate::secret::TokenHash;

/// What became of an attempt to create the first administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// There is an administrator now.
    Done,
    /// The link is unknown, used, too old, or no longer needed.
    LinkDead,
    /// The name is taken; the link still works.
    UsernameTaken,
}

/// Keeps a link's token, born at the tick that was read with the finding that there is no administrator.
pub async fn create(db: &Db, token: TokenHash, born: Tick, expires_at: UnixTime) -> Result<(), StoreError> {
    db.write((token, born, expires_at), |tx, (token, born, expires_at)| {
        async move {
            sql!(
                tx,
                execute,
                "INSERT INTO set_up_tokens (token_hash, born, expires_at) VALUES ($1, $2, $3)",
                token.as_str(),
                born.get(),
                expires_at.millis(),
            )
            .map(drop)
        }
        .boxed()
    })
    .await
}

/// The tick, if there is no administrator yet: one statement.
pub async fn needed(conn: &mut Conn<'_>) -> Result<Option<Tick>, StoreError> {
    let row = sql!(
        conn,
        optional as (i64,),
        "SELECT tick FROM feed_head WHERE id = 1 AND NOT EXISTS (SELECT 1 FROM users WHERE administrator)",
    )?;
    Ok(row.map(|(tick,)| Tick::new(tick)))
}

/// Whether a link still works.
pub async fn alive(conn: &mut Conn<'_>, token: &TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    let row = sql!(
        conn,
        optional as (String,),
        "SELECT t.token_hash FROM set_up_tokens t JOIN feed_head h ON h.id = 1
         WHERE t.token_hash = $1 AND t.consumed_at IS NULL AND t.expires_at > $2 AND t.born >= h.issuer_cutoff
           AND NOT EXISTS (SELECT 1 FROM users WHERE administrator)",
        token.as_str(),
        now.millis(),
    )?;
    Ok(row.is_some())
}

/// Creates the first administrator with a link.
pub async fn redeem(db: &Db, token: TokenHash, user: NewUser) -> Result<SetUp, StoreError> {
    db.write((token, user), |tx, (token, user)| {
        async move {
            let now = user.created_at;
            // Every link dies with the first use of any. All are locked at once and in one order: two that are used at the same
            // moment wait for each other, and the second finds itself dead.
            sql!(tx, execute, "UPDATE set_up_tokens SET consumed_at = consumed_at WHERE consumed_at IS NULL")?;
            if !alive(tx, token, now).await? {
                return Ok(SetUp::LinkDead);
            }
            if !consume(tx, token, now).await? {
                return Ok(SetUp::LinkDead);
            }
            if !users::insert(tx, user).await? {
                sql!(tx, execute, "UPDATE set_up_tokens SET consumed_at = NULL WHERE token_hash = $1", token.as_str())?;
                return Ok(SetUp::UsernameTaken);
            }
            sql!(tx, execute, "UPDATE set_up_tokens SET consumed_at = $1 WHERE consumed_at IS NULL", now.millis())?;
            audit::append(tx, &Event::done(Action::SetUp).of_user(&user.id), now).await?;
            Ok(SetUp::Done)
        }
        .boxed()
    })
    .await
}

/// Takes a link out of circulation; `false` when another request was faster.
pub async fn consume(tx: &mut Tx<'_>, token: &TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    let consumed = sql!(
        tx,
        execute,
        "UPDATE set_up_tokens SET consumed_at = $2 WHERE token_hash = $1 AND consumed_at IS NULL",
        token.as_str(),
        now.millis(),
    )?;
    Ok(consumed == 1)
}
