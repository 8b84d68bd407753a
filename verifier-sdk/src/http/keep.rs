//! Keeps the last-known-good file: read once before the tasks begin, written soon after something changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;

use super::fetch::discovery_address;
use crate::clock::Clock;
use crate::keys::{Confirmed, KeyCell};
use crate::last_known_good::{Kept, KeptKeys, file};
use crate::revocation::Revocations;
use crate::revocation::follower::Now;

/// Two writes are so far apart at least.
const BETWEEN_WRITES: Duration = Duration::from_secs(5);
/// News that nothing has changed is written no more often than this.
const CONFIRM_EVERY: Duration = Duration::from_secs(60);

/// Reads and writes one file.
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) issuer: String,
    pub(super) keys: Arc<KeyCell>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What makes a new file worth writing at once.
type Content = (Option<String>, Option<String>, Option<String>);

impl Keeper {
    /// Publishes what the file holds, as old as it is. `address`: where to say where the feed is, if that is left to discovery.
    pub(super) fn begin(&self, address: Option<&watch::Sender<Option<Url>>>) {
        let now = Now::of(&*self.clock);
        let kept = match file::read(&self.path) {
            Ok(None) => return,
            Ok(Some(text)) => Kept::read(&text, &self.issuer, now),
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
    }

    pub(super) async fn run(self, mut published: watch::Receiver<()>, address: watch::Receiver<Option<Url>>) {
        let mut written: Option<(Content, Duration)> = None;
        while published.changed().await.is_ok() {
            let (now, feed_uri) = (Now::of(&*self.clock), address.borrow().as_ref().map(Url::to_string));
            let (content, kept) = self.gather(now, feed_uri);
            let worth = written
                .as_ref()
                .is_none_or(|(before, at)| *before != content || now.monotonic.saturating_sub(*at) >= CONFIRM_EVERY);
            if !worth {
                continue;
            }
            let (path, issuer) = (self.path.clone(), self.issuer.clone());
            let writing = tokio::task::spawn_blocking(move || file::write(&path, &kept.to_text(&issuer, now)));
            match writing.await {
                Ok(Ok(())) => written = Some((content, now.monotonic)),
                Ok(Err(error)) => {
                    tracing::warn!(path = %self.path.display(), "the last-known-good file was not written: {error}")
                }
                Err(_) => return,
            }
            tokio::time::sleep(BETWEEN_WRITES).await;
        }
    }

    fn gather(&self, now: Now, feed_uri: Option<String>) -> (Content, Kept) {
        let keys = self
            .keys
            .current()
            .and_then(|current| Some(KeptKeys { set: current.set().clone(), age: current.age(now.monotonic)? }));
        let revocations = self.revocations.held();
        let position = revocations.as_ref().map(|held| format!("{} {}", held.position, held.cutoffs.len()));
        let content = (keys.as_ref().map(|keys| keys.set.digest()), position, feed_uri.clone());
        (content, Kept { keys, feed_uri, revocations })
    }

    fn of_own_origin(&self, feed: &str) -> Option<Url> {
        let own = discovery_address(&self.issuer).ok()?;
        Url::parse(feed).ok().filter(|feed| feed.origin() == own.origin())
    }
}
