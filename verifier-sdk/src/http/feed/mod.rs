//! The background task that follows the revocation feed. A thin shell like the one for keys: what a message means is decided by
//! [`follower`](crate::revocation::follower), what to do next by [`course`], and verification never waits for it.

mod course;
mod events;
mod wire;

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, Url};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::KeyTaskInbox;
use super::fetch::FetchError;
use crate::builder::FollowerName;
use crate::clock::Clock;
use crate::keys::{KeyCell, KeyState};
use crate::policy::Policy;
use crate::revocation::Revocations;
use crate::revocation::follower::{FeedOutcome, Now};
use crate::revocation::message::FeedError;
use course::{Course, End, Step};
use events::{Events, Fault};
pub(super) use wire::Wire;

/// A stream without news for so long is given up; heartbeats come every ten seconds.
const SILENCE: Duration = Duration::from_secs(25);
/// How long a message of an unknown key waits for newer keys.
const KEYS_WITHIN: Duration = Duration::from_secs(5);
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// Follows one feed, wherever it is announced to be.
pub(super) struct FeedTask {
    pub(super) revocations: Arc<Revocations>,
    pub(super) keys: Arc<KeyCell>,
    pub(super) policy: Policy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) wire: Wire,
    pub(super) name: Option<FollowerName>,
    /// Where the feed is, once that is known.
    pub(super) address: watch::Receiver<Option<Url>>,
    /// Told whenever something new was published, here or by the task that fetches keys.
    pub(super) published: watch::Sender<()>,
    /// The task that fetches keys, unless they are fixed.
    pub(super) key_task: Option<KeyTaskInbox>,
}

/// What became of a message.
enum Taken {
    Counted,
    Old,
    Apart,
    Refused,
}

impl FeedTask {
    pub(super) async fn run(self) {
        tokio::join!(self.follow(), self.report());
    }

    async fn follow(&self) {
        let mut course = Course::new(self.revocations.held().is_some(), self.clock.monotonic());
        loop {
            let feed = self.feed().await;
            self.keys_usable().await;
            let (step, pause) = course.next();
            sleep(pause).await;
            course.begin(self.clock.monotonic());
            let end = match (step, self.position()) {
                (Step::Stream, Some(position)) => self.stream(&feed, &position).await,
                (Step::Poll, Some(position)) => self.answer(self.wire.poll(&feed, &position).await).await,
                (Step::Prove, _) => self.prove(&feed).await,
                _ => self.answer(self.wire.snapshot(&feed).await).await,
            };
            course.end(end, self.clock.monotonic());
        }
    }

    async fn feed(&self) -> Url {
        let mut address = self.address.clone();
        loop {
            let known = address.borrow_and_update().clone();
            match known {
                Some(feed) => return feed,
                None if address.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }

    /// Nothing can be believed without keys.
    async fn keys_usable(&self) {
        let usable = || matches!(self.keys.state(self.clock.monotonic()), KeyState::Fresh | KeyState::Stale);
        let mut published = self.published.subscribe();
        while !usable() && published.changed().await.is_ok() {}
    }

    fn position(&self) -> Option<String> {
        self.revocations.held().map(|held| held.position.to_string())
    }

    /// What one message in an answer's body was good for.
    async fn answer(&self, answer: Result<String, FetchError>) -> End {
        match answer {
            Ok(message) => match self.take(&message).await {
                Taken::Counted => End::Progress,
                Taken::Old => End::Nothing,
                Taken::Apart => End::Apart,
                Taken::Refused => End::Failed(None),
            },
            Err(failure) => self.failed(failure),
        }
    }

    async fn stream(&self, feed: &Url, position: &str) -> End {
        match self.wire.stream(feed, position).await {
            Ok(response) => match read_stream(response, self).await {
                Ok(end) => end,
                Err((why, end)) => {
                    self.note(&why);
                    end
                }
            },
            Err(failure) => self.failed(failure),
        }
    }

    async fn prove(&self, feed: &Url) -> End {
        let Some(proof) = self.revocations.held().and_then(|held| held.proof.clone()) else {
            return End::Nothing;
        };
        tracing::error!("the issuer's history contradicts what it signed before: was its database put back in time?");
        match self.wire.prove(feed, proof.to_string()).await {
            Ok(()) => End::Progress,
            Err(failure) => self.failed(failure),
        }
    }

    fn failed(&self, failure: FetchError) -> End {
        self.note(&failure);
        match failure {
            FetchError::Status(409, _) => End::Contradicted,
            failure => End::Failed(failure.retry_after()),
        }
    }

    fn note(&self, why: &dyn Display) {
        tracing::warn!("the revocation feed could not be followed: {why}");
        self.revocations.note_failure(why.to_string());
    }

    /// Takes one message in. If its key is not known, newer keys are asked for and awaited for a while.
    async fn take(&self, message: &str) -> Taken {
        let take = || self.revocations.take(message, &self.policy, &self.keys, Now::of(&*self.clock));
        let mut published = self.published.subscribe();
        let mut outcome = take();
        if matches!(outcome, Err(FeedError::UnknownKey(_))) && self.look_for_keys(message) {
            let newer_keys = async {
                while matches!(outcome, Err(FeedError::UnknownKey(_))) && published.changed().await.is_ok() {
                    outcome = take();
                }
            };
            let _ = timeout(KEYS_WITHIN, newer_keys).await;
        }
        if outcome.is_ok() {
            // What an old or odd message told counts too.
            self.published.send_replace(());
        }
        match outcome {
            Ok(FeedOutcome::Moved | FeedOutcome::Confirmed) => {
                self.compare_keys();
                Taken::Counted
            }
            Ok(FeedOutcome::Old) => Taken::Old,
            Ok(FeedOutcome::NeedsSnapshot) => Taken::Apart,
            Err(refused) => {
                tracing::warn!("a message of the revocation feed was refused: {refused}");
                Taken::Refused
            }
        }
    }

    /// The message says which key set is published now.
    fn compare_keys(&self) {
        let Some(held) = self.revocations.held() else { return };
        if self.keys.current().is_some_and(|current| current.set().digest() != *held.keys) {
            self.look_for_keys(&held.keys);
        }
    }

    fn look_for_keys(&self, because: &str) -> bool {
        self.key_task.as_ref().is_some_and(|key_task| key_task.feed_says(because))
    }

    /// Tells the issuer from time to time who follows it and how far it is. A courtesy: nothing hangs on it.
    async fn report(&self) {
        let Some(FollowerName { name, instance }) = &self.name else { return };
        let mut published = self.published.subscribe();
        while self.revocations.held().is_none() && published.changed().await.is_ok() {}
        loop {
            if let (feed, Some(position), Some(keys)) = (self.feed().await, self.position(), self.keys.current()) {
                let keys_age = keys.age(self.clock.monotonic()).unwrap_or_default().as_secs();
                let digest = keys.set().digest();
                let report =
                    json!({ "name": name, "instance": instance, "position": position, "keys": digest, "keys_age": keys_age });
                if let Err(failure) = self.wire.report(&feed, report.to_string()).await {
                    tracing::debug!("the issuer did not take the follower's report: {failure}");
                }
            }
            sleep(REPORT_EVERY).await;
        }
    }
}

/// Where a stream's bytes come from.
trait Source: Send {
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, FetchError>> + Send;
}

impl Source for Response {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        Ok(self.chunk().await?.map(|chunk| chunk.to_vec()))
    }
}

/// Who takes a stream's messages in.
trait Reader: Sync {
    fn take(&self, message: &str) -> impl Future<Output = Taken> + Send;
}

impl Reader for FeedTask {
    async fn take(&self, message: &str) -> Taken {
        self.take(message).await
    }
}

/// Reads a stream for as long as it brings news. Only a message that counts is a sign of life: bytes, comments and old messages
/// that trickle in keep nobody waiting for longer than silence would.
async fn read_stream(mut source: impl Source, reader: &impl Reader) -> Result<End, (String, End)> {
    let mut events = Events::default();
    let mut progressed = false;
    let mut silence = pin!(sleep(SILENCE));
    loop {
        let ended = |progressed| if progressed { End::Progress } else { End::Failed(None) };
        let chunk = tokio::select! {
            chunk = source.chunk() => chunk,
            () = &mut silence => return Err(("the stream brought no news for 25 s".to_owned(), ended(progressed))),
        };
        let Some(chunk) = chunk.map_err(|failure| (failure.to_string(), ended(progressed)))? else {
            return Ok(ended(progressed));
        };
        for message in events.push(&chunk).map_err(|fault| (fault.to_string(), after_fault(fault)))? {
            match reader.take(&message).await {
                Taken::Counted => {
                    progressed = true;
                    silence.set(sleep(SILENCE));
                }
                Taken::Old => {}
                Taken::Apart => return Ok(End::Apart),
                Taken::Refused => return Ok(End::Failed(None)),
            }
        }
    }
}

/// What came since the own position may be more than one event holds; then a snapshot is shorter.
fn after_fault(fault: Fault) -> End {
    if fault == Fault::TooLong { End::Apart } else { End::Failed(None) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    /// The same bytes again and again, after a pause.
    struct Repeated(&'static [u8], Duration);

    impl Source for Repeated {
        async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
            sleep(self.1).await;
            Ok(Some(self.0.to_vec()))
        }
    }

    /// Says of the first messages the one thing, of all others that they are old.
    struct Says(AtomicUsize, fn() -> Taken);

    impl Reader for Says {
        async fn take(&self, _: &str) -> Taken {
            let left = self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
            if left.is_ok() { (self.1)() } else { Taken::Old }
        }
    }

    /// How long the stream was read, and how that ended.
    async fn reading(chunk: &'static [u8], pause: Duration, reader: Says) -> (Duration, Result<End, (String, End)>) {
        let began = sleep(Duration::ZERO).deadline();
        let end = read_stream(Repeated(chunk, pause), &reader).await;
        (sleep(Duration::ZERO).deadline().duration_since(began), end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_trickles_is_given_up_like_a_silent_one() {
        let second = Duration::from_secs(1);
        for (chunk, pause) in [(&b":"[..], second), (b": keep\n\n", second), (b"data: old\n\n", second), (b"", 3_600 * second)] {
            let (lasted, end) = reading(chunk, pause, Says(AtomicUsize::new(0), || Taken::Old)).await;
            assert_eq!(end.unwrap_err().1, End::Failed(None));
            assert!((SILENCE..SILENCE + 2 * second).contains(&lasted), "{lasted:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn news_keeps_a_stream_open_and_its_absence_closes_it() {
        let six_count = Says(AtomicUsize::new(6), || Taken::Counted);
        let (lasted, end) = reading(b"data: m\n\n", Duration::from_secs(10), six_count).await;
        assert_eq!(end.unwrap_err().1, End::Progress);
        assert!((Duration::from_secs(85)..Duration::from_secs(96)).contains(&lasted), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_message_and_one_that_does_not_join_end_the_stream() {
        let pause = Duration::from_millis(1);
        let first = |says| Says(AtomicUsize::new(1), says);
        assert_eq!(reading(b"data: m\n\n", pause, first(|| Taken::Refused)).await.1.unwrap(), End::Failed(None));
        assert_eq!(reading(b"data: m\n\n", pause, first(|| Taken::Apart)).await.1.unwrap(), End::Apart);
        assert_eq!(reading(&[b'x'; 65_536], pause, first(|| Taken::Old)).await.1.unwrap_err().1, End::Apart);
    }
}
