//! What a client is told when something goes wrong. What happened and what the peer hears are two things: the detail goes to the
//! log once, here, and never into the answer.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::SignError;
use crate::app::password_gate::GateError;
use crate::domain::feed::Contradiction;
use crate::feed::FeedError;
use crate::keys::KeyError;
use crate::store::StoreError;

/// An error of a JSON endpoint, in the shape of RFC 6749 section 5.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: String,
    challenge: Option<&'static str>,
    retry_after: Option<u64>,
}

impl OAuthError {
    /// 400 with a standard's code.
    pub(crate) fn bad_request(code: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, description: description.into(), challenge: None, retry_after: None }
    }

    /// 400 `invalid_request`.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::bad_request("invalid_request", description)
    }

    /// 400 `invalid_grant`: one sentence whatever the cause, which goes to the log.
    pub(crate) fn invalid_grant(what: &'static str, cause: impl std::fmt::Display) -> Self {
        tracing::info!(what, %cause, "refused a grant");
        Self::bad_request("invalid_grant", format!("the {what} is unknown, expired, used or revoked"))
    }

    /// 401 `invalid_client`: the same for an unknown client and a wrong secret.
    pub(crate) fn invalid_client() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(r#"Basic realm="passant", charset="UTF-8""#),
            ..Self::bad_request("invalid_client", "the client is unknown or did not authenticate as registered")
        }
    }

    /// 401 `invalid_token` (RFC 6750, section 3.1).
    pub(crate) fn invalid_token(cause: impl std::fmt::Display) -> Self {
        tracing::info!(%cause, "refused an access token");
        Self {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(
                r#"Bearer realm="passant", error="invalid_token", error_description="the access token is not valid""#,
            ),
            ..Self::bad_request("invalid_token", "the access token is not valid")
        }
    }

    /// 401 without an error code: no credential was sent (RFC 6750, section 3.1).
    pub(crate) fn credential_missing() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(r#"Bearer realm="passant""#),
            ..Self::bad_request("invalid_token", "an access token is needed")
        }
    }

    /// 403 `insufficient_scope`.
    pub(crate) fn insufficient_scope() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            challenge: Some(r#"Bearer realm="passant", error="insufficient_scope", scope="openid""#),
            ..Self::bad_request("insufficient_scope", "the access token needs the scope openid")
        }
    }

    /// 409: the position contradicts this issuer's history.
    pub(crate) fn contradiction(how: Contradiction) -> Self {
        tracing::info!(%how, "a follower of the feed contradicts this issuer's history");
        let description = format!("this issuer's history never had that position: {how}");
        Self { status: StatusCode::CONFLICT, ..Self::bad_request("contradiction", description) }
    }

    /// 413: the body is longer than any request needs.
    pub(crate) fn too_long() -> Self {
        Self::refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")
    }

    /// 429: this client failed to authenticate from this address too often.
    pub(crate) fn too_many(seconds: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(seconds),
            ..Self::bad_request("temporarily_unavailable", "too many attempts failed; try again later")
        }
    }

    /// 404, for whoever asked for JSON.
    pub(crate) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::bad_request("not_found", "there is nothing at this address") }
    }

    /// 406: there is nothing in the form that was asked for.
    pub(crate) fn not_acceptable(description: &'static str) -> Self {
        Self::refused(StatusCode::NOT_ACCEPTABLE, description)
    }

    /// 501: a standard's option that is not offered here.
    pub(crate) fn not_implemented(description: &'static str) -> Self {
        Self { status: StatusCode::NOT_IMPLEMENTED, ..Self::bad_request("not_implemented", description) }
    }

    fn method_not_allowed() -> Self {
        Self::refused(StatusCode::METHOD_NOT_ALLOWED, "this address does not take requests of that method")
    }

    /// `invalid_request` with a status of HTTP's own.
    fn refused(status: StatusCode, description: &'static str) -> Self {
        Self { status, ..Self::invalid_request(description) }
    }

    /// 503 with `Retry-After`.
    pub(crate) fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(2),
            ..Self::bad_request("temporarily_unavailable", "please try again in a moment")
        }
    }

    fn from_fault(fault: &Fault) -> Self {
        match fault.report() {
            FaultKind::Unavailable => Self::unavailable(),
            FaultKind::Internal => Self::server_error(),
        }
    }

    fn server_error() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::bad_request("server_error", "something went wrong here; it was logged")
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let body = json!({ "error": self.code, "error_description": self.description });
        (self.status, headers, Json(body)).into_response()
    }
}

/// Puts words into an answer that the router or a limit gave without any.
pub(super) async fn worded(answer: Response) -> Response {
    let error = match bare(&answer) {
        Some(StatusCode::METHOD_NOT_ALLOWED) => OAuthError::method_not_allowed(),
        Some(StatusCode::BAD_REQUEST) => OAuthError::invalid_request("the request does not name the one host that it is for"),
        Some(status @ StatusCode::URI_TOO_LONG) => OAuthError::refused(status, "the address is too long"),
        Some(status @ StatusCode::MISDIRECTED_REQUEST) => OAuthError::refused(status, "this is another host's address"),
        Some(status @ StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => OAuthError::refused(status, "the headers are too large"),
        Some(StatusCode::SERVICE_UNAVAILABLE) => OAuthError::unavailable(),
        Some(StatusCode::INTERNAL_SERVER_ERROR) => OAuthError::server_error(),
        Some(_) | None => return answer,
    };
    error.into_response()
}

/// The status of an error that has no body.
pub(super) fn bare(answer: &Response) -> Option<StatusCode> {
    let status = answer.status();
    let failed = status.is_client_error() || status.is_server_error();
    (failed && !answer.headers().contains_key(header::CONTENT_TYPE)).then_some(status)
}

/// What went wrong inside, for both kinds of answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error("the revocation feed: {0}")]
    Feed(#[from] FeedError),
    #[error("a template does not render: {0}")]
    Template(#[from] askama::Error),
}

/// What a fault means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Come back later.
    Unavailable,
    /// Ours to mend.
    Internal,
}

impl Fault {
    /// Logs the fault, once, and says how to answer it.
    pub(crate) fn report(&self) -> FaultKind {
        let kind = match self {
            // Without a signer, the master key is on its way to this replica.
            Self::Store(StoreError::Unavailable(_))
            | Self::Sign(SignError::ClockOff | SignError::Key(KeyError::NoSigner))
            | Self::Gate(GateError::Busy)
            // Whatever keeps the feed from being read, another replica may read it.
            | Self::Feed(FeedError::Store(_) | FeedError::Unread | FeedError::ClockOff) => FaultKind::Unavailable,
            Self::Store(
                StoreError::Impossible { .. } | StoreError::Superseded | StoreError::Refused(_) | StoreError::Fault(_),
            )
            | Self::Sign(SignError::Key(_))
            | Self::Feed(FeedError::Key(_))
            | Self::Gate(GateError::Fault(_))
            | Self::Template(_) => FaultKind::Internal,
        };
        match kind {
            FaultKind::Unavailable => tracing::warn!(fault = %self, "cannot answer now"),
            FaultKind::Internal => tracing::error!(fault = %self, "cannot answer"),
        }
        kind
    }
}

/// Lets `?` turn every kind of fault into an answer of this type.
macro_rules! answers_faults {
    ($error:ty) => {
        answers_faults!($error: crate::store::StoreError, crate::app::SignError, crate::app::password_gate::GateError, crate::feed::FeedError,
            askama::Error);
    };
    ($error:ty: $($fault:ty),*) => {
        $(impl From<$fault> for $error {
            fn from(fault: $fault) -> Self {
                Self::from_fault(&$crate::http::error::Fault::from(fault))
            }
        })*
    };
}
pub(crate) use answers_faults;

answers_faults!(OAuthError);
