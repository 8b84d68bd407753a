//! Compares this machine's clock with the database's: a replica that is far off signs nothing.

use std::time::Duration;

use super::Job;
use super::faults::Faults;
use crate::app::App;

/// Every 10 seconds, a comparison; [`App`] keeps and logs what it came to.
#[derive(Debug, Default)]
pub struct CompareClocks {
    faults: Faults,
}

impl Job for CompareClocks {
    const PERIOD: Duration = Duration::from_secs(10);

    async fn step(&mut self, app: &App) {
        let outcome = app.compare_clocks().await;
        self.faults.note("clock", outcome, app.clock().monotonic());
    }
}
