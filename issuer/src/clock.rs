//! Time as a value. Whoever needs the time is handed a [`Clock`], so that a test can own it; nothing else in Passant reads a
//! global clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};

/// How far a replica's clock may be from the database's before it signs nothing; two of them may be twice that far apart.
pub const TOLERANCE: Duration = Duration::from_secs(60);

/// Milliseconds since the Unix epoch: the form in which every time rests in the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// A time from milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// A time from whole seconds since the epoch, as in a NumericDate (RFC 7519, section 2).
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: a NumericDate (RFC 7519, section 2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long it is since `earlier`; nothing when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for UnixTime {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixTime({} ms)", self.0)
    }
}

/// As it is displayed: programs read the moments of every command in one form.
impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC with whole seconds, as people read it in a terminal or a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = time::OffsetDateTime::from_unix_timestamp(self.seconds())
            .ok()
            .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
        match known {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} s", self.seconds()),
        }
    }
}

impl FromStr for UnixTime {
    type Err = NoTime;

    /// A day or a moment of RFC 3339, in UTC: `2026-05-01`, `2026-05-01 12:00:00` or `2026-05-01T12:00:00Z`.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let whole = if text.len() == "2026-05-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let moment = humantime::parse_rfc3339_weak(&whole).map_err(|_| NoTime)?;
        let since_epoch = moment.duration_since(std::time::UNIX_EPOCH).map_err(|_| NoTime)?;
        i64::try_from(since_epoch.as_millis()).map(Self).map_err(|_| NoTime)
    }
}

/// The text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a moment is a day or an RFC 3339 time in UTC, such as 2026-05-01 or 2026-05-01T12:00:00Z")]
pub struct NoTime;

/// Where a part of Passant takes its time from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may jump; nothing about revocation leans on it.
    fn now(&self) -> UnixTime;

    /// Time since some fixed point in this process; it never goes back.
    fn monotonic(&self) -> Duration;

    /// What the database's own clock shows, for a clock that stands in for both; `None` asks the database.
    fn database(&self) -> Option<UnixTime> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// The machine's clock; its monotonic time begins here.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> UnixTime {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixTime(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is told to move. Clones share their time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
    database_ahead: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: UnixTime) -> Self {
        Self { now: Arc::new(AtomicI64::new(now.millis())), monotonic: Arc::default(), database_ahead: Arc::default() }
    }

    /// Moves the wall clock and the monotonic clock on together.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, forward or back, as an administrator's hand or a bad NTP server would.
    pub fn set(&self, now: UnixTime) {
        self.now.store(now.millis(), Ordering::SeqCst);
    }

    /// Makes the database's clock differ from this one by so many milliseconds.
    pub fn set_database_ahead(&self, millis: i64) {
        self.database_ahead.store(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.monotonic.load(Ordering::SeqCst)).unwrap_or(0))
    }

    fn database(&self) -> Option<UnixTime> {
        Some(UnixTime(self.now().millis().saturating_add(self.database_ahead.load(Ordering::SeqCst))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_the_epoch() {
        assert_eq!(UnixTime::from_millis(1_999).seconds(), 1);
        assert_eq!(UnixTime::from_millis(-1).seconds(), -1);
    }

    #[test]
    fn a_moment_is_read_as_utc() {
        for (text, seconds) in [("1970-01-02", 86_400), ("1970-01-01T00:01:00Z", 60), ("1970-01-01 00:00:07", 7)] {
            assert_eq!(text.parse(), Ok(UnixTime::from_seconds(seconds)), "{text}");
        }
        for bad in ["", "yesterday", "1970-13-01", "1970-01-01T00:01:00+01:00", "1969-12-31"] {
            assert_eq!(bad.parse::<UnixTime>(), Err(NoTime), "{bad}");
        }
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!((UnixTime::from_millis(i64::MAX) + Duration::from_secs(1)).millis(), i64::MAX);
        assert_eq!(UnixTime::from_millis(5).since(UnixTime::from_millis(9)), Duration::ZERO);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_clones_share_it() {
        let clock = ManualClock::at(UnixTime::from_seconds(1_000));
        let other = clock.clone();
        other.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), UnixTime::from_seconds(1_002));
        clock.set(UnixTime::from_seconds(1));
        assert_eq!(other.monotonic(), Duration::from_secs(2));
    }
}
