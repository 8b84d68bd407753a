//! The thread that looks at every verifier, again and again, and notes when each first refuses what is being revoked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use passant_verifier::{Reason, Verifier};

/// The pause between two looks at all verifiers.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a verifier may take to accept a token, or to refuse a revoked one, before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Watch {
    verifiers: Arc<[Verifier]>,
    pending: Arc<Mutex<Vec<Arc<Pending>>>>,
    begun: Mutex<Vec<Arc<Pending>>>,
    over: Arc<AtomicBool>,
    looking: JoinHandle<Vec<Duration>>,
}

/// A token that is being revoked.
pub(super) struct Pending {
    token: String,
    acknowledged: OnceLock<Instant>,
    /// By verifier.
    refused: Vec<OnceLock<Instant>>,
}

impl Pending {
    /// The revocation was acknowledged now.
    pub(super) fn acknowledged(&self) {
        self.acknowledged.set(now()).expect("it is acknowledged once");
    }

    fn is_over(&self) -> bool {
        self.acknowledged.get().is_some() && self.refused.iter().all(|at| at.get().is_some())
    }
}

impl Watch {
    pub(super) fn start(verifiers: Arc<[Verifier]>) -> Self {
        let (pending, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let looking = {
            let (verifiers, pending, over) = (Arc::clone(&verifiers), Arc::clone(&pending), Arc::clone(&over));
            std::thread::Builder::new().name("watch".to_owned()).spawn(move || look(&verifiers, &pending, &over))
        };
        Self { verifiers, pending, begun: Mutex::default(), over, looking: looking.expect("a thread starts") }
    }

    /// Waits until every verifier accepts this token.
    pub(super) fn all_accept(&self, token: &str) {
        self.wait(|| self.verifiers.iter().all(|verifier| verifier.verify(token).is_ok()), "a verifier accepts no token");
    }

    /// From now on it is looked out for; some verifier must still accept it.
    pub(super) fn begin(&self, token: &str) -> Arc<Pending> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let verifier = &self.verifiers[begun.len() % self.verifiers.len()];
        if let Err(why) = verifier.verify(token) {
            panic!("a token is refused before it is revoked: {why}");
        }
        let refused = self.verifiers.iter().map(|_| OnceLock::new()).collect();
        let pending = Arc::new(Pending { token: token.to_owned(), acknowledged: OnceLock::new(), refused });
        begun.push(Arc::clone(&pending));
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pending));
        pending
    }

    /// Waits until every verifier refuses everything that was begun.
    pub(super) fn all_refused(&self) {
        let over = || self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        self.wait(over, "a revoked token is still accepted, or its revocation is not acknowledged");
    }

    /// The times from acknowledgement to refusal, none below zero; and within what time a verifier is looked at again (p99).
    pub(super) fn end(self) -> (Vec<Duration>, Duration) {
        self.over.store(true, Ordering::Release);
        let mut gaps = self.looking.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
        gaps.sort_unstable();
        let gap = gaps.get(gaps.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default();
        let begun = self.begun.into_inner().unwrap_or_else(PoisonError::into_inner);
        let times = begun.iter().flat_map(|pending| {
            let from = *pending.acknowledged.get().expect("all are acknowledged");
            pending.refused.iter().map(move |at| at.get().expect("all are refused").saturating_duration_since(from))
        });
        (times.collect(), gap)
    }

    fn wait(&self, done: impl Fn() -> bool, why: &str) {
        let begun = now();
        while !done() {
            assert!(!self.looking.is_finished(), "the thread that looks has failed");
            assert!(begun.elapsed() < PATIENCE, "{why} after {PATIENCE:?}");
            std::thread::sleep(PAUSE);
        }
    }
}

/// Returns the times from one look to the next.
fn look(verifiers: &[Verifier], pending: &Mutex<Vec<Arc<Pending>>>, over: &AtomicBool) -> Vec<Duration> {
    let (mut ticks, mut gaps, mut last) = (vec![None; verifiers.len()], Vec::new(), now());
    while !over.load(Ordering::Acquire) {
        let all: Vec<Arc<Pending>> = {
            let mut all = pending.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|one| !one.is_over());
            all.clone()
        };
        for (at, (verifier, before)) in verifiers.iter().zip(&mut ticks).enumerate() {
            let tick = verifier.health().revocations.and_then(|revocations| revocations.tick);
            if tick == *before {
                continue;
            }
            *before = tick;
            for one in all.iter().filter(|one| one.refused[at].get().is_none()) {
                match verifier.verify(&one.token) {
                    Ok(_) => {}
                    Err(why) if why.reason() == Reason::Revoked => drop(one.refused[at].set(now())),
                    Err(why) => panic!("a token is refused for another reason: {why}"),
                }
            }
        }
        let looked = now();
        gaps.push(looked.saturating_duration_since(last));
        last = looked;
        std::thread::sleep(PAUSE);
    }
    gaps
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is the machine's own time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
