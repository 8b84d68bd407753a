//! What happens by itself, and goes on happening.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use passant::app::App;
use passant::jobs::{Job, repeat};
use passant_tests::world::{Engine, World};
use tokio::sync::watch;

static BEGUN: AtomicU32 = AtomicU32::new(0);
static STEPS: AtomicU32 = AtomicU32::new(0);

/// A job whose third step breaks off.
struct Breaks(u32);

impl Default for Breaks {
    fn default() -> Self {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        Self(0)
    }
}

impl Job for Breaks {
    const PERIOD: Duration = Duration::from_millis(1);

    async fn step(&mut self, _: &App) {
        self.0 += 1;
        STEPS.fetch_add(1, Ordering::SeqCst);
        assert_ne!(self.0, 3, "this step breaks off on purpose");
    }
}

#[tokio::test]
async fn a_job_that_breaks_off_begins_anew_and_ends_when_it_is_told_to() {
    let world = World::new(Engine::Sqlite).await;
    let stop = watch::Sender::new(false);
    let running = tokio::spawn(repeat::<Breaks>(world.app.clone(), stop.subscribe()));
    let anew = async {
        while STEPS.load(Ordering::SeqCst) < 7 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), anew).await.expect("it goes on");
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(BEGUN.load(Ordering::SeqCst), STEPS.load(Ordering::SeqCst) / 3 + 1, "anew after each step that broke off");
}
