//! `GET /healthz` (the process answers) and `GET /readyz` (it may be sent traffic: database, keys, master key, rotation, clock).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// How long the database may take to answer: less than the probe of any load balancer waits.
const PATIENCE: Duration = Duration::from_millis(800);

/// Whether this replica may be sent traffic, and if not, why.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let now = app.now();
    let checks = [
        ("database", matches!(tokio::time::timeout(PATIENCE, app.db.ping()).await, Ok(Ok(())))),
        ("keys", app.keys.signing_kid(now).is_some()),
        ("master_key", app.masters.at_hand()),
        ("rotation", app.keys.overdue(now).is_none()),
        ("clock", !app.clock_off()),
    ];
    let ready = checks.iter().all(|(_, good)| *good);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good: bool| if good { "ok" } else { "failing" };
    let body: serde_json::Map<_, _> = checks.iter().map(|(name, good)| ((*name).to_owned(), json!(word(*good)))).collect();
    (status, Json(body)).into_response()
}
