//! The `followers` table: who follows the revocation feed by its own word. Rows are written in batches, bounded for each address and
//! together, and go soon after a follower was last heard.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx};
use crate::clock::UnixTime;
use crate::domain::follower::Heard;
use crate::domain::ids::{FeedId, Tick};

/// The most rows.
pub const MOST: u32 = 4096;
/// The most rows of one address.
pub const MOST_OF_ADDRESS: u32 = 256;

#[derive(sqlx::FromRow)]
struct FollowerRow {
    address: String,
    name: String,
    instance: String,
    feed_id: String,
    tick: i64,
    head_tick: i64,
    keys_digest: String,
    keys_at: i64,
    seen_at: i64,
}

impl From<FollowerRow> for Heard {
    fn from(row: FollowerRow) -> Self {
        Self {
            address: row.address,
            name: row.name,
            instance: row.instance,
            feed: FeedId::new(row.feed_id),
            tick: Tick::new(row.tick),
            head: Tick::new(row.head_tick),
            keys: row.keys_digest,
            keys_at: UnixTime::from_millis(row.keys_at),
            seen_at: UnixTime::from_millis(row.seen_at),
        }
    }
}

/// Notes what was heard since the last time. What is older than a row that is there changes nothing; past the bounds, those go
/// that were last heard the longest ago.
pub async fn note(db: &Db, mut heard: Vec<Heard>) -> Result<(), StoreError> {
    // Always in one order: two replicas that hear the same followers wait for each other.
    heard.sort_by_cached_key(id);
    db.write(heard, |tx, heard| {
        async move {
            for it in heard {
                upsert(tx, it).await?;
            }
            for address in heard.iter().map(|it| it.address.as_str()).collect::<BTreeSet<&str>>() {
                sql!(
                    tx,
                    execute,
                    "DELETE FROM followers WHERE id IN
                     (SELECT id FROM followers WHERE address = $1 ORDER BY seen_at DESC, id LIMIT 1000000 OFFSET $2)",
                    address,
                    i64::from(MOST_OF_ADDRESS),
                )?;
            }
            sql!(
                tx,
                execute,
                "DELETE FROM followers WHERE id IN (SELECT id FROM followers ORDER BY seen_at DESC, id LIMIT 1000000 OFFSET $1)",
                i64::from(MOST),
            )
            .map(drop)
        }
        .boxed()
    })
    .await
}

/// One follower of one address. None of the parts has a space.
fn id(it: &Heard) -> String {
    format!("{} {} {}", it.address, it.name, it.instance)
}

async fn upsert(tx: &mut Tx<'_>, it: &Heard) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "INSERT INTO followers (id, address, name, instance, feed_id, tick, head_tick, keys_digest, keys_at, seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET feed_id = excluded.feed_id, tick = excluded.tick, head_tick = excluded.head_tick,
             keys_digest = excluded.keys_digest, keys_at = excluded.keys_at, seen_at = excluded.seen_at
         WHERE followers.seen_at <= excluded.seen_at",
        id(it),
        it.address.as_str(),
        it.name.as_str(),
        it.instance.as_str(),
        it.feed.as_str(),
        it.tick.get(),
        it.head.get(),
        it.keys.as_str(),
        it.keys_at.millis(),
        it.seen_at.millis(),
    )
    .map(drop)
}

/// Who was heard since a time, by name.
pub async fn heard_since(conn: &mut Conn<'_>, since: UnixTime) -> Result<Vec<Heard>, StoreError> {
    let rows = sql!(
        conn,
        all as FollowerRow,
        "SELECT address, name, instance, feed_id, tick, head_tick, keys_digest, keys_at, seen_at FROM followers
         WHERE seen_at >= $1 ORDER BY name, instance, address",
        since.millis(),
    )?;
    Ok(rows.into_iter().map(Heard::from).collect())
}

/// Forgets who was last heard before a time; how many that were.
pub async fn forget(db: &Db, before: UnixTime) -> Result<u64, StoreError> {
    db.write(before, |tx, before| {
        async move { sql!(tx, execute, "DELETE FROM followers WHERE seen_at < $1", before.millis()) }.boxed()
    })
    .await
}
