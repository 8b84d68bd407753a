//! The table of causes, walked: each act is done as the public does it, and what it cut off is looked at from every side: the feed, the
//! rows, the audit trail, everything that was given out before, what was held between judgement and deed, and what comes after; and by
//! a verifier that follows, which is shown the tokens that were half made.

mod acts;
mod barrier;
mod ledger;
mod master_keys;
mod scene;
mod verdicts;

use std::sync::Arc;

use passant::domain::causes::Cause;
use passant_tests::world::{Engine, World};

use self::ledger::Before;
use self::scene::Scene;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const GRACE: (&str, &str) = ("grace", "a compiler out of English words");
/// Ada's password after she or the operator has set another.
const NEXT: &str = "a loom that weaves flowers";

/// Does one act in a world of its own.
async fn walk(engine: Engine, cause: Cause) {
    // Built before anything is held: a request is not held for ever.
    passant_tests::binary::passant();
    let world = Arc::new(World::with(engine, |config| config.sessions.most = most_sessions(cause)).await);
    let mut scene = Scene::set(&world, cause).await;
    let held = scene.hold_requests(cause).await;
    acts::prepare(&mut scene, cause).await;
    let before = Before::of(&world).await;
    let mut done = acts::act(&mut scene, cause).await;
    let tick = before.exactly_this_was_cut_off(&scene, cause, &done).await;
    ledger::its_row_says_so(&scene, cause, tick).await;
    verdicts::of_what_was_before(&mut scene, cause).await;
    verdicts::of_what_was_held(&mut scene, cause, held, &done).await;
    verdicts::of_what_comes_after(&mut scene, cause, &mut done).await;
    world.every_cut_off_has_a_cause().await;
    world.search_for_leaks().await;
}

/// Two, where a third is to take the place of one of them; otherwise there is no cap.
fn most_sessions(cause: Cause) -> u32 {
    if cause == Cause::SessionEvicted { 2 } else { 0 }
}

macro_rules! walked {
    ($($name:ident: $cause:ident),* $(,)?) => {
        const WALKED: &[Cause] = &[$(Cause::$cause),*];
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                walk(Engine::Sqlite, Cause::$cause).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                walk(Engine::Postgres, Cause::$cause).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn at_the_barrier_sqlite() {
                barrier::walk(Engine::Sqlite, Cause::$cause).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn at_the_barrier_postgres() {
                barrier::walk(Engine::Postgres, Cause::$cause).await;
            }
        })*
    };
}

walked! {
    access_token_revoked: AccessTokenRevoked,
    refresh_token_revoked: RefreshTokenRevoked,
    code_replayed: CodeReplayed,
    refresh_token_replayed: RefreshTokenReplayed,
    grant_ended: GrantEnded,
    consent_withdrawn: ConsentWithdrawn,
    consent_withdrawn_by_operator: ConsentWithdrawnByOperator,
    logged_out: LoggedOut,
    logged_out_by_application: LoggedOutByApplication,
    session_ended: SessionEnded,
    session_ended_by_operator: SessionEndedByOperator,
    session_evicted: SessionEvicted,
    logged_out_everywhere: LoggedOutEverywhere,
    logged_out_by_operator: LoggedOutByOperator,
    other_sessions_ended: OtherSessionsEnded,
    password_changed: PasswordChanged,
    password_set: PasswordSet,
    user_disabled: UserDisabled,
    user_deleted: UserDeleted,
    client_created: ClientCreated,
    client_disabled: ClientDisabled,
    client_removed: ClientRemoved,
    client_pruned: ClientPruned,
    secret_leaked: SecretLeaked,
    key_revoked: KeyRevoked,
    all_keys_revoked: AllKeysRevoked,
    everything_revoked: EverythingRevoked,
    history_contradicted: HistoryContradicted,
}

#[test]
fn every_cause_is_walked() {
    assert_eq!(WALKED, Cause::ALL);
}
