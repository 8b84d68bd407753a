//! `passant followers`: who follows the revocation feed, how far each one is, and how old its keys are, by what followers say.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::open::{self, Seen};
use super::settings::Settings;
use crate::clock::UnixTime;
use crate::domain::follower::{FOLLOWERS_KEPT, Heard, Reached};
use crate::domain::ids::FeedId;
use crate::domain::life::Spelled;
use crate::keys::jwks::published_digest;
use crate::store::{feed_head, followers, signing_keys};

pub(super) async fn run(settings: &Settings) -> Result<Option<Answer>, Failure> {
    open::to_read(settings, list).await
}

/// What followers are compared with.
struct Now {
    at: UnixTime,
    feed: FeedId,
    keys: String,
}

async fn list(seen: &Seen) -> Result<Answer, Failure> {
    let mut reader = seen.db.reader().await?;
    let mut conn = reader.conn();
    let heard = followers::heard_since(&mut conn, seen.now - FOLLOWERS_KEPT).await?;
    let (head, rows) = (feed_head::read(&mut conn).await?, signing_keys::all(&mut conn).await?);
    let now = Now { at: seen.now, feed: head.feed_id, keys: published_digest(&rows, seen.now)? };
    let headings = ["NAME", "INSTANCE", "ADDRESS", "HISTORY", "KEYS", "LAST SEEN"];
    let text = table(headings, heard.iter().map(|it| line(it, &now)).collect());
    let followers: Vec<Value> = heard.iter().map(|it| document(it, &now)).collect();
    Ok(Answer { document: json!({ "feed": now.feed, "tick": head.tick, "followers": followers }), text })
}

fn line(it: &Heard, now: &Now) -> [String; 6] {
    let keys = if it.keys == now.keys { "current" } else { "another set" };
    [
        it.name.clone(),
        it.instance.clone(),
        it.address.clone(),
        it.reached(&now.feed).to_string(),
        format!("{keys}, fetched {} ago", ago(it.keys_at, now.at)),
        format!("{} ago", ago(it.seen_at, now.at)),
    ]
}

/// In whole seconds: followers tell no more.
fn ago(then: UnixTime, now: UnixTime) -> Spelled {
    Spelled(Duration::from_secs(now.since(then).as_secs()))
}

fn document(it: &Heard, now: &Now) -> Value {
    let behind = match it.reached(&now.feed) {
        Reached::Head => Some(0),
        Reached::Behind(ticks) => Some(ticks),
        Reached::OtherHistory => None,
    };
    json!({
        "name": it.name,
        "instance": it.instance,
        "address": it.address,
        "feed": it.feed,
        "tick": it.tick,
        "ticks_behind": behind,
        "keys": it.keys,
        "keys_current": it.keys == now.keys,
        "keys_at": it.keys_at.to_string(),
        "seen_at": it.seen_at.to_string(),
    })
}
