//! Rows whose time is over, deleted in small batches so that nobody waits for it.

use std::time::Duration;

use futures_util::FutureExt;

use super::{Db, StoreError};
use crate::clock::{TOLERANCE, UnixTime};
use crate::domain::life::AccessTokenLife;
use crate::domain::status_list::{SERVED_AFTER_END, SPAN};

/// How long a session or grant stays after its end: the longest token life and leeway, so that what hangs on it is judged dead by
/// its row and not merely by its absence.
pub const AFTER_END: Duration = Duration::from_secs(70 * 60);

/// How long the places of a status list stay after it was served last by this replica's clock: by another one's, it may be served for
/// that much longer, and what has no place there is VALID.
pub const LISTS_AFTER_SERVED: Duration = Duration::from_secs(2 * TOLERANCE.as_secs());

// A list judges its tokens by their cut-offs, the last time when it is served last, by whichever replica's clock.
const _: () = assert!(
    AccessTokenLife::LONGEST.as_secs() + SPAN.as_secs() + SERVED_AFTER_END.as_secs() + LISTS_AFTER_SERVED.as_secs()
        <= AFTER_END.as_secs()
);

/// How long a dead or retired key's row stays.
pub const KEYS_AFTER_END: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// What nobody needs from the moment its time is over.
const AT_ONCE: [&str; 4] = [
    "DELETE FROM authorization_requests WHERE handle_hash IN
     (SELECT handle_hash FROM authorization_requests WHERE expires_at < $1 LIMIT 500)",
    "DELETE FROM authorization_requests WHERE handle_hash IN
     (SELECT handle_hash FROM authorization_requests WHERE consumed_at IS NOT NULL AND consumed_at <= $1 LIMIT 500)",
    "DELETE FROM set_up_tokens WHERE token_hash IN (SELECT token_hash FROM set_up_tokens WHERE expires_at < $1 LIMIT 500)",
    // A stolen secret of the file's is remembered until the file has another one: the next start would bring it back to life.
    "DELETE FROM client_secrets WHERE expires_at IS NOT NULL AND expires_at < $1
     AND client_id NOT IN (SELECT id FROM clients WHERE origin = 'file')",
];

/// The seed of a successor goes when its window has closed with its time.
const SEEDS: &str = "UPDATE refresh_tokens SET successor_salt = NULL, successor_key_id = NULL WHERE token_hash IN
     (SELECT token_hash FROM refresh_tokens WHERE successor_salt IS NOT NULL AND retry_until < $1 LIMIT 500)";

/// How long after its window a seed stays. A retry without its seed is judged as theft: one that came in time may still wait for
/// its turn to write, and another replica's clock may be up to a minute behind this one's.
pub const SEEDS_AFTER_WINDOW: Duration = Duration::from_secs(2 * 60);

/// What a retired master key derived goes when no retry of its time can come any more: the longest window, and the same delay.
const REFRESH_KEYS: &str =
    "UPDATE retired_master_keys SET sealed_refresh_key = NULL WHERE sealed_refresh_key IS NOT NULL AND retired_at < $1";

/// How long after a master key was retired.
pub const REFRESH_KEYS_AFTER_END: Duration = Duration::from_secs(5 * 60);

const BATCHES: [&str; 4] = [
    // A used refresh token whose own limit has passed proves no theft any more: nobody could have used it.
    "DELETE FROM refresh_tokens WHERE token_hash IN
     (SELECT token_hash FROM refresh_tokens WHERE expires_at < $1 LIMIT 500)",
    // With their codes and refresh tokens.
    "DELETE FROM grants WHERE id IN
     (SELECT id FROM grants WHERE refresh_until < $1 OR (ended_at IS NOT NULL AND ended_at < $1) LIMIT 500)",
    // Never redeemed.
    "DELETE FROM grants WHERE id IN
     (SELECT grant_id FROM codes WHERE consumed_at IS NULL AND expires_at < $1 LIMIT 500)",
    "DELETE FROM sessions WHERE id IN
     (SELECT id FROM sessions WHERE expires_at < $1 OR (ended_at IS NOT NULL AND ended_at < $1) LIMIT 500)",
];

/// The rows of dead and retired keys, and the feed's entries about them. Their ticks are times, near enough for ninety days.
const LATE: [&str; 2] = [
    "DELETE FROM signing_keys WHERE published_until < $1 AND (revoked_at IS NULL OR revoked_at < $1)
     AND epoch < (SELECT MAX(epoch) FROM signing_keys)",
    "DELETE FROM feed_entries WHERE tick IN (SELECT tick FROM cutoffs WHERE level = 'kid' AND tick < $1)",
];

/// The places of status lists that are served no longer, and then the lists.
const STATUS_LISTS: [&str; 2] = [
    "DELETE FROM status_entries WHERE (list_id, idx) IN
     (SELECT e.list_id, e.idx FROM status_lists l JOIN status_entries e ON e.list_id = l.id WHERE l.ends_at <= $1 LIMIT 2000)",
    "DELETE FROM status_lists WHERE ends_at <= $1
     AND NOT EXISTS (SELECT 1 FROM status_entries e WHERE e.list_id = status_lists.id)",
];

/// Deletes one batch of the lanes that were left alone since this time, and count nothing any more; how many went.
pub async fn lanes(db: &Db, before: UnixTime) -> Result<u64, StoreError> {
    db.write(before, |tx, before| {
        async move {
            sql!(
                tx,
                execute,
                "DELETE FROM attempts WHERE lane IN (SELECT lane FROM attempts WHERE last_at < $1 AND next_at < $1 LIMIT 500)",
                before.millis(),
            )
        }
        .boxed()
    })
    .await
}

/// Deletes one batch of the audit trail's entries from before this time; how many went. Nothing else deletes any, and nothing ever
/// changes one.
pub async fn audit_before(db: &Db, before: UnixTime) -> Result<u64, StoreError> {
    db.write(before, |tx, before| {
        async move {
            sql!(
                tx,
                execute,
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at, id LIMIT 500)",
                before.millis(),
            )
        }
        .boxed()
    })
    .await
}

/// Deletes one batch of each kind; how many rows went. Nothing to do is the sign to stop.
pub async fn batch(db: &Db, now: UnixTime) -> Result<u64, StoreError> {
    let at_once = AT_ONCE.into_iter().map(|statement| (statement, now));
    let early = BATCHES.into_iter().map(|statement| (statement, now - AFTER_END));
    let late = LATE.into_iter().map(|statement| (statement, now - KEYS_AFTER_END));
    let mut swept = 0;
    let seeds = [(SEEDS, now - SEEDS_AFTER_WINDOW), (REFRESH_KEYS, now - REFRESH_KEYS_AFTER_END)];
    let lists = STATUS_LISTS.into_iter().map(|statement| (statement, now - SERVED_AFTER_END - LISTS_AFTER_SERVED));
    for input in at_once.chain(seeds).chain(lists).chain(early).chain(late) {
        swept += db
            .write(input, |tx, (statement, before)| async move { sql!(tx, execute, *statement, before.millis()) }.boxed())
            .await?;
    }
    Ok(swept)
}
