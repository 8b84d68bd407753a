//! How each cause is brought about. A cause that nobody has thought of does not compile.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use passant::app::{rotation, succession};
use passant::domain::causes::{Cause, Who};
use passant::domain::client::ClientOrigin;
use passant::domain::ids::{GrantId, KeyId, SessionId};
use passant::domain::password::Password;
use passant::feed::TYPE;
use passant::keys::{MasterKey, master_file};
use passant::secret::OpaqueToken;
use passant::store::accounts::{self, LastAdministrator};
use passant::store::client_secrets::{self, OldSecrets, Rotation};
use passant::store::clients::{self, DeclaredClient, Reconciled, Undeclared};
use passant::store::{consents, everything, feed_head, grants, registrations, sessions, users};
use serde_json::json;

use super::victims::{PASSWORD, Scene, Victim};
use crate::world::Engine;

/// How often a cause can be measured at most.
pub(super) fn how_often(cause: Cause) -> usize {
    match cause {
        // There are eight keys for tests, and each revocation needs a new one.
        Cause::KeyRevoked => 4,
        Cause::AllKeysRevoked => 2,
        // Each ends what all the others stand on, or takes all that there is of its kind, so one comes after another.
        Cause::EverythingRevoked | Cause::HistoryContradicted | Cause::ClientPruned => 100,
        _ => usize::MAX,
    }
}

/// Whether it may happen only while nothing else does.
pub(super) fn alone(cause: Cause) -> bool {
    how_often(cause) < usize::MAX
}

impl Victim {
    /// Does it, and returns once it is acknowledged.
    pub(super) async fn revoke(mut self, scene: &Scene) {
        match self.cause.row().who {
            Who::Client => self.by_its_client(scene).await,
            Who::User => self.by_its_user().await,
            Who::Operator => self.by_the_operator(scene).await,
            Who::Anybody => self.by_anybody(scene).await,
        }
    }

    async fn by_its_client(&self, scene: &Scene) {
        let world = &scene.served.world;
        let spent = || self.spent.as_deref().expect("something was used before");
        let (answer, expected) = match self.cause {
            Cause::AccessTokenRevoked => (self.client.post(world, "/revoke", &[("token", &self.token)]).await, StatusCode::OK),
            Cause::RefreshTokenRevoked => {
                (self.client.post(world, "/revoke", &[("token", self.tokens.refresh())]).await, StatusCode::OK)
            }
            Cause::CodeReplayed => (self.client.redeem(&self.here, spent()).await, StatusCode::BAD_REQUEST),
            Cause::RefreshTokenReplayed => (self.client.refresh(&self.here, spent()).await, StatusCode::BAD_REQUEST),
            other => unreachable!("no client does {}", other.as_str()),
        };
        assert_eq!(answer.status, expected, "{}", answer.body);
    }

    async fn by_its_user(&mut self) {
        let (sid, csrf) = (self.claim("sid"), self.csrf.clone());
        let csrf = ("csrf", csrf.as_str());
        let answer = match self.cause {
            Cause::ConsentWithdrawn => {
                let id = self.client.id().to_owned();
                self.here.post("/account/applications/withdraw", &[csrf, ("client", &id)]).await
            }
            Cause::LoggedOut => self.here.post("/logout", &[csrf]).await,
            Cause::SessionEnded => self.there.post("/account/sessions/end", &[csrf, ("session", &sid)]).await,
            Cause::LoggedOutEverywhere => self.here.post("/account/sessions/end-all", &[csrf]).await,
            Cause::OtherSessionsEnded => self.there.post("/account/sessions/end-others", &[csrf]).await,
            Cause::PasswordChanged => {
                let fields = [csrf, ("current", PASSWORD), ("new", "a loom that weaves flowers and leaves")];
                self.here.post("/account/password", &fields).await
            }
            Cause::SessionEvicted => {
                let mut third = self.here.world().agent();
                third.sign_in(&self.name, PASSWORD).await
            }
            Cause::LoggedOutByApplication => {
                let hint = self.tokens.0["id_token"].as_str().expect("there is an ID token").to_owned();
                self.here.get(&format!("/end_session?id_token_hint={hint}")).await
            }
            other => unreachable!("no user does {}", other.as_str()),
        };
        assert!(matches!(answer.status, StatusCode::OK | StatusCode::SEE_OTHER), "{}: {}", answer.status, answer.body);
    }

    /// What the commands do. They run beside the server: with SQLite, another process raises than is followed.
    async fn by_the_operator(&self, scene: &Scene) {
        let app = match scene.engine {
            Engine::Sqlite => &scene.beside.app,
            Engine::Postgres => &scene.served.app,
        };
        let (db, now, user, client) = (&app.db, app.now(), self.user.clone(), self.client.client.id.clone());
        let raised = match self.cause {
            Cause::GrantEnded => grants::revoke(db, GrantId::new(self.claim("gid")), now).await.expect("it ends").is_some(),
            Cause::ConsentWithdrawnByOperator => consents::withdraw(db, user, client, now).await.is_ok(),
            Cause::SessionEndedByOperator => {
                sessions::end(db, SessionId::new(self.claim("sid")), now).await.expect("it ends").is_some()
            }
            Cause::LoggedOutByOperator => users::log_out_everywhere(db, user, now).await.expect("it ends").is_some(),
            Cause::PasswordSet => {
                let hash = app.passwords.hash(Password::typed(PASSWORD).expect("a password")).await.expect("it hashes");
                users::set_password(db, user, hash, now).await.expect("it is set").is_some()
            }
            Cause::UserDisabled => accounts::disable(db, user, LastAdministrator::Spare, now).await.is_ok(),
            Cause::UserDeleted => accounts::delete(db, user, LastAdministrator::Spare, now).await.is_ok(),
            Cause::ClientDisabled => registrations::disable(db, client, now).await.expect("it is disabled").is_some(),
            Cause::ClientRemoved => {
                registrations::remove(db, client, ClientOrigin::CommandLine, now).await.expect("it is removed").is_some()
            }
            // Its own was deleted behind the issuer's back, as a backup would lose it.
            Cause::ClientCreated => {
                let declared = DeclaredClient { client: self.client.client.clone(), secrets: vec![] };
                clients::create(db, declared, now).await.expect("it is created").is_some()
            }
            // It is the only one of the file's.
            Cause::ClientPruned => {
                let all = (ClientOrigin::File, Undeclared::Remove);
                let done = clients::reconcile_with(db, all, vec![], now).await.expect("it is pruned");
                matches!(done, Reconciled::Applied { undeclared, .. } if undeclared == [client])
            }
            Cause::SecretLeaked => {
                let (secret, old) = (OpaqueToken::random("pcs_").hash(), OldSecrets::Leaked);
                let rotation = Rotation { client, secret, expires_at: None, old, now };
                client_secrets::rotate(db, rotation).await.is_ok()
            }
            Cause::KeyRevoked => {
                let kid = self.tokens.header()["kid"].as_str().expect("a kid").to_owned();
                rotation::revoke(app, &KeyId::new(kid)).await.expect("it is revoked").is_some()
            }
            Cause::AllKeysRevoked => {
                let (new, old) = (MasterKey::random(), app.masters.in_force());
                master_file::replace(&scene.served.world.master_key(), &[new.clone(), old]).expect("it can be written");
                succession::replace(app, &new).await.is_ok()
            }
            Cause::EverythingRevoked => everything::revoke(db, now).await.is_ok(),
            other => unreachable!("nobody does {} here", other.as_str()),
        };
        assert!(raised, "{} revokes", self.cause.as_str());
    }

    /// Shows what the issuer signed and its history does not have.
    async fn by_anybody(&self, scene: &Scene) {
        let (world, app) = (&scene.served.world, &scene.served.app);
        let head = feed_head::read(&mut app.db.reader().await.expect("it reads").conn()).await.expect("there is a head");
        let lost = json!({
            "iss": app.config.issuer.as_str(), "feed": head.feed_id, "tick": head.tick.get() + 1, "chain": "lost",
        });
        let (message, _) = app.keys.sign(app.now(), TYPE, &lost).expect("it signs");
        let headers = [("content-type", "application/passant-revocations+jwt")];
        // Each address has a budget of its own.
        let mut anybody = world.agent().coming_from(&format!("198.51.100.{}", self.number % 256));
        let answer = anybody.send(Method::POST, "/revocations/proof", &headers, Body::from(message)).await;
        assert_eq!(answer.json(), json!({ "contradiction": true }), "{}", answer.body);
    }

    fn claim(&self, name: &str) -> String {
        self.tokens.claims()[name].as_str().expect("the token says whose it is").to_owned()
    }
}
