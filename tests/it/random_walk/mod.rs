//! Ten thousand mixed commands and requests, checked at each step against a model of users, clients, sessions, grants and tokens.

mod account;
mod commands;
mod model;
mod steps;

use std::sync::Arc;

use passant_tests::world::{Engine, World};

use self::steps::Walk;

const STEPS: usize = 10_000;

/// SplitMix64: the same walk for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

/// The walk is the same in every run; another one is walked with TESTS_SEED.
fn seed() -> u64 {
    std::env::var("TESTS_SEED").map_or(20_261_121, |text| text.parse().expect("TESTS_SEED is a number"))
}

async fn ten_thousand_steps(engine: Engine) {
    // Guessing is a matter of its own: here it is never delayed.
    let world = World::with(engine, |config| (config.throttle.free, config.throttle.address_free) = (1_000_000, 1_000_000)).await;
    let world = Arc::new(world);
    let mut walk = Walk::begin(Arc::clone(&world), Dice(seed())).await;
    for _ in 0..STEPS {
        walk.step().await;
    }
    walk.end();
    world.search_for_leaks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_steps_never_diverge_from_the_model_on_sqlite() {
    ten_thousand_steps(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_steps_never_diverge_from_the_model_on_postgres() {
    ten_thousand_steps(Engine::Postgres).await;
}
