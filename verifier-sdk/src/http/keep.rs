//! Keeps the last-known-good file: read once before the tasks begin, written as soon as something changed,
//! and once more when the last verifier goes.

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
use crate::revocation::Revocations;
use crate::revocation::follower::Now;

/// A write that failed is tried again no sooner than this.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// News that nothing has changed is written no more often than this.
const CONFIRM_EVERY: Duration = Duration::from_secs(60);

/// Reads and writes one file.
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) issuer: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: Arc<KeyCell>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) clock: Arc<dyn Clock>,
    /// Where the feed is, once that is known.
    pub(super) address: watch::Receiver<Option<Url>>,
    /// What the file holds and since when. Whoever writes holds the lock.
    pub(super) written: Mutex<Option<(Content, Duration)>>,
}

/// What makes a new file worth writing at once.
pub(super) type Content = (Option<String>, Option<String>, Option<String>);

impl Keeper {
    /// Publishes what the file holds, as old as it is. `address`: where to say where the feed is, if that is left to discovery.
    pub(super) fn begin(&self, address: Option<&watch::Sender<Option<Url>>>) {
        let now = Now::of(&*self.clock);
        let kept = match file::read(&self.path) {
            Ok(None) => return,
            Ok(Some(text)) => Kept::read(&text, &self.issuer, &self.algorithms, now),
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
        if let Some(KeptKeys { set, age }) = kept.keys {
            self.keys.publish(set, Confirmed { at: now.monotonic, age_then: age, fresh_for: Duration::ZERO });
        }
        let (content, _) = self.gather(now);
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some((content, now.monotonic));
    }

    pub(super) async fn run(self: Arc<Self>, mut published: watch::Receiver<()>) {
        while published.changed().await.is_ok() {
            let keeper = self.clone();
            match tokio::task::spawn_blocking(move || keeper.save(CONFIRM_EVERY)).await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(AFTER_FAILURE).await,
                Err(_) => return,
            }
        }
    }

    /// Writes what changed, and what did not when it was last written so long ago; false when that failed.
    pub(super) fn save(&self, confirm_every: Duration) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Now::of(&*self.clock);
        let (content, kept) = self.gather(now);
        let is_known =
            |(before, at): &(Content, Duration)| *before == content && now.monotonic.saturating_sub(*at) < confirm_every;
        if kept.keys.is_none() && kept.revocations.is_none() || written.as_ref().is_some_and(is_known) {
            return true;
        }
        match file::write(&self.path, &kept.to_text(&self.issuer, now)) {
            Ok(()) => *written = Some((content, now.monotonic)),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), "the last-known-good file was not written: {error}");
                return false;
            }
        }
        true
    }

    fn gather(&self, now: Now) -> (Content, Kept) {
        let feed_uri = self.address.borrow().as_ref().map(Url::to_string);
        let keys = self
            .keys
            .current()
            .and_then(|current| Some(KeptKeys { set: current.set().clone(), age: current.age(now.monotonic)? }));
        let revocations = self.revocations.held();
        let position = revocations.as_ref().map(|held| format!("{} {} {}", held.position, held.heard_tick, held.cutoffs.len()));
        let content = (keys.as_ref().map(|keys| keys.set.digest()), position, feed_uri.clone());
        (content, Kept { keys, feed_uri, revocations })
    }

    fn of_own_origin(&self, feed: &str) -> Option<Url> {
        let own = discovery_address(&self.issuer).ok()?;
        Url::parse(feed).ok().filter(|feed| feed.origin() == own.origin())
    }
}
