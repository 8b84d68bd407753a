//! Messages for followers that come one by one: each is signed once for all who come with the same position, and those that lead
//! from a position to the head are signed on a budget.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::FeedError;
use super::message::Message;
use crate::domain::feed::Position;
use crate::domain::ids::Tick;

/// How long a message is sent again.
const FRESH: Duration = Duration::from_secs(1);
/// How many are kept.
const MOST: usize = 32;
/// How many that lead from a position to the head are signed in a second.
const BUDGET: u32 = 50;

#[derive(Debug, Default)]
pub(super) struct Ready {
    made: VecDeque<Made>,
    second: Duration,
    spent: u32,
}

#[derive(Debug)]
struct Made {
    at: Duration,
    after: Option<Tick>,
    message: Arc<Message>,
}

type Signed = Result<Message, FeedError>;

impl Ready {
    /// A heartbeat for this head.
    pub(super) fn heartbeat(
        &mut self,
        now: Duration,
        head: &Position,
        sign: impl FnOnce() -> Signed,
    ) -> Result<Arc<Message>, FeedError> {
        match self.find(now, None, head) {
            Some(message) => Ok(message),
            None => self.make(now, None, sign),
        }
    }

    /// What leads from a tick to this head, unless too much was signed in this second.
    pub(super) fn delta(
        &mut self,
        now: Duration,
        after: Tick,
        head: &Position,
        sign: impl FnOnce() -> Signed,
    ) -> Result<Option<Arc<Message>>, FeedError> {
        if let Some(message) = self.find(now, Some(after), head) {
            return Ok(Some(message));
        }
        if now.saturating_sub(self.second) >= Duration::from_secs(1) {
            (self.second, self.spent) = (now, 0);
        }
        if self.spent >= BUDGET {
            return Ok(None);
        }
        self.spent += 1;
        self.make(now, Some(after), sign).map(Some)
    }

    fn find(&mut self, now: Duration, after: Option<Tick>, head: &Position) -> Option<Arc<Message>> {
        while self.made.front().is_some_and(|made| now.saturating_sub(made.at) >= FRESH) {
            self.made.pop_front();
        }
        let made = self.made.iter().find(|made| made.after == after && made.message.head == *head)?;
        Some(Arc::clone(&made.message))
    }

    fn make(&mut self, at: Duration, after: Option<Tick>, sign: impl FnOnce() -> Signed) -> Result<Arc<Message>, FeedError> {
        let message = Arc::new(sign()?);
        if self.made.len() == MOST {
            self.made.pop_front();
        }
        self.made.push_back(Made { at, after, message: Arc::clone(&message) });
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::domain::ids::FeedId;
    use crate::feed::Kind;

    fn head(tick: i64) -> Position {
        Position { feed: FeedId::new("f"), tick: Tick::new(tick), link: "l".repeat(43) }
    }

    fn message(head: Position) -> Signed {
        Ok(Message {
            head,
            kind: Kind::Delta,
            keys: String::new(),
            jws: String::new(),
            etag: String::new(),
            event: OnceLock::new(),
        })
    }

    #[test]
    fn same_step_is_signed_once_a_second_and_another_one_anew() {
        let (mut ready, mut signed) = (Ready::default(), Vec::new());
        for (millis, after, tick) in [(0, 1, 9), (999, 1, 9), (999, 2, 9), (999, 1, 10), (1000, 1, 9), (1500, 2, 9)] {
            let sign = || {
                signed.push((millis, after, tick));
                message(head(tick))
            };
            let found = ready.delta(Duration::from_millis(millis), Tick::new(after), &head(tick), sign).unwrap().unwrap();
            assert_eq!(found.head, head(tick));
        }
        assert_eq!(signed, [(0, 1, 9), (999, 2, 9), (999, 1, 10), (1000, 1, 9)]);
    }

    #[test]
    fn budget_of_a_second_ends_and_the_next_second_has_its_own() {
        let mut ready = Ready::default();
        let at = |second: u64| Duration::from_secs(100 + second);
        for second in 0..2 {
            for after in 0..60 {
                let made = ready.delta(at(second), Tick::new(after), &head(99), || message(head(99))).unwrap();
                assert_eq!(made.is_some(), after < 50, "{after}");
            }
            assert!(ready.delta(at(second), Tick::new(49), &head(99), || panic!("it is there")).unwrap().is_some());
            ready.heartbeat(at(second), &head(99), || message(head(99))).unwrap();
        }
        assert_eq!(ready.made.len(), MOST, "what is kept is bounded");
    }
}
