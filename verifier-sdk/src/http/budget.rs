//! What strangers may cost the issuer. A token with an invented key id makes us fetch, so such fetches come out of a small
//! budget of their own and never twice for one name in a while.

use std::collections::VecDeque;
use std::time::Duration;

/// Fetches on behalf of unknown key ids: a burst of three, then one every ten seconds.
#[derive(Debug)]
pub(super) struct UnknownKids {
    tokens: u32,
    refilled_at: Duration,
    remembered: VecDeque<(Box<str>, Duration)>,
}

const BURST: u32 = 3;
const REFILL: Duration = Duration::from_secs(10);
const REMEMBER_FOR: Duration = Duration::from_secs(30);
const REMEMBER_MANY: usize = 256;

impl UnknownKids {
    pub(super) fn new(now: Duration) -> Self {
        Self { tokens: BURST, refilled_at: now, remembered: VecDeque::new() }
    }

    /// Whether a fetch on behalf of `kid` is worth its price; if so, it is paid for.
    pub(super) fn admit(&mut self, now: Duration, kid: Box<str>) -> bool {
        while self.remembered.front().is_some_and(|(_, until)| *until <= now) {
            self.remembered.pop_front();
        }
        if self.remembered.iter().any(|(known, _)| *known == kid) || !self.spend(now) {
            return false;
        }
        if self.remembered.len() == REMEMBER_MANY {
            self.remembered.pop_front();
        }
        self.remembered.push_back((kid, now + REMEMBER_FOR));
        true
    }

    fn spend(&mut self, now: Duration) -> bool {
        while self.tokens < BURST && now.saturating_sub(self.refilled_at) >= REFILL {
            self.tokens += 1;
            self.refilled_at += REFILL;
        }
        if self.tokens == BURST {
            self.refilled_at = now;
        }
        let paid = self.tokens > 0;
        self.tokens -= u32::from(paid);
        paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v80_a_flood_of_invented_kids_buys_three_fetches_and_one_every_ten_seconds() {
        let mut kids = UnknownKids::new(Duration::ZERO);
        let bought = (0..100_000u64).filter(|i| kids.admit(Duration::from_micros(i * 600), i.to_string().into())).count();
        assert_eq!(bought, 3 + 5, "100,000 in 60 s");
    }

    #[test]
    fn v81_one_kid_buys_one_fetch_until_it_is_forgotten() {
        let mut kids = UnknownKids::new(Duration::ZERO);
        assert_eq!((0..1_000).filter(|_| kids.admit(Duration::ZERO, "k".into())).count(), 1);
        assert!(!kids.admit(REMEMBER_FOR - Duration::from_millis(1), "k".into()));
        assert!(kids.admit(REMEMBER_FOR, "k".into()));
    }

    #[test]
    fn a_long_pause_saves_up_no_more_than_the_burst() {
        let mut kids = UnknownKids::new(Duration::ZERO);
        let mut spend = |now| (0..10).filter(|i| kids.admit(now, format!("{now:?}{i}").into())).count();
        assert_eq!(spend(Duration::ZERO), 3);
        assert_eq!(spend(Duration::from_secs(86_400)), 3);
        assert_eq!(spend(Duration::from_secs(86_409)), 0);
        assert_eq!(spend(Duration::from_secs(86_410)), 1);
    }
}
