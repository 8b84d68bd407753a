//! What happens when the feed's history turns out to have been put back in time. All of it is one transaction that holds the head:
//! the judgement, the new name, the cut-off, the trail and the alarm, so that whoever comes second finds nothing to do.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit, feed_head, feed_tail};
use crate::clock::UnixTime;
use crate::domain::alarm::{Alarm, HIGHEST_PROVABLE, OnContradiction, Witness};
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::Target;
use crate::domain::feed::{Position, Standing, locate};
use crate::domain::ids::{FeedId, KeyId, Tick};
use crate::secret::random_id;

/// A position that this issuer once had, by the word of somebody who cannot have made it up.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The position.
    pub position: Position,
    /// The key that signed it; none where this process itself has read it.
    pub signed_by: Option<KeyId>,
    /// Who noticed.
    pub witness: Witness,
}

/// What the history is found to lack.
struct Lost<'a> {
    feed: &'a FeedId,
    tick: Tick,
    reason: String,
    witness: Witness,
}

/// Judges a proof against the history as it is committed, and where that never had the position, begins another one past it, raises
/// the alarm, and does what `on_contradiction` says. `None` where nothing speaks against the position, or where nothing can be said:
/// the history has another name by now, or the key that signed is dead.
pub async fn contradict(
    db: &Db,
    proof: Proof,
    on_contradiction: OnContradiction,
    now: UnixTime,
) -> Result<Option<Alarm>, StoreError> {
    db.write((proof, on_contradiction, now), |tx, (proof, on_contradiction, now)| {
        async move {
            let head = feed_head::hold(tx).await?;
            let position = &proof.position;
            if position.feed != head.feed_id || position.tick > HIGHEST_PROVABLE || !trusted(tx, proof.signed_by.as_ref()).await?
            {
                return Ok(None);
            }
            let entry = feed_tail::first_from(tx, &head.feed_id, position.tick).await?;
            let at_head = Position { feed: head.feed_id.clone(), tick: head.tick, link: head.chain };
            let Standing::Contradicted(how) = locate(position, &at_head, entry.as_slice()) else { return Ok(None) };
            let lost = Lost { feed: &head.feed_id, tick: position.tick, reason: how.to_string(), witness: proof.witness };
            begin_anew(tx, lost, *on_contradiction, *now).await.map(Some)
        }
        .boxed()
    })
    .await
}

/// The same where this process has seen a tick that the head does not have. `None` where the head is not below it.
pub async fn overtake(
    db: &Db,
    seen: Tick,
    on_contradiction: OnContradiction,
    now: UnixTime,
) -> Result<Option<Alarm>, StoreError> {
    db.write((seen, on_contradiction, now), |tx, (seen, on_contradiction, now)| {
        async move {
            let head = feed_head::hold(tx).await?;
            if head.tick >= *seen {
                return Ok(None);
            }
            let reason = "a running process had seen a later head".to_owned();
            let lost = Lost { feed: &head.feed_id, tick: *seen, reason, witness: Witness::Process };
            begin_anew(tx, lost, *on_contradiction, *now).await.map(Some)
        }
        .boxed()
    })
    .await
}

/// Every alarm that nobody has acknowledged, the first one first.
pub async fn standing(conn: &mut Conn<'_>) -> Result<Vec<Alarm>, StoreError> {
    let rows = sql!(
        conn,
        all as AlarmRow,
        "SELECT id, raised_at, witness, feed_id, lost_tick, reason, tick, cut_off FROM feed_alarms ORDER BY tick, id",
    )?;
    rows.into_iter().map(Alarm::try_from).collect()
}

/// Ends the alarms that stand up to a tick, and tells the trail; how many there were. One that was raised since the operator looked
/// goes on.
pub async fn acknowledge(db: &Db, until: Tick, now: UnixTime) -> Result<u64, StoreError> {
    db.write((until, now), |tx, (until, now)| {
        async move {
            let ended = sql!(tx, execute, "DELETE FROM feed_alarms WHERE tick <= $1", until.get())?;
            if ended > 0 {
                audit::append(tx, &Event::done(Action::AlarmAcknowledge), *now).await?;
            }
            Ok(ended)
        }
        .boxed()
    })
    .await
}

/// Whether what a key has signed can be believed now: the key ring may not have heard of a revocation yet.
async fn trusted(tx: &mut Tx<'_>, signed_by: Option<&KeyId>) -> Result<bool, StoreError> {
    let Some(kid) = signed_by else { return Ok(true) };
    let alive =
        sql!(tx, optional as (String,), "SELECT kid FROM signing_keys WHERE kid = $1 AND revoked_at IS NULL", kid.as_str(),)?;
    Ok(alive.is_some())
}

async fn begin_anew(
    tx: &mut Tx<'_>,
    lost: Lost<'_>,
    on_contradiction: OnContradiction,
    now: UnixTime,
) -> Result<Alarm, StoreError> {
    let cut_off = on_contradiction == OnContradiction::CutOff;
    let targets: &[Target] = if cut_off { &[Target::Issuer] } else { &[] };
    let tick = feed_head::rename(tx, lost.tick, now, targets).await?;
    let Lost { feed, tick: lost_tick, reason, witness } = lost;
    let alarm = Alarm { id: random_id(), raised_at: now, witness, feed: feed.clone(), lost_tick, reason, tick, cut_off };
    let deed = if cut_off { "; everything was cut off" } else { "" };
    let words = format!("{} at {}.{}, found by a {}{deed}", alarm.reason, alarm.feed, alarm.lost_tick, alarm.witness);
    audit::append(tx, &Event::done(Action::HistoryContradict).at(tick).saying(words), now).await?;
    sql!(
        tx,
        execute,
        "INSERT INTO feed_alarms (id, raised_at, witness, feed_id, lost_tick, reason, tick, cut_off)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        alarm.id.as_str(),
        now.millis(),
        alarm.witness.as_str(),
        alarm.feed.as_str(),
        alarm.lost_tick.get(),
        alarm.reason.as_str(),
        alarm.tick.get(),
        alarm.cut_off,
    )?;
    Ok(alarm)
}

#[derive(sqlx::FromRow)]
struct AlarmRow {
    id: String,
    raised_at: i64,
    witness: String,
    feed_id: String,
    lost_tick: i64,
    reason: String,
    tick: i64,
    cut_off: bool,
}

impl TryFrom<AlarmRow> for Alarm {
    type Error = StoreError;

    fn try_from(row: AlarmRow) -> Result<Self, StoreError> {
        let witness = row.witness.parse().map_err(|why| StoreError::impossible("feed_alarms", why))?;
        Ok(Self {
            id: row.id,
            raised_at: UnixTime::from_millis(row.raised_at),
            witness,
            feed: FeedId::new(row.feed_id),
            lost_tick: Tick::new(row.lost_tick),
            reason: row.reason,
            tick: Tick::new(row.tick),
            cut_off: row.cut_off,
        })
    }
}
