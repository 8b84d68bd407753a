//! What every cause of a cut-off has in common: it is done as a whole or not at all, and the feed head is the last lock that it takes.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use passant::domain::alarm::OnContradiction;
use passant::domain::audit::{Action, Event};
use passant::domain::causes::Cause;
use passant::domain::client::ClientOrigin;
use passant::domain::grant::Grant;
use passant::domain::ids::{ClientId, KeyId, TokenId};
use passant::domain::refresh::SuccessorSeed;
use passant::domain::session::{Cap, WhenFull};
use passant::domain::signing_key::SigningKey;
use passant::secret::random_id;
use passant::store::accounts::LastAdministrator;
use passant::store::anew::{ActingSession, PasswordChange};
use passant::store::client_secrets::{OldSecrets, Rotation as SecretRotation};
use passant::store::clients::Undeclared;
use passant::store::codes::Redemption;
use passant::store::grants::Approved;
use passant::store::master_keys::{Replacement, Succession};
use passant::store::refresh_tokens::Rotation;
use passant::store::sessions::NewSession;
use passant::store::signing_keys::KeyChange;
use passant::store::{
    StoreError, accounts, anew, client_secrets, clients, codes, consents, everything, feed_alarms, feed_head, grants,
    master_keys, refresh_tokens, registrations, sessions, signing_keys, users,
};
use passant_tests::world::Holding;

use super::rows::{
    client, declared, fresh_hash, fresh_name, new_approval, new_refresh_token, new_session, password_hash, redemption, session,
    signing_key, user,
};
use super::{Db, NOW, Replicas, execute};

/// The tables whose rows a cause may lock.
const TABLES: [&str; 9] =
    ["users", "clients", "client_secrets", "consents", "sessions", "grants", "codes", "refresh_tokens", "signing_keys"];

/// One of everything that can be cut off, and all of it alive.
#[derive(Clone)]
struct Scene {
    here: NewSession,
    grant: Grant,
    /// Redeemed before.
    code: Redemption,
    /// Used before, and its window is closed.
    token: Rotation,
    client: ClientId,
    key: SigningKey,
    /// The key that would come next, under another master key.
    replacement: Replacement,
    seen: i64,
}

impl Scene {
    async fn set(it: &Replicas, number: i64) -> Self {
        let (ada, (shop, _)) = (user(&it.db).await, client(&it.db).await);
        let here = session(&it.db, &ada.id).await;
        let approval = new_approval(&ada.id, &shop.client.id, &here.session.id, it.tick().await);
        assert_eq!(grants::approve(&it.db, approval.clone()).await.unwrap(), Approved::Written);
        let code = redemption(&approval);
        codes::redeem(&it.db, code.clone()).await.unwrap();
        let token = Rotation {
            token_hash: code.refresh.clone().unwrap().token_hash,
            client_id: shop.client.id.clone(),
            successor: new_refresh_token(),
            seed: SuccessorSeed { salt: "salt".to_owned(), key_id: "key".to_owned() },
            asked: Default::default(),
            retry_window: Duration::ZERO,
            now: NOW,
        };
        refresh_tokens::rotate(&it.db, token.clone()).await.unwrap();
        consents::withdraw(&it.db, ada.id.clone(), ClientId::new("another"), NOW).await.unwrap();
        let (key, replacement) = keys(it, number).await;
        let seen = it.tick().await.get() + 10;
        Self { here, grant: approval.grant, code, token, client: shop.client.id.clone(), key, replacement, seen }
    }

    fn acting(&self) -> ActingSession {
        let NewSession { session, cookie_hash, .. } = self.here.clone();
        ActingSession { id: session.id, user_id: session.user_id, cookie_hash, born: session.born }
    }
}

/// A living signing key, and what would take its place.
async fn keys(it: &Replicas, number: i64) -> (SigningKey, Replacement) {
    master_keys::begin(&it.db, random_id()).await.unwrap();
    let in_force = read!(it.db, conn => master_keys::read(conn)).in_force.unwrap();
    let key = SigningKey { master_key_id: in_force.clone(), ..signing_key(number * 2) };
    let insert = KeyChange { insert: Some(key.clone()), ..KeyChange::default() };
    signing_keys::apply(&it.db, insert, NOW).await.unwrap();
    let succession = Succession { from: in_force, to: random_id() };
    let next = SigningKey { master_key_id: succession.to.clone(), ..signing_key(number * 2 + 1) };
    (key, Replacement { succession, key: next, now: NOW })
}

/// The cause's own function of the store, as whoever acts calls it.
fn act(db: Db, scene: Scene, cause: Cause) -> BoxFuture<'static, Result<(), StoreError>> {
    let (user, sid, now) = (scene.grant.user_id.clone(), scene.grant.session_id.clone(), NOW);
    let (client, grant) = (scene.client.clone(), scene.grant.clone());
    match cause {
        Cause::AccessTokenRevoked => {
            async move { feed_head::cut_off_token(&db, TokenId::random(), Event::done(Action::TokenRevoke), now).await.map(drop) }
                .boxed()
        }
        Cause::RefreshTokenRevoked => {
            async move { refresh_tokens::revoke(&db, scene.token.token_hash, client, now).await.map(drop) }.boxed()
        }
        Cause::CodeReplayed => async move { codes::redeem(&db, scene.code).await.map(drop) }.boxed(),
        Cause::RefreshTokenReplayed => {
            let again = Rotation { successor: new_refresh_token(), ..scene.token };
            async move { refresh_tokens::rotate(&db, again).await.map(drop) }.boxed()
        }
        Cause::GrantEnded => async move { grants::revoke(&db, grant.id, now).await.map(drop) }.boxed(),
        Cause::ConsentWithdrawn | Cause::ConsentWithdrawnByOperator => {
            async move { consents::withdraw(&db, user, ClientId::new("another"), now).await.map(drop) }.boxed()
        }
        Cause::LoggedOut | Cause::LoggedOutByApplication | Cause::SessionEndedByOperator => {
            async move { sessions::end(&db, sid, now).await.map(drop) }.boxed()
        }
        Cause::SessionEnded => async move { sessions::end_own(&db, user, sid, now).await.map(drop) }.boxed(),
        Cause::SessionEvicted => {
            let cap = Cap { most: 1, when_full: WhenFull::EvictOldest };
            let new = new_session(&user, scene.here.session.born);
            async move { sessions::create(&db, new, Some(cap)).await.map(drop) }.boxed()
        }
        Cause::LoggedOutEverywhere | Cause::LoggedOutByOperator => {
            async move { users::log_out_everywhere(&db, user, now).await.map(drop) }.boxed()
        }
        Cause::OtherSessionsEnded => async move { anew::end_others(&db, scene.acting(), now).await.map(drop) }.boxed(),
        Cause::PasswordChanged => {
            let (verified, new) = (password_hash("first"), password_hash("second"));
            let session = new_session(&user, scene.here.session.born);
            let change = PasswordChange { acting: scene.acting(), verified, new, session, now };
            async move { anew::change_password(&db, change).await.map(drop) }.boxed()
        }
        Cause::PasswordSet => async move { users::set_password(&db, user, password_hash("new"), now).await.map(drop) }.boxed(),
        Cause::UserDisabled => async move { accounts::disable(&db, user, LastAdministrator::Spare, now).await.map(drop) }.boxed(),
        Cause::UserDeleted => async move { accounts::delete(&db, user, LastAdministrator::Spare, now).await.map(drop) }.boxed(),
        Cause::ClientCreated => async move { clients::create(&db, declared(&fresh_name()), now).await.map(drop) }.boxed(),
        Cause::ClientDisabled => async move { registrations::disable(&db, client, now).await.map(drop) }.boxed(),
        Cause::ClientRemoved => {
            async move { registrations::remove(&db, client, ClientOrigin::CommandLine, now).await.map(drop) }.boxed()
        }
        Cause::ClientPruned => {
            let all = (ClientOrigin::CommandLine, Undeclared::Remove);
            async move { clients::reconcile_with(&db, all, vec![], now).await.map(drop) }.boxed()
        }
        Cause::SecretLeaked => {
            let rotation = SecretRotation { client, secret: fresh_hash(), expires_at: None, old: OldSecrets::Leaked, now };
            async move { client_secrets::rotate(&db, rotation).await.map(drop) }.boxed()
        }
        Cause::KeyRevoked => {
            let change = KeyChange { revoke: vec![KeyId::new(scene.key.kid.as_str())], ..KeyChange::default() };
            async move { signing_keys::apply(&db, change, now).await.map(drop) }.boxed()
        }
        Cause::AllKeysRevoked => async move { master_keys::replace(&db, scene.replacement).await.map(drop) }.boxed(),
        Cause::EverythingRevoked => async move { everything::revoke(&db, now).await.map(drop) }.boxed(),
        Cause::HistoryContradicted => {
            let seen = super::Tick::new(scene.seen);
            async move { feed_alarms::overtake(&db, seen, OnContradiction::CutOff, now).await.map(drop) }.boxed()
        }
    }
}

on_both_databases! {
    async fn a_cause_is_done_as_a_whole_or_not_at_all(it) {
        let mut half_done = Vec::new();
        for (number, cause) in (1..).zip(Cause::ALL.iter().copied()) {
            let scene = Scene::set(&it, number).await;
            for (takes_away, gives_back) in [
                ("ALTER TABLE feed_entries RENAME TO feed_entries_gone", "ALTER TABLE feed_entries_gone RENAME TO feed_entries"),
                ("ALTER TABLE audit RENAME TO audit_gone", "ALTER TABLE audit_gone RENAME TO audit"),
            ] {
                execute(&it.db, takes_away).await;
                let before = it.storage.rows().await;
                let failed = act(it.db.clone(), scene.clone(), cause).await;
                if failed.is_ok() || it.storage.rows().await != before {
                    half_done.push((cause, takes_away));
                }
                execute(&it.db, gives_back).await;
            }
            let before = it.tick().await;
            act(it.db.clone(), scene, cause).await.unwrap();
            assert!(it.tick().await > before, "{cause} cuts something off");
        }
        assert_eq!(half_done, []);
    }

    async fn no_cause_holds_the_feed_head_while_it_waits_for_a_row(it) {
        let (mut held, mut waited, mut number) = (Vec::new(), 0, 0);
        for cause in Cause::ALL.iter().copied() {
            for table in TABLES {
                number += 1;
                let scene = Scene::set(&it, number).await;
                // SQLite has one writer at a time: whoever waits there holds nothing.
                let Some(mut holding) = Holding::begin(&it.storage, &format!("SELECT 1 FROM {table} FOR UPDATE")).await else { return };
                let acting = tokio::spawn(act(it.other.clone(), scene, cause));
                while !acting.is_finished() {
                    if holding.makes_wait().await {
                        waited += 1;
                        if !holding.could_lock("SELECT 1 FROM feed_head FOR UPDATE").await {
                            held.push((cause, table));
                        }
                        break;
                    }
                }
                holding.commit().await;
                acting.await.unwrap().unwrap();
            }
        }
        assert_eq!(held, []);
        assert!(waited > Cause::ALL.len() / 2, "most of them lock some row: {waited}");
    }
}
