//! Time as a value. The verifier reads the time only from the [`Clock`] that its builder was handed, so that a test can own it.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod system;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use system::SystemClock;

/// Where a verifier takes its time from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock in milliseconds since the Unix epoch; tokens are judged by it. It may jump.
    fn unix_millis(&self) -> i64;

    /// Time since some fixed point in this process; it never goes back. Keys age by it.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock, where it has one.
pub(crate) fn of_the_machine() -> Option<Arc<dyn Clock>> {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    return Some(Arc::new(SystemClock::new()));
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    None
}

/// A clock for tests: it stands still until it is told to move. Clones share their time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    unix: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows so many seconds since the Unix epoch.
    pub fn at(unix_seconds: i64) -> Self {
        Self { unix: Arc::new(AtomicI64::new(unix_seconds.saturating_mul(1000))), monotonic: Arc::default() }
    }

    /// Moves the wall clock and the monotonic clock on together.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.unix.fetch_add(millis, Ordering::SeqCst);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, forward or back, as an administrator's hand or a bad NTP server would.
    pub fn set(&self, unix_seconds: i64) {
        self.unix.store(unix_seconds.saturating_mul(1000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_millis(&self) -> i64 {
        self.unix.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.monotonic.load(Ordering::SeqCst)).unwrap_or(0))
    }
}
