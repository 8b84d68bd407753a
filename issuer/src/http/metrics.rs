//! `GET /metrics` on a listener of its own, for Prometheus: nothing of it is public by accident, and nothing of it is secret.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::domain::ids::Tick;
use crate::measures::MEDIA_TYPE;
use crate::store::feed_alarms;

/// How long the database may take; what it does not say in time stays as it last was.
const PATIENCE: Duration = Duration::from_secs(2);

/// The one route of that listener.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Arc::clone(app))
}

async fn scrape(State(app): State<Arc<App>>) -> Response {
    look(&app).await;
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], app.measures.text()).into_response()
}

/// Measures what nobody counts as it happens.
async fn look(app: &App) {
    let (measures, monotonic) = (&app.measures, app.clock().monotonic());
    // A process that has not read it yet is no better informed than at its start, where its monotonic clock begins.
    let (tick, at) = app.feed.last_read().unwrap_or((Tick::ZERO, Duration::ZERO));
    // Exact: a tick is at most 2^53.
    measures.feed_tick.set(tick.get() as f64);
    measures.feed_age.set(monotonic.saturating_sub(at).as_secs_f64());
    measures.feed_followers.set(app.feed.places_taken());
    measures.keys_overdue.set(app.keys.overdue(app.now()).unwrap_or_default().as_secs_f64());
    measures.password_hashes.absolute(app.passwords.evaluated());
    measures.password_queue.set(u32::try_from(app.passwords.waiting()).unwrap_or(u32::MAX));
    if let Ok(Some(alarms)) = tokio::time::timeout(PATIENCE, standing(app)).await {
        measures.feed_alarms.set(alarms);
    }
}

async fn standing(app: &App) -> Option<u32> {
    let mut reader = app.db.reader().await.ok()?;
    let alarms = feed_alarms::standing(&mut reader.conn()).await.ok()?;
    u32::try_from(alarms.len()).ok()
}

/// Counts every answer by the route that it came from.
pub(super) async fn count(State(app): State<Arc<App>>, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    app.measures.answered(route.as_ref().map_or("other", MatchedPath::as_str), answer.status().as_u16());
    answer
}
