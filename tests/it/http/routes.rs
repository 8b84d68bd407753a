//! A walk over the route table, read from the router's own source: every route, by every method, with a good request and with bad
//! ones. A new route fails here until it is said what a good request to it is.

use std::collections::BTreeSet;

use axum::body::Body;
use passant_tests::on_both_engines;
use passant_tests::world::{Tokens, authorize_path};
use serde_json::json;

use super::*;

const ROUTER: &str = include_str!("../../../issuer/src/http/mod.rs");

/// Nobody needs these anywhere.
const REFUSED: [Method; 3] = [Method::PUT, Method::DELETE, Method::PATCH];

/// What may be kept by caches and compressed: nothing that belongs to anybody.
const PUBLIC: [&str; 5] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/jwks.json",
    "/assets/{name}",
    "/status-lists/{id}",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Json,
    Pages,
    Plain,
}

#[derive(Debug, Clone)]
struct Route {
    path: &'static str,
    group: Group,
    methods: Vec<Method>,
}

impl Route {
    /// An address that the route answers.
    fn address(&self) -> &'static str {
        match self.path {
            "/assets/{name}" => "/assets/passant.css",
            "/status-lists/{id}" => "/status-lists/walked",
            path => path,
        }
    }
}

/// A bad request: what is bad about it, its query, its headers and its body.
type Bad<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Body);

/// The routes as they stand in the table.
fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (group, beginning) in
        [(Group::Json, "let json ="), (Group::Json, "let feed ="), (Group::Pages, "let pages ="), (Group::Plain, "let plain =")]
    {
        let (_, table) = ROUTER.split_once(beginning).unwrap_or_else(|| panic!("{beginning} is in the router"));
        let (table, _) = table.split_once(';').unwrap();
        for route in table.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once("\", ").expect("a path and its handlers");
            let named = |name: &str| handlers.starts_with(name) || handlers.contains(&format!(").{name}"));
            let methods = [("get(", Method::GET), ("post(", Method::POST)].into_iter().filter(|(name, _)| named(name));
            let methods: Vec<Method> = methods.map(|(_, method)| method).collect();
            assert!(!methods.is_empty(), "{path} is by GET or POST: {handlers}");
            routes.push(Route { path, group, methods });
        }
    }
    assert_eq!(routes.len(), ROUTER.matches(".route(").count(), "every route was understood");
    routes
}

/// The pages' routes that take what a form sends.
pub(crate) fn taking_forms() -> BTreeSet<&'static str> {
    let takes = |route: &Route| route.group == Group::Pages && route.methods.contains(&Method::POST);
    routes().into_iter().filter(takes).map(|route| route.path).collect()
}

/// A list at the address that the walk asks for.
async fn status_list(world: &World) {
    let list = "INSERT INTO status_lists (id, ends_at, number, size, tick)
                SELECT 'walked', 1900000000000, 0, 8192, tick FROM feed_head";
    assert_eq!(execute(world, list).await, 1);
}

/// The answer to a request that this route is there for.
async fn good(world: &Arc<World>, client: &Registered, route: &Route, method: &Method) -> Answer {
    let mut agent = world.agent();
    let address = route.address();
    match (method.as_str(), route.path) {
        (
            "GET",
            "/.well-known/openid-configuration"
            | "/.well-known/oauth-authorization-server"
            | "/jwks.json"
            | "/status-lists/{id}"
            | "/assets/{name}"
            | "/healthz"
            | "/readyz"
            | "/revocations"
            | "/login",
        ) => agent.get(address).await,
        ("GET", "/revocations/stream") => sent(&mut agent, method, address, &[], Body::empty()).await,
        ("POST", "/token") => client.token(world, &[("grant_type", "client_credentials")]).await,
        ("POST", "/revocations/proof") => {
            let kind = ("content-type", "application/passant-revocations+jwt");
            agent.send(Method::POST, address, &[kind], Body::from("no message of ours")).await
        }
        ("POST", "/revocations/followers") => {
            let (position, keys) = (format!("feed.7.{}", "l".repeat(43)), "k".repeat(43));
            let said = json!({ "name": "n", "instance": "i", "position": position, "keys": keys, "keys_age": 5 });
            let kind = ("content-type", "application/json");
            agent.send(Method::POST, address, &[kind], Body::from(said.to_string())).await
        }
        ("POST", "/introspect" | "/revoke") => client.post(world, address, &[("token", "unknown")]).await,
        ("GET", "/userinfo") => {
            let tokens = agent.tokens(client, ADA, &[]).await;
            agent.userinfo(tokens.access()).await
        }
        ("POST", "/userinfo") => {
            let tokens: Tokens = agent.tokens(client, ADA, &[]).await;
            world.agent().send(Method::POST, address, &[FORM], encoded(&[("access_token", tokens.access())]).into()).await
        }
        ("GET", "/") => {
            agent.sign_in(ADA.0, ADA.1).await;
            agent.get("/").await
        }
        ("GET", "/authorize") => agent.authorize(client, &[]).await,
        ("POST", "/authorize") => posted_request(&mut agent, client).await,
        ("GET", "/authorize/resume") => {
            let kept = posted_request(&mut agent, client).await;
            agent.get(kept.location()).await
        }
        ("POST", "/login") => agent.sign_in(ADA.0, ADA.1).await,
        ("GET", "/consent") => consent_page(&mut agent, client).await,
        ("POST", "/consent") => {
            let page = consent_page(&mut agent, client).await;
            agent.submit(&page, "/consent", &[("answer", "allow")]).await
        }
        ("POST", "/logout") => {
            agent.sign_in(ADA.0, ADA.1).await;
            let home = agent.get("/").await;
            agent.submit(&home, "/logout", &[]).await
        }
        ("GET", "/end_session") => {
            agent.sign_in(ADA.0, ADA.1).await;
            agent.get("/end_session").await
        }
        ("POST", "/end_session") => world.agent().send(Method::POST, address, &[FORM], Body::from("state=x")).await,
        ("POST", "/end_session/confirm") => {
            agent.sign_in(ADA.0, ADA.1).await;
            let page = agent.get("/end_session").await;
            agent.submit(&page, address, &[]).await
        }
        ("GET", "/account/password") => {
            agent.sign_in(ADA.0, ADA.1).await;
            agent.get(address).await
        }
        ("POST", "/account/password") => {
            agent.sign_in(ADA.0, ADA.1).await;
            let page = agent.get(address).await;
            let fields = [("current", ADA.1), ("new", "a loom that weaves flowers and leaves")];
            let answer = agent.submit(&page, address, &fields).await;
            let page = agent.get(address).await;
            // Those that follow sign in as before.
            agent.submit(&page, address, &[("current", fields[1].1), ("new", ADA.1)]).await;
            answer
        }
        (
            "POST",
            "/account/sessions/end"
            | "/account/sessions/end-others"
            | "/account/sessions/end-all"
            | "/account/applications/withdraw",
        ) => {
            agent.sign_in(ADA.0, ADA.1).await;
            let page = agent.get("/").await;
            let session = page.field("session").unwrap_or_default();
            agent.submit(&page, address, &[("session", &session), ("client", client.id())]).await
        }
        ("GET", "/set-up") => agent.get(&set_up::link(world).await).await,
        ("POST", "/set-up") => {
            let page = agent.get(&set_up::link(world).await).await;
            let fields = [("username", "grace"), ("name", "Grace"), ("email", "grace@example.com"), ("password", GRACE.1)];
            agent.submit(&page, "/set-up", &fields).await
        }
        // Where the operator wants it alone.
        ("GET", "/status-lists") => {
            let answer = agent.get(address).await;
            assert_error(&answer, 404, "not_found");
            answer
        }
        // Under `serve --dev` alone: here there is no such page, as for anybody.
        ("GET", "/demo") => {
            let answer = agent.get("/demo").await;
            assert_page(&answer, 404);
            answer
        }
        (method, path) => panic!("it is not said here what a good request to {method} {path} is"),
    }
}

/// Any request, and its answer: that of a stream without its events, which have no end.
async fn sent(agent: &mut Agent, method: &Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    if !path.starts_with("/revocations/stream") {
        return agent.send(method.clone(), path, headers, body).await;
    }
    let (parts, body) = agent.send_raw(method.clone(), path, headers).await.into_parts();
    let endless = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = if endless { Vec::new() } else { axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec() };
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(text).unwrap() }
}

async fn posted_request(agent: &mut Agent, client: &Registered) -> Answer {
    let path = authorize_path(client, &[]);
    let (_, query) = path.split_once('?').unwrap();
    agent.send(Method::POST, "/authorize", &[FORM, ("origin", "https://app.example.com")], Body::from(query.to_owned())).await
}

async fn consent_page(agent: &mut Agent, client: &Registered) -> Answer {
    agent.sign_in(ADA.0, ADA.1).await;
    let answer = agent.authorize(client, &[("prompt", "consent")]).await;
    agent.follow(answer).await
}

/// Headers that hold for every answer whatever it is.
#[track_caller]
fn assert_headers(what: &str, route: Option<&Route>, answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("strict-transport-security", "max-age=63072000"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{what}: {name}");
    }
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() >= 16) && answer.header("server").is_none(), "{what}");
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}"));
    for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action '"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");

    let preflight = answer.headers.contains_key("access-control-allow-methods");
    let public = route.is_some_and(|route| PUBLIC.contains(&route.path)) && answer.status.is_success() && !preflight;
    let cache = answer.header("cache-control").unwrap();
    assert!(if public { cache.starts_with("public, max-age=") } else { cache == "no-store" }, "{what}: {cache}");

    let cors = |name: &str| answer.header(&format!("access-control-{name}"));
    let json = route.is_some_and(|route| route.group == Group::Json);
    assert_eq!(cors("allow-origin"), json.then_some("*"), "{what}");
    assert!(cors("allow-credentials").is_none(), "{what}");
    assert!(json || !answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{what}");

    for line in answer.headers.get_all("set-cookie") {
        let line = line.to_str().unwrap();
        let (cookie, flags) = line.split_once("; ").unwrap();
        assert!(cookie.starts_with("__Host-passant-") && !json, "{what}: {line}");
        // The device's is to be known again after months, the confirmation's to be said within the minute.
        let lasts = match cookie.split_once('=') {
            Some((_, "")) => "; Max-Age=0",
            Some(("__Host-passant-device", _)) => "; Max-Age=34560000",
            Some(("__Host-passant-said", _)) => "; Max-Age=60",
            _ => "",
        };
        assert_eq!(flags, format!("Path=/; HttpOnly; SameSite=Lax; Secure{lasts}"), "{what}: {line}");
    }
    if answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED {
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}: no credential is ever posted twice");
    }
    assert!(!answer.status.is_server_error(), "{what}: {}", answer.body);
}

#[test]
fn table_is_read_with_its_groups_and_methods() {
    let routes = routes();
    let of = |path: &str| routes.iter().find(|route| route.path == path).map(|route| (route.group, route.methods.len()));
    assert_eq!((of("/token"), of("/userinfo")), (Some((Group::Json, 1)), Some((Group::Json, 2))));
    assert_eq!((of("/authorize"), of("/logout")), (Some((Group::Pages, 2)), Some((Group::Pages, 1))));
    assert_eq!((of("/healthz"), of("/jwks.json")), (Some((Group::Plain, 1)), Some((Group::Json, 1))));
}

on_both_engines! {
    async fn every_route_answers_good_and_bad_requests_with_the_right_headers(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        status_list(&world).await;
        let mut in_order = routes();
        // With the first administrator the links to set-up end.
        in_order.sort_by_key(|route| route.path == "/set-up");
        for route in &in_order {
            for method in &route.methods {
                let what = format!("{method} {}", route.path);
                let answer = good(&world, &client, route, method).await;
                let closed = ["/demo", "/status-lists"].contains(&route.path);
                assert!(answer.status.as_u16() < 400 || closed, "{what}: {} {}", answer.status, answer.body);
                assert_headers(&format!("good {what}"), Some(route), &answer);

                let origin = ("origin", "https://evil.example.com");
                let bad: [Bad<'_>; 6] = [
                    ("empty", "", vec![], Body::empty()),
                    ("strange", "?request=x&client_id=nobody&token=x", vec![origin, ("authorization", "Bearer x")], Body::empty()),
                    ("torn", "?a=%ff&a=b", vec![FORM, origin], Body::from("csrf=x&csrf=y&%ff")),
                    ("forged", "", vec![FORM, origin, ("cookie", "__Host-passant-session=pss_x")], Body::from("username=ada&password=x")),
                    ("misdirected", "", vec![FORM, ("host", "evil.example.com")], Body::empty()),
                    ("oversized", "", vec![FORM], Body::from("x".repeat(70_000))),
                ];
                for (kind, query, headers, body) in bad {
                    let address = format!("{}{query}", route.address());
                    let answer = sent(&mut world.agent(), method, &address, &headers, body).await;
                    assert_headers(&format!("{kind} {what}"), Some(route), &answer);
                }
                let long = format!("{}?x={}", route.address(), "x".repeat(9000));
                let answer = world.agent().send(method.clone(), &long, &[], Body::empty()).await;
                assert_eq!(answer.status, StatusCode::URI_TOO_LONG, "{what}");
                assert_headers(&format!("long {what}"), Some(route), &answer);
                let large = [("x", "x".repeat(40_000))];
                let large: Vec<(&str, &str)> = large.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = world.agent().send(method.clone(), route.address(), &large, Body::empty()).await;
                assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{what}");
                assert_headers(&format!("large {what}"), Some(route), &answer);
            }
        }
    }

    async fn every_route_refuses_other_methods_and_says_which_it_takes(world) {
        for route in routes() {
            let others = [Method::GET, Method::POST].into_iter().filter(|method| !route.methods.contains(method));
            for method in REFUSED.into_iter().chain(others) {
                let answer = world.agent().send(method.clone(), route.address(), &[FORM], Body::empty()).await;
                let what = format!("{method} {}", route.path);
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
                let allow = answer.header("allow").unwrap_or_else(|| panic!("{what}"));
                assert!(route.methods.iter().all(|method| allow.contains(method.as_str())), "{what}: {allow}");
                assert_headers(&what, Some(&route), &answer);
            }
            let head = world.agent().send(Method::HEAD, route.address(), &[], Body::empty()).await;
            assert!(head.body.is_empty() || head.status == StatusCode::METHOD_NOT_ALLOWED, "HEAD {}", route.path);
            assert_headers(&format!("HEAD {}", route.path), Some(&route), &head);
        }
        for path in ["/none", "/token/", "/assets/none", "/assets/", "/.well-known/none"] {
            let answer = world.agent().get(path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_headers(path, None, &answer);
        }
    }

    async fn preflight_opens_the_json_routes_to_any_origin_without_credentials_and_no_other(world) {
        let preflight = [
            ("origin", "https://spa.example.com"), ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        for route in routes() {
            let answer = world.agent().send(Method::OPTIONS, route.address(), &preflight, Body::empty()).await;
            let allowed = |name: &str| answer.header(&format!("access-control-allow-{name}")).map(str::to_ascii_lowercase);
            match route.group {
                Group::Json => {
                    assert_eq!((answer.status, allowed("origin").as_deref()), (StatusCode::OK, Some("*")), "{}", route.path);
                    let headers = allowed("headers").unwrap();
                    assert!(headers.contains("authorization") && headers.contains("content-type"), "{}: {headers}", route.path);
                    assert_eq!(allowed("methods").as_deref(), Some("get,post"), "{}", route.path);
                    assert!(allowed("credentials").is_none(), "{}", route.path);
                }
                Group::Pages | Group::Plain => assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path),
            }
            assert_headers(&format!("OPTIONS {}", route.path), Some(&route), &answer);
        }
    }

    async fn only_what_holds_no_secret_is_compressed(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        status_list(&world).await;
        let encoding = ("accept-encoding", "gzip, br");
        for route in routes() {
            for wish in ["gzip", "br", "gzip, br"] {
                let answer = world.agent().send_raw(Method::GET, route.address(), &[("accept-encoding", wish)]).await;
                let expected = PUBLIC.contains(&route.path);
                assert_eq!(answer.headers().contains_key("content-encoding"), expected, "{} {wish}", route.path);
            }
        }
        let token = [encoding, FORM, ("authorization", &*basic(client.id(), client.secret.as_deref().unwrap()))];
        let answer = world.agent().send(Method::POST, "/token", &token, Body::from("grant_type=client_credentials")).await;
        assert!(answer.status == StatusCode::OK && answer.header("content-encoding").is_none());
    }

    async fn tag_of_a_compressed_key_set_is_weak_and_still_finds_it_unchanged(world) {
        let plain = world.agent().get("/jwks.json").await;
        let strong = plain.header("etag").unwrap();
        let answer = world.agent().send_raw(Method::GET, "/jwks.json", &[("accept-encoding", "gzip")]).await;
        let weak = answer.headers()["etag"].to_str().unwrap();
        assert_eq!(weak, format!("W/{strong}"), "two bodies are not byte for byte the same (RFC 9110, section 8.8.3)");
        assert!(answer.headers()["vary"].to_str().unwrap().contains("accept-encoding"));
        let again = world.agent().send(Method::GET, "/jwks.json", &[("accept-encoding", "gzip"), ("if-none-match", weak)], Body::empty()).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
}
