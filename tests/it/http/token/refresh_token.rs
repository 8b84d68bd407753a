//! `grant_type=refresh_token`.

use std::time::Duration;

use passant_tests::on_both_engines;
use passant_tests::world::Tokens;
use serde_json::json;

use super::*;

const OFFLINE: (&str, &str) = ("scope", "openid profile offline_access orders:read");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn refresh_with(client: &Registered, world: &Arc<World>, token: &str, more: &[(&str, &str)]) -> Answer {
    let fields: Vec<(&str, &str)> =
        [("grant_type", "refresh_token"), ("refresh_token", token)].into_iter().chain(more.iter().copied()).collect();
    client.token(world, &fields).await
}

async fn sign_out(agent: &mut Agent) {
    let home = agent.get("/").await;
    let answer = agent.submit(&home, "/logout", &[]).await;
    assert!(answer.body.contains("signed out"));
}

on_both_engines! {
    async fn refreshed_tokens_go_on_from_the_first(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        world.advance(Duration::from_secs(30));
        // The tick goes on meanwhile, and what is of this grant does not.
        world.client("another", |_| {}).await;
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        assert_ne!((first.refresh(), first.access()), (second.refresh(), second.access()));
        let (before, after) = (first.claims(), second.claims());
        for same in ["iss", "sub", "aud", "client_id", "scope", "born", "sid", "gid"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert_ne!(before["jti"], after["jti"]);
        assert_eq!(after["iat"].as_i64().unwrap() - before["iat"].as_i64().unwrap(), 30);
        let (before, after) = (first.id_claims(), second.id_claims());
        for same in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert!(after.get("nonce").is_none() && after["iat"].as_i64() > before["iat"].as_i64());
    }

    async fn scope_is_narrowed_for_one_access_token_and_not_for_the_next(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let first = world.agent().tokens(&client, ADA, &[]).await;
        let narrow = Tokens::of(&refresh_with(&client, &world, first.refresh(), &[("scope", "orders:read")]).await);
        assert_eq!((&narrow.0["scope"], &narrow.claims()["scope"]), (&json!("orders:read"), &json!("orders:read")));
        let full = Tokens::of(&client.refresh(&world.agent(), narrow.refresh()).await);
        assert_eq!(full.0["scope"], first.0["scope"]);
    }

    async fn wish_for_more_than_was_granted_is_refused_and_consumes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[]).await;
        for scope in ["openid orders:write", "offline_access", "email", "admin", " ", "a\"b"] {
            assert_error(&refresh_with(&client, &world, first.refresh(), &[("scope", scope)]).await, 400, "invalid_scope");
        }
        for resource in ["https://other.example.com", "https://elsewhere.example.com"] {
            assert_error(&refresh_with(&client, &world, first.refresh(), &[("resource", resource)]).await, 400, "invalid_target");
        }
        world.advance(Duration::from_secs(60));
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        Tokens::of(&client.refresh(&agent, second.refresh()).await);
    }

    async fn another_clients_refresh_token_changes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let other = world.client("other", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        assert_error(&other.refresh(&agent, first.refresh()).await, 400, "invalid_grant");
        world.advance(Duration::from_secs(60));
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        world.advance(Duration::from_secs(60));
        assert_error(&other.refresh(&agent, first.refresh()).await, 400, "invalid_grant");
        assert_eq!(client.refresh(&agent, second.refresh()).await.status, StatusCode::OK, "a stranger's replay is no replay");
    }

    async fn retry_within_the_window_gives_the_same_successor(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[]).await;
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        for elapsed in [0, 5_000, 4_999] {
            world.advance(Duration::from_millis(elapsed));
            assert_eq!(Tokens::of(&client.refresh(&agent, first.refresh()).await).refresh(), second.refresh());
        }
        let widened = refresh_with(&client, &world, first.refresh(), &[("scope", "email")]).await;
        assert_error(&widened, 400, "invalid_scope");
        assert_eq!(Tokens::of(&client.refresh(&agent, first.refresh()).await).refresh(), second.refresh());
        Tokens::of(&client.refresh(&agent, second.refresh()).await);
    }

    async fn retry_at_the_end_of_the_window_ends_the_grant(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[]).await;
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        world.advance(Duration::from_secs(10));
        assert_error(&client.refresh(&agent, first.refresh()).await, 400, "invalid_grant");
        assert_error(&client.refresh(&agent, second.refresh()).await, 400, "invalid_grant");
        assert_error(&world.agent().userinfo(second.access()).await, 401, "invalid_token");
        assert_error(&world.agent().userinfo(first.access()).await, 401, "invalid_token");
    }

    async fn window_closes_with_the_first_use_of_the_successor(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[]).await;
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        let third = Tokens::of(&client.refresh(&agent, second.refresh()).await);
        assert_error(&client.refresh(&agent, first.refresh()).await, 400, "invalid_grant");
        assert_error(&client.refresh(&agent, third.refresh()).await, 400, "invalid_grant");
    }

    async fn window_is_the_clients(world) {
        world.user(ADA.0, ADA.1).await;
        let strict = world.client("strict", |it| it.lifetimes.refresh_retry_window = "0s".parse().unwrap()).await;
        let wide = world.client("wide", |it| it.lifetimes.refresh_retry_window = "60s".parse().unwrap()).await;
        let mut agent = world.agent();
        let (strict_token, wide_token) = (agent.tokens(&strict, ADA, &[]).await, agent.tokens(&wide, ADA, &[]).await);
        Tokens::of(&strict.refresh(&agent, strict_token.refresh()).await);
        assert_error(&strict.refresh(&agent, strict_token.refresh()).await, 400, "invalid_grant");
        Tokens::of(&wide.refresh(&agent, wide_token.refresh()).await);
        world.advance(Duration::from_millis(59_999));
        Tokens::of(&wide.refresh(&agent, wide_token.refresh()).await);
    }

    async fn refresh_token_has_an_idle_limit(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[OFFLINE]).await;
        world.advance(14 * DAY - Duration::from_millis(1));
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        world.advance(14 * DAY);
        assert_error(&client.refresh(&agent, second.refresh()).await, 400, "invalid_grant");
    }

    async fn refresh_token_has_an_absolute_limit_however_much_it_is_used(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let mut tokens = world.agent().tokens(&client, ADA, &[OFFLINE]).await;
        for _ in 0..3 {
            world.advance(9 * DAY);
            tokens = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        }
        world.advance(3 * DAY);
        assert_error(&client.refresh(&agent, tokens.refresh()).await, 400, "invalid_grant");
    }

    async fn without_offline_access_it_dies_with_the_browser_session(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let of_logout = agent.tokens(&client, ADA, &[]).await;
        sign_out(&mut agent).await;
        assert_error(&client.refresh(&agent, of_logout.refresh()).await, 400, "invalid_grant");
        assert_error(&agent.userinfo(of_logout.access()).await, 401, "invalid_token");

        let of_idleness = agent.tokens(&client, ADA, &[]).await;
        world.advance(Duration::from_secs(12 * 60 * 60) - Duration::from_millis(1));
        let next = Tokens::of(&client.refresh(&agent, of_idleness.refresh()).await);
        world.advance(Duration::from_millis(1));
        assert_error(&client.refresh(&agent, next.refresh()).await, 400, "invalid_grant");
    }

    async fn with_offline_access_it_outlives_the_browser_session(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[OFFLINE]).await;
        let sid = tokens.id_claims()["sid"].clone();
        assert!(tokens.claims().get("sid").is_none() && sid.is_string());
        sign_out(&mut agent).await;
        let tokens = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK);
        world.advance(8 * DAY);
        let tokens = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert!(tokens.claims().get("sid").is_none());
        assert_eq!(tokens.id_claims()["sid"], sid);
    }

    async fn it_dies_with_its_user_and_its_client(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let gone = world.client("gone", |_| {}).await;
        let mut agent = world.agent();
        let (of_user, of_client) = (agent.tokens(&client, ADA, &[OFFLINE]).await, agent.tokens(&gone, ADA, &[OFFLINE]).await);
        disable(&world, "clients", "gone").await;
        assert_error(&gone.refresh(&agent, of_client.refresh()).await, 401, "invalid_client");
        assert_error(&agent.userinfo(of_client.access()).await, 401, "invalid_token");
        disable(&world, "users", ada.as_str()).await;
        assert_error(&client.refresh(&agent, of_user.refresh()).await, 400, "invalid_grant");
        assert_error(&agent.userinfo(of_user.access()).await, 401, "invalid_token");
    }

    async fn missing_and_odd_tokens_are_refused(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        assert_error(&client.token(&world, &[("grant_type", "refresh_token")]).await, 400, "invalid_request");
        let (long, upper) = ("x".repeat(10_000), tokens.refresh().to_uppercase());
        for odd in ["x", "psr_", &long, &upper, tokens.access(), "\u{e9}"] {
            assert_error(&client.refresh(&agent, odd).await, 400, "invalid_grant");
        }
        let spaced = format!(" {}", tokens.refresh());
        assert_error(&client.refresh(&agent, &spaced).await, 400, "invalid_grant");
        Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
    }

    async fn a_default_resource_that_came_after_the_grant_is_not_its_audience(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("bare", |it| it.default_resource = None).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        register_anew(&world, &client, |it| it.default_resource = Some("https://api.example.com".parse().unwrap())).await;
        let refreshed = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!(refreshed.claims()["aud"], tokens.claims()["aud"]);
        let own = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        assert_eq!(own.claims()["aud"], "https://api.example.com");
    }
}
