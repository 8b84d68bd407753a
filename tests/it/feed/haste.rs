//! The measurement of `examples/revocation`, in short: that it measures, and that what it measures is of the promised order.

use std::time::Duration;

use passant::domain::causes::Cause;
use passant_tests::bench::{Plan, run};
use passant_tests::world::Engine;

/// Every cause, a few times each. The promise of a second is for a machine that has nothing else to do.
fn revocations_reach_all_verifiers(engine: Engine) {
    let plan = Plan { engine, verifiers: 5, times: 2, rate: 40.0, causes: vec![], counting: Duration::ZERO };
    let times = run(&plan);
    assert_eq!(times.count(), Cause::ALL.len() * plan.times * plan.verifiers, "every cause, and every verifier");
    assert!(times.permille(500) < Duration::from_secs(1), "half of all refusals came after {:?}", times.permille(500));
}

#[test]
fn revocations_reach_all_verifiers_sqlite() {
    revocations_reach_all_verifiers(Engine::Sqlite);
}

#[test]
fn revocations_reach_all_verifiers_postgres() {
    revocations_reach_all_verifiers(Engine::Postgres);
}
