//! Writes down what followers of the revocation feed say about themselves.

use std::time::Duration;

use super::Job;
use super::faults::Faults;
use crate::app::App;

/// Every 5 seconds, what was heard since the last time.
#[derive(Debug, Default)]
pub struct WriteReports {
    faults: Faults,
}

impl Job for WriteReports {
    const PERIOD: Duration = Duration::from_secs(5);

    async fn step(&mut self, app: &App) {
        let outcome = app.feed.write_reports(&app.db).await;
        self.faults.note("followers", outcome, app.clock().monotonic());
    }
}
