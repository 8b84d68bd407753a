//! The feed head: the tick, the chain, the salt and the issuer-wide cut-off in one row, the last that any transaction locks.
//! That lock makes commits happen in the order of their ticks.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit, wake};
use crate::clock::UnixTime;
use crate::domain::audit::Event;
use crate::domain::cutoff::{NamedCutoff, Target, chain, tick_floor};
use crate::domain::ids::{FeedId, Tick, TokenId};
use crate::secret::OpaqueToken;

/// The head as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHead {
    /// The name of this history.
    pub feed_id: FeedId,
    /// The logical clock.
    pub tick: Tick,
    /// The last link of the chain.
    pub chain: String,
    /// What the feed's names are salted with; it outlives a history.
    pub salt: String,
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    feed_id: String,
    salt: String,
    tick: i64,
    previous_tick: i64,
    chain: String,
}

impl From<HeadRow> for FeedHead {
    fn from(row: HeadRow) -> Self {
        Self { feed_id: FeedId::new(row.feed_id), tick: Tick::new(row.tick), chain: row.chain, salt: row.salt }
    }
}

/// Makes the head on an empty database, and appends an empty entry: a start after a restored backup reuses no number.
pub async fn begin(db: &Db) -> Result<Tick, StoreError> {
    struct Fresh {
        feed_id: FeedId,
        salt: OpaqueToken,
        now: UnixTime,
    }
    let fresh = Fresh { feed_id: FeedId::random(), salt: OpaqueToken::random(""), now: db.now() };
    db.write(fresh, |tx, fresh| {
        async move {
            sql!(
                tx,
                execute,
                "INSERT INTO feed_head (id, feed_id, salt, tick, previous_tick, chain, issuer_cutoff)
                 VALUES (1, $1, $2, 0, 0, '', 0) ON CONFLICT (id) DO NOTHING",
                fresh.feed_id.as_str(),
                fresh.salt.expose(),
            )?;
            raise(tx, fresh.now, &[]).await
        }
        .boxed()
    })
    .await
}

/// Reads the head.
pub async fn read(conn: &mut Conn<'_>) -> Result<FeedHead, StoreError> {
    let row = sql!(conn, one as HeadRow, "SELECT feed_id, salt, tick, previous_tick, chain FROM feed_head WHERE id = 1")?;
    Ok(row.into())
}

/// Raises the tick and appends an entry with these cut-offs: the last step of the transaction of their cause, once. What keeps a
/// cut-off for good (`users`, `clients`, the head itself) takes the answered tick.
pub async fn raise(tx: &mut Tx<'_>, now: UnixTime, targets: &[Target]) -> Result<Tick, StoreError> {
    let head = sql!(
        tx,
        one as HeadRow,
        "UPDATE feed_head SET previous_tick = tick, tick = CASE WHEN tick + 1 > $1 THEN tick + 1 ELSE $1 END
         WHERE id = 1 RETURNING feed_id, salt, tick, previous_tick, chain",
        tick_floor(now),
    )?;
    append(tx, &head, targets).await
}

/// Appends the entry of a tick that was just raised, and wakes those that follow.
async fn append(tx: &mut Tx<'_>, head: &HeadRow, targets: &[Target]) -> Result<Tick, StoreError> {
    let tick = Tick::new(head.tick);
    let named: Vec<NamedCutoff> = targets
        .iter()
        .map(|target| NamedCutoff { level: target.level().to_owned(), identifier: target.salted(&head.salt) })
        .collect();
    let link = chain(&FeedId::new(head.feed_id.as_str()), &head.chain, tick, &named);
    sql!(
        tx,
        execute,
        "UPDATE feed_head SET chain = $1, issuer_cutoff = CASE WHEN $2 THEN tick ELSE issuer_cutoff END WHERE id = 1",
        link.as_str(),
        targets.contains(&Target::Issuer),
    )?;
    sql!(
        tx,
        execute,
        "INSERT INTO feed_entries (tick, feed_id, previous_tick, chain) VALUES ($1, $2, $3, $4)",
        tick.get(),
        head.feed_id.as_str(),
        head.previous_tick,
        link.as_str(),
    )?;
    for cutoff in &named {
        sql!(
            tx,
            execute,
            "INSERT INTO cutoffs (tick, level, identifier) VALUES ($1, $2, $3)",
            tick.get(),
            cutoff.level.as_str(),
            cutoff.identifier.as_str(),
        )?;
    }
    wake::announce(tx, tick).await?;
    Ok(tick)
}

/// Locks the head for the rest of the transaction, and reads it.
pub(super) async fn hold(tx: &mut Tx<'_>) -> Result<FeedHead, StoreError> {
    let row = sql!(
        tx,
        one as HeadRow,
        "UPDATE feed_head SET tick = tick WHERE id = 1 RETURNING feed_id, salt, tick, previous_tick, chain",
    )?;
    Ok(row.into())
}

/// Raises past a tick that the history once had, and gives it another name from here on: nothing in it has a number that was used
/// before, and what was said under the old name says nothing about it. The last step of its transaction, as [`raise`] is.
pub(super) async fn rename(tx: &mut Tx<'_>, past: Tick, now: UnixTime, targets: &[Target]) -> Result<Tick, StoreError> {
    let head = sql!(
        tx,
        one as HeadRow,
        "UPDATE feed_head SET feed_id = $1, previous_tick = tick,
             tick = CASE WHEN tick >= $2 AND tick + 1 > $3 THEN tick + 1 WHEN $2 + 1 > $3 THEN $2 + 1 ELSE $3 END
         WHERE id = 1 RETURNING feed_id, salt, tick, previous_tick, chain",
        FeedId::random().as_str(),
        past.get(),
        tick_floor(now),
    )?;
    append(tx, &head, targets).await
}

/// Revokes these targets on their own account: those whose cut-off rests in the `cutoffs` table or the head alone (tokens, the
/// issuer). Users, clients, sessions, grants and keys have functions of their own, which also mark their rows.
pub async fn cut_off(db: &Db, targets: Vec<Target>, event: Event, now: UnixTime) -> Result<Tick, StoreError> {
    db.write((targets, event, now), |tx, (targets, event, now)| {
        async move {
            let tick = raise(tx, *now, targets).await?;
            audit::append(tx, &event.clone().at(tick), *now).await?;
            Ok(tick)
        }
        .boxed()
    })
    .await
}

/// What became of a token that was to be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCutOff {
    /// At this tick, now.
    Now(Tick),
    /// It had been, at this tick.
    Before(Tick),
}

/// Revokes one access token, whose cut-off rests in the `cutoffs` table alone.
pub async fn cut_off_token(db: &Db, token: TokenId, event: Event, now: UnixTime) -> Result<TokenCutOff, StoreError> {
    db.write((Target::Token(token), event, now), |tx, (target, event, now)| {
        async move {
            // Locked before it looks: two revocations of one token find one cut-off.
            sql!(tx, execute, "UPDATE feed_head SET tick = tick WHERE id = 1")?;
            if let Some(before) = last_of(tx, target).await? {
                return Ok(TokenCutOff::Before(before));
            }
            let tick = raise(tx, *now, std::slice::from_ref(target)).await?;
            audit::append(tx, &event.clone().at(tick), *now).await?;
            Ok(TokenCutOff::Now(tick))
        }
        .boxed()
    })
    .await
}

/// The tick of a target's last cut-off, as long as the feed keeps it.
pub async fn last_of(conn: &mut Conn<'_>, target: &Target) -> Result<Option<Tick>, StoreError> {
    let (salt,) = sql!(conn, one as (String,), "SELECT salt FROM feed_head WHERE id = 1")?;
    let (last,) = sql!(
        conn,
        one as (Option<i64>,),
        "SELECT MAX(tick) FROM cutoffs WHERE level = $1 AND identifier = $2",
        target.level(),
        target.salted(&salt),
    )?;
    Ok(last.map(Tick::new))
}

/// Drops a batch of the entries below a tick that this process read long enough ago that no verifier needs them; dead keys stay for
/// the sweep of keys. How many went; more may be left unless it is 0.
pub async fn prune_below(db: &Db, tick: Tick) -> Result<u64, StoreError> {
    db.write(tick, |tx, tick| {
        async move {
            sql!(
                tx,
                execute,
                "DELETE FROM feed_entries WHERE tick IN (SELECT f.tick FROM feed_entries f WHERE f.tick < $1
                 AND NOT EXISTS (SELECT 1 FROM cutoffs c WHERE c.tick = f.tick AND c.level = 'kid') LIMIT 500)",
                tick.get(),
            )
        }
        .boxed()
    })
    .await
}
