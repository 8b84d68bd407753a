//! What axum 0.8 adds to the [`tower`](crate::tower) layers: extractors for the handlers behind them, and refusals as responses.
//!
//! - [`Verified`] — the caller; behind an [`optional`](AuthLayer::optional) layer `Option<Verified>`.
//! - [`Claims<C>`] — the token's claims as a type of the service's own.
//! - A handler may answer `Result<_, VerifyError>`, so that `caller.require_scope("orders:write")?` refuses properly.

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::challenge::Challenges;
use crate::error::VerifyError;
use crate::tower::{Admission, refusal};
pub use crate::tower::{Auth, AuthFuture, AuthLayer, PolicyLayer};
use crate::verified::Verified;

/// Takes the token that an [`AuthLayer`] in front of the handler has verified.
impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = NoAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoAuthLayer> {
        parts.extensions.get::<Self>().cloned().ok_or(NoAuthLayer(()))
    }
}

/// `None` for a request without credentials that an [`optional`](AuthLayer::optional) layer has admitted.
impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = NoAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NoAuthLayer> {
        parts.extensions.get::<Admission>().map(|_| parts.extensions.get::<Self>().cloned()).ok_or(NoAuthLayer(()))
    }
}

/// The claims of the verified token, read into a type of the service's own. Claims that do not fit it are a bad token (401).
#[derive(Debug, Clone, Copy, Default)]
pub struct Claims<C>(pub C);

impl<S: Sync, C: DeserializeOwned> FromRequestParts<S> for Claims<C> {
    type Rejection = ClaimsRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ClaimsRejection> {
        let caller = parts.extensions.get::<Verified>().ok_or(ClaimsRejection::NoAuthLayer(NoAuthLayer(())))?;
        let claims = caller.claims().map_err(|misfit| VerifyError::new(misfit.reason()))?;
        Ok(Self(claims))
    }
}

/// Why a handler did not get its [`Claims`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsRejection {
    /// They do not fit the type.
    #[error(transparent)]
    Refused(#[from] VerifyError),
    /// No token was verified.
    #[error(transparent)]
    NoAuthLayer(NoAuthLayer),
}

impl IntoResponse for ClaimsRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::NoAuthLayer(mistake) => mistake.into_response(),
        }
    }
}

/// A handler asks for a [`Verified`], but no [`AuthLayer`] that demands a token stands in front of it: a mistake in the service,
/// answered 500.
#[derive(Debug, thiserror::Error)]
#[error("a handler takes `Verified`, but its route has no passant_verifier::axum::AuthLayer that demands a token")]
pub struct NoAuthLayer(());

impl IntoResponse for NoAuthLayer {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// The refusal as RFC 6750, section 3 wants it told: status, challenge, and a body that repeats the challenge for people. Behind an
/// [`AuthLayer`] with words of its own the challenge takes those.
impl IntoResponse for VerifyError {
    fn into_response(self) -> Response {
        refusal(&self, &Challenges::default()).map(Body::from)
    }
}
