//! Acts that revoke, answered to programs: `Accept: application/json` asks for the tick and how soon it is obeyed in place of a page.

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::domain::effect::Effect;
use crate::domain::ids::Tick;

/// Whether whoever asks wants JSON and no page.
pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("json") && !accept.contains("html")
}

/// The effect of a cut-off at this tick; an empty object where nothing was alive to be cut off.
pub(crate) fn answer(tick: Option<Tick>) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (headers, Json(Effect::of(tick))).into_response()
}
