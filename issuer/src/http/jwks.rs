//! `GET /jwks.json` (RFC 7517): precomputed bytes with a strong ETag and a Cache-Control that agrees with the keys' schedule.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::OAuthError;
use crate::app::{App, SignError};
use crate::keys::KeyError;

/// Answers the published keys, or 304.
pub(super) async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, OAuthError> {
    let now = app.now();
    if app.keys.signing_kid(now).is_none() {
        // All are dead, and this replica cannot open the next one yet: an empty set would tell verifiers that there is none.
        return Err(SignError::Key(KeyError::NoSigner).into());
    }
    let jwks = app.keys.jwks(now).map_err(SignError::Key)?;
    let cache =
        [(header::CACHE_CONTROL, format!("public, max-age={}", jwks.max_age.as_secs())), (header::ETAG, jwks.etag.clone())];
    if names(&headers, &jwks.etag) {
        return Ok((StatusCode::NOT_MODIFIED, cache).into_response());
    }
    Ok((cache, [(header::CONTENT_TYPE, "application/jwk-set+json")], jwks.bytes.clone()).into_response())
}

/// Whether If-None-Match names the tag; a weak form of it will do (RFC 9110, section 13.1.2).
pub(super) fn names(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
