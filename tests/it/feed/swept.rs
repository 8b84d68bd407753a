//! What the sweep does with the feed and beside it: what is over goes however much it is, and a fault holds up nothing but itself.

use passant::jobs::{Job, Sweep};
use passant::store::set_up_tokens;
use passant::store::sweep::AFTER_END;
use passant_tests::on_both_engines;

use super::*;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

async fn count(world: &World, table: &str) -> i64 {
    world.rows::<(i64,)>(&format!("SELECT COUNT(*) FROM {table}")).await[0].0
}

/// A session and a set-up link whose time is long over.
async fn leave_something_behind(world: &Arc<World>) {
    world.user(ADA.0, ADA.1).await;
    world.agent().sign_in(ADA.0, ADA.1).await;
    let (hash, now) = (passant::secret::OpaqueToken::random("pst_").hash(), world.app.now());
    let born = feed_head::read(&mut world.db().reader().await.unwrap().conn()).await.unwrap().tick;
    set_up_tokens::create(world.db(), hash, born, now + Duration::from_secs(900)).await.unwrap();
    world.advance(Duration::from_secs(40 * 24 * 60 * 60));
    assert_eq!((count(world, "sessions").await, count(world, "set_up_tokens").await), (1, 1));
}

on_both_engines! {
    async fn entries_that_every_verifier_has_outlived_go_in_one_step_however_many_batches_that_takes(world) {
        let node = Node::first(&world);
        for _ in 0..1_201 {
            node.revoke().await;
        }
        let mut sweep = Sweep::default();
        sweep.step(&world.app).await;
        node.revoke().await;
        let all = count(&world, "feed_entries").await;
        assert!(all > 1_201);
        world.advance(AFTER_END - Duration::from_millis(1));
        sweep.step(&world.app).await;
        assert_eq!(count(&world, "feed_entries").await, all, "a moment before");
        world.advance(Duration::from_millis(1));
        sweep.step(&world.app).await;
        assert_eq!(count(&world, "feed_entries").await, 2, "the head that was read, and what came after it");
        assert_eq!(count(&world, "cutoffs").await, 2);
    }

    async fn a_feed_that_cannot_be_pruned_holds_up_no_rows(world) {
        leave_something_behind(&world).await;
        world.execute("ALTER TABLE feed_head RENAME TO feed_head_away").await;
        Sweep::default().step(&world.app).await;
        assert_eq!((count(&world, "sessions").await, count(&world, "set_up_tokens").await), (0, 0));
        world.execute("ALTER TABLE feed_head_away RENAME TO feed_head").await;
    }

    async fn a_sweep_that_fails_in_the_middle_goes_on_with_the_next_step(world) {
        leave_something_behind(&world).await;
        let mut sweep = Sweep::default();
        world.execute("ALTER TABLE sessions RENAME TO sessions_away").await;
        sweep.step(&world.app).await;
        assert_eq!((count(&world, "sessions_away").await, count(&world, "set_up_tokens").await), (1, 0), "as far as it came");
        world.execute("ALTER TABLE sessions_away RENAME TO sessions").await;
        sweep.step(&world.app).await;
        assert_eq!(count(&world, "sessions").await, 0);
    }
}
