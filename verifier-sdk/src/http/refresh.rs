//! The task that keeps the keys current: when to fetch is decided by [`schedule`](super::schedule), what to accept by
//! [`fetch`](super::fetch) and the key set's own parser.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::fetch::{FetchError, Fetched, Fetcher};
use super::schedule::Schedule;
use super::{Command, MAX_QUEUED, RefreshError};
use crate::clock::Clock;
use crate::keys::{Confirmed, KeyCell, KeyState};
use crate::observe::{Event, Watch};

/// Fetches one issuer's keys again and again.
pub(super) struct KeyTask {
    pub(super) keys: Arc<KeyCell>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetcher: Fetcher,
    pub(super) schedule: Schedule,
    pub(super) published: watch::Sender<()>,
    pub(super) waiting: Vec<oneshot::Sender<Result<(), RefreshError>>>,
    pub(super) watch: Watch,
}

impl KeyTask {
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, mut strangers: mpsc::Receiver<Box<str>>) {
        loop {
            for command in std::iter::from_fn(|| inbox.try_recv().ok()).take(MAX_QUEUED) {
                self.take(command);
            }
            for kid in std::iter::from_fn(|| strangers.try_recv().ok()).take(MAX_QUEUED) {
                self.look_for(kid);
            }
            let wait = self.schedule.wait(self.clock.monotonic());
            if wait.is_zero() {
                self.refresh().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                command = inbox.recv() => match command {
                    Some(command) => self.take(command),
                    None => return,
                },
                kid = strangers.recv() => match kid {
                    Some(kid) => self.look_for(kid),
                    None => return,
                },
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::FeedSays(because) => self.schedule.feed_says(self.clock.monotonic(), because),
            Command::Refresh(asker) => {
                self.schedule.demand();
                self.waiting.push(asker);
            }
        }
    }

    fn look_for(&mut self, kid: Box<str>) {
        if self.keys.current().is_none_or(|current| current.set().get(&kid).is_none())
            && !self.schedule.unknown_kid(self.clock.monotonic(), kid)
        {
            self.watch.tell(|| Event::UnknownKeySuppressed);
        }
    }

    /// One attempt, whatever and however many asked for it.
    async fn refresh(&mut self) {
        let started = self.clock.monotonic();
        let held = self.keys.current();
        let outcome = self.fetcher.fetch(started, held.is_some()).await;
        let outcome = match (outcome, held) {
            (Ok(Fetched::Keys { set, max_age }), _) => Ok((Arc::new(set), max_age, true)),
            (Ok(Fetched::NotModified { max_age }), Some(held)) => Ok((held.set().clone(), max_age, false)),
            (Ok(Fetched::NotModified { .. }), None) => Err(FetchError::Status(304, None)),
            (Err(failure), _) => Err(failure),
        };
        let answer = match outcome {
            Ok((set, max_age, is_new)) => {
                if is_new {
                    for skipped in set.skipped() {
                        let kid = skipped.kid.as_deref().unwrap_or("-");
                        if skipped.reason.is_leak() {
                            tracing::error!(kid, "a key of the issuer's set is not used: {}", skipped.reason);
                        } else {
                            tracing::warn!(kid, "a key of the issuer's set is not used: {}", skipped.reason);
                        }
                    }
                }
                self.watch.tell(|| Event::Keys { usable: set.len(), skipped: set.skipped().len() });
                let fresh_for = self.schedule.succeeded(self.clock.monotonic(), max_age);
                self.keys.publish(set, Confirmed { at: started, age_then: Duration::ZERO, fresh_for });
                self.published.send_replace(());
                Ok(())
            }
            Err(failure) => {
                let now = self.clock.monotonic();
                let has_keys = matches!(self.keys.state(now), KeyState::Fresh | KeyState::Stale);
                tracing::warn!(has_keys, "the issuer's keys could not be refreshed: {failure}");
                self.schedule.failed(now, has_keys, failure.retry_after());
                self.keys.note_failure(failure.to_string());
                Err(RefreshError(failure.to_string()))
            }
        };
        self.watch.tell(|| Event::KeyRefresh { succeeded: answer.is_ok() });
        for asker in self.waiting.drain(..) {
            let _ = asker.send(answer.clone());
        }
    }
}
