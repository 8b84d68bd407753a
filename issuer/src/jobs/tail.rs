//! Follows the chain for those who follow us: a step whenever something was raised, and before any message is overdue.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::faults::Faults;
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::feed::GATHER;
use crate::store::wake;

/// How long after a tail that broke off the next one begins.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the revocation feed going, for as long as it is polled, and begins anew whenever that breaks off: nobody else would tell
/// those who follow.
pub(super) async fn supervised(app: Arc<App>) {
    loop {
        let (mut running, kept) = (JoinSet::new(), Arc::clone(&app));
        running.spawn(async move { tail(&kept).await });
        if let Some(Err(fault)) = running.join_next().await {
            tracing::error!(%fault, "the revocation feed broke off; it begins anew");
        }
        app.measures.feed_restarts.increment(1);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Keeps the revocation feed going until it breaks off. A read that fails is tried again at the next look.
pub async fn tail(app: &Arc<App>) {
    let mut faults = Faults::default();
    let steps = async {
        loop {
            app.reached(Checkpoint::TailTurn).await;
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
