//! `POST /revocations/proof`: a follower shows a message that contradicts this issuer's history, because the database was put back in
//! time. Nothing is believed but this issuer's own signature.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::body;
use super::follower::authorized;
use crate::app::App;
use crate::feed::{TYPE, Verdict};
use crate::http::device::ClientAddress;
use crate::http::error::OAuthError;
use crate::http::serve::one_holder;
use crate::http::source;

/// The longest proof. A heartbeat of a kilobyte proves as much.
pub(in crate::http) const LONGEST: usize = 64 << 10;

/// Judges it.
pub(in crate::http) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    authorized(&app, request.headers())?;
    let holder = one_holder(ClientAddress::of(request.extensions()));
    app.feed.may_prove(holder, app.clock().monotonic()).map_err(|wait| OAuthError::too_many(wait.as_secs() + 1))?;
    let source = source::of(request.headers(), request.extensions());
    let message = body(request, &format!("application/{TYPE}")).await?;
    // What is no text is no message of ours.
    let message = str::from_utf8(&message).unwrap_or_default().trim();
    let verdict = app.feed.prove(&app.feed_sources(), &app.db.by(source), message).await?;
    match &verdict {
        Verdict::Contradiction(_) => app.measures.feed_proofs.increment(1),
        Verdict::Nothing(why) => tracing::info!(why, "a proof against the revocation feed proves nothing"),
    }
    Ok(Json(json!({ "contradiction": matches!(verdict, Verdict::Contradiction(_)) })).into_response())
}
