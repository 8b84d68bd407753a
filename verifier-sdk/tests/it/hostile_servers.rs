//! Key servers that lie, stall, redirect or flood (V82–V89): the keys held so far stay, and no attempt goes on for long.

use std::time::Duration;

use passant_verifier::Verifier;
use serde_json::json;

use crate::key_server::{Answer, KeyServer, published};
use crate::support::{AUDIENCE, TestKey, builder_at, jwks, reason};

const SOON: Duration = Duration::from_secs(10);

/// A verifier that holds the first key, and its server.
async fn holding_a_key() -> (Verifier, KeyServer) {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    (verifier, server)
}

async fn refused_yet_keys_stay(answer: Answer, why: &str) {
    let (verifier, server) = holding_a_key().await;
    server.answer_keys(answer);
    let failure = verifier.refresh().await.expect_err(why).to_string();
    assert!(failure.contains(why), "{failure} instead of {why}");
    assert!(verifier.health().last_failure.unwrap().contains(why));
    assert_eq!(reason(&verifier, &server.token(&TestKey::first())), None, "{why}");
}

#[tokio::test]
async fn v85_an_answer_without_usable_keys_never_replaces_good_ones() {
    for (status, headers, body, why) in [
        ("204 No Content", "", "", "status 204"),
        ("304 Not Modified", "", "", "status 304"),
        ("404 Not Found", "", "{}", "status 404"),
        ("429 Too Many Requests", "retry-after: 99999\r\n", "", "status 429"),
        ("500 Oops", "", "", "status 500"),
        ("200 OK", "content-type: text/html\r\n", "<html>", "not a JWK set"),
        ("200 OK", "", "{}", "not a JWK set"),
        ("200 OK", "", "null", "not a JWK set"),
        ("200 OK", "", "{\"keys\":{}}", "not a JWK set"),
        ("200 OK", "", "{\"keys\":[]}", "no usable key"),
        ("200 OK", "", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"kid\":\"first\"}]}", "no usable key"),
        ("200 OK", "content-encoding: gzip\r\n", "\u{1f}x", "not a JWK set"),
    ] {
        refused_yet_keys_stay(Answer::with(status, headers, body), why).await;
    }
}

#[tokio::test]
async fn v85_answers_that_break_off_or_are_not_http_are_failures() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\":[";
    refused_yet_keys_stay(Answer::Raw(cut.into()), "broke off").await;
    refused_yet_keys_stay(Answer::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec()), "the request failed").await;
    refused_yet_keys_stay(Answer::Raw(Vec::new()), "the request failed").await;
}

#[tokio::test]
async fn v82_a_body_is_read_to_its_bound_and_no_further() {
    let padded = format!("{}{}", published(&[TestKey::second()]), " ".repeat(256 * 1024));
    refused_yet_keys_stay(Answer::ok(&padded), "larger than 256 KiB").await;
    let endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    refused_yet_keys_stay(Answer::Endless(endless, 16 * 1024, Duration::ZERO), "larger than 256 KiB").await;
    let crowd: Vec<_> = (0..65).map(|i| json!({ "kty": "RSA", "kid": i.to_string() })).collect();
    refused_yet_keys_stay(Answer::ok(&jwks(&crowd)), "more than 64 keys").await;
}

#[tokio::test]
async fn v83_a_slow_answer_ends_with_the_deadline() {
    let body = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    let slow = |first| refused_yet_keys_stay(Answer::Endless(first, 1, Duration::from_millis(100)), "longer than 5 s");
    let silent = refused_yet_keys_stay(Answer::Silence, "longer than 5 s");
    tokio::join!(slow(body), slow(head), silent);
}

#[tokio::test]
async fn v84_redirects_are_not_followed() {
    let elsewhere = KeyServer::start(&[TestKey::second()]).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        for target in
            [format!("{}/jwks", elsewhere.issuer), "/jwks".into(), "https://evil.example/".into(), "http://localhost/".into()]
        {
            refused_yet_keys_stay(Answer::with(status, &format!("location: {target}\r\n"), ""), "status 30").await;
        }
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn v89_a_discovery_document_of_another_issuer_or_origin_yields_no_keys() {
    let elsewhere = KeyServer::start(&[TestKey::second()]).await;
    let server = KeyServer::start(&[TestKey::first()]).await;
    for (issuer, jwks_uri, why) in [
        (&elsewhere.issuer, format!("{}/jwks", server.issuer), "of another issuer"),
        (&format!("{}/", server.issuer), format!("{}/jwks", server.issuer), "of another issuer"),
        (&server.issuer, format!("{}/jwks", elsewhere.issuer), "another origin"),
        (&server.issuer, "file:///etc/passwd".into(), "another origin"),
        (&server.issuer, "jwks".into(), "not a JSON object"),
    ] {
        server.answer_discovery(Answer::ok(&json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string()));
        let verifier = builder_at(&server.issuer).build().unwrap();
        let failure = verifier.refresh().await.unwrap_err().to_string();
        assert!(failure.contains(why) && !verifier.is_ready(), "{failure}");
    }
    assert_eq!((elsewhere.requests(), server.key_requests().len()), (0, 0));
}

#[tokio::test]
async fn v87_what_is_not_tls_is_no_https() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let verifier = builder_at(&server.issuer.replace("http://", "https://")).build().unwrap();
    assert!(verifier.refresh().await.is_err());
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_given_jwks_uri_needs_no_discovery() {
    let server = KeyServer::start(&[TestKey::first()]).await;
    let builder = Verifier::builder().issuer(&server.issuer).audience(AUDIENCE).jwks_uri(format!("{}/jwks", server.issuer));
    let verifier = builder.clock(passant_verifier::ManualClock::at(crate::support::NOW)).build().unwrap();
    verifier.ready(SOON).await.unwrap();
    assert_eq!((reason(&verifier, &server.token(&TestKey::first())), server.requests()), (None, 1));
}
