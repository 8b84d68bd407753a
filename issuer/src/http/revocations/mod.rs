//! `GET /revocations`: the revocation feed as one message, whole or from a position on. The wire format and the rules for followers
//! are in `verifier-sdk/FEED.md`.

mod follower;
pub(super) mod followers;
pub(super) mod proof;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast;

use self::follower::{Follower, authorized};
use super::error::OAuthError;
use super::jwks::names;
use crate::app::App;
use crate::domain::feed::{Contradiction, Position};
use crate::domain::params::Params;
use crate::feed::{Kind, Message, Resumed};

pub(super) use self::stream::{Streamed, get as stream};

/// The longest that a request waits.
const LONGEST_WAIT: u64 = 25;
/// How often a request that waits looks at the clock.
const GLANCE: Duration = Duration::from_secs(1);

/// Answers all cut-offs, or with a position what is new since then.
pub(super) async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let who = authorized(&app, request.headers())?;
    let params = query(&request)?;
    let after = params.get("after").map(position).transpose()?;
    match (after, params.get("wait")) {
        (None, None) => snapshot(&app, request.headers()).await,
        (None, Some(_)) => Err(OAuthError::invalid_request("wait is of no use without after")),
        (Some(after), wait) => {
            let wait = wait.map_or(Ok(Duration::ZERO), seconds)?;
            // A wait never looks like a client that takes no answer.
            let wait = wait.min(app.config.limits.request_timeout.saturating_sub(GLANCE));
            match app.feed.resume(&app.feed_sources(), Some(&after)).await? {
                Resumed::Contradicted(how) => Err(contradiction(&app, how)),
                Resumed::Current(message) if !wait.is_zero() => match Follower::of(&app, &request, who) {
                    Ok(follower) => news(&app, &after, wait, &follower).await,
                    // What is known now is worth more than no place to wait.
                    Err(_) => Ok(whole(&app, message).into_response()),
                },
                Resumed::Current(message) | Resumed::News(message) => Ok(whole(&app, message).into_response()),
            }
        }
    }
}

async fn snapshot(app: &App, headers: &HeaderMap) -> Result<Response, OAuthError> {
    let message = app.feed.snapshot(&app.feed_sources()).await?;
    let tag = [(header::ETAG, message.etag.clone())];
    if names(headers, &message.etag) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, whole(app, message)).into_response())
}

/// What leads from the position, which was the head a moment ago, to another one; or a heartbeat at the end of the wait.
async fn news(app: &App, after: &Position, wait: Duration, follower: &Follower) -> Result<Response, OAuthError> {
    let begun = app.clock().monotonic();
    let waited = || app.clock().monotonic().saturating_sub(begun) >= wait;
    // Before the head is read, so that nothing falls between the two.
    let mut messages = app.feed.subscribe();
    loop {
        match app.feed.resume(&app.feed_sources(), Some(after)).await? {
            Resumed::Contradicted(how) => return Err(contradiction(app, how)),
            Resumed::News(message) => return Ok(whole(app, message).into_response()),
            Resumed::Current(message) if waited() || follower.must_leave() => return Ok(whole(app, message).into_response()),
            Resumed::Current(_) => {}
        }
        let something_or_the_end = async {
            let mut glance = tokio::time::interval(GLANCE.min(wait));
            loop {
                tokio::select! {
                    came = messages.recv() => if is_news(&came, after) { return },
                    () = follower.left() => return,
                    _ = glance.tick() => if waited() { return },
                }
            }
        };
        something_or_the_end.await;
    }
}

fn is_news(came: &Result<Arc<Message>, broadcast::error::RecvError>, after: &Position) -> bool {
    came.as_ref().map_or(true, |message| message.head != *after)
}

fn contradiction(app: &App, how: Contradiction) -> OAuthError {
    app.measures.feed_contradictions.increment(1);
    OAuthError::contradiction(how)
}

/// Counts a message that was made for one who came with a position or with none, not for all who follow.
fn count(app: &App, message: &Message) {
    match message.kind {
        Kind::Snapshot => app.measures.feed_snapshots.increment(1),
        Kind::Delta => app.measures.feed_catch_ups.increment(1),
        Kind::Heartbeat => {}
    }
}

fn whole(app: &App, message: Arc<Message>) -> impl IntoResponse + use<> {
    count(app, &message);
    app.measures.sent(message.jws.len());
    ([(header::CONTENT_TYPE, "application/passant-revocations+jwt")], Bytes::from_owner(Shared(message)))
}

/// However many are answered with a message, its text is in memory once.
struct Shared(Arc<Message>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.jws.as_bytes()
    }
}

fn query(request: &Request) -> Result<Params, OAuthError> {
    let query = request.uri().query().unwrap_or_default();
    Params::parse(query.as_bytes()).map_err(|why| OAuthError::invalid_request(why.to_string()))
}

/// The body of a request, which must be of this type.
async fn body(request: Request, kind: &str) -> Result<Bytes, OAuthError> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if !given.eq_ignore_ascii_case(kind) {
        return Err(OAuthError::invalid_request(format!("the body must be {kind}")));
    }
    Bytes::from_request(request, &()).await.map_err(|why| match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => OAuthError::too_long(),
        _ => OAuthError::invalid_request("the body is incomplete"),
    })
}

fn position(text: &str) -> Result<Position, OAuthError> {
    text.parse().map_err(|_| OAuthError::invalid_request("a position is written FEED.TICK.LINK"))
}

fn seconds(text: &str) -> Result<Duration, OAuthError> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= LONGEST_WAIT);
    seconds.map(Duration::from_secs).ok_or_else(|| OAuthError::invalid_request("wait is a number of seconds from 0 to 25"))
}
