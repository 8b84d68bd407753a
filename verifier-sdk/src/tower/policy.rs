//! A policy in front of one route, behind an [`AuthLayer`](super::AuthLayer) that has verified the token for many.

use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::{Admission, AsText, AuthFuture, RefusalBody, refusal};
use crate::access::AccessPolicy;
use crate::challenge::Challenges;
use crate::error::{Reason, VerifyError};
use crate::verified::Verified;

impl AccessPolicy {
    /// A layer that admits only callers who satisfy this policy. It stands behind an [`AuthLayer`](super::AuthLayer), whose words
    /// its challenges take; without one, every request is answered 500.
    pub fn layer(self) -> PolicyLayer {
        PolicyLayer { policy: self.into(), body: AsText }
    }
}

/// Admits only callers who satisfy a policy; made by [`AccessPolicy::layer`].
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is put in front of a service"]
pub struct PolicyLayer<M = AsText> {
    policy: std::sync::Arc<AccessPolicy>,
    body: M,
}

impl<M> PolicyLayer<M> {
    /// Makes the body of a refusal; see [`AuthLayer::refusal_body`](super::AuthLayer::refusal_body).
    pub fn refusal_body<F>(self, body: F) -> PolicyLayer<F> {
        PolicyLayer { policy: self.policy, body }
    }
}

impl<S, M: Clone> Layer<S> for PolicyLayer<M> {
    type Service = PolicyService<S, M>;

    fn layer(&self, inner: S) -> PolicyService<S, M> {
        PolicyService { inner, layer: self.clone() }
    }
}

/// The service that [`PolicyLayer`] puts around another.
#[derive(Debug, Clone)]
pub struct PolicyService<S, M = AsText> {
    inner: S,
    layer: PolicyLayer<M>,
}

impl<S, M, B, R> Service<Request<B>> for PolicyService<S, M>
where
    S: Service<Request<B>, Response = Response<R>>,
    M: RefusalBody<R>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AuthFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let PolicyLayer { policy, body } = &self.layer;
        let extensions = request.extensions();
        let judged = match (extensions.get::<Admission>(), extensions.get::<Verified>()) {
            (None, _) => {
                let mut mistake = Response::new(body.refusal_body(String::new()));
                *mistake.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return AuthFuture::refused(mistake);
            }
            (Some(_), None) => Err(VerifyError::new(Reason::MissingToken)),
            (Some(Admission(verifier)), Some(caller)) => verifier.authorize(caller, policy),
        };
        match judged {
            Ok(()) => AuthFuture::inner(self.inner.call(request), None),
            Err(refused) => AuthFuture::refused(refusal(&refused, &Challenges::default()).map(|text| body.refusal_body(text))),
        }
    }
}
