//! The background tasks that keep a verifier current: [`refresh`] its keys, [`feed`] its revocations, [`keep`] the file that
//! outlives the process. They are thin shells around state machines, and verification never waits for them.

mod budget;
mod feed;
mod fetch;
mod keep;
mod refresh;
mod schedule;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::builder::{BuildError, FeedSettings, FeedSource, KeySource};
use crate::clock::Clock;
use crate::keys::KeyCell;
use crate::observe::Watch;
use crate::policy::Policy;
use crate::revocation::Revocations;
use crate::verifier::Verifier;
use feed::{FeedTask, Wire};
use fetch::{Announced, Fetcher, discovery_address};
pub(crate) use fetch::{Roots, roots};
use keep::Keeper;
use refresh::KeyTask;
use schedule::Schedule;

/// The verifier's end of its background tasks; dropping it ends them.
pub(crate) struct Follower {
    key_task: Option<KeyTaskInbox>,
    published: watch::Sender<()>,
    tasks: Vec<AbortHandle>,
    keeper: Option<Arc<Keeper>>,
}

/// What the tasks work with.
pub(crate) struct Plan {
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) source: KeySource,
    pub(crate) roots: Roots,
    pub(crate) keys: Arc<KeyCell>,
    pub(crate) feed: FeedSettings,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) last_known_good: Option<PathBuf>,
    pub(crate) watch: Watch,
}

/// Messages that the task has not come to yet. More are dropped: a fetch brings the whole set, whichever kid asked for it.
const MAX_QUEUED: usize = 64;

/// How the task for keys is reached. What strangers' tokens make of it waits in a queue of its own, and keeps nothing else waiting.
#[derive(Clone)]
struct KeyTaskInbox {
    commands: mpsc::Sender<Command>,
    unknown_kids: mpsc::Sender<Box<str>>,
}

enum Command {
    FeedSays(Box<str>),
    Refresh(oneshot::Sender<Result<(), RefreshError>>),
}

impl KeyTaskInbox {
    /// The feed speaks of other keys than are held. `because` of what: the same reason is not good for a second fetch in a while.
    fn feed_says(&self, because: &str) -> bool {
        let because = because.get(..because.len().min(128)).unwrap_or_default();
        self.commands.try_send(Command::FeedSays(because.into())).is_ok()
    }
}

impl Follower {
    /// Starts what the plan needs; that may be nothing.
    pub(crate) fn start(plan: Plan) -> Result<Self, BuildError> {
        let Plan { policy, clock, source, roots, keys, feed, revocations, last_known_good, watch } = plan;
        let given = match &feed.source {
            FeedSource::Address(uri) => Some(Url::parse(uri).map_err(|_| BuildError::RevocationsUri("it is not a URL"))?),
            _ => None,
        };
        #[cfg(feature = "testing")]
        let handed_in = matches!(source, KeySource::HandedIn);
        #[cfg(not(feature = "testing"))]
        let handed_in = false;
        let fixed = handed_in || matches!(source, KeySource::Fixed(_));
        let announced = matches!((&feed.source, &source), (FeedSource::Announced, KeySource::Discovery));
        let (published, _) = watch::channel(());
        let mut follower = Self { key_task: None, published: published.clone(), tasks: Vec::new(), keeper: None };
        if fixed && given.is_none() && last_known_good.is_none() {
            return Ok(follower);
        }
        if !announced && matches!(feed.source, FeedSource::Announced) {
            tracing::info!("no revocation feed is followed: keys that do not come by discovery announce none");
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let (address, found) = watch::channel(given.clone());

        if let (Some(path), Some(issuer)) = (last_known_good, policy.issuer.clone()) {
            let (keys, revocations, clock) = (keys.clone(), revocations.clone(), clock.clone());
            let (algorithms, fixed_keys) = (policy.algorithms.clone(), fixed);
            let (address_found, written, watch) = (found.clone(), Mutex::default(), watch.clone());
            let keeper =
                Keeper { path, issuer, algorithms, fixed_keys, keys, revocations, clock, address: address_found, written, watch };
            let keeper = Arc::new(keeper);
            keeper.begin(announced.then_some(&address));
            follower.tasks.push(runtime.spawn(keeper.clone().run(published.subscribe())).abort_handle());
            follower.keeper = Some(keeper);
        }
        let wire = if announced || given.is_some() {
            let first = match (given, &policy.issuer) {
                (Some(given), _) => given,
                (None, Some(issuer)) => discovery_address(issuer)?,
                (None, None) => return Err(BuildError::RevocationsWithoutIssuer),
            };
            Some(Wire::new(&first, &roots, feed.bearer)?)
        } else {
            None
        };
        if !fixed {
            let tell = announced.then(|| Announced { revocations: revocations.clone(), address });
            let fetcher = Fetcher::new(&policy, source, &roots, tell)?;
            let ((commands, inbox), (unknown_kids, strangers)) = (mpsc::channel(MAX_QUEUED), mpsc::channel(MAX_QUEUED));
            let schedule = Schedule::new(clock.monotonic());
            let (keys, clock, published, watch) = (keys.clone(), clock.clone(), published.clone(), watch.clone());
            let task = KeyTask { keys, clock, fetcher, schedule, published, waiting: Vec::new(), watch };
            follower.tasks.push(runtime.spawn(task.run(inbox, strangers)).abort_handle());
            follower.key_task = Some(KeyTaskInbox { commands, unknown_kids });
        }
        if let Some(wire) = wire {
            let (name, address, key_task) = (feed.name, found, follower.key_task.clone());
            let task = FeedTask { revocations, keys, policy, clock, wire, name, address, published, key_task };
            follower.tasks.push(runtime.spawn(task.run()).abort_handle());
        }
        Ok(follower)
    }

    /// The file that it keeps.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.keeper.as_ref().map(|keeper| &*keeper.path)
    }

    /// Something new was published by another hand than the tasks'.
    pub(crate) fn tell(&self) {
        self.published.send_replace(());
    }

    /// Looks for the keys that a message handed in speaks of.
    pub(crate) fn feed_says(&self, because: &str) {
        if let Some(key_task) = &self.key_task {
            key_task.feed_says(because);
        }
    }

    pub(crate) fn look_for(&self, kid: &str) {
        if let Some(key_task) = &self.key_task {
            let _ = key_task.unknown_kids.try_send(kid.into());
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        if let Some(keeper) = &self.keeper {
            keeper.save(Duration::MAX);
        }
    }
}

impl Verifier {
    /// Waits until tokens can be verified, of every issuer that is not [optional](crate::VerifierBuilder::optional).
    ///
    /// # Errors
    /// When that takes longer than `timeout`.
    pub async fn ready(&self, timeout: Duration) -> Result<(), NotReady> {
        let arrival = async {
            while let Some(late) = self.needed().find(|issuer| !issuer.is_ready()) {
                let mut published = late.follower.published.subscribe();
                while !late.is_ready() && published.changed().await.is_ok() {}
            }
        };
        tokio::time::timeout(timeout, arrival).await.map_err(|_| {
            let health = self.health();
            NotReady(health.last_failure.or(health.revocations.and_then(|revocations| revocations.last_failure)))
        })
    }

    /// Fetches the keys now, those of every issuer, and waits for the outcome. For tests and for an administrator's hand: the
    /// background tasks need no reminding, and this has no budget. With fixed keys it does nothing.
    ///
    /// # Errors
    /// When an attempt fails, the first of them; the keys held so far stay.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        let mut answers = Vec::new();
        for key_task in self.issuers().filter_map(|issuer| issuer.follower.key_task.as_ref()) {
            let (asker, answer) = oneshot::channel();
            let _ = key_task.commands.send(Command::Refresh(asker)).await;
            answers.push(answer);
        }
        let mut outcome = Ok(());
        for answer in answers {
            let gone = |_| Err(RefreshError("the background task has ended with its runtime".into()));
            outcome = outcome.and(answer.await.unwrap_or_else(gone));
        }
        outcome
    }
}

/// Keys or revocations did not arrive in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not ready yet ({})", .0.as_deref().unwrap_or("the first attempt has not ended"))]
pub struct NotReady(Option<String>);

/// A refresh of the keys failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the issuer's keys could not be refreshed: {0}")]
pub struct RefreshError(String);
