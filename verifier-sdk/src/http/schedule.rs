//! When to fetch. A state machine that is told the time and what happened, so that hours of outage are a table in a test;
//! the task in `mod.rs` only sleeps as long as it is told here.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use super::budget::UnknownKids;

/// Decides when the next attempt is due. All times are those of [`Clock::monotonic`](crate::Clock::monotonic).
#[derive(Debug)]
pub(super) struct Schedule {
    next: Duration,
    not_before: Duration,
    demanded: bool,
    failures: u32,
    unknown_kids: UnknownKids,
    feed_says: UnknownKids,
    jitter: Jitter,
}

const SHORTEST_FRESH: Duration = Duration::from_secs(60);
const LONGEST_FRESH: Duration = Duration::from_secs(60 * 60);
const USUAL_FRESH: Duration = Duration::from_secs(5 * 60);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// First and longest pause after failures.
type Backoff = (Duration, Duration);
const WITH_KEYS: Backoff = (Duration::from_secs(5), Duration::from_secs(5 * 60));
const WITHOUT_KEYS: Backoff = (Duration::from_millis(250), Duration::from_secs(10));

impl Schedule {
    /// The first attempt is due at once.
    pub(super) fn new(now: Duration) -> Self {
        Self {
            next: now,
            not_before: now,
            demanded: false,
            failures: 0,
            unknown_kids: UnknownKids::new(now),
            feed_says: UnknownKids::new(now),
            jitter: Jitter::random(),
        }
    }

    /// How long to wait for the next attempt; zero when it is due.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        if self.demanded { Duration::ZERO } else { self.next.saturating_sub(now) }
    }

    /// Somebody asked for a refresh by name.
    pub(super) fn demand(&mut self) {
        self.demanded = true;
    }

    /// A plausible token named a key that is not in the set. While the issuer has asked to be left alone it changes nothing:
    /// strangers must not make a fleet press it. Answers whether an attempt is spent on it.
    pub(super) fn unknown_kid(&mut self, now: Duration, kid: Box<str>) -> bool {
        let admitted = now >= self.not_before && self.unknown_kids.admit(now, kid);
        self.demanded |= admitted;
        admitted
    }

    /// A message of the revocation feed names a key or a key set that is not held. It has a budget of its own, which no stranger's
    /// token can spend.
    pub(super) fn feed_says(&mut self, now: Duration, because: Box<str>) {
        if now < self.not_before {
            return;
        }
        self.demanded |= self.feed_says.admit(now, because);
    }

    /// An attempt brought or confirmed keys; answers for how long they are fresh. The next attempt comes at three quarters of
    /// that, a tenth more or less, so that neither the keys expire first nor a fleet asks all at once.
    pub(super) fn succeeded(&mut self, now: Duration, max_age: Option<Duration>) -> Duration {
        let fresh_for = max_age.unwrap_or(USUAL_FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH);
        self.demanded = false;
        self.failures = 0;
        self.not_before = now;
        self.next = now + fresh_for.mul_f64(0.75 * self.jitter.between(0.9, 1.1));
        fresh_for
    }

    /// An attempt failed. `has_keys`: whether tokens can still be verified, so that there is less of a hurry.
    pub(super) fn failed(&mut self, now: Duration, has_keys: bool, retry_after: Option<Duration>) {
        let (first, longest) = if has_keys { WITH_KEYS } else { WITHOUT_KEYS };
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(longest).mul_f64(self.jitter.between(0.5, 1.0));
        self.demanded = false;
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.next = self.not_before.max(now + pause);
    }
}

/// Chance enough to keep a fleet out of step (SplitMix64); nothing secret hangs on it.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        low + (high - low) * unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn max_age_is_clamped_and_five_minutes_where_absent() {
        let mut schedule = Schedule::new(Duration::ZERO);
        for (max_age, fresh_for) in [
            (None, 5 * MINUTE),
            (Some(Duration::ZERO), MINUTE),
            (Some(Duration::from_secs(59)), MINUTE),
            (Some(7 * MINUTE), 7 * MINUTE),
            (Some(Duration::MAX), 60 * MINUTE),
        ] {
            assert_eq!(schedule.succeeded(Duration::ZERO, max_age), fresh_for, "{max_age:?}");
        }
    }

    #[test]
    fn the_next_attempt_comes_ahead_of_expiry_and_at_no_fixed_time() {
        let waits: Vec<_> = (0..1_000)
            .map(|_| {
                let mut schedule = Schedule::new(Duration::ZERO);
                schedule.succeeded(Duration::ZERO, Some(100 * Duration::from_secs(10)));
                schedule.wait(Duration::ZERO)
            })
            .collect();
        let (low, high) = (Duration::from_secs(675), Duration::from_secs(825));
        assert!(waits.iter().all(|wait| (low..=high).contains(wait)));
        assert!(waits.iter().max().unwrap().saturating_sub(*waits.iter().min().unwrap()) > Duration::from_secs(75));
    }

    #[test]
    fn failures_back_off_to_a_bound_and_success_starts_over() {
        for (has_keys, first, longest) in [(true, WITH_KEYS.0, WITH_KEYS.1), (false, WITHOUT_KEYS.0, WITHOUT_KEYS.1)] {
            let mut schedule = Schedule::new(Duration::ZERO);
            let mut waits = (0..100).map(|_| {
                schedule.failed(Duration::ZERO, has_keys, None);
                schedule.wait(Duration::ZERO)
            });
            let first_wait = waits.next().unwrap();
            assert!(first / 2 <= first_wait && first_wait <= first, "{first_wait:?}");
            let last = waits.last().unwrap();
            assert!(longest / 2 <= last && last <= longest, "{last:?}");
            schedule.succeeded(Duration::ZERO, None);
            schedule.failed(Duration::ZERO, has_keys, None);
            assert!(schedule.wait(Duration::ZERO) <= first);
        }
    }

    #[test]
    fn retry_after_is_heeded_within_reason() {
        let mut schedule = Schedule::new(Duration::ZERO);
        schedule.failed(Duration::ZERO, true, Some(2 * MINUTE));
        assert_eq!(schedule.wait(Duration::ZERO), 2 * MINUTE);
        schedule.failed(Duration::ZERO, true, Some(Duration::MAX));
        assert_eq!(schedule.wait(Duration::ZERO), LONGEST_RETRY_AFTER);
    }

    #[test]
    fn an_unknown_kid_brings_the_attempt_forward_and_a_failure_starts_its_cool_down_too() {
        let mut schedule = Schedule::new(Duration::ZERO);
        schedule.succeeded(Duration::ZERO, None);
        schedule.unknown_kid(MINUTE, "k".into());
        assert_eq!(schedule.wait(MINUTE), Duration::ZERO);
        schedule.failed(MINUTE, true, None);
        schedule.unknown_kid(MINUTE, "k".into());
        assert!(schedule.wait(MINUTE) > Duration::ZERO);
    }

    #[test]
    fn an_unknown_kid_is_asked_for_in_a_plain_back_off() {
        let mut schedule = Schedule::new(Duration::ZERO);
        for _ in 0..8 {
            schedule.failed(Duration::ZERO, true, None);
        }
        assert!(schedule.wait(Duration::ZERO) > MINUTE);
        schedule.unknown_kid(MINUTE, "k".into());
        assert_eq!(schedule.wait(MINUTE), Duration::ZERO);
    }

    #[test]
    fn what_the_feed_says_is_heard_though_strangers_have_spent_their_budget_but_not_again_and_again() {
        let mut schedule = Schedule::new(Duration::ZERO);
        schedule.succeeded(Duration::ZERO, None);
        let mut fetches = 0;
        for i in 0..100 {
            schedule.unknown_kid(MINUTE, format!("k{i}").into());
        }
        schedule.succeeded(MINUTE, None);
        for _ in 0..100 {
            schedule.feed_says(MINUTE, "digest".into());
            fetches += u32::from(schedule.wait(MINUTE).is_zero());
            schedule.succeeded(MINUTE, None);
        }
        assert_eq!(fetches, 1);
        schedule.failed(MINUTE, true, Some(MINUTE));
        schedule.feed_says(MINUTE, "another".into());
        assert_eq!(schedule.wait(MINUTE), MINUTE, "nor against a Retry-After");
    }

    #[test]
    fn no_unknown_kid_cuts_a_retry_after_short() {
        let mut schedule = Schedule::new(Duration::ZERO);
        schedule.failed(Duration::ZERO, true, Some(2 * MINUTE));
        schedule.unknown_kid(MINUTE, "k".into());
        assert_eq!(schedule.wait(MINUTE), MINUTE);
        schedule.succeeded(2 * MINUTE, None);
        schedule.unknown_kid(2 * MINUTE, "k".into());
        assert_eq!(schedule.wait(2 * MINUTE), Duration::ZERO);
    }
}
