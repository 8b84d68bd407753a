//! One attempt at a time, and its outcome for all who asked before it began: however many want the same, it is made at most twice,
//! and nobody is answered by what was seen before they asked.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// What is made by one and awaited by many.
#[derive(Debug)]
pub struct SingleFlight<T> {
    /// How many attempts have begun.
    begun: AtomicU64,
    last: Mutex<Last<T>>,
}

/// The last attempt that came to an end.
#[derive(Debug)]
struct Last<T> {
    number: u64,
    /// Nothing where it failed.
    outcome: Option<T>,
}

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Flight<T, E> {
    /// It was made, here or by somebody who was quicker.
    Made(T),
    /// The attempt of somebody who was quicker has failed.
    OtherFailed,
    /// It failed here.
    Failed(E),
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(Last { number: 0, outcome: None }) }
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Makes it, or waits for an attempt of another one that begins after this call.
    pub async fn share<E>(&self, attempt: impl Future<Output = Result<T, E>>) -> Flight<T, E> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.number > before {
            return last.outcome.clone().map_or(Flight::OtherFailed, Flight::Made);
        }
        // An attempt that is let go in the middle leaves its number behind, and the next one has its own.
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = attempt.await;
        *last = Last { number, outcome: outcome.as_ref().ok().cloned() };
        match outcome {
            Ok(made) => Flight::Made(made),
            Err(why) => Flight::Failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn waits(asking: Pin<&mut impl Future>) -> bool {
        asking.now_or_never().is_none()
    }

    /// An attempt that comes to whatever is sent.
    async fn told(outcome: oneshot::Receiver<Result<u8, &'static str>>) -> Result<u8, &'static str> {
        outcome.await.unwrap()
    }

    async fn never() -> Result<u8, &'static str> {
        panic!("it is not begun")
    }

    #[tokio::test]
    async fn who_asked_before_an_attempt_began_shares_it_and_who_asked_later_does_not() {
        let flight = SingleFlight::default();
        let ((first_sender, first), (second_sender, second)) = (oneshot::channel(), oneshot::channel());
        let mut running = pin!(flight.share(told(first)));
        assert!(waits(running.as_mut()));
        // While it runs, three ask: what it has read may be older than their question.
        let mut next = pin!(flight.share(told(second)));
        let (mut third, mut fourth) = (pin!(flight.share(never())), pin!(flight.share(never())));
        assert!(waits(next.as_mut()) && waits(third.as_mut()) && waits(fourth.as_mut()));
        first_sender.send(Ok(1)).unwrap();
        assert_eq!(running.await, Flight::Made(1));
        assert!(waits(next.as_mut()), "it makes its own");
        second_sender.send(Ok(2)).unwrap();
        assert_eq!((next.await, third.await, fourth.await), (Flight::Made(2), Flight::Made(2), Flight::Made(2)));
        assert_eq!(flight.share(async { Ok::<_, &str>(3) }).await, Flight::Made(3), "what is over is nobody's answer");
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_an_attempt_that_was_let_go_is_nobodys() {
        let flight = SingleFlight::default();
        {
            let (_sender, outcome) = oneshot::channel();
            let mut let_go = pin!(flight.share(told(outcome)));
            assert!(waits(let_go.as_mut()));
        }
        let (sender, outcome) = oneshot::channel();
        let mut running = pin!(flight.share(told(outcome)));
        assert!(waits(running.as_mut()));
        let ((failing_sender, failing), mut waiting) = (oneshot::channel(), pin!(flight.share(never())));
        let mut failing = pin!(flight.share(told(failing)));
        assert!(waits(failing.as_mut()) && waits(waiting.as_mut()));
        sender.send(Ok(1)).unwrap();
        failing_sender.send(Err("no")).unwrap();
        assert_eq!(running.await, Flight::Made(1));
        assert_eq!((failing.await, waiting.await), (Flight::Failed("no"), Flight::OtherFailed));
    }
}
