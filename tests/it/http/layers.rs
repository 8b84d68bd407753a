//! What lies around every endpoint.

use std::time::Duration;

use axum::body::Body;
use passant::app::checkpoint::Checkpoint;
use passant_tests::on_both_engines;

use super::*;

const JSON: [&str; 5] =
    ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks.json", "/token", "/userinfo"];
const PAGES: [&str; 13] = [
    "/",
    "/authorize",
    "/authorize/resume",
    "/login",
    "/consent",
    "/logout",
    "/account/password",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/sessions/end-all",
    "/account/applications/withdraw",
    "/set-up",
    "/demo",
];
const PLAIN: [&str; 4] = ["/assets/passant.css", "/assets/none", "/healthz", "/readyz"];

on_both_engines! {
    async fn table_of_routes_is_the_routers(world) {
        let source = include_str!("../../../issuer/src/http/mod.rs");
        let routed: Vec<&str> = source.split(".route(\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        let known = |path: &&&str| !JSON.contains(path) && !PAGES.contains(path) && !PLAIN.contains(path) && **path != "/assets/{name}";
        assert_eq!(routed.iter().filter(known).count(), 0, "a route is missing here: {routed:?}");
        assert_eq!(routed.len(), JSON.len() + PAGES.len() + PLAIN.len() - 1);
        drop(world);
    }

    async fn every_answer_has_the_security_headers(world) {
        let all = JSON.iter().chain(&PAGES).chain(&PLAIN).chain(&["/none"]);
        for path in all {
            for method in [Method::GET, Method::POST, Method::PUT, Method::HEAD] {
                let answer = world.agent().send(method.clone(), path, &[FORM], Body::empty()).await;
                let what = format!("{method} {path}");
                assert!(!answer.status.is_server_error(), "{what}: {}", answer.status);
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
                assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
                assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{what}");
                assert_eq!(answer.header("strict-transport-security"), Some("max-age=63072000"), "{what}");
                assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{what}");
                assert!(answer.header("permissions-policy").is_some() && answer.header("x-request-id").is_some(), "{what}");
                let policy = answer.header("content-security-policy").unwrap();
                for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action '"] {
                    assert!(policy.contains(part), "{what}: {policy}");
                }
                assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
                let cache = answer.header("cache-control").unwrap();
                let public = answer.status.is_success() && (path.starts_with("/assets") || JSON[..3].contains(path));
                assert_eq!(cache.starts_with("public, max-age="), public, "{what}: {cache}");
                assert!(public || cache == "no-store", "{what}: {cache}");
                assert!(answer.header("server").is_none(), "{what}");
            }
        }
    }

    async fn json_endpoints_may_be_read_by_other_origins_and_pages_may_not(world) {
        let origin = ("origin", "https://spa.example.com");
        let preflight = [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")];
        for path in JSON {
            let answer = world.agent().send(Method::GET, path, &[origin], Body::empty()).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            assert!(answer.header("access-control-allow-credentials").is_none(), "{path}");
            let asked = world.agent().send(Method::OPTIONS, path, &preflight, Body::empty()).await;
            assert_eq!(asked.status, StatusCode::OK, "{path}");
            assert!(asked.header("access-control-allow-headers").unwrap().contains("authorization"));
            assert!(asked.header("access-control-allow-methods").unwrap().contains("POST"));
            assert!(asked.header("access-control-allow-credentials").is_none(), "{path}");
        }
        for path in PAGES.iter().chain(&PLAIN).chain(&["/none"]) {
            for (method, headers) in [(Method::GET, &preflight[..1]), (Method::OPTIONS, &preflight[..])] {
                let answer = world.agent().send(method, path, headers, Body::empty()).await;
                assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{path}");
            }
        }
    }

    async fn error_of_a_json_endpoint_can_be_read_by_other_origins(world) {
        let headers = [("origin", "https://spa.example.com"), FORM];
        let answer = world.agent().send(Method::POST, "/token", &headers, Body::from("client_id=x")).await;
        assert_error(&answer, 401, "invalid_client");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("www-authenticate"));
    }

    async fn unknown_address_gets_a_page_or_json_for_whoever_takes_nothing_else(world) {
        for path in ["/none", "/token/", "//token", "/jwks.json/", "/.well-known/none", "/authorize/", "/LOGIN", "/login/..%2f"] {
            assert_page(&world.agent().get(path).await, 404);
            let browser = [("accept", "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8")];
            assert_page(&world.agent().send(Method::GET, path, &browser, Body::empty()).await, 404);
            let answer = world.agent().send(Method::GET, path, &[("accept", "application/json")], Body::empty()).await;
            assert_error(&answer, 404, "not_found");
        }
    }

    async fn wrong_method_is_worded_and_says_what_is_allowed(world) {
        for (path, allow) in [("/", "GET,HEAD"), ("/login", "GET,HEAD,POST"), ("/logout", "POST"), ("/consent", "GET,HEAD,POST")] {
            let answer = world.agent().send(Method::PUT, path, &[], Body::empty()).await;
            assert_page(&answer, 405);
            assert_eq!(answer.header("allow"), Some(allow));
        }
        for path in &JSON[..3] {
            let answer = world.agent().send(Method::POST, path, &[FORM], Body::empty()).await;
            assert_error(&answer, 405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"));
        }
    }

    async fn body_over_the_limit_is_413_in_each_groups_shape(world) {
        let huge = || Body::from("x".repeat((64 << 10) + 1));
        for path in ["/login", "/consent", "/set-up", "/logout", "/authorize"] {
            assert_page(&world.agent().send(Method::POST, path, &[FORM], huge()).await, 413);
        }
        for path in ["/token", "/userinfo"] {
            assert_error(&world.agent().send(Method::POST, path, &[FORM], huge()).await, 413, "invalid_request");
        }
        let largest = Body::from(format!("client_id={}", "x".repeat((64 << 10) - 10)));
        assert_error(&world.agent().send(Method::POST, "/token", &[FORM], largest).await, 401, "invalid_client");
    }

    async fn request_that_takes_too_long_is_503_with_retry_after_in_each_groups_shape(world) {
        let hasty = |config: &mut passant::config::Config| config.limits.request_timeout = Duration::from_millis(1500);
        let hasty = Arc::new(World::with(engine(&world), hasty).await);
        let client = hasty.client("robot", |_| {}).await;
        let mut hold = hasty.held.next(Checkpoint::ClientProved);
        let held = { let (client, world) = (client.clone(), Arc::clone(&hasty)); tokio::spawn(async move { client.token(&world, &[("grant_type", "client_credentials")]).await }) };
        hold.arrived().await;
        let answer = held.await.unwrap();
        assert_error(&answer, 503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));

        hasty.user(ADA.0, ADA.1).await;
        let mut hold = hasty.held.next(Checkpoint::PasswordProved);
        let held = { let mut agent = hasty.agent(); tokio::spawn(async move { agent.sign_in(ADA.0, ADA.1).await }) };
        hold.arrived().await;
        let answer = held.await.unwrap();
        assert_page(&answer, 503);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(count(&hasty, "sessions").await, 0);
    }

    async fn request_id_is_ours_and_new_each_time(world) {
        let sent = [("x-request-id", "chosen-by-a-stranger")];
        let first = world.agent().send(Method::GET, "/login", &sent, Body::empty()).await;
        let second = world.agent().send(Method::GET, "/login", &sent, Body::empty()).await;
        let ids = [first.header("x-request-id").unwrap(), second.header("x-request-id").unwrap()];
        assert!(ids[0] != ids[1] && !ids.contains(&"chosen-by-a-stranger") && ids[0].len() >= 16);
    }

    async fn issuer_on_plain_http_drops_the_prefix_and_hsts(world) {
        let local = |config: &mut passant::config::Config| config.issuer = "http://localhost:8080".parse().unwrap();
        let local = Arc::new(World::with(engine(&world), local).await);
        local.user(ADA.0, ADA.1).await;
        let mut agent = local.agent();
        let page = agent.get("/login").await;
        assert!(page.header("strict-transport-security").is_none());
        let fields = [("csrf", page.field("csrf").unwrap()), ("username", ADA.0.to_owned()), ("password", ADA.1.to_owned())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = post_with(&mut agent, "/login", &[("origin", "http://localhost:8080")], &fields).await;
        let line = set_cookie(&answer, "passant-session").unwrap();
        assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{line}");
        assert!(signed_in(&mut agent).await);
    }
}
