//! `GET /authorize/resume`: kept requests, and whose they are.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use passant_tests::on_both_engines;
use passant_tests::world::{Callback, authorize_path};

use super::*;

/// Starts a request that waits for a sign-in; its handle.
async fn waiting(agent: &mut Agent, client: &Registered) -> String {
    let answer = agent.authorize(client, &[]).await;
    agent.follow(answer).await.field("request").expect("the page carries the handle")
}

async fn sign_in_and_go_on(agent: &mut Agent, handle: &str) -> Answer {
    agent.sign_in(ADA.0, ADA.1).await;
    agent.get(&format!("/authorize/resume?request={handle}")).await
}

on_both_engines! {
    async fn posted_prompt_login_is_not_answered_by_a_sign_in_from_before_it_was_followed(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let path = authorize_path(&client, &[("prompt", "login")]);
        let body = Body::from(path.split_once('?').unwrap().1.to_owned());
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let parked = world.agent().send(Method::POST, "/authorize", &form, body).await.location().to_owned();
        let mut victim = world.agent();
        world.advance(Duration::from_secs(1));
        victim.sign_in(ADA.0, ADA.1).await;
        world.advance(Duration::from_secs(1));
        let answer = victim.get(&parked).await;
        assert!(answer.location().starts_with("/login?"), "{}", answer.location());
    }

    async fn a_request_without_a_challenge_stops_when_the_exemption_is_withdrawn(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.pkce_required = false).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
        let handle = agent.follow(answer).await.field("request").unwrap();
        register_anew(&world, &client, |it| it.pkce_required = true).await;
        assert_page(&sign_in_and_go_on(&mut agent, &handle).await, 400);
    }

    async fn kept_request_is_of_no_use_in_another_browser(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let third = world.client("third", |it| it.first_party = false).await;
        let mut victim = world.agent();
        let handles = [waiting(&mut victim, &client).await, waiting(&mut victim, &third).await];
        let mut thief = world.agent();
        thief.sign_in(ADA.0, ADA.1).await;
        for handle in &handles {
            for page in ["authorize/resume", "login", "consent"] {
                assert_page(&thief.get(&format!("/{page}?request={handle}")).await, 400);
            }
            let login = world.agent().get("/login").await;
            let csrf = login.field("csrf").unwrap();
            let fields = [("csrf", csrf.as_str()), ("request", handle), ("username", ADA.0), ("password", ADA.1)];
            assert!(thief.post("/login", &fields).await.status.is_client_error());
        }
        let answer = sign_in_and_go_on(&mut victim, &handles[0]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn posted_request_belongs_to_the_first_browser_that_follows_it(world) {
        let client = world.client("shop-web", |_| {}).await;
        let body = authorize_path(&client, &[]).split_once('?').unwrap().1.to_owned();
        let posted = world.agent().send(Method::POST, "/authorize", &[FORM], Body::from(body)).await;
        let mut first = world.agent();
        assert!(first.get(posted.location()).await.location().starts_with("/login?"));
        assert_page(&world.agent().get(posted.location()).await, 400);
        assert!(first.get(posted.location()).await.location().starts_with("/login?"));
    }

    async fn posted_prompt_none_shows_no_page_either(world) {
        let client = world.client("shop-web", |_| {}).await;
        let body = authorize_path(&client, &[("prompt", "none")]).split_once('?').unwrap().1.to_owned();
        let mut agent = world.agent();
        let posted = agent.send(Method::POST, "/authorize", &[FORM], Body::from(body)).await;
        let answer = agent.follow(posted).await;
        assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some("login_required"));
    }

    async fn handle_that_leads_nowhere_gets_a_page(world) {
        let long = format!("psa_{}", "x".repeat(100));
        for query in ["", "?request=", "?request=psa_unknown", "?request=%00", "?request=a&request=b", &format!("?request={long}")] {
            assert_page(&world.agent().get(&format!("/authorize/resume{query}")).await, 400);
            assert_page(&world.agent().get(&format!("/consent{query}")).await, 400);
        }
    }

    async fn answered_request_is_gone(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        let answer = sign_in_and_go_on(&mut agent, &handle).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        assert_page(&agent.get(&format!("/authorize/resume?request={handle}")).await, 400);
        assert_page(&agent.get(&format!("/login?request={handle}")).await, 400);
        assert_eq!(count(&world, "grants").await, 1);
    }

    async fn kept_request_waits_an_hour_and_no_longer(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        world.advance(Duration::from_millis(60 * 60 * 1000 - 1));
        assert!(agent.get(&format!("/authorize/resume?request={handle}")).await.location().starts_with("/login?"));
        world.advance(Duration::from_millis(1));
        assert_page(&sign_in_and_go_on(&mut agent, &handle).await, 400);
    }

    async fn address_of_a_kept_request_changes_nothing_of_it(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        let more = "&scope=openid%20offline_access%20orders:write&state=other&redirect_uri=https://evil.com&prompt=none";
        let answer = sign_in_and_go_on(&mut agent, &format!("{handle}{more}")).await;
        let callback = Callback::parse(answer.location(), client.redirect_uri());
        assert_eq!(callback.get("state"), Some("xyz-state"));
        let tokens = client.redeem(&agent, callback.code()).await.json();
        assert_eq!(tokens["scope"], "openid orders:read profile");
    }

    async fn registration_that_shrank_meanwhile_ends_the_kept_request(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        register_anew(&world, &client, |it| it.redirect_uris = vec!["https://new.example.com/cb".parse().unwrap()]).await;
        assert_page(&sign_in_and_go_on(&mut agent, &handle).await, 400);
        register_anew(&world, &client, |it| it.scopes = "openid profile".parse().unwrap()).await;
        assert_page(&sign_in_and_go_on(&mut agent, &handle).await, 400);
        register_anew(&world, &client, |it| it.name = "Orders again".to_owned()).await;
        let answer = sign_in_and_go_on(&mut agent, &handle).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn client_disabled_meanwhile_gets_no_code(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        disable(&world, "clients", "shop-web").await;
        assert_page(&sign_in_and_go_on(&mut agent, &handle).await, 400);
        assert_eq!(count(&world, "grants").await, 0);
    }

    async fn head_gives_no_code(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let handle = waiting(&mut agent, &client).await;
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.send(Method::HEAD, &format!("/authorize/resume?request={handle}"), &[], Body::empty()).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET")));
        assert_eq!(count(&world, "grants").await, 0);
    }
}
