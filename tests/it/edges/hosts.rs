//! No header moves the issuer: whatever Host and the forwarded headers say, links and redirects are the same, or there is no answer.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use passant_tests::on_both_engines;
use passant_tests::world::{Answer, authorize_path};

use super::*;

/// What tells two answers apart, leaving out what is new each time.
fn comparable(answer: &Answer, secrets: &[String]) -> (StatusCode, Option<String>, String) {
    let hide = |text: &str| secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"));
    (answer.status, answer.header("location").map(hide), hide(&answer.body))
}

/// The values that are drawn anew for each answer.
fn drawn(answer: &Answer) -> Vec<String> {
    let location =
        answer.header("location").and_then(|location| location.split_once("request=")).map(|(_, handle)| handle.to_owned());
    let id = answer.header("x-request-id").map(str::to_owned);
    location.into_iter().chain(answer.field("csrf")).chain(id).collect()
}

on_both_engines! {
    async fn twelve_combinations_of_host_and_forwarded_headers_change_nothing_or_are_421(world) {
        let client = world.client("shop-web", |_| {}).await;
        let paths = [
            "/.well-known/openid-configuration".to_owned(), "/".to_owned(), "/login".to_owned(), "/set-up".to_owned(), "/none".to_owned(),
            authorize_path(&client, &[]), authorize_path(&client, &[("prompt", "none")]), authorize_path(&client, &[("scope", "nonsense:x")]),
        ];
        let (ours, evil) = ("auth.example.com", "evil.example");
        let forwarded = ("forwarded", "for=198.51.100.1;host=evil.example;proto=http");
        let x: [(&str, &str); 6] = [
            ("x-forwarded-host", evil), ("x-forwarded-proto", "http"), ("x-forwarded-port", "81"), ("x-forwarded-prefix", "/evil"),
            ("x-original-url", "/evil"), ("x-forwarded-server", evil),
        ];
        let mut combinations = 0;
        for host in [ours, evil, "auth.example.com:443"] {
            for with in [&[][..], &[forwarded], &x, &[&[forwarded], &x[..]].concat()] {
                combinations += 1;
                let headers: Vec<(&str, &str)> = [("host", host)].into_iter().chain(with.iter().copied()).collect();
                for path in &paths {
                    let plain = world.agent().get(path).await;
                    let answer = world.agent().coming_from("10.0.0.1").send(Method::GET, path, &headers, Body::empty()).await;
                    let shown = format!("{} {:?}", answer.body, answer.headers);
                    assert!(!shown.contains("evil") && !shown.contains(":81"), "{headers:?} {path}: {shown}");
                    if host == evil {
                        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
                        assert!(answer.header("location").is_none(), "{path}");
                        continue;
                    }
                    assert_eq!(comparable(&answer, &drawn(&answer)), comparable(&plain, &drawn(&plain)), "{headers:?} {path}");
                }
            }
        }
        assert_eq!(combinations, 12);
    }

    async fn trusted_proxy_moves_the_issuer_no_more_than_anybody(world) {
        drop(world);
        let trusting = |config: &mut Config| {
            config.http.trusted_proxies = passant::domain::client_address::TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        };
        let world = Arc::new(World::with(Engine::Sqlite, trusting).await);
        let headers = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("x-forwarded-proto", "http")];
        let mut agent = world.agent().coming_from("10.0.0.1");
        let answer = agent.send(Method::GET, "/.well-known/openid-configuration", &headers, Body::empty()).await;
        assert_eq!(answer.json()["issuer"], "https://auth.example.com");
        assert!(!answer.body.contains("evil"));
    }

    async fn misdirected_request_is_told_so_in_each_groups_shape_and_probes_are_not(world) {
        let evil = [("host", "10.1.2.3:8080")];
        for (path, kind) in [("/login", "text/html; charset=utf-8"), ("/none", "text/html; charset=utf-8"), ("/jwks.json", "application/json"), ("/token", "application/json")] {
            let answer = world.agent().send(Method::GET, path, &evil, Body::empty()).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (421, Some(kind)), "{path}");
            assert!(answer.header("set-cookie").is_none(), "{path}");
            let answer = world.agent().send(Method::GET, path, &[("host", "auth.example.com"), ("host", "auth.example.com")], Body::empty()).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, Some(kind)), "{path}");
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(world.agent().send(Method::GET, path, &evil, Body::empty()).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn host_is_needed_and_one_only_on_the_wire() {
    let listening = Listening::new(|_| {}).await;
    let ask = async |head: &str| listening.ask(format!("{head}Connection: close\r\n\r\n").as_bytes()).await;
    for (head, status) in [
        ("GET /login HTTP/1.1\r\nHost: auth.example.com\r\n", 200),
        ("GET /login HTTP/1.1\r\nHost: AUTH.EXAMPLE.COM:443\r\n", 200),
        ("GET https://auth.example.com/login HTTP/1.1\r\nHost: auth.example.com\r\n", 200),
        ("GET https://evil.example/login HTTP/1.1\r\nHost: auth.example.com\r\n", 421),
        ("GET https://auth.example.com/login HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET /login HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET /login HTTP/1.1\r\nHost:\r\n", 421),
        ("GET /login HTTP/1.1\r\n", 400),
        ("GET /login HTTP/1.0\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /login HTTP/1.1\r\nHost: auth.example.com\r\nHost: auth.example.com\r\n", 400),
    ] {
        let said = ask(head).await;
        assert_eq!(said.split(' ').nth(1), Some(status.to_string().as_str()), "{head}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authority_of_http_2_is_judged_as_host_is() {
    let listening = Listening::new(|_| {}).await;
    let (mut client, connection) = h2::client::handshake(listening.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    for (authority, host, status) in [
        ("auth.example.com", None, 200),
        ("evil.example", None, 421),
        ("auth.example.com", Some("evil.example"), 421),
        ("evil.example", Some("auth.example.com"), 421),
    ] {
        let mut request = axum::http::Request::get(format!("https://{authority}/login"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), status, "{authority} {host:?}");
        client = client.ready().await.unwrap();
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn plain_http_issuer_answers_to_this_machine_alone() {
    let listening = Listening::new(|config| config.issuer = "http://localhost:8080".parse().unwrap()).await;
    for (host, status) in
        [("localhost:8080", "200"), ("127.0.0.1:9999", "200"), ("[::1]", "200"), ("rebound.evil.example:8080", "421")]
    {
        let said = listening.ask(format!("GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(said.split(' ').nth(1), Some(status), "{host}: {said}");
    }
}
