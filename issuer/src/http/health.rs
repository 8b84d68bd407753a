//! `GET /healthz` (the process answers) and `GET /readyz` (it may be sent traffic: database, keys, master key, rotation, clock, feed;
//! and whether the history was put back).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::store::feed_alarms;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// How long the database may take to answer: less than the probe of any load balancer waits.
const PATIENCE: Duration = Duration::from_millis(800);

/// How long the revocation feed may be silent: three of its heartbeats.
const SILENCE: Duration = Duration::from_secs(30);

/// Whether this process tells its followers what is due. One that has not begun is no better off than at its start, where its
/// monotonic clock begins.
fn tells(app: &App) -> bool {
    app.clock().monotonic().saturating_sub(app.feed.last_step().unwrap_or_default()) <= SILENCE
}

/// How many alarms stand; `None` without a database.
async fn standing(app: &App) -> Option<usize> {
    let mut reader = app.db.reader().await.ok()?;
    feed_alarms::standing(&mut reader.conn()).await.ok().map(|alarms| alarms.len())
}

/// Whether this replica may be sent traffic, and if not, why.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let now = app.now();
    let history = tokio::time::timeout(PATIENCE, standing(&app)).await.unwrap_or(None);
    let checks = [
        ("database", history.is_some()),
        ("keys", app.keys.signing_kid(now).is_some()),
        ("master_key", app.masters.at_hand()),
        ("rotation", app.keys.overdue(now).is_none()),
        ("clock", !app.clock_off()),
        ("feed", tells(&app)),
    ];
    let ready = checks.iter().all(|(_, good)| *good);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good: bool| if good { "ok" } else { "failing" };
    let mut body: serde_json::Map<_, _> = checks.iter().map(|(name, good)| ((*name).to_owned(), json!(word(*good)))).collect();
    // No reason to send the traffic elsewhere: every replica has this alarm, what could be done was done when it was raised, and an
    // issuer that stays away until a person has read a message would be off for as long as that takes.
    body.insert(
        "history".to_owned(),
        json!(match history {
            Some(0) => "ok",
            Some(1..) => "alarm: the database was put back in time, see `passant feed show`",
            None => "unknown",
        }),
    );
    (status, Json(body)).into_response()
}
