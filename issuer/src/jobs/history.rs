//! Repeats the alarms about a history that was put back in time, in every replica's log, until the operator has acknowledged them.

use std::time::Duration;

use super::Job;
use super::faults::Faults;
use crate::app::App;
use crate::domain::alarm::Alarm;
use crate::store::{StoreError, feed_alarms};

/// Every minute, each alarm that stands.
#[derive(Debug, Default)]
pub struct WatchHistory {
    faults: Faults,
}

impl Job for WatchHistory {
    const PERIOD: Duration = Duration::from_secs(60);

    async fn step(&mut self, app: &App) {
        let outcome = standing(app).await.map(|alarms| {
            for alarm in alarms {
                tracing::error!(
                    raised_at = %alarm.raised_at,
                    tick = alarm.tick.get(),
                    cut_off = alarm.cut_off,
                    "an alarm stands: the database was put back in time; see `passant feed show`"
                );
            }
        });
        self.faults.note("history", outcome, app.clock().monotonic());
    }
}

async fn standing(app: &App) -> Result<Vec<Alarm>, StoreError> {
    feed_alarms::standing(&mut app.db.reader().await?.conn()).await
}
