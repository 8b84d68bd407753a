//! The `refresh_tokens` table: rotation under the grant's lock, decided by [`crate::domain::refresh::decide`].

use std::time::Duration;

use futures_util::FutureExt;

use super::evidence::{self, Levels};
use super::{Conn, Db, StoreError, Tx, audit, feed_head, grants};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome};
use crate::domain::cutoff::{Level, Target, revoked};
use crate::domain::grant::{Asked, Excess, Grant};
use crate::domain::ids::{ClientId, GrantId, Tick};
use crate::domain::refresh::{Consumed, Decision, RefreshToken, Successor, SuccessorSeed, decide, expiry};
use crate::secret::TokenHash;

/// A refresh token about to be written.
#[derive(Debug, Clone)]
pub struct NewRefreshToken {
    /// SHA-256 of the token.
    pub token_hash: TokenHash,
    /// How long it may lie unused.
    pub idle: Duration,
    /// Now.
    pub now: UnixTime,
}

/// A refresh token as a client presents it, with the successor that it would get.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// SHA-256 of the presented token.
    pub token_hash: TokenHash,
    /// The authenticated client.
    pub client_id: ClientId,
    /// The successor, already derived.
    pub successor: NewRefreshToken,
    /// What the successor was derived from.
    pub seed: SuccessorSeed,
    /// Which of the grant's scopes and resources the tokens are for.
    pub asked: Asked,
    /// How long the same successor is handed out again.
    pub retry_window: Duration,
    /// Now: taken before anything was read, and so the tokens' `iat`.
    pub now: UnixTime,
}

/// What became of it. Each of these commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// Unknown, another client's, or too late: the reason is for the log.
    Refused(&'static str),
    /// Used before; its grant is dead now.
    Replayed(GrantId),
    /// Its grant, session, user or client was revoked.
    Dead(Level),
    /// More was asked for than granted; the token is as good as before.
    Exceeds(Excess),
    /// Consumed; the successor that was brought along is in force.
    Successor(Grant),
    /// Consumed before, by its honest holder: the same successor again, derived from this.
    Again(Grant, SuccessorSeed),
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    grant_id: String,
    client_id: String,
    generation: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
    retry_until: Option<i64>,
    successor_salt: Option<String>,
    successor_key_id: Option<String>,
    successor_expires_at: Option<i64>,
    successor_consumed_at: Option<i64>,
}

impl From<TokenRow> for RefreshToken {
    fn from(row: TokenRow) -> Self {
        let seed = row.successor_salt.zip(row.successor_key_id).map(|(salt, key_id)| SuccessorSeed { salt, key_id });
        let successor = row.successor_expires_at.map(|expires_at| Successor {
            expires_at: UnixTime::from_millis(expires_at),
            used: row.successor_consumed_at.is_some(),
        });
        Self {
            grant_id: GrantId::new(row.grant_id),
            client_id: ClientId::new(row.client_id),
            generation: row.generation,
            expires_at: UnixTime::from_millis(row.expires_at),
            consumed: row.consumed_at.map(|_| Consumed {
                retry_until: UnixTime::from_millis(row.retry_until.unwrap_or(0)),
                seed,
                successor,
            }),
        }
    }
}

/// Rotates a refresh token: one live leaf at any time, the same successor for an honest retry, the grant's end for a replay.
pub async fn rotate(db: &Db, rotation: Rotation) -> Result<Rotated, StoreError> {
    db.write(rotation, |tx, rotation| async move { rotate_in(tx, rotation).await }.boxed()).await
}

/// Honest rotations are not told: they are many, and the approval that they descend from was. Neither are unknown tokens: anybody
/// can make those up.
async fn rotate_in(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Rotated, StoreError> {
    let rotated = judge_in(tx, rotation).await?;
    let refused = || Event::new(Action::TokenRefresh, Outcome::Refused).of_client(&rotation.client_id);
    let event = match &rotated {
        Rotated::Successor(_) | Rotated::Again(..) | Rotated::Replayed(_) | Rotated::Refused(UNKNOWN) => return Ok(rotated),
        Rotated::Refused(why) => refused().saying(*why),
        Rotated::Dead(level) => refused().saying(format!("revoked at level {level:?}")),
        Rotated::Exceeds(_) => refused().saying("more was asked for than granted"),
    };
    audit::append_of_token(tx, &rotation.token_hash, &event, rotation.now).await?;
    Ok(rotated)
}

const UNKNOWN: &str = "unknown refresh token";

async fn judge_in(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Rotated, StoreError> {
    let now = rotation.now;
    let Some(seen) = find(tx, &rotation.token_hash).await? else { return Ok(Rotated::Refused(UNKNOWN)) };
    if seen.client_id != rotation.client_id {
        return Ok(Rotated::Refused("another client's refresh token"));
    }
    grants::lock(tx, &seen.grant_id, now).await?;
    // Read again: what was seen before the lock may be older than the transaction that held it.
    let Some(token) = find(tx, &rotation.token_hash).await? else { return Ok(Rotated::Refused(UNKNOWN)) };
    let Some(grant) = grants::find(tx, &token.grant_id).await? else { return Ok(Rotated::Refused("no grant")) };
    let found = evidence::read(tx, &Levels::of(&grant), now).await?;
    if let Some(level) = revoked(grant.born, &found.evidence) {
        return Ok(Rotated::Dead(level));
    }
    if found.session_expired {
        return Ok(Rotated::Dead(Level::Session));
    }
    let decision = decide(&token, &rotation.client_id, now);
    if matches!(decision, Decision::FirstUse | Decision::Retry(_))
        && let Err(excess) = grant.narrowed(&rotation.asked)
    {
        return Ok(Rotated::Exceeds(excess));
    }
    match decision {
        Decision::WrongClient => Ok(Rotated::Refused("another client's refresh token")),
        Decision::Expired => Ok(Rotated::Refused("expired refresh token")),
        Decision::Retry(seed) => Ok(Rotated::Again(grant, seed)),
        Decision::Replay => {
            // Told where the grant ends by it: that happens once.
            if let Some(tick) = grants::end(tx, &token.grant_id, now).await? {
                let event = Event::new(Action::TokenRefresh, Outcome::Replayed).of_client(&rotation.client_id);
                audit::append(tx, &event.of_grant(&token.grant_id).at(tick), now).await?;
            }
            Ok(Rotated::Replayed(token.grant_id))
        }
        Decision::FirstUse => {
            if !consume(tx, rotation).await? {
                return Err(StoreError::impossible("refresh_tokens", "a token was consumed under its grant's lock"));
            }
            insert(tx, &grant, token.generation + 1, &rotation.successor).await?;
            forget_seeds_below(tx, &grant.id, token.generation).await?;
            Ok(Rotated::Successor(grant))
        }
    }
}

/// What became of a refresh token that was to be revoked. Each of these commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// There is no such token.
    Unknown,
    /// It is another client's, and nothing changed.
    AnotherClients,
    /// Its grant had ended before; the tick, as long as the feed keeps it.
    EndedBefore(Option<Tick>),
    /// Its grant ends at this tick, and all that descends from it.
    Ended(Tick),
}

/// Revokes a refresh token of a client, used or not: it takes its grant along (RFC 7009, section 2.1).
pub async fn revoke(db: &Db, token: TokenHash, client: ClientId, now: UnixTime) -> Result<Revocation, StoreError> {
    db.write((token, client, now), |tx, (token, client, now)| {
        async move {
            let Some(found) = find(tx, token).await? else { return Ok(Revocation::Unknown) };
            if found.client_id != *client {
                return Ok(Revocation::AnotherClients);
            }
            let Some(tick) = grants::end(tx, &found.grant_id, *now).await? else {
                return feed_head::last_of(tx, &Target::Grant(found.grant_id)).await.map(Revocation::EndedBefore);
            };
            let event = Event::done(Action::TokenRevoke).of_grant(&found.grant_id).at(tick).saying("a refresh token");
            audit::append(tx, &event, *now).await?;
            Ok(Revocation::Ended(tick))
        }
        .boxed()
    })
    .await
}

/// The token of this hash, with how its successor stands.
pub async fn find(conn: &mut Conn<'_>, token: &TokenHash) -> Result<Option<RefreshToken>, StoreError> {
    let row = sql!(
        conn,
        optional as TokenRow,
        "SELECT t.grant_id, g.client_id, t.generation, t.expires_at, t.consumed_at, t.retry_until, t.successor_salt,
                t.successor_key_id, n.expires_at AS successor_expires_at, n.consumed_at AS successor_consumed_at
         FROM refresh_tokens t
         JOIN grants g ON g.id = t.grant_id
         LEFT JOIN refresh_tokens n ON n.grant_id = t.grant_id AND n.generation = t.generation + 1
         WHERE t.token_hash = $1",
        token.as_str(),
    )?;
    Ok(row.map(RefreshToken::from))
}

/// Writes a grant's token of a generation.
pub async fn insert(tx: &mut Tx<'_>, grant: &Grant, generation: i64, new: &NewRefreshToken) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "INSERT INTO refresh_tokens (token_hash, grant_id, generation, expires_at) VALUES ($1, $2, $3, $4)",
        new.token_hash.as_str(),
        grant.id.as_str(),
        generation,
        expiry(new.now, new.idle, grant.refresh_until).millis(),
    )
    .map(drop)
}

/// Marks a token as used and keeps what its successor is derived from; `false` when another request was faster.
pub async fn consume(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<bool, StoreError> {
    let consumed = sql!(
        tx,
        execute,
        "UPDATE refresh_tokens SET consumed_at = $2, retry_until = $3, successor_salt = $4, successor_key_id = $5
         WHERE token_hash = $1 AND consumed_at IS NULL",
        rotation.token_hash.as_str(),
        rotation.now.millis(),
        (rotation.now + rotation.retry_window).millis(),
        rotation.seed.salt.as_str(),
        rotation.seed.key_id.as_str(),
    )?;
    Ok(consumed == 1)
}

/// A token's first use closes its parent's window: what the token was derived from is forgotten.
async fn forget_seeds_below(tx: &mut Tx<'_>, grant: &GrantId, generation: i64) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "UPDATE refresh_tokens SET successor_salt = NULL, successor_key_id = NULL
         WHERE grant_id = $1 AND generation < $2 AND successor_salt IS NOT NULL",
        grant.as_str(),
        generation,
    )
    .map(drop)
}
