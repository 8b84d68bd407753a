//! `GET /status-lists/{id}`: a Token Status List as a JWT (draft-ietf-oauth-status-list-17, section 8), and `GET /status-lists`:
//! where all of them are (section 9), if the operator wants that to be told.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::accept::accepts;
use super::error::OAuthError;
use super::jwks::names;
use crate::app::App;
use crate::app::status_lists::{self, PublishedList, StatusListError};
use crate::domain::ids::StatusListId;

const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// Answers a list, or 304.
pub(super) async fn get(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, OAuthError> {
    let query = uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "time") {
        // Nobody learns here how a token stood in the past (section 12.7).
        return Err(OAuthError::not_implemented("there is no status list of another time than now"));
    }
    if !accepts(&headers, MEDIA_TYPE) {
        return Err(OAuthError::not_acceptable("a status list is application/statuslist+jwt and nothing else"));
    }
    let id = StatusListId::new(uri.path().rsplit('/').next().unwrap_or_default());
    let list = status_lists::publish(&app, &id).await?.ok_or_else(OAuthError::not_found)?;
    let cache = [(header::CACHE_CONTROL, max_age(&app)), (header::ETAG, list.etag.clone()), (header::VARY, "accept".to_owned())];
    if names(&headers, &list.etag) {
        return Ok((StatusCode::NOT_MODIFIED, cache).into_response());
    }
    Ok((cache, [(header::CONTENT_TYPE, MEDIA_TYPE)], Bytes::from_owner(Shared(list))).into_response())
}

/// However many are answered with a list, its text is in memory once.
struct Shared(Arc<PublishedList>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.jwt.as_bytes()
    }
}

/// Answers the addresses of all lists.
pub(super) async fn all(State(app): State<Arc<App>>) -> Result<Response, OAuthError> {
    if status_lists::aggregation(&app).is_none() {
        return Err(OAuthError::not_found());
    }
    let lists = status_lists::addresses(&app).await?;
    Ok(([(header::CACHE_CONTROL, max_age(&app))], Json(json!({ "status_lists": lists }))).into_response())
}

/// A copy that a cache kept for as long as this is never older than the list's `exp` allows: made `ttl` ago at most when it was
/// sent.
fn max_age(app: &App) -> String {
    format!("public, max-age={}", app.config.status_lists.ttl.as_secs())
}

impl From<StatusListError> for OAuthError {
    fn from(why: StatusListError) -> Self {
        match why {
            StatusListError::Store(fault) => fault.into(),
            StatusListError::Sign(fault) => fault.into(),
            StatusListError::Unmade => Self::unavailable(),
        }
    }
}
