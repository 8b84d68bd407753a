//! What the feed forgets: only what this process itself has read long enough ago, by a clock that nobody can set.

use passant::clock::Clock;
use passant::jobs::{Job, Sweep};
use passant_tests::on_both_engines;
use passant_tests::world::Holding;

use super::*;

const SEVENTY_MINUTES: Duration = Duration::from_secs(70 * 60);
const MOMENT: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The ticks of the cut-offs that the feed still has.
async fn ticks(world: &World) -> Vec<i64> {
    world.rows::<(i64,)>("SELECT tick FROM cutoffs ORDER BY tick").await.into_iter().map(|(tick,)| tick).collect()
}

on_both_engines! {
    async fn a_cut_off_goes_when_the_monotonic_clock_says_so_and_no_other(world) {
        let (node, mut sweep) = (Node::first(&world), Sweep::default());
        let [first, second] = [node.revoke().await.get(), node.revoke().await.get()];
        sweep.step(&node.app).await;
        let third = node.revoke().await.get();
        world.advance(MOMENT);
        let now = world.clock.now();
        for wrong in [now + DAY, now - DAY] {
            world.clock.set(wrong);
            sweep.step(&node.app).await;
            Sweep::default().step(&node.app).await;
            assert_eq!(ticks(&world).await, [first, second, third], "the wall clock decides nothing");
        }
        world.clock.set(now - DAY);
        world.advance(SEVENTY_MINUTES - MOMENT * 2);
        sweep.step(&node.app).await;
        assert_eq!(ticks(&world).await, [first, second, third]);
        world.advance(MOMENT);
        Sweep::default().step(&node.app).await;
        assert_eq!(ticks(&world).await, [first, second, third], "a process forgets by what it has read itself");
        sweep.step(&node.app).await;
        // The second is the tick that was read: what is below it goes.
        assert_eq!(ticks(&world).await, [second, third]);
    }

    async fn a_tick_is_as_old_as_its_read_and_not_as_what_came_before(world) {
        let (node, mut sweep) = (Node::first(&world), Sweep::default());
        let [first, second] = [node.revoke().await.get(), node.revoke().await.get()];
        // SQLite's readers wait for nobody: there is no read that could be held.
        let Some(mut holding) = Holding::begin(world.storage(), "LOCK TABLE feed_head IN ACCESS EXCLUSIVE MODE").await else { return };
        let app = Arc::clone(&node.app);
        let reading = tokio::spawn(async move {
            sweep.step(&app).await;
            sweep
        });
        holding.is_waited_for().await;
        let late = Duration::from_secs(3);
        world.advance(late);
        holding.commit().await;
        let mut sweep = reading.await.unwrap();
        world.advance(SEVENTY_MINUTES - late);
        sweep.step(&node.app).await;
        assert_eq!(ticks(&world).await, [first, second]);
        world.advance(late);
        sweep.step(&node.app).await;
        assert_eq!(ticks(&world).await, [second]);
    }
}
