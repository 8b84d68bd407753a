//! What this process has read of the chain: the head, and a bounded run of entries before it.

use std::time::Duration;

use super::message::{Contents, Kind, Message, Read};
use super::pace::Pace;
use super::{FeedError, Sources, proof};
use crate::domain::alarm::Witness;
use crate::domain::cutoff::{KEY_LEVEL, chain};
use crate::domain::feed::{Entry, Position, Standing, locate};
use crate::domain::ids::Tick;
use crate::keys::masters::Ask;
use crate::store::feed_alarms::{self, Proof};
use crate::store::{Conn, feed_head, feed_tail, master_keys, signing_keys, wake};

/// How many entries and cut-offs are kept at least, where there are so many; twice as many at most.
const KEPT: u32 = 4096;

/// The end of the chain as it was last read.
#[derive(Debug, Default)]
pub(super) struct Tail {
    last: Option<Read>,
    entries: Vec<Entry>,
    /// To where those who follow have been led.
    announced: Option<Position>,
    pace: Pace,
    /// The number of the last read that came to an end, and whether it failed.
    pub(super) completed: u64,
    pub(super) failed: bool,
}

impl Tail {
    /// The last read.
    pub(super) fn last(&self) -> Result<&Read, FeedError> {
        self.last.as_ref().ok_or(FeedError::Unread)
    }

    /// Reads the head, and what has come before it since the last read. A head below what this process has seen is raised past it
    /// first: a database that was put back in time goes on under another name.
    pub(super) async fn read(&mut self, sources: &Sources<'_>) -> Result<(), FeedError> {
        loop {
            let (iat, at) = (sources.clock.now(), sources.clock.monotonic());
            let highest = wake::highest(sources.db);
            let mut reader = sources.db.reader().await?;
            let head = feed_head::read(&mut reader.conn()).await?;
            if head.tick < highest {
                drop(reader);
                if let Some(alarm) = feed_alarms::overtake(sources.db, highest, sources.on_contradiction, iat).await? {
                    proof::tell(&alarm);
                }
                continue;
            }
            wake::saw(sources.db, head.tick);
            let salt = head.salt;
            let head = Position { feed: head.feed_id, tick: head.tick, link: head.chain };
            if self.last.as_ref().map(|last| &last.head) != Some(&head)
                && let Some(broken) = self.extend(&mut reader.conn(), sources, &head).await?
            {
                drop(reader);
                let lost = Proof { position: broken, signed_by: None, witness: Witness::Process };
                if let Some(alarm) = feed_alarms::contradict(sources.db, lost, sources.on_contradiction, iat).await? {
                    proof::tell(&alarm);
                    continue;
                }
            }
            // Whoever follows has been told of this head or a later one.
            self.announced.get_or_insert_with(|| head.clone());
            self.last = Some(Read { head, salt, iat, at });
            return Ok(());
        }
    }

    /// Takes over what leads to the head. What this process had read before is answered where it is not continued by more entries
    /// than are kept, or by another history.
    async fn extend(
        &mut self,
        conn: &mut Conn<'_>,
        sources: &Sources<'_>,
        head: &Position,
    ) -> Result<Option<Position>, FeedError> {
        let held = self.last.as_ref().map(|last| &last.head).filter(|held| held.feed == head.feed && held.tick < head.tick);
        let above = held.map_or(Tick::ZERO, |held| held.tick);
        let news = feed_tail::entries(conn, &head.feed, (above, head.tick), KEPT).await?;
        let first = news.first();
        let follows = held.zip(first).is_some_and(|(held, first)| {
            first.previous == held.tick && chain(&head.feed, &held.link, first.tick, &first.cutoffs) == first.link
        });
        let broken = if follows { None } else { self.last.as_ref().map(|last| last.head.clone()) };
        // What was not read may have been the end of a key as well.
        if !follows || news.iter().flat_map(|entry| &entry.cutoffs).any(|cutoff| cutoff.level == KEY_LEVEL) {
            reload(conn, sources).await?;
        }
        if !follows {
            self.entries.clear();
        }
        self.entries.extend(news);
        self.forget();
        Ok(broken.filter(|held| held.feed == head.feed))
    }

    fn forget(&mut self) {
        let weight = |entry: &Entry| 1 + entry.cutoffs.len();
        let kept = usize::try_from(KEPT).unwrap_or(usize::MAX);
        let mut whole: usize = self.entries.iter().map(weight).sum();
        if whole <= kept.saturating_mul(2) {
            return;
        }
        let oldest = self.entries.iter().take_while(|entry| {
            let too_much = whole > kept;
            whole -= weight(entry);
            too_much
        });
        let oldest = oldest.count();
        self.entries.drain(..oldest);
    }

    /// The entries that are held.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a position is of the head's history, and older than the entries that are held.
    pub(super) fn is_newer_than(&self, position: &Position) -> bool {
        let same = self.last.as_ref().is_some_and(|last| last.head.feed == position.feed);
        same && self.entries.first().is_none_or(|first| position.tick < first.previous)
    }

    /// The message that is due now, if one is.
    pub(super) fn due(&self, now: Duration) -> Result<Option<(&Read, Contents<'_>)>, FeedError> {
        let read = self.last.as_ref().ok_or(FeedError::Unread)?;
        let announced = self.announced.as_ref().unwrap_or(&read.head);
        if *announced == read.head {
            return Ok(self.pace.heartbeat_due(now).then_some((read, Contents::Nothing)));
        }
        if !self.pace.news_due(now) {
            return Ok(None);
        }
        let contents = match locate(announced, &read.head, &self.entries) {
            Standing::Behind(entries) => Contents::Entries { after: announced.tick, entries },
            // Who follows meets a head above its own with a snapshot.
            Standing::Current | Standing::Unknown | Standing::Contradicted(_) => Contents::Nothing,
        };
        Ok(Some((read, contents)))
    }

    /// Notes that a message went out.
    pub(super) fn sent(&mut self, now: Duration, message: &Message) {
        let news = message.kind == Kind::Delta || self.announced.as_ref() != Some(&message.head);
        self.pace.said(now, news);
        self.announced = Some(message.head.clone());
    }

    /// Notes that nobody needs to be led here.
    pub(super) fn skip(&mut self) -> Result<(), FeedError> {
        self.announced = Some(self.last()?.head.clone());
        Ok(())
    }

    /// How long until the next message is due.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        let waiting = self.announced.as_ref() != self.last.as_ref().map(|last| &last.head);
        self.pace.rest(now, waiting)
    }
}

/// Takes over the keys as they now are: nothing may be signed with one that was just revoked. Those that come in their stead may be
/// sealed under another master key.
async fn reload(conn: &mut Conn<'_>, sources: &Sources<'_>) -> Result<(), FeedError> {
    let Sources { keys, masters, clock, .. } = sources;
    let (seen, rows) = (master_keys::read(conn).await?, signing_keys::all(conn).await?);
    let followed = masters.follow(&seen, Ask::AtOnce, clock.monotonic()).await;
    let replaced = if keys.is_current(&rows) { Ok(()) } else { keys.replace(rows, &masters.known()) };
    // What was revoked is out. The feed goes on with the keys that are open, and signs nothing where none is.
    if let Err(why) = followed.and(replaced) {
        tracing::error!(error = %why, "the revocation feed goes on with the signing keys that are open");
    }
    Ok(())
}
