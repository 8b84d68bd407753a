//! Keeps the last-known-good file: read once before the tasks begin, written when something changed, and once more when the last
//! verifier goes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;

use super::fetch::discovery_address;
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::keys::{Confirmed, KeyCell};
use crate::last_known_good::{Kept, KeptKeys, file};
use crate::observe::{Event, Watch};
use crate::revocation::Revocations;
use crate::revocation::follower::{Held, Now};

/// From one write to the next, so that a burst of revocations is no burst of writes; or ten times as long as a write takes.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// A write that failed is tried again no sooner than this.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// News that nothing has changed is written no more often than this.
const CONFIRM_EVERY: Duration = Duration::from_secs(60);

/// Reads and writes one file.
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) issuer: String,
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether the issuer's keys were given for good: then there are none to keep.
    pub(super) fixed_keys: bool,
    pub(super) keys: Arc<KeyCell>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) clock: Arc<dyn Clock>,
    /// Where the feed is, once that is known.
    pub(super) address: watch::Receiver<Option<Url>>,
    /// What the file holds and since when. Whoever writes holds the lock.
    pub(super) written: Mutex<Option<(Content, Duration)>>,
    pub(super) watch: Watch,
}

/// What makes a new file worth writing soon: the digest of the keys, where the revocations stand and how many times cut-offs came, and
/// where the feed is.
pub(super) type Content = (Option<String>, Option<(String, u64, u64)>, Option<String>);

/// What became of a file that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    Unchanged,
    Written { took: Duration },
    Failed,
}

impl Keeper {
    /// Publishes what the file holds, as old as it is. `address`: where to say where the feed is, if that is left to discovery.
    pub(super) fn begin(&self, address: Option<&watch::Sender<Option<Url>>>) {
        let now = Now::of(&*self.clock);
        let kept = match file::read(&self.path) {
            Ok(None) => return,
            Ok(Some(text)) => Kept::read(&text, &self.issuer, &self.algorithms, self.fixed_keys, now),
            Err(unusable) => Err(unusable),
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(unusable) => {
                tracing::warn!(path = %self.path.display(), "the last-known-good file is not used: {unusable}");
                return;
            }
        };
        if let (Some(address), Some(feed)) = (address, kept.feed_uri.and_then(|feed| self.of_own_origin(&feed))) {
            self.revocations.follow();
            address.send_replace(Some(feed));
        }
        if let Some(held) = kept.revocations.filter(|_| self.revocations.is_followed()) {
            self.revocations.begin_with(held);
        }
        if let Some(KeptKeys { set, age }) = kept.keys.filter(|_| !self.fixed_keys) {
            self.keys.publish(set, Confirmed { at: now.monotonic, age_then: age, fresh_for: Duration::ZERO });
        }
        let (content, _) = self.gather(now);
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some((content, now.monotonic));
    }

    pub(super) async fn run(self: Arc<Self>, mut published: watch::Receiver<()>) {
        while published.changed().await.is_ok() {
            let keeper = self.clone();
            let pause = match tokio::task::spawn_blocking(move || keeper.save(CONFIRM_EVERY)).await {
                Ok(Saved::Unchanged) => continue,
                Ok(Saved::Written { took }) => BETWEEN_WRITES.max(10 * took),
                Ok(Saved::Failed) => AFTER_FAILURE,
                Err(_) => return,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Writes what changed, and what did not when it was last written so long ago.
    pub(super) fn save(&self, confirm_every: Duration) -> Saved {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Now::of(&*self.clock);
        let (content, kept) = self.gather(now);
        let is_known =
            |(before, at): &(Content, Duration)| *before == content && now.monotonic.saturating_sub(*at) < confirm_every;
        if kept.keys.is_none() && kept.revocations.is_none() || written.as_ref().is_some_and(is_known) {
            return Saved::Unchanged;
        }
        let outcome = file::write(&self.path, &kept.to_text(&self.issuer, now));
        self.watch.tell(|| Event::LastKnownGoodWrite { succeeded: outcome.is_ok() });
        match outcome {
            Ok(()) => {
                *written = Some((content, now.monotonic));
                Saved::Written { took: self.clock.monotonic().saturating_sub(now.monotonic) }
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), "the last-known-good file was not written: {error}");
                Saved::Failed
            }
        }
    }

    fn gather(&self, now: Now) -> (Content, Kept) {
        let feed_uri = self.address.borrow().as_ref().map(Url::to_string);
        let keys = self
            .keys
            .current()
            .and_then(|current| Some(KeptKeys { set: current.set().clone(), age: current.age(now.monotonic)? }));
        let revocations = self.revocations.held();
        let stands = |held: &Arc<Held>| (held.position.to_string(), held.heard_tick, held.cutoffs.generation());
        let position = revocations.as_ref().map(stands);
        let content = (keys.as_ref().map(|keys| keys.set.digest()), position, feed_uri.clone());
        (content, Kept { keys, feed_uri, revocations })
    }

    fn of_own_origin(&self, feed: &str) -> Option<Url> {
        let own = discovery_address(&self.issuer).ok()?;
        Url::parse(feed).ok().filter(|feed| feed.origin() == own.origin())
    }
}
