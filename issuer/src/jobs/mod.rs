//! What happens by itself while the server runs: keys rotate, clocks are compared, rows whose time is over go. Each job is a step
//! and a period; a test calls the step with a clock of its own. The revocation feed's tail alone has no period: it is woken.

mod clock;
mod faults;
mod history;
mod reports;
mod rotation;
mod sweep;
mod tail;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub use self::clock::CompareClocks;
pub use self::history::WatchHistory;
pub use self::reports::WriteReports;
pub use self::rotation::RotateKeys;
pub use self::sweep::Sweep;
pub use self::tail::tail;

use crate::app::App;

/// Something that is done again and again. Its faults are logged, and it goes on; where a step breaks off, it begins anew.
pub trait Job: Default + Send + 'static {
    /// How long after one step the next begins.
    const PERIOD: Duration;

    /// Does it once. Dropping the future in the middle does no harm.
    fn step(&mut self, app: &App) -> impl Future<Output = ()> + Send;
}

/// The jobs of a running server.
pub struct Jobs {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Jobs {
    /// Starts them all.
    pub fn start(app: &Arc<App>) -> Self {
        let mut jobs = Self { stop: watch::Sender::new(false), running: JoinSet::new() };
        jobs.spawn::<RotateKeys>(app);
        jobs.spawn::<CompareClocks>(app);
        jobs.spawn::<Sweep>(app);
        jobs.spawn::<WatchHistory>(app);
        jobs.spawn::<WriteReports>(app);
        let (app, mut stop) = (Arc::clone(app), jobs.stop.subscribe());
        jobs.running.spawn(async move {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = tail::supervised(app) => {}
            }
        });
        jobs
    }

    /// Cancels them and waits until they have ended.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.running.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(%fault, "a job had broken off");
            }
        }
    }

    fn spawn<J: Job>(&mut self, app: &Arc<App>) {
        self.running.spawn(repeat::<J>(Arc::clone(app), self.stop.subscribe()));
    }
}

/// Does a job until it is stopped.
pub async fn repeat<J: Job>(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut job = J::default();
    let mut period = tokio::time::interval(J::PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let forever = async {
        loop {
            period.tick().await;
            // What a step that broke off has left half done, the next one does not build on.
            if AssertUnwindSafe(job.step(&app)).catch_unwind().await.is_err() {
                tracing::error!(job = std::any::type_name::<J>(), "a job broke off; it begins anew");
                job = J::default();
            }
        }
    };
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = forever => {}
    }
}
