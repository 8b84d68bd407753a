//! Protection for axum 0.8: a layer that admits only requests with a good token, and [`Verified`] as an extractor behind it.
//! Status, challenge and body of a refusal come from [`VerifyError`], here only put into a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::error::VerifyError;
use crate::verified::Verified;
use crate::verifier::Verifier;

impl Verifier {
    /// A layer that admits only requests with a good token; handlers behind it take a [`Verified`].
    pub fn layer(&self) -> AuthLayer {
        AuthLayer { verifier: self.clone(), scopes: Arc::new([]), fresh_within: None }
    }

    /// A layer that admits only requests whose good token has this scope.
    pub fn require_scope(&self, scope: impl Into<String>) -> AuthLayer {
        self.layer().require_scope(scope)
    }
}

/// Admits only requests with a good token; made by [`Verifier::layer`].
#[derive(Debug, Clone)]
pub struct AuthLayer {
    verifier: Verifier,
    scopes: Arc<[String]>,
    fresh_within: Option<Duration>,
}

impl AuthLayer {
    /// Demands one more scope.
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes = self.scopes.iter().cloned().chain([scope.into()]).collect();
        self
    }

    /// Demands that what the issuer has revoked was known as of at most so long ago; see [`Verified::require_fresh`]. Of two such
    /// demands the stricter counts.
    pub fn require_fresh(mut self, at_most: Duration) -> Self {
        self.fresh_within = Some(self.fresh_within.map_or(at_most, |stricter| stricter.min(at_most)));
        self
    }

    fn admit(&self, headers: &HeaderMap) -> Result<Verified, VerifyError> {
        let values = headers.get_all(AUTHORIZATION).into_iter().map(HeaderValue::as_bytes);
        let verified = self.verifier.verify_authorization(values)?;
        self.scopes.iter().try_for_each(|scope| verified.require_scope(scope))?;
        self.fresh_within.map_or(Ok(()), |at_most| verified.require_fresh(at_most))?;
        Ok(verified)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, layer: self.clone() }
    }
}

/// The service that [`AuthLayer`] puts around another.
#[derive(Debug, Clone)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, B> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = AuthFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> AuthFuture<S::Error> {
        match self.layer.admit(request.headers()) {
            Ok(verified) => {
                request.extensions_mut().insert(verified);
                let answer = self.inner.call(request);
                AuthFuture(Box::pin(async move { answer.await.map(IntoResponse::into_response) }))
            }
            Err(refusal) => AuthFuture(Box::pin(async move { Ok(refusal.into_response()) })),
        }
    }
}

/// The answer of [`Auth`], to come.
pub struct AuthFuture<E>(Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>);

impl<E> Future for AuthFuture<E> {
    type Output = Result<Response, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for AuthFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthFuture")
    }
}

/// Takes the token that an [`AuthLayer`] in front of the handler has verified.
impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = NoAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoAuthLayer> {
        parts.extensions.get::<Self>().cloned().ok_or(NoAuthLayer(()))
    }
}

/// A handler asks for a [`Verified`], but no [`AuthLayer`] stands in front of it: a mistake in the service, answered 500.
#[derive(Debug, thiserror::Error)]
#[error("a handler takes `Verified`, but its route has no passant_verifier::axum::AuthLayer")]
pub struct NoAuthLayer(());

impl IntoResponse for NoAuthLayer {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// The refusal as RFC 6750, section 3 wants it told: status, challenge, and a body that repeats the challenge for people.
impl IntoResponse for VerifyError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = self.oauth_error().unwrap_or(self.code());
        let body = format!(r#"{{"error":"{error}","error_description":"{self}"}}"#);
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge().and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        response
    }
}
