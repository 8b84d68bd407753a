//! The audit trail over HTTP: every request that changes something leaves an entry with its id and the right actor.

use passant::domain::audit::Entry;
use passant::secret::OpaqueToken;
use passant::store::audit::{self, Filter};
use passant::store::set_up_tokens;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;

use super::*;

/// What the trail says of the request that was answered so: the actor's kind, the action, the outcome.
async fn told(world: &World, answer: &Answer) -> Vec<(String, String, String)> {
    let id = answer.header("x-request-id").expect("every answer names its request");
    let filter = Filter { most: 10_000, ..Filter::default() };
    let mut reader = world.db().reader().await.unwrap();
    let all = audit::list(&mut reader.conn(), &filter).await.unwrap();
    let of_this = |entry: &Entry| entry.request_id.as_deref() == Some(id);
    let mut told: Vec<_> = all.into_iter().filter(of_this).map(|entry| (entry.actor_kind, entry.action, entry.outcome)).collect();
    told.sort();
    told
}

fn line(actor: &str, action: &str, outcome: &str) -> (String, String, String) {
    (actor.to_owned(), action.to_owned(), outcome.to_owned())
}

async fn press(agent: &mut Agent, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = agent.get("/").await.field("csrf").expect("somebody is signed in");
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    agent.post(path, &fields).await
}

on_both_engines! {
    async fn every_endpoint_that_changes_something_tells_who_and_by_which_request(world) {
        let link = OpaqueToken::random("pst_");
        world.secrets.collect("set-up link", link.expose());
        let born = { set_up_tokens::needed(&mut world.db().reader().await.unwrap().conn()).await.unwrap().unwrap() };
        let end = world.app.now() + std::time::Duration::from_secs(900);
        set_up_tokens::create(world.db(), link.hash(), born, end).await.unwrap();
        let mut admin = world.agent();
        let page = admin.get(&format!("/set-up?token={}", link.expose())).await;
        world.secrets.collect("password", GRACE.1);
        let answer = admin.submit(&page, "/set-up", &[("username", GRACE.0), ("name", "Grace"), ("password", GRACE.1)]).await;
        assert_eq!(told(&world, &answer).await, [line("anonymous", "set_up", "done"), line("user", "sign_in", "done")]);

        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.first_party = false).await;
        let mut agent = world.agent();
        let answer = agent.sign_in(ADA.0, "a wrong password of mine").await;
        assert_eq!(told(&world, &answer).await, [line("anonymous", "sign_in", "refused")]);
        let answer = agent.sign_in(ADA.0, ADA.1).await;
        assert_eq!(told(&world, &answer).await, [line("user", "sign_in", "done")]);

        let asked = agent.authorize(&client, &[]).await;
        let page = agent.follow(asked).await;
        let answer = agent.submit(&page, "/consent", &[("answer", "deny")]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "grant_deny", "done")]);
        let asked = agent.authorize(&client, &[]).await;
        let page = agent.follow(asked).await;
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "grant_approve", "done")]);
        let code = passant_tests::world::Callback::parse(answer.location(), client.redirect_uri()).code().to_owned();
        let answer = client.redeem(&agent, &code).await;
        assert_eq!(told(&world, &answer).await, [line("client", "code_redeem", "done")]);
        let first = Tokens::of(&answer);
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        client.refresh(&agent, second.refresh()).await;
        let answer = client.refresh(&agent, first.refresh()).await;
        assert_eq!(told(&world, &answer).await, [line("client", "token_refresh", "replayed")]);
        let answer = token_request(&world, &[("authorization", &basic("shop-web", "wrong"))], "grant_type=client_credentials").await;
        assert_eq!(told(&world, &answer).await, [line("anonymous", "client_authentication", "refused")]);

        let firsts = world.client("first-party", |_| {}).await;
        let answer = agent.authorize(&firsts, &[]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "grant_approve", "done")]);
        let answer = press(&mut agent, "/account/applications/withdraw", &[("client", "first-party")]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "consent_withdraw", "done")]);

        let mut other = world.agent();
        other.sign_in(ADA.0, ADA.1).await;
        let page = agent.get("/").await;
        let session = page.body.split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let answer = press(&mut agent, "/account/sessions/end", &[("session", &session)]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "session_end", "done")]);
        let answer = press(&mut agent, "/account/sessions/end-others", &[]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "other_sessions_end", "done")]);
        let new = "a loom that weaves flowers";
        world.secrets.collect("password", new);
        let answer = press(&mut agent, "/account/password", &[("current", "a wrong password of mine"), ("new", new)]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "password_change", "refused")]);
        let answer = press(&mut agent, "/account/password", &[("current", ADA.1), ("new", new)]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "password_change", "done")]);
        let answer = press(&mut agent, "/account/sessions/end-all", &[]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "log_out_everywhere", "done")]);
        agent.sign_in(ADA.0, new).await;
        let answer = press(&mut agent, "/logout", &[]).await;
        assert_eq!(told(&world, &answer).await, [line("user", "session_end", "done")]);
    }
}
