//! `POST /revocations/followers`: a follower says who it is and how far it has come, for the operator to see. Nothing is decided by
//! it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;

use super::body;
use super::follower::authorized;
use crate::app::App;
use crate::domain::follower::Report;
use crate::http::device::ClientAddress;
use crate::http::error::OAuthError;
use crate::http::serve::one_holder;

/// The longest report; one with the longest names has 400 bytes.
pub(in crate::http) const LONGEST: usize = 2 << 10;

/// Notes it.
pub(in crate::http) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<StatusCode, OAuthError> {
    authorized(&app, request.headers())?;
    let holder = one_holder(ClientAddress::of(request.extensions()));
    let report = Report::parse(&body(request, "application/json").await?);
    let report = report.map_err(|why| OAuthError::invalid_request(why.to_string()))?;
    app.feed.note(report, holder, &app.db, app.now());
    Ok(StatusCode::NO_CONTENT)
}
