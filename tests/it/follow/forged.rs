//! Somebody between verifier and issuer has a key of their own and the issuer's `kid` to put on it: nothing that they sign is believed,
//! and what was known before stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// What stands between the two.
struct Between {
    issuer: String,
    key: KeyPair,
    forges: AtomicBool,
    forged: AtomicUsize,
}

impl Between {
    /// The same JWS with other claims, under the same header, by another key.
    fn forge(&self, jws: &str, change: impl FnOnce(&mut Value)) -> String {
        let parts: Vec<&str> = jws.split('.').collect();
        let mut claims: Value = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(parts[1]).unwrap()).unwrap();
        change(&mut claims);
        let claims = Base64UrlUnpadded::encode_string(&serde_json::to_vec(&claims).unwrap());
        let signed = format!("{}.{claims}", parts[0]);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature))
    }
}

/// Passes on what is asked for, except streams: forged, or as it is.
async fn pass_on(State(between): State<Arc<Between>>, request: Request) -> Response {
    let asked = request.uri().path_and_query().unwrap().as_str();
    if asked.contains("/stream") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let answer = reqwest::get(format!("{}{asked}", between.issuer)).await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let kind = answer.headers()[header::CONTENT_TYPE.as_str()].to_str().unwrap().to_owned();
    let mut body = answer.text().await.unwrap();
    if between.forges.load(Ordering::SeqCst) && status == StatusCode::OK {
        body = between.forge(&body, |message| {
            // The whole issuer, at a tick that is still to come.
            let tick = message["tick"].as_i64().unwrap() + 1000;
            message["tick"] = json!(tick);
            message["cutoffs"] = json!({ "iss": ["", 0] });
        });
        between.forged.fetch_add(1, Ordering::SeqCst);
    }
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Serves until it is dropped.
struct Serving {
    between: Arc<Between>,
    url: String,
    task: JoinHandle<()>,
}

impl Serving {
    async fn before(issuer: &str, forges: bool) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let (forges, forged) = (AtomicBool::new(forges), AtomicUsize::new(0));
        let between = Arc::new(Between { issuer: issuer.to_owned(), key, forges, forged });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/revocations", listener.local_addr().unwrap().port());
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&between));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { between, url, task }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

on_each_engine! {
    async fn a_feed_signed_by_another_key_under_the_issuers_kid_is_believed_in_nothing(engine) {
        let site = Site::new(engine, |_| {}).await;
        let forger = Serving::before(&site.served.issuer, true).await;
        let verifier = site.builder().revocations(&forger.url).build().unwrap();
        eventually("it refuses", || health(&verifier).refused_messages > 0).await;
        let refused = health(&verifier);
        assert!(refused.position.is_none() && refused.last_failure.is_some() && !verifier.is_ready(), "{refused:?}");
        assert_eq!(reason(&verifier, &site.own_token().await), Some(Reason::RevocationsMissing));
        // The same one, as soon as it passes on what the issuer signed.
        forger.between.forges.store(false, Ordering::SeqCst);
        eventually("it follows", || { site.pass(); verifier.is_ready() }).await;
        assert_eq!(reason(&verifier, &site.own_token().await), None);
    }

    async fn what_was_known_stays_while_forged_messages_come_and_what_they_kept_back_is_learnt_after_them(engine) {
        let site = Site::new(engine, |_| {}).await;
        let forger = Serving::before(&site.served.issuer, false).await;
        let verifier = site.builder().revocations(&forger.url).build().unwrap();
        verifier.ready(PATIENCE).await.unwrap();
        let (good, dead, kept_back) = (site.own_token().await, site.own_token().await, site.own_token().await);
        site.client.post(&site.served.world, "/revoke", &[("token", dead.access())]).await;
        eventually("it hears", || { site.pass(); reason(&verifier, &dead) == Some(Reason::Revoked) }).await;

        forger.between.forges.store(true, Ordering::SeqCst);
        site.client.post(&site.served.world, "/revoke", &[("token", kept_back.access())]).await;
        let known = health(&verifier).position;
        let refused = || health(&verifier).refused_messages >= 3 && forger.between.forged.load(Ordering::SeqCst) >= 3;
        eventually("it refuses", || { site.pass(); refused() }).await;
        assert_eq!(health(&verifier).position, known, "it goes nowhere");
        let reasons = || [&good, &dead, &kept_back].map(|tokens| reason(&verifier, tokens));
        assert_eq!(reasons(), [None, Some(Reason::Revoked), None], "{:?}", health(&verifier));

        forger.between.forges.store(false, Ordering::SeqCst);
        eventually("it hears again", || { site.pass(); reason(&verifier, &kept_back) == Some(Reason::Revoked) }).await;
        assert_eq!(reasons(), [None, Some(Reason::Revoked), Some(Reason::Revoked)]);
    }

    async fn a_token_signed_by_another_key_under_the_issuers_kid_is_refused(engine) {
        let site = Site::new(engine, |_| {}).await;
        let forger = Serving::before(&site.served.issuer, false).await;
        let (verifier, tokens) = (site.verifier().await, site.tokens().await);
        let verify = |token: &str| verifier.verify(token).err().map(|error| error.reason());
        assert_eq!(verify(tokens.access()), None);
        for change in [|_: &mut Value| {}, |claims: &mut Value| claims["sub"] = json!("somebody else")] {
            assert_eq!(verify(&forger.between.forge(tokens.access(), change)), Some(Reason::BadSignature));
        }
        assert_eq!(verify(tokens.access()), None, "nothing that was refused did harm");
    }
}
