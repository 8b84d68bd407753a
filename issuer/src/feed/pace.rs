//! When the next message is due: the first change after a quiet moment at once, those that follow gathered, and a heartbeat when
//! nothing else was said.

use std::time::Duration;

/// The least time from one message with news to the next.
pub const GATHER: Duration = Duration::from_millis(200);
/// The longest time from one message to the next.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// When something was last said, by the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Pace {
    news: Option<Duration>,
    anything: Option<Duration>,
}

impl Pace {
    pub(super) fn news_due(&self, now: Duration) -> bool {
        left(self.news, GATHER, now).is_zero()
    }

    pub(super) fn heartbeat_due(&self, now: Duration) -> bool {
        left(self.anything, HEARTBEAT, now).is_zero()
    }

    pub(super) fn said(&mut self, now: Duration, news: bool) {
        self.anything = Some(now);
        if news {
            self.news = Some(now);
        }
    }

    /// How long until a message is due, with news waiting or without.
    pub(super) fn rest(&self, now: Duration, waiting: bool) -> Duration {
        let heartbeat = left(self.anything, HEARTBEAT, now);
        if waiting { heartbeat.min(left(self.news, GATHER, now)) } else { heartbeat }
    }
}

fn left(since: Option<Duration>, span: Duration, now: Duration) -> Duration {
    since.map_or(Duration::ZERO, |since| span.saturating_sub(now.saturating_sub(since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn first_change_goes_at_once_and_the_next_ones_together() {
        let mut pace = Pace::default();
        assert!(pace.news_due(at(7)));
        pace.said(at(7), true);
        assert!(!pace.news_due(at(8)) && !pace.news_due(at(206)) && pace.news_due(at(207)));
        assert_eq!((pace.rest(at(107), true), pace.rest(at(107), false)), (at(100), at(9_900)));
        pace.said(at(150), false);
        assert!(pace.news_due(at(207)), "a heartbeat delays no news");
    }

    #[test]
    fn heartbeat_is_due_ten_seconds_after_whatever_was_said_last() {
        let mut pace = Pace::default();
        assert!(pace.heartbeat_due(at(0)));
        pace.said(at(0), false);
        pace.said(at(5_000), true);
        assert!(!pace.heartbeat_due(at(14_999)) && pace.heartbeat_due(at(15_000)));
        assert_eq!(pace.rest(at(20_000), false), Duration::ZERO);
    }
}
