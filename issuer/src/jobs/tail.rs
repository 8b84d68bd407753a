//! Follows the chain for those who follow us: a step whenever something was raised, and before any message is overdue.

use std::sync::Arc;

use super::faults::Faults;
use crate::app::App;
use crate::feed::GATHER;
use crate::store::wake;

/// Keeps the revocation feed going, for as long as it is polled. A read that fails is tried again at the next look.
pub async fn tail(app: &Arc<App>) {
    let mut faults = Faults::default();
    let steps = async {
        loop {
            let outcome = app.feed.step(&app.feed_sources()).await;
            let look = wake::look_every(&app.db);
            let rest = outcome.as_ref().map_or(look, |rest| (*rest).clamp(GATHER / 4, look));
            faults.note("feed", outcome.map(drop), app.clock().monotonic());
            tokio::select! {
                () = wake::news(&app.db) => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    };
    tokio::select! {
        () = steps => {}
        () = wake::listen(&app.db) => {}
    }
}
