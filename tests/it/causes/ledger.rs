//! What is written of a cut-off: one entry of the feed with exactly these names, the audit trail with its tick, the row that keeps it for
//! good; all in one transaction.

use std::sync::Arc;

use passant::domain::causes::{Cause, Who};
use passant::domain::cutoff::{Level, Target};
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, TokenId};
use passant_tests::world::{Storage, World};

use super::acts::Done;
use super::scene::Scene;

/// The feed before the act.
pub(super) struct Before {
    tick: i64,
    living_keys: Vec<String>,
}

impl Before {
    pub(super) async fn of(world: &Arc<World>) -> Self {
        let head: Vec<(i64,)> = world.rows("SELECT tick FROM feed_head").await;
        let living: Vec<(String,)> = world.rows("SELECT kid FROM signing_keys WHERE revoked_at IS NULL").await;
        Self { tick: head[0].0, living_keys: living.into_iter().map(|(kid,)| kid).collect() }
    }

    /// The tick of the one cut-off.
    pub(super) async fn exactly_this_was_cut_off(&self, scene: &Scene, cause: Cause, done: &Done) -> i64 {
        let (world, row) = (&scene.world, cause.row());
        let salt = world.rows::<(String,)>("SELECT salt FROM feed_head").await.remove(0).0;
        let mut expected: Vec<(String, String)> =
            self.targets(scene, cause).iter().map(|target| (row.level.to_string(), target.salted(&salt))).collect();
        expected.sort();
        let sql = format!("SELECT tick, level, identifier FROM cutoffs WHERE tick > {} ORDER BY level, identifier", self.tick);
        let found: Vec<(i64, String, String)> = world.rows(&sql).await;
        let tick = found.first().unwrap_or_else(|| panic!("{cause} cut off nothing")).0;
        assert!(found.iter().all(|(at, ..)| *at == tick), "one tick: {found:?}");
        assert_eq!(found.into_iter().map(|(_, level, name)| (level, name)).collect::<Vec<_>>(), expected, "{cause}");
        assert!(done.told.is_none_or(|told| told == tick), "the act tells {:?}, not {tick}", done.told);
        told(scene, cause, tick).await;
        one_transaction(scene, tick).await;
        tick
    }

    fn targets(&self, scene: &Scene, cause: Cause) -> Vec<Target> {
        match cause.row().level {
            Level::Key if cause == Cause::AllKeysRevoked => {
                self.living_keys.iter().map(|kid| Target::Key(KeyId::new(kid))).collect()
            }
            Level::Key => vec![Target::Key(KeyId::new(scene.kid()))],
            Level::Issuer => vec![Target::Issuer],
            Level::Client => vec![Target::Client(ClientId::new("shop"))],
            Level::User => vec![Target::User(scene.ada.clone())],
            Level::Consent => vec![Target::Consent(scene.ada.clone(), ClientId::new("shop"))],
            Level::Session => vec![Target::Session(SessionId::new(scene.sid()))],
            Level::Grant => vec![Target::Grant(GrantId::new(scene.gid()))],
            Level::Token => vec![Target::Token(TokenId::new(scene.claim("jti")))],
        }
    }
}

/// The audit trail tells of it once (of keys, once each), in the table's words and by whoever it says.
async fn told(scene: &Scene, cause: Cause, tick: i64) {
    let sql = format!("SELECT action, outcome, actor_kind FROM audit WHERE tick = {tick}");
    let found: Vec<(String, String, String)> = scene.world.rows(&sql).await;
    let (row, (action, outcome)) = (cause.row(), cause.row().told);
    let who = match row.who {
        Who::Client => "client",
        Who::User => "user",
        Who::Operator => "operator",
    };
    assert!(!found.is_empty(), "{cause} is told by nobody");
    let expected = (action.to_string(), outcome.to_string(), who.to_owned());
    assert!(found.iter().all(|entry| *entry == expected), "{cause}: {found:?} and not {expected:?}");
}

/// Postgres names the transaction that wrote a row.
async fn one_transaction(scene: &Scene, tick: i64) {
    if matches!(scene.world.storage(), Storage::Postgres(_)) {
        let sql = format!(
            "SELECT DISTINCT CAST(CAST(written AS TEXT) AS BIGINT) FROM (
                SELECT xmin AS written FROM audit WHERE tick = {tick} UNION ALL SELECT xmin FROM feed_entries WHERE tick = {tick}
                UNION ALL SELECT xmin FROM cutoffs WHERE tick = {tick}) all_of_it"
        );
        assert_eq!(scene.world.rows::<(i64,)>(&sql).await.len(), 1, "cut-off and audit entry commit together");
    }
}

/// The column or flag that outlives the feed.
pub(super) async fn its_row_says_so(scene: &Scene, cause: Cause, tick: i64) {
    let (ada, sid, gid, kid) = (scene.ada.as_str(), scene.sid(), scene.gid(), scene.kid());
    let (sql, expected) = match cause.row().level {
        Level::Token => return,
        Level::Grant => (format!("SELECT COUNT(*) FROM grants WHERE id = '{gid}' AND ended_at IS NOT NULL"), 1),
        Level::Session => (format!("SELECT COUNT(*) FROM sessions WHERE id = '{sid}' AND ended_at IS NOT NULL"), 1),
        Level::Consent => {
            (format!("SELECT COUNT(*) FROM consents WHERE user_id = '{ada}' AND client_id = 'shop' AND cutoff = {tick}"), 1)
        }
        Level::User if cause == Cause::UserDeleted => (format!("SELECT COUNT(*) FROM users WHERE id = '{ada}'"), 0),
        Level::User => (format!("SELECT COUNT(*) FROM users WHERE id = '{ada}' AND cutoff = {tick}"), 1),
        Level::Client if matches!(cause, Cause::ClientRemoved | Cause::ClientPruned) => {
            ("SELECT COUNT(*) FROM clients WHERE id = 'shop'".to_owned(), 0)
        }
        Level::Client => (format!("SELECT COUNT(*) FROM clients WHERE id = 'shop' AND cutoff = {tick}"), 1),
        Level::Key => (format!("SELECT COUNT(*) FROM signing_keys WHERE kid = '{kid}' AND revoked_at IS NOT NULL"), 1),
        Level::Issuer => (format!("SELECT COUNT(*) FROM feed_head WHERE issuer_cutoff = {tick}"), 1),
    };
    let found: Vec<(i64,)> = scene.world.rows(&sql).await;
    assert_eq!(found[0].0, expected, "{sql}");
}
