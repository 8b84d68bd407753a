//! Answers that send the browser on: 303 always, so that no credential is ever posted twice (RFC 9700, section 4.12).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Sends the browser to a place of ours, by path.
pub(crate) fn to(path: &str) -> Response {
    see_other(path)
}

/// Sends the browser to where a client wants it after a sign-out, with its state and nothing else (OpenID Connect RP-Initiated
/// Logout, section 3).
pub(crate) fn after_logout(post_logout_redirect_uri: &str, state: Option<&str>) -> Response {
    match state {
        None => see_other(post_logout_redirect_uri),
        Some(state) => with_query(post_logout_redirect_uri, &[("state", state)]),
    }
}

/// Sends the browser to a client's redirect URI, with parameters beside those that the URI has of its own.
pub(crate) fn with_query(redirect_uri: &str, parameters: &[(&str, &str)]) -> Response {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    see_other(&format!("{redirect_uri}{joint}{query}"))
}

fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        // Registered redirect URIs are printable ASCII and the rest is encoded, so this does not happen.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
