//! Throttling: how long a lane (an account, a known device, an address) must wait after failures. Delays grow and end, and no lane
//! is ever locked: whoever could lock an account could keep its owner out.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::UnixTime;

/// How a kind of lane is slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// How many failures cost nothing.
    pub free: u32,
    /// The delay after the last of these; each further failure doubles it.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
    /// A lane that was left alone for so long begins anew.
    pub forget: Duration,
}

/// What is kept of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// Attempts that have not succeeded, or not yet.
    pub failures: u32,
    /// When the last of them was counted.
    pub last_at: UnixTime,
    /// Before then no attempt is looked at.
    pub next_at: UnixTime,
}

/// Whether an attempt may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Yes; the lane with this attempt counted as a failure, which it is until it proves to be none.
    Allowed(LaneState),
    /// Not before this time, and nothing is counted.
    Wait(UnixTime),
}

/// Judges an attempt in a lane.
pub fn judge(lane: Option<LaneState>, now: UnixTime, policy: ThrottlePolicy) -> Judgement {
    let lane = lane.filter(|lane| now < lane.last_at + policy.forget);
    if let Some(until) = lane.map(|lane| lane.next_at)
        && now < until
        // What lies further ahead than any delay was written by a clock that has gone back since.
        && until <= now + policy.longest_delay
    {
        return Judgement::Wait(until);
    }
    let failures = lane.map_or(0, |lane| lane.failures).saturating_add(1);
    Judgement::Allowed(LaneState { failures, last_at: now, next_at: now + delay(failures, policy) })
}

/// The lane without one of its failures: an attempt that succeeded, or was not looked at after all. What others must wait for stays.
pub fn taken_back(lane: LaneState, policy: ThrottlePolicy) -> LaneState {
    let failures = lane.failures.saturating_sub(1);
    let next_at = if failures < policy.free { lane.last_at } else { lane.next_at };
    LaneState { failures, next_at, ..lane }
}

/// The delay after so many failures.
fn delay(failures: u32, policy: ThrottlePolicy) -> Duration {
    match failures.checked_sub(policy.free) {
        None => Duration::ZERO,
        Some(doublings) => {
            policy.first_delay.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(policy.longest_delay)
        }
    }
}

/// The part of an address that one party commands: all of an IPv4 address, the first 64 bits of an IPv6 one. None for what is no
/// address, or nobody's.
pub fn address_prefix(address: &str) -> Option<String> {
    let address = address.parse::<IpAddr>().ok()?.to_canonical();
    match address {
        unspecified if unspecified.is_unspecified() => None,
        IpAddr::V4(v4) => Some(v4.to_string()),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy = ThrottlePolicy {
        free: 5,
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(900),
        forget: Duration::from_secs(86_400),
    };

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    /// Fails as soon as it is allowed to; the delay after each failure, in seconds.
    fn delays(number: usize) -> Vec<u64> {
        let (mut lane, mut now, mut delays) = (None, at(1_000), Vec::new());
        for _ in 0..number {
            match judge(lane, now, POLICY) {
                Judgement::Allowed(next) => {
                    delays.push(next.next_at.since(now).as_secs());
                    now = next.next_at;
                    lane = Some(next);
                }
                Judgement::Wait(until) => panic!("must wait until {until}"),
            }
        }
        delays
    }

    #[test]
    fn the_free_failures_cost_nothing_and_then_the_delay_doubles_to_the_longest() {
        assert_eq!(delays(17), [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        let worn = LaneState { failures: u32::MAX, last_at: at(0), next_at: at(0) };
        assert!(matches!(judge(Some(worn), at(1), POLICY), Judgement::Allowed(lane) if lane.next_at == at(901)));
    }

    #[test]
    fn too_early_is_not_looked_at_and_not_counted() {
        let lane = LaneState { failures: 8, last_at: at(100), next_at: at(108) };
        assert_eq!(judge(Some(lane), at(107), POLICY), Judgement::Wait(at(108)));
        assert!(matches!(judge(Some(lane), at(108), POLICY), Judgement::Allowed(LaneState { failures: 9, .. })));
    }

    #[test]
    fn a_lane_that_was_left_alone_begins_anew() {
        let lane = LaneState { failures: 40, last_at: at(100), next_at: at(1_000) };
        let failures = |now| match judge(Some(lane), now, POLICY) {
            Judgement::Allowed(lane) => lane.failures,
            Judgement::Wait(_) => 0,
        };
        assert_eq!((failures(at(86_499)), failures(at(86_500))), (41, 1));
    }

    #[test]
    fn a_clock_that_went_back_keeps_nobody_out() {
        let lane = LaneState { failures: 5, last_at: at(1_000_000), next_at: at(1_000_001) };
        assert!(matches!(judge(Some(lane), at(10), POLICY), Judgement::Allowed(_)));
    }

    #[test]
    fn a_count_is_taken_back_with_the_delay_that_it_brought_and_no_other() {
        let lane = |failures| LaneState { failures, last_at: at(100), next_at: at(101) };
        assert_eq!(taken_back(lane(5), POLICY), LaneState { failures: 4, last_at: at(100), next_at: at(100) });
        assert_eq!(taken_back(lane(9), POLICY), LaneState { failures: 8, last_at: at(100), next_at: at(101) });
        assert_eq!(taken_back(lane(0), POLICY).failures, 0);
    }

    #[test]
    fn one_party_is_one_prefix() {
        for (address, prefix) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2::", Some("2001:db8:1:2::/64")),
            ("0.0.0.0", None),
            ("::", None),
            ("", None),
            ("localhost", None),
        ] {
            assert_eq!(address_prefix(address).as_deref(), prefix, "{address}");
        }
    }
}
