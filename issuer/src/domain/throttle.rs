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
    /// When the last of them failed. A new lane's is when it began.
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
    // While failures are free nobody waits: of two attempts at once, the one that came first may be counted last.
    if let Some(until) = lane.filter(|lane| lane.failures >= policy.free).map(|lane| lane.next_at)
        && now < until
        // What lies further ahead than any delay was written by a clock that has gone back since.
        && until <= now + policy.longest_delay
    {
        return Judgement::Wait(until);
    }
    let failures = lane.map_or(0, |lane| lane.failures).saturating_add(1);
    // The last failure stays when it was: a shared lane in which people succeed all day would never be forgotten otherwise.
    let last_at = lane.map_or(now, |lane| lane.last_at);
    Judgement::Allowed(LaneState { failures, last_at, next_at: now + delay(failures, policy) })
}

/// The lane without an attempt that succeeded, or was not looked at after all: what it was before, or nothing. Where others came
/// since it was counted, the lane keeps them and the delay that is theirs.
pub fn taken_back(lane: LaneState, before: Option<LaneState>, counted: LaneState, policy: ThrottlePolicy) -> Option<LaneState> {
    if lane == counted {
        return before;
    }
    let failures = lane.failures.checked_sub(1).filter(|failures| *failures > 0)?;
    let shorter = delay(lane.failures, policy).saturating_sub(delay(failures, policy));
    Some(LaneState { failures, next_at: lane.next_at - shorter, ..lane })
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

    #[test]
    fn an_attempt_that_came_first_and_is_counted_last_does_not_wait_while_failures_are_free() {
        let counted = |failures| LaneState { failures, last_at: at(1), next_at: at(1) + Duration::from_millis(5) };
        assert!(matches!(judge(Some(counted(4)), at(1), POLICY), Judgement::Allowed(lane) if lane.failures == 5));
        assert_eq!(judge(Some(counted(5)), at(1), POLICY), Judgement::Wait(counted(5).next_at));
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

    fn counted(lane: Option<LaneState>, now: UnixTime) -> LaneState {
        match judge(lane, now, POLICY) {
            Judgement::Allowed(counted) => counted,
            Judgement::Wait(until) => panic!("must wait until {until}"),
        }
    }

    #[test]
    fn a_count_is_taken_back_with_the_delay_that_it_brought_and_no_other() {
        for failures in [1, 4, 5, 9] {
            let before = Some(LaneState { failures, last_at: at(100), next_at: at(101) });
            let counted = counted(before, at(200));
            assert!(counted.failures == failures + 1 && counted.last_at == at(100));
            assert_eq!(taken_back(counted, before, counted, POLICY), before);
        }
        let first = counted(None, at(200));
        assert_eq!(taken_back(first, None, first, POLICY), None);
    }

    #[test]
    fn a_count_that_others_followed_is_taken_back_without_theirs() {
        let before = Some(LaneState { failures: 5, last_at: at(100), next_at: at(101) });
        let one = counted(before, at(200));
        let other = counted(Some(one), at(202));
        assert_eq!((other.failures, other.next_at), (7, at(206)));
        let left = taken_back(other, before, one, POLICY);
        assert_eq!(left, Some(LaneState { failures: 6, last_at: at(100), next_at: at(204) }));
        let failed = LaneState { last_at: at(202), ..other };
        let left = taken_back(failed, Some(one), other, POLICY);
        assert_eq!(left, Some(LaneState { failures: 6, last_at: at(202), next_at: at(204) }));
        let alone = LaneState { failures: 1, last_at: at(1), next_at: at(1) };
        assert_eq!(taken_back(alone, before, one, POLICY), None);
    }

    #[test]
    fn successes_do_not_keep_a_lane_from_being_forgotten() {
        let mut lane = Some(LaneState { failures: 40, last_at: at(100), next_at: at(1_000) });
        for now in (1_000..86_500).step_by(1_000) {
            let counted = counted(lane, at(now));
            assert_eq!(counted.failures, 41);
            lane = taken_back(counted, lane, counted, POLICY);
        }
        assert_eq!(counted(lane, at(86_500)).failures, 1);
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
