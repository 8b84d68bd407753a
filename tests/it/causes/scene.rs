//! What there is before each act: ada in two browsers, a shop with tokens, a pending code and a token of its own, and a bystander.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use passant::app::checkpoint::Checkpoint;
use passant::domain::causes::Cause;
use passant::domain::client::ClientOrigin;
use passant::domain::cutoff::Level;
use passant::domain::ids::UserId;
use passant_tests::world::{Agent, Answer, Callback, Hold, Registered, Tokens, World};
use tokio::task::JoinHandle;

use super::{ADA, GRACE};

const SHOP: &str = "shop";

pub(super) struct Scene {
    pub(super) world: Arc<World>,
    pub(super) ada: UserId,
    /// The browser that ada sits at; the shop's grant and code hang on its session.
    pub(super) here: Agent,
    /// Another browser of hers.
    pub(super) there: Agent,
    /// The cookies of both, as a thief would have copied them.
    pub(super) copies: [Agent; 2],
    pub(super) shop: Registered,
    /// Redeemed before, for these tokens.
    pub(super) used_code: String,
    pub(super) used_refresh: String,
    pub(super) tokens: Tokens,
    pub(super) pending_code: String,
    /// What the shop has on its own account.
    pub(super) own: Tokens,
    /// Another user's, by way of another client.
    pub(super) bystander: Tokens,
    /// A service that asks how tokens stand.
    pub(super) watch: Registered,
}

/// Requests that were judged before the act and go on after it.
pub(super) struct Held {
    pub(super) sign_in: JoinHandle<(Agent, Answer)>,
    pub(super) approval: JoinHandle<Answer>,
    pub(super) refresh: JoinHandle<Answer>,
    pub(super) own: JoinHandle<Answer>,
    /// Where the act cuts off the user themselves: another act of theirs.
    pub(super) account: Option<JoinHandle<Answer>>,
    holds: Vec<Hold>,
}

impl Held {
    /// Lets all of them go on.
    pub(super) fn release(&mut self) {
        self.holds.drain(..).for_each(Hold::release);
    }
}

impl Scene {
    pub(super) async fn set(world: &Arc<World>, cause: Cause) -> Self {
        let ada = world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let origin = if cause == Cause::ClientPruned { ClientOrigin::File } else { ClientOrigin::CommandLine };
        // Another company's, so that consent is asked for and remembered.
        let shop = world
            .client(SHOP, |it| {
                it.first_party = false;
                it.origin = origin;
            })
            .await;
        let (other, watch) = (world.client("other", |_| {}).await, world.client("watch", |_| {}).await);
        let (mut here, mut there) = (world.agent(), world.agent());
        here.sign_in(ADA.0, ADA.1).await;
        // So that it is clear which began first.
        world.advance(Duration::from_secs(1));
        there.sign_in(ADA.0, ADA.1).await;
        let used_code = here.callback(&shop, ADA, &[]).await.code().to_owned();
        let first = Tokens::of(&shop.redeem(&here, &used_code).await);
        let tokens = Tokens::of(&shop.refresh(&here, first.refresh()).await);
        let pending_code = here.callback(&shop, ADA, &[]).await.code().to_owned();
        let own = Tokens::of(&shop.token(world, &[("grant_type", "client_credentials")]).await);
        let bystander = world.agent().tokens(&other, GRACE, &[]).await;
        let copies = [world.agent().with_cookies(here.cookies()), world.agent().with_cookies(there.cookies())];
        let used_refresh = first.refresh().to_owned();
        let world = Arc::clone(world);
        Self { world, ada, here, there, copies, shop, used_code, used_refresh, tokens, pending_code, own, bystander, watch }
    }

    /// Starts one request for each place between a judgement and a deed, and waits until each stands there.
    pub(super) async fn hold_requests(&mut self, cause: Cause) -> Held {
        let mut holds = Vec::new();

        let mut third = self.world.agent();
        let mut hold = self.world.held.next(Checkpoint::PasswordProved);
        let sign_in = tokio::spawn(async move {
            let answer = third.sign_in(ADA.0, ADA.1).await;
            (third, answer)
        });
        hold.arrived().await;
        holds.push(hold);

        let mut hold = self.world.held.next(Checkpoint::ApprovalJudged);
        let (mut approving, shop) = (self.world.agent().with_cookies(self.here.cookies()), self.shop.clone());
        let approval = tokio::spawn(async move { approving.authorize(&shop, &[]).await });
        hold.arrived().await;
        holds.push(hold);

        let mut hold = self.world.held.next(Checkpoint::ClientProved);
        let (shop, world) = (self.shop.clone(), Arc::clone(&self.world));
        let own = tokio::spawn(async move { shop.token(&world, &[("grant_type", "client_credentials")]).await });
        hold.arrived().await;
        holds.push(hold);

        let mut hold = self.world.held.next(Checkpoint::GrantSpent);
        let (shop, agent, token) = (self.shop.clone(), self.world.agent(), self.tokens.refresh().to_owned());
        let refresh = tokio::spawn(async move { shop.refresh(&agent, &token).await });
        hold.arrived().await;
        holds.push(hold);

        let mut account = None;
        if matches!(cause.row().level, Level::User | Level::Issuer) {
            let mut hold = self.world.held.next(Checkpoint::AccountChangeJudged);
            let mut acting = self.world.agent().with_cookies(self.there.cookies());
            let csrf = self.there.get("/").await.field("csrf").unwrap();
            account = Some(tokio::spawn(async move { acting.post("/account/sessions/end-others", &[("csrf", &csrf)]).await }));
            hold.arrived().await;
            holds.push(hold);
        }
        Held { sign_in, approval, refresh, own, account, holds }
    }

    pub(super) fn issuer(&self) -> &str {
        self.world.app.config.issuer.as_str()
    }

    pub(super) fn gid(&self) -> String {
        self.claim("gid")
    }

    pub(super) fn sid(&self) -> String {
        self.claim("sid")
    }

    pub(super) fn claim(&self, name: &str) -> String {
        self.tokens.claims()[name].as_str().unwrap().to_owned()
    }

    pub(super) fn kid(&self) -> String {
        self.tokens.header()["kid"].as_str().unwrap().to_owned()
    }

    /// Whether an access token is alive, by the word of /introspect and, for a user's, /userinfo.
    pub(super) async fn lives(&self, tokens: &Tokens) -> bool {
        let asked = self.watch.post(&self.world, "/introspect", &[("token", tokens.access())]).await.json()["active"] == true;
        if !tokens.claims()["gid"].is_null() {
            let told = self.world.agent().userinfo(tokens.access()).await.status;
            assert_eq!(told == StatusCode::OK, asked, "/userinfo and /introspect agree");
        }
        asked
    }

    /// Whether the shop gets tokens with this refresh token. Costs the token.
    pub(super) async fn refreshes(&self, token: &str) -> Option<Tokens> {
        let answer = self.shop.refresh(&self.world.agent(), token).await;
        if answer.status == StatusCode::OK { Some(Tokens::of(&answer)) } else { refused(&answer) }
    }

    /// Whether the shop gets tokens with this code. Costs the code.
    pub(super) async fn redeems(&self, code: &str) -> Option<Tokens> {
        let answer = self.shop.redeem(&self.world.agent(), code).await;
        if answer.status == StatusCode::OK { Some(Tokens::of(&answer)) } else { refused(&answer) }
    }

    /// The answer that came to the shop without a page.
    pub(super) fn callback(&self, answer: &Answer) -> Option<Callback> {
        let location = answer.header("location").filter(|to| to.starts_with(self.shop.redirect_uri()))?;
        Some(Callback::parse(location, self.shop.redirect_uri()))
    }
}

/// Nothing but the two refusals that a dead thing or a dead client gets.
fn refused<T>(answer: &Answer) -> Option<T> {
    assert!(matches!(answer.error().as_str(), "invalid_grant" | "invalid_client"), "{}", answer.body);
    None
}

pub(super) async fn signed_in(agent: &mut Agent) -> bool {
    agent.get("/").await.body.contains("Where you are signed in")
}
