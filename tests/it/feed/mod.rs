//! The revocation feed as those who follow it see it: what it says, how it is resumed, and what it does when its database is away,
//! slow, or put back in time.

mod broken_off;
mod following;
mod haste;
mod ordering;
mod outages;
mod pace;
mod pruning;
mod put_back;
mod sharing;
mod sizes;
mod swept;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use passant::app::App;
use passant::domain::cutoff::Target;
use passant::domain::ids::{Tick, TokenId};
use passant::feed::{Kind, Message};
use passant::store::feed_head;
use passant_tests::follower::Follower;
use passant_tests::world::{ISSUER, World, told_of};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tower::ServiceExt;

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One process, asked without a network.
struct Node {
    app: Arc<App>,
    router: Router,
}

impl Node {
    fn of(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), router: passant::http::router(app) }
    }

    /// The first process of a world.
    fn first(world: &World) -> Self {
        Self::of(&world.app)
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::builder().uri(path).header(header::HOST, "auth.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The body of an answer that must be 200.
    async fn get(&self, path: &str) -> String {
        let answer = self.ask(path, &[]).await;
        let status = answer.status();
        let body = text(answer).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.ask(path, &[]).await.status()
    }

    async fn stream(&self, after: Option<&str>) -> Events {
        let headers: Vec<(&str, &str)> = after.into_iter().map(|position| ("last-event-id", position)).collect();
        let answer = self.ask("/revocations/stream", &headers).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Events { body: answer.into_body(), read: String::new() }
    }

    async fn news(&self, after: &str) -> String {
        self.get(&format!("/revocations?after={after}&wait=0")).await
    }

    /// A follower that has just begun.
    async fn follower(&self) -> Follower {
        let keys: Value = serde_json::from_str(&self.get("/jwks.json").await).unwrap();
        let mut follower = Follower::new(ISSUER, keys);
        follower.take_snapshot(&self.get("/revocations").await);
        follower
    }

    /// Lets the tail do its work once.
    async fn step(&self) {
        self.app.feed.step(&self.app.feed_sources()).await.unwrap();
    }

    async fn cut_off(&self, target: Target) -> Tick {
        let event = told_of(&target);
        feed_head::cut_off(&self.app.db, vec![target], event, self.app.now()).await.unwrap()
    }

    /// Revokes some access token.
    async fn revoke(&self) -> Tick {
        self.cut_off(Target::Token(TokenId::random())).await
    }
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The events of a stream.
struct Events {
    body: Body,
    read: String,
}

impl Events {
    /// The next event's message; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        let event = loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let event = event.to_owned();
                self.read = rest.to_owned();
                break event;
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("something comes")?;
            self.read += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
        };
        let lines: Vec<&str> = event.lines().collect();
        assert_eq!(lines.len(), 2, "an event has an id and one line of data: {event}");
        let (id, message) = (lines[0].strip_prefix("id: ").unwrap(), lines[1].strip_prefix("data: ").unwrap());
        let payload = payload(message);
        let text = |name: &str| payload[name].as_str().unwrap().to_owned();
        assert_eq!(id, format!("{}.{}.{}", text("feed"), payload["tick"], text("chain")), "its id is its head's position");
        Some(message.to_owned())
    }

    async fn message(&mut self) -> String {
        self.next().await.expect("the stream goes on")
    }
}

/// What a message says, unchecked.
fn payload(message: &str) -> Value {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let part = message.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
}

/// What was sent to all since the last time.
fn sent(messages: &mut Receiver<Arc<Message>>) -> Vec<(Kind, usize)> {
    let mut all = Vec::new();
    while let Ok(message) = messages.try_recv() {
        let entries = payload(&message.jws)["entries"].as_array().map_or(0, Vec::len);
        all.push((message.kind, entries));
    }
    all
}
