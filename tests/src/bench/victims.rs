//! Tokens that are about to be revoked, with all that hangs on them.

use std::sync::Arc;

use passant::domain::causes::Cause;
use passant::domain::client::ClientOrigin;
use passant::domain::cutoff::Level;
use passant::domain::ids::UserId;
use tokio::task::JoinSet;

use crate::world::{Agent, Engine, Registered, Served, Tokens};

pub(super) const PASSWORD: &str = "an engine that weaves algebra";

/// How many are made at a time.
const TOGETHER: usize = 8;

/// The issuer, and another process on the same database.
pub(super) struct Scene {
    pub(super) served: Served,
    pub(super) beside: Served,
    pub(super) engine: Engine,
    shop: Registered,
}

impl Scene {
    pub(super) async fn set(engine: Engine) -> Self {
        let change = |config: &mut passant::config::Config| {
            // All verifiers follow from one address.
            config.limits.connections_per_address = config.limits.connections;
            config.limits.streams_per_address = config.limits.streams;
            config.limits.codes_per_session = 1_000_000;
            config.sessions.most = 2;
            // All of them sign in from one address, many at a time.
            config.throttle.address_free = 1_000_000;
        };
        let served = Served::in_real_time(engine, change).await;
        let beside = served.beside().await;
        let shop = served.world.client("shop", |_| {}).await;
        Self { served, beside, engine, shop }
    }
}

/// One token that lives, and what its revocation needs.
pub(super) struct Victim {
    pub(super) cause: Cause,
    pub(super) number: usize,
    pub(super) token: String,
    pub(super) name: String,
    pub(super) user: UserId,
    pub(super) client: Registered,
    pub(super) tokens: Tokens,
    /// Used before.
    pub(super) spent: Option<String>,
    /// The browser whose session the token hangs on, and a second one.
    pub(super) here: Agent,
    pub(super) there: Agent,
    /// Of the browser that acts, where one does.
    pub(super) csrf: String,
}

impl Victim {
    pub(super) async fn new(scene: Arc<Scene>, cause: Cause, number: usize) -> Self {
        let world = &scene.served.world;
        let name = format!("{}-{number}", cause.as_str().replace('_', "-"));
        let user = world.user(&name, PASSWORD).await;
        let client = match cause.row().level {
            Level::Client | Level::Issuer => {
                let file = cause == Cause::ClientPruned;
                world.client(&name, |it| it.origin = if file { ClientOrigin::File } else { it.origin }).await
            }
            _ => scene.shop.clone(),
        };
        let (mut here, mut there) = (world.agent(), world.agent());
        let who = (name.as_str(), PASSWORD);
        let code = here.callback(&client, who, &[]).await.code().to_owned();
        let mut tokens = Tokens::of(&client.redeem(&here, &code).await);
        let mut spent = None;
        match cause {
            Cause::CodeReplayed => spent = Some(code),
            Cause::RefreshTokenReplayed => {
                spent = Some(tokens.refresh().to_owned());
                // The successor's first use closes the window in which its parent may be tried again.
                for _ in 0..2 {
                    tokens = Tokens::of(&client.refresh(&here, tokens.refresh()).await);
                }
            }
            Cause::SessionEnded | Cause::OtherSessionsEnded | Cause::SessionEvicted => {
                there.sign_in(&name, PASSWORD).await;
            }
            _ => {}
        }
        let acting = if matches!(cause, Cause::SessionEnded | Cause::OtherSessionsEnded) { &mut there } else { &mut here };
        let csrf = acting.get("/").await.field("csrf").expect("somebody is signed in");
        if cause == Cause::ClientCreated {
            world.execute(&format!("DELETE FROM clients WHERE id = '{name}'")).await;
        }
        Self { cause, number, token: tokens.access().to_owned(), name, user, client, tokens, spent, here, there, csrf }
    }
}

pub(super) async fn all(scene: Arc<Scene>, cause: Cause, times: usize) -> Vec<Victim> {
    let (mut all, mut making) = (Vec::with_capacity(times), JoinSet::new());
    for number in 0..times {
        if making.len() == TOGETHER {
            all.extend(making.join_next().await.map(|made| made.expect("a token is made")));
        }
        making.spawn(Victim::new(Arc::clone(&scene), cause, number));
    }
    all.extend(making.join_all().await);
    all
}
