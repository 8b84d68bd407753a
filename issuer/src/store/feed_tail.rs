//! What the feed is made of, as the tables hold it: entries with their cut-offs, and the cut-offs alone. All is read up to a head
//! that was read before, so that nothing of a later commit slips in.

use super::{Conn, StoreError};
use crate::domain::cutoff::NamedCutoff;
use crate::domain::feed::Entry;
use crate::domain::ids::{FeedId, Tick};

#[derive(sqlx::FromRow)]
struct EntryRow {
    tick: i64,
    previous_tick: i64,
    chain: String,
}

#[derive(sqlx::FromRow)]
struct CutoffRow {
    tick: i64,
    level: String,
    identifier: String,
}

/// The entries of a history above a tick, up to one that was read before, in order; where there are more than `most`, the last.
pub async fn entries(
    conn: &mut Conn<'_>,
    feed: &FeedId,
    (above, until): (Tick, Tick),
    most: u32,
) -> Result<Vec<Entry>, StoreError> {
    let mut rows = sql!(
        conn,
        all as EntryRow,
        "SELECT tick, previous_tick, chain FROM feed_entries WHERE feed_id = $1 AND tick > $2 AND tick <= $3
         ORDER BY tick DESC LIMIT $4",
        feed.as_str(),
        above.get(),
        until.get(),
        i64::from(most),
    )?;
    rows.reverse();
    with_cutoffs(conn, rows).await
}

/// The first entry of a history at a tick or above it.
pub async fn first_from(conn: &mut Conn<'_>, feed: &FeedId, tick: Tick) -> Result<Option<Entry>, StoreError> {
    let row = sql!(
        conn,
        optional as EntryRow,
        "SELECT tick, previous_tick, chain FROM feed_entries WHERE feed_id = $1 AND tick >= $2 ORDER BY tick LIMIT 1",
        feed.as_str(),
        tick.get(),
    )?;
    Ok(with_cutoffs(conn, row.into_iter().collect()).await?.pop())
}

/// Every cut-off up to a tick, of whatever history, each with the last tick at which it came.
pub async fn cutoffs(conn: &mut Conn<'_>, until: Tick) -> Result<Vec<(NamedCutoff, Tick)>, StoreError> {
    let rows = sql!(
        conn,
        all as CutoffRow,
        "SELECT MAX(tick) AS tick, level, identifier FROM cutoffs WHERE tick <= $1
         GROUP BY level, identifier ORDER BY level, identifier",
        until.get(),
    )?;
    Ok(rows.into_iter().map(|row| (NamedCutoff { level: row.level, identifier: row.identifier }, Tick::new(row.tick))).collect())
}

async fn with_cutoffs(conn: &mut Conn<'_>, rows: Vec<EntryRow>) -> Result<Vec<Entry>, StoreError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let cutoffs = sql!(
        conn,
        all as CutoffRow,
        "SELECT tick, level, identifier FROM cutoffs WHERE tick >= $1 AND tick <= $2 ORDER BY tick",
        first.tick,
        last.tick,
    )?;
    let mut cutoffs = cutoffs.into_iter().peekable();
    let mut entries: Vec<Entry> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut own = Vec::new();
        // Those of another history between them belong to no entry here.
        while let Some(cutoff) = cutoffs.next_if(|cutoff| cutoff.tick <= row.tick) {
            if cutoff.tick == row.tick {
                own.push(NamedCutoff { level: cutoff.level, identifier: cutoff.identifier });
            }
        }
        // As the chain has them, whatever the database's collation.
        own.sort();
        entries.push(Entry { tick: Tick::new(row.tick), previous: Tick::new(row.previous_tick), link: row.chain, cutoffs: own });
    }
    Ok(entries)
}
