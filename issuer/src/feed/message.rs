//! A signed message: the payload as FEED.md writes it, and what those who send it need to know of it.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{FeedError, Sources};
use crate::clock::UnixTime;
use crate::domain::cutoff::NamedCutoff;
use crate::domain::feed::{Entry, Position};
use crate::domain::ids::{FeedId, Tick};
use crate::domain::life::AccessTokenLife;

/// The type of a message in its header, and behind `application/` its media type.
pub const TYPE: &str = "passant-revocations+jwt";

/// A signed message.
#[derive(Debug)]
pub struct Message {
    /// The head for which it vouches.
    pub head: Position,
    /// What it holds.
    pub kind: Kind,
    /// The digest of the key set that it names.
    pub keys: String,
    /// The compact JWS.
    pub jws: String,
    /// A strong entity tag of these very bytes, in its quotes.
    pub etag: String,
    /// The message as an event, once somebody was sent it.
    pub(super) event: OnceLock<String>,
}

/// The three kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All cut-offs.
    Snapshot,
    /// The entries behind one.
    Delta,
    /// The head alone.
    Heartbeat,
}

impl Message {
    /// The message as an event of the stream, named by the position to which it leads; written once for all who follow.
    pub fn event(&self) -> &str {
        self.event.get_or_init(|| format!("id: {}\ndata: {}\n\n", self.head, self.jws))
    }

    /// Whether a follower whose last message had this head learns anything by it.
    pub fn is_news_at(&self, head: &Position) -> bool {
        match self.kind {
            Kind::Heartbeat | Kind::Snapshot => self.head.tick >= head.tick,
            Kind::Delta => self.head.tick > head.tick,
        }
    }
}

/// A head as it was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) head: Position,
    pub(super) salt: String,
    /// When the read was about to begin.
    pub(super) iat: UnixTime,
    /// The same by the monotonic clock.
    pub(super) at: Duration,
}

/// What a message holds beside the head.
pub(super) enum Contents<'a> {
    Nothing,
    Entries { after: Tick, entries: &'a [Entry] },
    Cutoffs(&'a [(NamedCutoff, Tick)]),
}

/// Names by level.
type Levels<'a> = BTreeMap<&'a str, Vec<&'a str>>;

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    iat: i64,
    feed: &'a FeedId,
    salt: &'a str,
    keys: &'a str,
    life: u64,
    tick: Tick,
    chain: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Tick>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<(Tick, Levels<'a>)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cutoffs: Option<BTreeMap<&'a str, Vec<NameOrBehind<'a>>>>,
}

/// Names and how far their ticks are behind the head, in turn.
#[derive(Serialize)]
#[serde(untagged)]
enum NameOrBehind<'a> {
    Name(&'a str),
    Behind(i64),
}

/// Signs a message about what was read.
pub(super) fn sign(issuer: &str, sources: &Sources<'_>, read: &Read, contents: &Contents<'_>) -> Result<Message, FeedError> {
    let keys = sources.keys.digest(read.iat)?;
    let (kind, after, entries, cutoffs) = match contents {
        Contents::Nothing => (Kind::Heartbeat, None, None, None),
        Contents::Entries { after, entries } => {
            (Kind::Delta, Some(*after), Some(entries.iter().map(|entry| (entry.tick, by_level(entry))).collect()), None)
        }
        Contents::Cutoffs(cutoffs) => (Kind::Snapshot, None, None, Some(behind(read.head.tick, cutoffs))),
    };
    let payload = Payload {
        iss: issuer,
        iat: read.iat.seconds(),
        feed: &read.head.feed,
        salt: &read.salt,
        keys: &keys,
        life: AccessTokenLife::LONGEST.as_secs(),
        tick: read.head.tick,
        chain: &read.head.link,
        after,
        entries,
        cutoffs,
    };
    let (jws, _) = sources.keys.sign(read.iat, TYPE, &payload)?;
    let etag = format!("\"{}\"", Base64UrlUnpadded::encode_string(&Sha256::digest(jws.as_bytes())));
    Ok(Message { head: read.head.clone(), kind, keys, jws, etag, event: OnceLock::new() })
}

fn by_level(entry: &Entry) -> Levels<'_> {
    let mut levels = Levels::new();
    for cutoff in &entry.cutoffs {
        levels.entry(&cutoff.level).or_default().push(&cutoff.identifier);
    }
    levels
}

fn behind(head: Tick, cutoffs: &[(NamedCutoff, Tick)]) -> BTreeMap<&str, Vec<NameOrBehind<'_>>> {
    let mut levels: BTreeMap<&str, Vec<NameOrBehind<'_>>> = BTreeMap::new();
    for (cutoff, tick) in cutoffs {
        let behind = NameOrBehind::Behind(head.get() - tick.get());
        levels.entry(&cutoff.level).or_default().extend([NameOrBehind::Name(&cutoff.identifier), behind]);
    }
    levels
}
