//! What the operator's commands do, beside the requests.

use passant::domain::audit::{Action, Actor, Event, Source};
use passant::domain::client::ClientOrigin;
use passant::domain::cutoff::Target;
use passant::domain::ids::{ClientId, SessionId};
use passant::domain::password::Password;
use passant::domain::user::Username;
use passant::jobs::{Job, Sweep};
use passant::secret::OpaqueToken;
use passant::store::accounts::{self, LastAdministrator};
use passant::store::client_secrets::{self, OldSecrets, Rotated, Rotation};
use passant::store::clients::{self, DeclaredClient};
use passant::store::{Db, consents, feed_head, registrations, sessions, users};

use super::steps::{USERS, Walk};

impl Walk {
    fn operator(&self) -> Db {
        self.world.db().by(Source { actor: Actor::Operator("walker".to_owned()), ..Source::PASSANT })
    }

    async fn user_id(&self, user: usize) -> passant::domain::ids::UserId {
        let name = Username::parse(&self.model.users[user].name).unwrap();
        users::sign_in_record(&mut self.world.db().reader().await.unwrap().conn(), &name).await.unwrap().unwrap().user.id
    }

    pub(super) async fn command_on_a_user(&mut self) {
        let (now, db) = (self.world.app.now(), self.operator());
        // Who can do nothing is helped first: most of the walk should be lived.
        let idle = (0..USERS.len()).find(|it| !self.model.may_sign_in(*it));
        let user = idle.unwrap_or_else(|| self.dice.roll(USERS.len()));
        if !self.model.users[user].exists {
            let (name, password) = (self.model.users[user].name.clone(), self.model.users[user].password.clone());
            self.world.user(&name, &password).await;
            (self.model.users[user].exists, self.model.users[user].disabled) = (true, false);
            return self.note("add user", &name);
        }
        let id = self.user_id(user).await;
        match self.dice.roll(5) {
            0 if !self.model.users[user].disabled => {
                let password = format!("password {} set for {}", self.model.now, self.model.users[user].name);
                self.world.secrets.collect("password", &password);
                let hash = self.world.app.passwords.hash(Password::typed(&password).unwrap()).await.unwrap();
                users::set_password(&db, id, hash, now).await.unwrap().unwrap();
                self.model.users[user].password = password;
                self.model.kill_user(user);
                self.note("set password", &user);
            }
            _ if self.model.users[user].disabled => {
                accounts::enable(&db, id, now).await.unwrap();
                self.model.users[user].disabled = false;
                self.note("enable user", &user);
            }
            1 => {
                accounts::disable(&db, id, LastAdministrator::Spare, now).await.unwrap();
                self.model.users[user].disabled = true;
                self.model.kill_user(user);
                self.note("disable user", &user);
            }
            2 => {
                accounts::delete(&db, id, LastAdministrator::Spare, now).await.unwrap();
                self.model.users[user].exists = false;
                self.model.kill_user(user);
                self.note("delete user", &user);
            }
            3 => {
                let client = self.dice.roll(self.clients.len());
                consents::withdraw(&db, id, ClientId::new(self.clients[client].id()), now).await.unwrap();
                self.model.withdraw(user, client);
                self.note("revoke consent", &(user, client));
            }
            _ => {
                users::log_out_everywhere(&db, id, now).await.unwrap();
                self.model.kill_user(user);
                self.note("end all sessions", &user);
            }
        }
    }

    pub(super) async fn command_on_a_client(&mut self) {
        let (now, db) = (self.world.app.now(), self.operator());
        let idle = (0..self.clients.len()).find(|it| !self.model.client_works(*it));
        let client = idle.unwrap_or_else(|| self.dice.roll(self.clients.len()));
        let id = ClientId::new(self.clients[client].id());
        if !self.model.clients[client].exists {
            let secret = (!self.model.clients[client].public).then(|| OpaqueToken::random("pcs_"));
            let secrets = secret.iter().map(OpaqueToken::hash).collect();
            let declared = DeclaredClient { client: self.clients[client].client.clone(), secrets };
            clients::create(&db, declared, now).await.unwrap().unwrap();
            self.give_secret(client, secret);
            (self.model.clients[client].exists, self.model.clients[client].disabled) = (true, false);
            return self.note("add client", &client);
        }
        match self.dice.roll(5) {
            _ if self.model.clients[client].disabled => {
                assert!(registrations::enable(&db, id, now).await.unwrap());
                self.model.clients[client].disabled = false;
                self.note("enable client", &client);
            }
            0 => {
                registrations::disable(&db, id, now).await.unwrap().unwrap();
                self.model.clients[client].disabled = true;
                self.model.kill_client(client);
                self.note("disable client", &client);
            }
            1 => {
                registrations::remove(&db, id, ClientOrigin::CommandLine, now).await.unwrap().unwrap();
                self.model.clients[client].exists = false;
                self.model.kill_client(client);
                self.note("remove client", &client);
            }
            _ => {
                let leaked = self.dice.one_in(2);
                let secret = OpaqueToken::random("pcs_");
                let old = if leaked { OldSecrets::Leaked } else { OldSecrets::Until(now) };
                let rotation = Rotation { client: id, secret: secret.hash(), expires_at: None, old, now };
                match client_secrets::rotate(&db, rotation).await.unwrap() {
                    Rotated::Public => assert!(self.model.clients[client].public),
                    Rotated::Done(committed) => {
                        assert_eq!(committed.tick.is_some(), leaked);
                        self.give_secret(client, Some(secret));
                        if leaked {
                            self.model.kill_client(client);
                        }
                    }
                    other => panic!("{other:?}"),
                }
                self.note("rotate secret", &(client, leaked));
            }
        }
    }

    fn give_secret(&mut self, client: usize, secret: Option<OpaqueToken>) {
        let secret = secret.map(|secret| secret.expose().to_owned());
        if let Some(secret) = &secret {
            self.world.secrets.collect("client secret", secret);
        }
        self.clients[client].secret = secret;
    }

    pub(super) async fn command_on_a_session(&mut self) {
        let Some((_, session)) = self.somebody() else { return };
        let sid = SessionId::new(self.model.sessions[session].sid.clone());
        sessions::end(&self.operator(), sid, self.world.app.now()).await.unwrap().unwrap();
        self.model.kill_session(session);
        self.note("end session", &session);
    }

    /// The break-glass cut-off, and the jobs that change nothing that anybody can see.
    pub(super) async fn rare_command(&mut self) {
        if self.dice.one_in(4) {
            let event = Event::done(Action::IssuerCutOff);
            feed_head::cut_off(&self.operator(), vec![Target::Issuer], event, self.world.app.now()).await.unwrap();
            self.model.kill_all();
            self.note("cut off the issuer", &());
        } else {
            Sweep::default().step(&self.world.app).await;
            self.note("sweep", &());
        }
    }
}
