//! The revocation feed: reads the chain's head and what came before it, signs it as messages, and hands each message to all who
//! follow. It vouches for nothing that it has not just read. The append is the store's, the chain and the judgement of positions
//! are `domain`'s; the wire format is written down in `verifier-sdk/FEED.md`.

mod message;
mod pace;
mod places;
mod proof;
mod ready;
mod reports;
mod tail;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, broadcast, watch};

pub use self::message::{Kind, Message, TYPE};
pub use self::pace::{GATHER, HEARTBEAT};
pub use self::places::{Follows, Place};
pub use self::proof::Verdict;

use self::message::Contents;
use self::places::{Bounds, Places};
use self::proof::Budgets;
use self::ready::Ready;
use self::reports::Reports;
use self::tail::Tail;
use crate::clock::Clock;
use crate::config::{Config, FeedAccess};
use crate::domain::alarm::OnContradiction;
use crate::domain::feed::{Contradiction, Position, Standing, locate};
use crate::domain::ids::Tick;
use crate::keys::{KeyError, KeyRing, Masters};
use crate::store::{Db, StoreError, feed_tail};

/// How long a read of the database may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many messages a follower may be behind before it is dropped.
const BEHIND: usize = 64;
/// How long a snapshot is sent again while nothing new has come.
const SNAPSHOT: Duration = Duration::from_secs(10);

/// What messages are made from.
pub struct Sources<'a> {
    /// The primary database.
    pub db: &'a Db,
    /// The signing keys.
    pub keys: &'a KeyRing,
    /// What opens them.
    pub masters: &'a Masters,
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// Whether this replica's clock is good enough to sign by.
    pub may_sign: bool,
    /// What is done when the database turns out to have been put back in time.
    pub on_contradiction: OnContradiction,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else's attempt of the same moment failed.
    #[error("the database could not be read")]
    Unread,
    /// This replica's clock is too far from the database's.
    #[error("this machine's clock is more than 60 s off the database's")]
    ClockOff,
    /// The signing keys.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What a follower is told who comes with a position, or with none.
#[derive(Debug)]
pub enum Resumed {
    /// The position is the head: a heartbeat.
    Current(Arc<Message>),
    /// What leads from the position to the head; or a heartbeat that the follower meets with a snapshot.
    News(Arc<Message>),
    /// The history never had the position.
    Contradicted(Contradiction),
}

/// The last snapshot, and the reads for which it stands.
#[derive(Debug, Default)]
struct Snapshots {
    /// No read of the last attempt has a lower number, and whether it failed.
    completed: u64,
    failed: bool,
    made: Option<(Duration, Arc<Message>)>,
}

/// The feed of one process.
pub struct Feed {
    issuer: String,
    /// Held while the database is read and a message signed.
    tail: Mutex<Tail>,
    /// The reads that have begun.
    begun: AtomicU64,
    /// What was last signed for followers that come one by one.
    ready: Mutex<Ready>,
    snapshots: Mutex<Snapshots>,
    messages: broadcast::Sender<Arc<Message>>,
    ended: watch::Sender<bool>,
    places: Places,
    last_read: std::sync::Mutex<Option<(Tick, Duration)>>,
    last_step: std::sync::Mutex<Option<Duration>>,
    reports: Reports,
    budgets: Budgets,
}

impl Feed {
    /// A feed that has read nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            issuer: config.issuer.as_str().to_owned(),
            tail: Mutex::default(),
            begun: AtomicU64::new(0),
            ready: Mutex::default(),
            snapshots: Mutex::default(),
            messages: broadcast::Sender::new(BEHIND),
            ended: watch::Sender::new(false),
            places: Places::new(bounds(config)),
            last_read: std::sync::Mutex::default(),
            last_step: std::sync::Mutex::default(),
            reports: Reports::default(),
            budgets: Budgets::default(),
        }
    }

    /// The head's tick as it was last read, and when that was, by the monotonic clock.
    pub fn last_read(&self) -> Option<(Tick, Duration)> {
        *self.last_read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When those who follow were last told what was due, by the monotonic clock.
    pub fn last_step(&self) -> Option<Duration> {
        *self.last_step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many followers have a place now, whether they take what is sent or wait for an answer.
    pub fn places_taken(&self) -> u32 {
        self.places.taken()
    }

    /// A place for a follower that stays; `holder` is whose address it comes from, if that says anything.
    pub fn place(&self, holder: Option<IpAddr>, who: Follows) -> Option<Place> {
        self.places.take(holder, who)
    }

    /// Every message from now on. Who does not take them in time has gaps.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Message>> {
        self.messages.subscribe()
    }

    /// How many take what is sent at this moment.
    pub fn followers(&self) -> usize {
        self.messages.receiver_count()
    }

    /// Turns true when the process is about to end, and all who follow should leave.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Lets all who follow go.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Reads what is new, sends what is due, and says after how long the next step is at the latest.
    pub async fn step(&self, sources: &Sources<'_>) -> Result<Duration, FeedError> {
        let rest = self.send(sources).await?;
        *self.last_step.lock().unwrap_or_else(PoisonError::into_inner) = Some(sources.clock.monotonic());
        Ok(rest)
    }

    async fn send(&self, sources: &Sources<'_>) -> Result<Duration, FeedError> {
        let mut tail = self.read(sources).await?;
        let now = sources.clock.monotonic();
        if self.followers() == 0 {
            tail.skip()?;
            return Ok(HEARTBEAT);
        }
        if let Some((read, contents)) = tail.due(now)? {
            let message = Arc::new(message::sign(&self.issuer, sources, read, &contents)?);
            tail.sent(now, &message);
            // Who has left in the meantime needs no message.
            drop(self.messages.send(message));
        }
        Ok(tail.rest(now))
    }

    /// Answers a follower: the head is read after it asked.
    pub async fn resume(&self, sources: &Sources<'_>, position: Option<&Position>) -> Result<Resumed, FeedError> {
        let tail = self.read(sources).await?;
        let (read, now) = (tail.last()?.clone(), sources.clock.monotonic());
        let sign = |contents: &Contents<'_>| message::sign(&self.issuer, sources, &read, contents);
        let current = match position.map(|position| (position.tick, locate(position, &read.head, tail.entries()))) {
            Some((_, Standing::Contradicted(how))) => return Ok(Resumed::Contradicted(how)),
            Some((_, Standing::Current)) => true,
            Some((after, Standing::Behind(entries))) => {
                let contents = Contents::Entries { after, entries };
                let delta = self.ready.lock().await.delta(now, after, &read.head, || sign(&contents))?;
                if let Some(delta) = delta {
                    return Ok(Resumed::News(delta));
                }
                false
            }
            Some((_, Standing::Unknown)) | None => false,
        };
        let old = position.filter(|position| tail.is_newer_than(position));
        // Nobody who comes with an old position holds up those who wait for news.
        drop(tail);
        if let Some(old) = old
            && let Some(how) = contradicted(sources.db, &read.head, old).await?
        {
            return Ok(Resumed::Contradicted(how));
        }
        let heartbeat = self.ready.lock().await.heartbeat(now, &read.head, || sign(&Contents::Nothing))?;
        Ok(if current { Resumed::Current(heartbeat) } else { Resumed::News(heartbeat) })
    }

    /// All cut-offs: the head is read first.
    pub async fn snapshot(&self, sources: &Sources<'_>) -> Result<Arc<Message>, FeedError> {
        if !sources.may_sign {
            return Err(FeedError::ClockOff);
        }
        let before = self.begun.load(Ordering::SeqCst);
        let mut shared = self.snapshots.lock().await;
        // Whoever asked before the read of another one began shares its outcome.
        if shared.completed > before {
            let made = shared.made.as_ref().filter(|_| !shared.failed).map(|(_, made)| Arc::clone(made));
            return made.ok_or(FeedError::Unread);
        }
        let number = self.begun.load(Ordering::SeqCst) + 1;
        let outcome = self.snapshot_after(sources, shared.made.as_ref()).await;
        (shared.completed, shared.failed) = (number, outcome.is_err());
        let (at, made) = outcome?;
        shared.made = Some((at, Arc::clone(&made)));
        Ok(made)
    }

    /// A snapshot of the head as it is read now, or the last one where it still says the same.
    async fn snapshot_after(
        &self,
        sources: &Sources<'_>,
        last: Option<&(Duration, Arc<Message>)>,
    ) -> Result<(Duration, Arc<Message>), FeedError> {
        let read = self.read(sources).await?.last()?.clone();
        let (now, digest) = (sources.clock.monotonic(), sources.keys.digest(read.iat)?);
        if let Some((at, made)) = last
            && made.head == read.head
            && made.keys == digest
            && now.saturating_sub(*at) < SNAPSHOT
        {
            return Ok((*at, Arc::clone(made)));
        }
        let reading = async {
            let mut reader = sources.db.reader().await?;
            feed_tail::cutoffs(&mut reader.conn(), read.head.tick).await
        };
        let cutoffs = in_time(reading).await?;
        let made = Arc::new(message::sign(&self.issuer, sources, &read, &Contents::Cutoffs(&cutoffs))?);
        Ok((read.at, made))
    }

    /// Reads the head and what leads to it, after the call: who waits for a read that began later shares its outcome.
    async fn read(&self, sources: &Sources<'_>) -> Result<MutexGuard<'_, Tail>, FeedError> {
        if !sources.may_sign {
            return Err(FeedError::ClockOff);
        }
        let before = self.begun.load(Ordering::SeqCst);
        let mut tail = self.tail.lock().await;
        if tail.completed > before {
            return if tail.failed { Err(FeedError::Unread) } else { Ok(tail) };
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = match tokio::time::timeout(PATIENCE, tail.read(sources)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(slow().into()),
        };
        (tail.completed, tail.failed) = (number, outcome.is_err());
        if let (Ok(()), Ok(last)) = (&outcome, tail.last()) {
            *self.last_read.lock().unwrap_or_else(PoisonError::into_inner) = Some((last.head.tick, last.at));
        }
        outcome.map(|()| tail)
    }
}

/// Where nobody is known, nothing is kept.
fn bounds(config: &Config) -> Bounds {
    let limits = &config.limits;
    let anybody_is_known = matches!(&config.feed.access, FeedAccess::Public(hashes) if !hashes.is_empty());
    Bounds {
        all: limits.streams,
        kept: if anybody_is_known { limits.streams.div_ceil(2) } else { 0 },
        of_known: limits.connections_per_address,
        of_stranger: limits.streams_per_address,
    }
}

/// Asks the database whether a position contradicts the history that is older than what the tail holds.
async fn contradicted(db: &Db, head: &Position, position: &Position) -> Result<Option<Contradiction>, StoreError> {
    let reading = async {
        let mut reader = db.reader().await?;
        feed_tail::first_from(&mut reader.conn(), &head.feed, position.tick).await
    };
    let entry = in_time(reading).await?;
    Ok(match locate(position, head, entry.as_slice()) {
        Standing::Contradicted(how) => Some(how),
        Standing::Current | Standing::Behind(_) | Standing::Unknown => None,
    })
}

async fn in_time<T>(reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err(slow()))
}

fn slow() -> StoreError {
    StoreError::Unavailable("it does not answer in time".to_owned())
}
