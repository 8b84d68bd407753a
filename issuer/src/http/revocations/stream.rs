//! `GET /revocations/stream`: the feed as server-sent events. Each event is one message, and its id the position to which it leads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::follower::{Follower, authorized};
use super::{contradiction, count, position, query};
use crate::app::App;
use crate::domain::feed::Position;
use crate::feed::{Message, Resumed};
use crate::http::error::OAuthError;

/// How long a stream lasts. Whoever follows resumes it; whoever takes nothing, and whose machine swallows it all the same, is rid of
/// by then.
const LIFE: Duration = Duration::from_secs(3600);
/// Browsers send it with a request that resumes.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Marks an answer that goes on for as long as it is taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Streamed;

/// Answers what is new, and whatever comes.
pub(in crate::http) async fn get(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let who = authorized(&app, request.headers())?;
    let after = resumed_from(&request)?;
    let follower = Follower::of(&app, &request, who)?;
    // Before the head is read, so that nothing falls between the two.
    let messages = app.feed.subscribe();
    let first = match app.feed.resume(&app.feed_sources(), after.as_ref()).await? {
        Resumed::Contradicted(how) => return Err(contradiction(&app, how)),
        Resumed::Current(message) | Resumed::News(message) => message,
    };
    count(&app, &first);
    let until = app.clock().monotonic() + LIFE;
    let following = Following { head: first.head.clone(), first: Some(first), messages, follower, app, until };
    let events = futures_util::stream::unfold(following, |mut following| async {
        let event = Event(following.next().await?);
        following.app.measures.sent(event.as_ref().len());
        Some((Ok::<_, Infallible>(Bytes::from_owner(event)), following))
    });
    // A proxy that gathers what it passes on would hold events back.
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Extension(Streamed), Body::from_stream(events)).into_response())
}

/// However many follow, the text of an event is in memory once.
struct Event(Arc<Message>);

impl AsRef<[u8]> for Event {
    fn as_ref(&self) -> &[u8] {
        self.0.event().as_bytes()
    }
}

/// The position of the header, which a browser brings up to date, or of the query, which stays as it was written.
fn resumed_from(request: &Request) -> Result<Option<Position>, OAuthError> {
    let mut lines = request.headers().get_all(LAST_EVENT_ID).iter();
    match (lines.next(), lines.next()) {
        (None, _) => query(request)?.get("after").map(position).transpose(),
        (Some(line), None) => position(line.to_str().unwrap_or_default()).map(Some),
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("there is more than one Last-Event-ID header")),
    }
}

struct Following {
    first: Option<Arc<Message>>,
    /// The head of the last message.
    head: Position,
    messages: Receiver<Arc<Message>>,
    follower: Follower,
    app: Arc<App>,
    until: Duration,
}

impl Following {
    /// The next message that says something to this follower; `None` ends the stream.
    async fn next(&mut self) -> Option<Arc<Message>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if self.follower.must_leave() || self.app.clock().monotonic() >= self.until {
                return None;
            }
            let came = tokio::select! {
                came = self.messages.recv() => came,
                () = self.follower.left() => return None,
            };
            match came {
                Ok(message) if message.is_news_at(&self.head) => {
                    self.head = message.head.clone();
                    return Some(message);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(messages)) => {
                    tracing::info!(messages, "dropped a follower of the revocation feed: it is too slow");
                    return None;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
