//! Answers that send the browser on: 303 always, so that no credential is ever posted twice (RFC 9700, section 4.12).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::domain::authorization_request::RequestError;

/// Sends the browser to a place of ours, by path.
pub(crate) fn to(path: &str) -> Response {
    see_other(path)
}

/// Sends the browser to where a client wants it after a sign-out, with its state and nothing else (OpenID Connect RP-Initiated
/// Logout, section 3).
pub(crate) fn after_logout(post_logout_redirect_uri: &str, state: Option<&str>) -> Response {
    match state {
        None => see_other(post_logout_redirect_uri),
        Some(state) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            see_other(&joined(post_logout_redirect_uri, &query.append_pair("state", state).finish()))
        }
    }
}

/// Where a client's answer goes.
pub(crate) struct ClientRedirect<'a> {
    /// One of the client's own, byte for byte.
    pub(crate) redirect_uri: &'a str,
    /// Echoed untouched.
    pub(crate) state: Option<&'a str>,
}

impl ClientRedirect<'_> {
    /// Sends the browser back with a code.
    pub(crate) fn with_code(&self, app: &App, code: &str) -> Response {
        self.with(app, &[("code", code)])
    }

    /// Sends the browser back with an error (RFC 6749, section 4.1.2.1).
    pub(crate) fn with_error(&self, app: &App, error: &RequestError) -> Response {
        self.with(app, &[("error", error.code), ("error_description", &error.description)])
    }

    /// Every answer names its issuer (RFC 9207).
    fn with(&self, app: &App, answer: &[(&str, &str)]) -> Response {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", app.config.issuer.as_str());
        see_other(&joined(self.redirect_uri, &query.finish()))
    }
}

/// A query of its own is kept, and comes first.
fn joined(uri: &str, query: &str) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
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
