//! The `attempts` table: failures by lane, counted before a secret is looked at and never rolled back with what fails. Which lanes
//! wait is decided by [`crate::domain::throttle`] while their rows are locked, so that any number of attempts at once is one after
//! the other.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit};
use crate::clock::UnixTime;
use crate::domain::audit::Event;
use crate::domain::throttle::{Judgement, LaneState, ThrottlePolicy, judge, taken_back};
use crate::secret::TokenHash;

/// A lane, and how it is slowed down.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its name, under a keyed hash: what people type where a user name belongs may be anything.
    pub name: TokenHash,
    /// Its policy.
    pub policy: ThrottlePolicy,
    /// Whether a success clears it: an account's or a device's own lane. One that others share forgets that one attempt alone.
    pub own: bool,
}

/// A lane in which an attempt was counted, as it was before and as it was left.
#[derive(Debug, Clone)]
pub struct CountedLane {
    lane: Lane,
    before: Option<LaneState>,
    after: LaneState,
}

/// Whether an attempt may be looked at.
#[derive(Debug, Clone)]
pub enum Counted {
    /// Yes, and it is counted in every lane.
    Allowed(Vec<CountedLane>),
    /// Not before this time: some lane waits, and nothing was counted.
    Wait(UnixTime),
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    failures: i64,
    last_at: i64,
    next_at: i64,
    told: i64,
}

impl LaneRow {
    fn state(&self) -> LaneState {
        LaneState {
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            last_at: UnixTime::from_millis(self.last_at),
            next_at: UnixTime::from_millis(self.next_at),
        }
    }
}

/// The id of the one audit entry about a block: one a lane and a block, whoever meets it.
fn block_id(lane: &Lane, until: i64) -> String {
    format!("{}.{until}", lane.name.as_str())
}

async fn find(conn: &mut Conn<'_>, lane: &Lane) -> Result<Option<LaneRow>, StoreError> {
    sql!(
        conn,
        optional as LaneRow,
        "SELECT t.failures, t.last_at, t.next_at,
                (SELECT COUNT(*) FROM audit a WHERE a.id = t.lane || '.' || CAST(t.next_at AS TEXT)) AS told
         FROM attempts t WHERE t.lane = $1",
        lane.name.as_str(),
    )
}

/// Until when these lanes wait, if any does. Nothing is locked or written: what waits costs a read, but for the first attempt in a
/// block, of which the audit trail is told.
pub async fn waiting(db: &Db, lanes: &[Lane], told: &Event, now: UnixTime) -> Result<Option<UnixTime>, StoreError> {
    let (mut longest, mut untold) = (None, Vec::new());
    let mut reader = db.reader().await?;
    for lane in lanes {
        let Some(row) = find(&mut reader.conn(), lane).await? else { continue };
        if let Judgement::Wait(until) = judge(Some(row.state()), now, lane.policy) {
            longest = longest.max(Some(until));
            if row.told == 0 {
                untold.push(block_id(lane, row.next_at));
            }
        }
    }
    drop(reader);
    if !untold.is_empty() {
        tell_blocks(db, untold, told.clone(), now).await?;
    }
    Ok(longest)
}

async fn tell_blocks(db: &Db, blocks: Vec<String>, event: Event, now: UnixTime) -> Result<(), StoreError> {
    db.write((blocks, event, now), |tx, (blocks, event, now)| {
        async move {
            for block in blocks {
                audit::append_once(tx, block, event, *now).await?;
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

/// Counts an attempt in all of its lanes, before it is looked at, unless one of them waits.
pub async fn count(db: &Db, lanes: Vec<Lane>, now: UnixTime) -> Result<Counted, StoreError> {
    db.write((in_order(lanes), now), |tx, (lanes, now)| {
        async move {
            let mut judged = Vec::new();
            for lane in lanes {
                let before = lock(tx, lane, *now).await?;
                match judge(before, *now, lane.policy) {
                    Judgement::Wait(until) => return Ok(Counted::Wait(until)),
                    Judgement::Allowed(after) => judged.push(CountedLane { lane: lane.clone(), before, after }),
                }
            }
            for counted in &judged {
                set(tx, &counted.lane, counted.after).await?;
            }
            Ok(Counted::Allowed(judged))
        }
        .boxed()
    })
    .await
}

/// An attempt was right: its own lane is cleared, and those it shares forget it.
pub async fn succeed(db: &Db, counted: Vec<CountedLane>, now: UnixTime) -> Result<(), StoreError> {
    db.write((counted, now), |tx, (counted, now)| {
        async move {
            for one in counted {
                match one.lane.own {
                    true => clear(tx, &one.lane).await?,
                    false => give_back(tx, one, *now).await?,
                }
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

/// An attempt was not looked at after all, and is no failure.
pub async fn take_back(db: &Db, counted: Vec<CountedLane>, now: UnixTime) -> Result<(), StoreError> {
    db.write((counted, now), |tx, (counted, now)| {
        async move {
            for one in counted {
                give_back(tx, one, *now).await?;
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

/// An attempt was wrong: its count stays, and from now on its lanes take their time to forget. The audit trail is told.
pub async fn fail_counted(db: &Db, counted: Vec<CountedLane>, told: Event, now: UnixTime) -> Result<(), StoreError> {
    db.write((counted, told, now), |tx, (counted, told, now)| {
        async move {
            for one in counted {
                failed_at(tx, &one.lane, *now).await?;
            }
            audit::append(tx, told, *now).await
        }
        .boxed()
    })
    .await
}

/// A failure that was found without cost, and so is counted after it: no lane is asked whether it waits. What the audit trail is
/// told goes with it.
pub async fn fail(db: &Db, lanes: Vec<Lane>, told: Option<Event>, now: UnixTime) -> Result<(), StoreError> {
    db.write((in_order(lanes), told, now), |tx, (lanes, told, now)| {
        async move {
            for lane in lanes {
                if let Judgement::Allowed(state) = judge(lock(tx, lane, *now).await?, *now, lane.policy) {
                    set(tx, lane, LaneState { last_at: *now, ..state }).await?;
                }
            }
            match told {
                Some(event) => audit::append(tx, event, *now).await,
                None => Ok(()),
            }
        }
        .boxed()
    })
    .await
}

/// Lanes are locked in the order of their names, so that no two attempts wait for each other.
fn in_order(mut lanes: Vec<Lane>) -> Vec<Lane> {
    lanes.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    lanes
}

async fn clear(tx: &mut Tx<'_>, lane: &Lane) -> Result<(), StoreError> {
    sql!(tx, execute, "DELETE FROM attempts WHERE lane = $1", lane.name.as_str()).map(drop)
}

async fn give_back(tx: &mut Tx<'_>, counted: &CountedLane, now: UnixTime) -> Result<(), StoreError> {
    let CountedLane { lane, before, after } = counted;
    let Some(state) = lock(tx, lane, now).await? else { return Ok(()) };
    match taken_back(state, *before, *after, lane.policy) {
        Some(state) => set(tx, lane, state).await,
        None => clear(tx, lane).await,
    }
}

async fn failed_at(tx: &mut Tx<'_>, lane: &Lane, now: UnixTime) -> Result<(), StoreError> {
    sql!(tx, execute, "UPDATE attempts SET last_at = $2 WHERE lane = $1", lane.name.as_str(), now.millis()).map(drop)
}

/// Locks a lane's row, made where there is none, and reads it. None for one that counts nothing yet.
async fn lock(tx: &mut Tx<'_>, lane: &Lane, now: UnixTime) -> Result<Option<LaneState>, StoreError> {
    sql!(
        tx,
        execute,
        "INSERT INTO attempts (lane, failures, last_at, next_at) VALUES ($1, 0, $2, $2)
         ON CONFLICT (lane) DO UPDATE SET lane = excluded.lane",
        lane.name.as_str(),
        now.millis(),
    )?;
    Ok(find(tx, lane).await?.map(|row| row.state()).filter(|state| state.failures > 0))
}

async fn set(tx: &mut Tx<'_>, lane: &Lane, state: LaneState) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "UPDATE attempts SET failures = $2, last_at = $3, next_at = $4 WHERE lane = $1",
        lane.name.as_str(),
        i64::from(state.failures),
        state.last_at.millis(),
        state.next_at.millis(),
    )
    .map(drop)
}
