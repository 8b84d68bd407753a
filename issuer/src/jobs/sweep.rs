//! Deletes what nobody needs any more: rows whose time is over, and the feed's entries that every verifier has outlived.

use std::collections::VecDeque;
use std::time::Duration;

use super::Job;
use super::faults::Faults;
use crate::app::App;
use crate::domain::follower::FOLLOWERS_KEPT;
use crate::domain::ids::Tick;
use crate::store::{StoreError, feed_head, followers, sweep};

/// The most batches of one step; more wait for the next.
const MOST_BATCHES: usize = 200;

/// Every minute, the rows and the entries.
#[derive(Debug, Default)]
pub struct Sweep {
    ticks: TickMemory,
    faults: Faults,
}

impl Job for Sweep {
    const PERIOD: Duration = Duration::from_secs(60);

    async fn step(&mut self, app: &App) {
        // A clock that may not sign may not delete by its time either.
        if app.clock_off() {
            return;
        }
        let outcome = self.sweep(app).await;
        self.faults.note("sweep", outcome, app.clock().monotonic());
    }
}

impl Sweep {
    async fn sweep(&mut self, app: &App) -> Result<(), StoreError> {
        // The feed holds up nothing else: where its entries do not go, the rows do.
        let pruned = self.prune_feed(app).await;
        followers::forget(&app.db, app.now() - FOLLOWERS_KEPT).await?;
        for _ in 0..MOST_BATCHES {
            let lanes = sweep::lanes(&app.db, app.now() - app.config.throttle.forget).await?;
            if lanes + sweep::batch(&app.db, app.now()).await? == 0 {
                break;
            }
        }
        for _ in 0..MOST_BATCHES {
            if sweep::audit_before(&app.db, app.now() - app.config.audit.keep).await? == 0 {
                break;
            }
        }
        pruned
    }

    async fn prune_feed(&mut self, app: &App) -> Result<(), StoreError> {
        let head = feed_head::read(&mut app.db.reader().await?.conn()).await?;
        // Taken after the read: the tick's age is rather under- than overestimated.
        if let Some(tick) = self.ticks.remember(app.clock().monotonic(), head.tick) {
            for _ in 0..MOST_BATCHES {
                if feed_head::prune_below(&app.db, tick).await? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// The ticks that this process itself has read, by its monotonic clock: no wall clock, and nobody else's word, decides what the
/// feed forgets.
#[derive(Debug, Default)]
struct TickMemory(VecDeque<(Duration, Tick)>);

impl TickMemory {
    /// Remembers a tick, and answers the newest one that was read so long ago that no token from before it is alive.
    fn remember(&mut self, monotonic: Duration, tick: Tick) -> Option<Tick> {
        let old = |(read, _): &(Duration, Tick)| monotonic.saturating_sub(*read) >= sweep::AFTER_END;
        let mut newest_old = None;
        while self.0.front().is_some_and(old) {
            newest_old = self.0.pop_front();
        }
        self.0.push_back((monotonic, tick));
        newest_old.map(|(_, tick)| tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    #[test]
    fn the_feed_is_pruned_below_the_newest_tick_of_seventy_minutes_ago() {
        let mut ticks = TickMemory::default();
        for minute in 0..70 {
            let tick = Tick::new(1_000 + i64::try_from(minute).unwrap());
            assert_eq!(ticks.remember(Duration::from_secs(minute * MINUTE), tick), None, "minute {minute}");
        }
        assert_eq!(ticks.remember(Duration::from_secs(70 * MINUTE), Tick::new(2_000)), Some(Tick::new(1_000)));
        assert_eq!(ticks.remember(Duration::from_secs(72 * MINUTE), Tick::new(2_001)), Some(Tick::new(1_002)));
        assert_eq!(ticks.0.len(), 69, "what has served is forgotten");
    }

    #[test]
    fn a_new_process_prunes_nothing_whatever_the_tick_says() {
        assert_eq!(TickMemory::default().remember(Duration::from_secs(1), Tick::MAX), None);
    }

    #[test]
    fn a_tick_that_was_read_a_moment_too_late_does_not_count() {
        let mut ticks = TickMemory::default();
        ticks.remember(Duration::from_millis(1), Tick::new(1));
        assert_eq!(ticks.remember(sweep::AFTER_END, Tick::new(2)), None);
        assert_eq!(ticks.remember(sweep::AFTER_END + Duration::from_millis(1), Tick::new(3)), Some(Tick::new(1)));
    }
}
