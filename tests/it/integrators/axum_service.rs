//! `issuer/docs/axum-service.md`.

use super::{Guide, ISSUER, ROOT, SERVICE, ended, stopped};

/// The answer of a command that calls the service with this token and shows status, headers and body.
async fn answer(guide: &Guide, name: &str, token: &str) -> String {
    guide.run(name, &[("TOKEN", token)]).await
}

fn refused(answer: &str, status: &str, said: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(said), "not {status} {said}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_axum_service_is_protected_as_its_page_says() {
    let guide = Guide::open("axum-service");
    let example = std::fs::read_to_string(format!("{ROOT}/verifier-sdk/examples/orders_api.rs")).unwrap();
    let shown = passant_tests::readme::files(&super::page("axum-service")).remove("orders-api/src/main.rs");
    assert_eq!(shown, Some(example), "the page and the verifier's example are one program");

    guide.run("secret", &[]).await;
    let issuer = guide.issuer().await;
    let service = guide.service(&[]).await;
    let token = guide.token("token").await;
    let orders = answer(&guide, "call", &token).await;
    assert!(orders.starts_with("HTTP/1.1 200") && orders.contains("sugar tongs"), "{orders}");
    let forbidden = answer(&guide, "order", &token).await;
    refused(&forbidden, "403", r#"error="insufficient_scope""#);
    refused(&forbidden, "403", r#"scope="orders:write""#);

    let writing = guide.text("token").replace("orders:read", "orders:write");
    let writing = ended(guide.typed(&writing, &[])).await;
    let writing = super::access_token(&String::from_utf8(writing.stdout).unwrap());
    let placed = answer(&guide, "order", &writing).await;
    assert!(placed.starts_with("HTTP/1.1 201") && placed.contains("fish slice"), "{placed}");

    let nobody = answer(&guide, "nobody", "").await;
    refused(&nobody, "401", "Bearer realm");
    assert!(!nobody.contains("error=\""), "without a token there is no error code: {nobody}");
    let (letter, changed) = if token.contains("A") { ("A", "B") } else { ("b", "c") };
    refused(&answer(&guide, "call", &token.replace(letter, changed)).await, "401", r#"error="invalid_token""#);
    stopped(service).await;
    let elsewhere = guide.service(&[("AUDIENCE", "https://elsewhere.example.com")]).await;
    refused(&answer(&guide, "call", &token).await, "401", "another audience");
    stopped(elsewhere).await;

    let service = guide.service(&[]).await;
    stopped(issuer).await;
    assert!(reqwest::get(guide.url(ISSUER, "/healthz")).await.is_err(), "the issuer is stopped");
    assert!(answer(&guide, "call", &token).await.starts_with("HTTP/1.1 200"), "the service goes on");
    stopped(service).await;
    let _keyless = guide.unready_service(&[]).await;
    let unavailable = answer(&guide, "call", &token).await;
    refused(&unavailable, "503", "retry-after: ");
    assert_eq!(guide.get(SERVICE, "/readyz").await.status(), 503);
    guide.done();
}
