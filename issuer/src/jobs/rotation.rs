//! Keeps the signing keys current: what others changed is noticed within a second, and a successor is planned in time.

use std::time::Duration;

use super::Job;
use super::faults::Faults;
use crate::app::{App, rotation};

/// How long after one planning the next is due.
const PLAN_EVERY: Duration = Duration::from_secs(60);

/// Every second a look at the keys' rows, every minute a planning.
#[derive(Debug, Default)]
pub struct RotateKeys {
    planned: Option<Duration>,
    faults: Faults,
}

impl Job for RotateKeys {
    const PERIOD: Duration = Duration::from_secs(1);

    async fn step(&mut self, app: &App) {
        let monotonic = app.clock().monotonic();
        let outcome = if self.planning_is_due(monotonic) {
            let outcome = rotation::plan(app).await;
            tell_if_overdue(app);
            outcome
        } else {
            rotation::reload(app).await
        };
        self.faults.note("rotation", outcome, monotonic);
    }
}

impl RotateKeys {
    fn planning_is_due(&mut self, monotonic: Duration) -> bool {
        let due = self.planned.is_none_or(|planned| monotonic.saturating_sub(planned) >= PLAN_EVERY);
        if due {
            self.planned = Some(monotonic);
        }
        due
    }
}

fn tell_if_overdue(app: &App) {
    if let Some(overdue) = app.keys.overdue(app.now()) {
        tracing::error!(overdue_seconds = overdue.as_secs(), "the rotation of the signing keys is overdue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planning_comes_first_and_then_once_a_minute() {
        let mut job = RotateKeys::default();
        let due: Vec<u64> = (0..=180).filter(|second| job.planning_is_due(Duration::from_secs(*second))).collect();
        assert_eq!(due, [0, 60, 120, 180]);
    }
}
