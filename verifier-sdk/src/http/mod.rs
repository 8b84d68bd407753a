//! The background task that keeps a verifier's keys current. It is a thin shell: when to fetch is decided by
//! [`schedule`], what to accept by [`fetch`] and the key set's own parser, and verification never waits for it.

mod budget;
mod fetch;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::builder::{BuildError, KeySource};
use crate::clock::Clock;
use crate::keys::{KeyCell, KeyState};
use crate::verifier::Verifier;
use fetch::{FetchError, Fetched, Fetcher};
use schedule::Schedule;

/// The verifier's end of its background task; dropping it ends the task.
pub(crate) struct Follower {
    commands: mpsc::Sender<Command>,
    published: watch::Receiver<()>,
    task: AbortHandle,
}

/// Messages that the task has not come to yet. More are dropped: a fetch brings the whole set, whichever kid asked for it.
const MAX_QUEUED: usize = 64;

enum Command {
    LookFor(Box<str>),
    Refresh(oneshot::Sender<Result<(), RefreshError>>),
}

impl Follower {
    pub(crate) fn start(
        issuer: Option<&str>,
        source: KeySource,
        keys: Arc<KeyCell>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let fetcher = Fetcher::new(issuer, source)?;
        let schedule = Schedule::new(clock.monotonic());
        let (commands, inbox) = mpsc::channel(MAX_QUEUED);
        let (announce, published) = watch::channel(());
        let task = Task { keys, clock, fetcher, schedule, announce, waiting: Vec::new() };
        Ok(Self { commands, published, task: runtime.spawn(task.run(inbox)).abort_handle() })
    }

    pub(crate) fn look_for(&self, kid: &str) {
        let _ = self.commands.try_send(Command::LookFor(kid.into()));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    keys: Arc<KeyCell>,
    clock: Arc<dyn Clock>,
    fetcher: Fetcher,
    schedule: Schedule,
    announce: watch::Sender<()>,
    waiting: Vec<oneshot::Sender<Result<(), RefreshError>>>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            for command in std::iter::from_fn(|| inbox.try_recv().ok()).take(MAX_QUEUED) {
                self.take(command);
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
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::LookFor(kid) => {
                if self.keys.current().is_none_or(|current| current.set().get(&kid).is_none()) {
                    self.schedule.unknown_kid(self.clock.monotonic(), kid);
                }
            }
            Command::Refresh(asker) => {
                self.schedule.demand();
                self.waiting.push(asker);
            }
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
                let fresh_for = self.schedule.succeeded(self.clock.monotonic(), max_age);
                self.keys.publish(set, started, fresh_for);
                self.announce.send_replace(());
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
        for asker in self.waiting.drain(..) {
            let _ = asker.send(answer.clone());
        }
    }
}

impl Verifier {
    /// Waits until tokens can be verified.
    ///
    /// # Errors
    /// When that takes longer than `timeout`.
    pub async fn ready(&self, timeout: Duration) -> Result<(), NotReady> {
        let arrival = async {
            let mut published = self.inner.follower.as_ref().map(|follower| follower.published.clone());
            while !self.is_ready() {
                let task_lives = match &mut published {
                    Some(published) => published.changed().await.is_ok(),
                    None => false,
                };
                if !task_lives {
                    std::future::pending().await
                }
            }
        };
        tokio::time::timeout(timeout, arrival).await.map_err(|_| NotReady(self.health().last_failure))
    }

    /// Fetches the keys now and waits for the outcome. For tests and for an administrator's hand: the background task needs no
    /// reminding, and this has no budget. With fixed keys it does nothing.
    ///
    /// # Errors
    /// When the attempt fails; the keys held so far stay.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        let Some(follower) = &self.inner.follower else {
            return Ok(());
        };
        let (asker, answer) = oneshot::channel();
        let gone = || RefreshError("the background task has ended with its runtime".into());
        follower.commands.send(Command::Refresh(asker)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The keys did not arrive in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no usable keys yet ({})", .0.as_deref().unwrap_or("the first attempt has not ended"))]
pub struct NotReady(Option<String>);

/// A refresh of the keys failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the issuer's keys could not be refreshed: {0}")]
pub struct RefreshError(String);
