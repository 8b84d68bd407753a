//! An issuer's web server that publishes a feed as it is told to, beside its keys.

use std::sync::{Arc, Mutex};

use passant_verifier::{ManualClock, Verifier, VerifierBuilder};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::feed::{Feed, signed};
use crate::key_server::{Answer, KeyServer};
use crate::support::{NOW, TestKey, builder_at, claims, reason};

pub(crate) const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// A key server with a feed below `/revocations`.
pub(crate) struct FeedServer {
    pub(crate) server: KeyServer,
    pub(crate) feed: Arc<Mutex<Feed>>,
    live: broadcast::Sender<Vec<u8>>,
}

impl FeedServer {
    /// A well-behaved issuer that announces its feed.
    pub(crate) async fn start() -> Self {
        let server = KeyServer::start(&[TestKey::first()]).await;
        let feed = Feed { issuer: server.issuer.clone(), ..Feed::new() };
        let issuer = &server.issuer;
        let document =
            json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"), "passant_revocations_uri": server.feed_uri() });
        server.answer_discovery(Answer::ok(&document.to_string()));
        let this = Self { server, feed: Arc::new(Mutex::new(feed)), live: broadcast::channel(64).0 };
        this.publish();
        this
    }

    /// Lets snapshot and stream show the feed as it is now.
    pub(crate) fn publish(&self) {
        let feed = self.feed.lock().unwrap();
        self.server.answer("GET /revocations ", Answer::ok(&signed(&TestKey::first(), &feed.snapshot())));
        let first = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{}", event(&feed.heartbeat()));
        self.server.answer("GET /revocations/stream", Answer::Live(first.into(), self.live.clone()));
    }

    /// Revokes a session and tells the stream.
    pub(crate) fn revoke(&self, sid: &str) {
        let message = {
            let mut feed = self.feed.lock().unwrap();
            feed.revoke("sid", &[sid]);
            feed.delta(feed.entries.len() - 1)
        };
        self.publish();
        self.send(&event(&message));
    }

    /// Bytes for all who read the stream.
    pub(crate) fn send(&self, bytes: &str) {
        let _ = self.live.send(bytes.as_bytes().to_vec());
    }

    pub(crate) fn readers(&self) -> usize {
        self.live.receiver_count()
    }

    pub(crate) fn heads(&self, beginning: &str) -> Vec<String> {
        self.server.heads(beginning)
    }

    pub(crate) fn builder(&self) -> VerifierBuilder<passant_verifier::Given, passant_verifier::Given> {
        builder_at(&self.server.issuer)
    }

    /// A verifier that reads the stream, and its clock.
    pub(crate) async fn followed(&self) -> (Verifier, ManualClock) {
        let clock = ManualClock::at(NOW);
        let verifier = self.builder().clock(clock.clone()).build().unwrap();
        verifier.ready(SOON).await.unwrap();
        eventually("it reads the stream", || self.readers() > 0).await;
        (verifier, clock)
    }

    pub(crate) fn token(&self, sid: &str) -> String {
        let mut claims = claims();
        (claims["iss"], claims["sid"]) = (json!(self.server.issuer), json!(sid));
        TestKey::first().sign(&claims)
    }

    pub(crate) async fn until_refused(&self, verifier: &Verifier, sid: &str) {
        let token = self.token(sid);
        eventually(sid, || reason(verifier, &token) == Some(passant_verifier::Reason::Revoked)).await;
    }
}

/// An event with a signed message.
pub(crate) fn event(message: &Value) -> String {
    format!("data: {}\n\n", signed(&TestKey::first(), message))
}

/// Waits until it is so, looking again whenever other tasks have had their turn.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
