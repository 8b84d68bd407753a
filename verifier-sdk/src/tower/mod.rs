//! Protection as a tower layer, for any server that speaks [`http`]: it admits only requests with a good token and leaves the
//! [`Verified`] among the request's extensions. Status, challenge and body of a refusal come from [`VerifyError`].

mod future;
mod policy;
mod refusal;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::access::AccessPolicy;
use crate::challenge::Challenges;
use crate::error::VerifyError;
use crate::verified::Verified;
use crate::verifier::Verifier;
pub use future::AuthFuture;
pub use policy::{PolicyLayer, PolicyService};
pub(crate) use refusal::refusal;
pub use refusal::{AsText, RefusalBody};

impl Verifier {
    /// A layer that admits only requests with a good token; handlers behind it take a [`Verified`].
    pub fn layer(&self) -> AuthLayer {
        let gate = Gate {
            verifier: self.clone(),
            policies: vec![AccessPolicy::new()],
            challenges: Arc::default(),
            admits_anonymous: false,
        };
        AuthLayer { gate: Arc::new(gate), body: AsText }
    }

    /// A layer that admits only requests whose good token has this scope.
    pub fn require_scope(&self, scope: impl Into<String>) -> AuthLayer {
        self.layer().require_scope(scope)
    }

    /// A layer that admits only requests with a good token and a caller who satisfies this policy.
    pub fn require(&self, policy: AccessPolicy) -> AuthLayer {
        self.layer().require(policy)
    }
}

/// Admits only requests with a good token; made by [`Verifier::layer`].
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is put in front of a service"]
pub struct AuthLayer<M = AsText> {
    gate: Arc<Gate>,
    body: M,
}

#[derive(Debug, Clone)]
struct Gate {
    verifier: Verifier,
    /// The first is what the layer's own methods demand.
    policies: Vec<AccessPolicy>,
    challenges: Arc<Challenges>,
    admits_anonymous: bool,
}

impl<M> AuthLayer<M> {
    /// Demands one more scope.
    pub fn require_scope(self, scope: impl Into<String>) -> Self {
        self.demanding(|policy| policy.scope(scope))
    }

    /// Demands that what the issuer has revoked was known as of at most so long ago; see [`Verified::require_fresh`]. Of two such
    /// demands the stricter counts.
    pub fn require_fresh(self, at_most: Duration) -> Self {
        self.demanding(|policy| policy.require_fresh(at_most))
    }

    /// Demands that the caller satisfies this policy too.
    pub fn require(self, policy: AccessPolicy) -> Self {
        self.changed(|gate| gate.policies.push(policy))
    }

    /// Admits a request without any `Authorization` header too; its handlers find no [`Verified`]. A bad token, and another scheme
    /// than `Bearer`, is refused all the same, and what is demanded is demanded of everyone who shows a token.
    pub fn optional(self) -> Self {
        self.changed(|gate| gate.admits_anonymous = true)
    }

    /// Names the realm in challenges. Default `api`.
    pub fn realm(self, realm: &str) -> Self {
        self.changed(|gate| gate.challenges = Arc::new((*gate.challenges).clone().realm(realm)))
    }

    /// Tells in challenges where the metadata of this resource is (RFC 9728, section 5.1): its
    /// [`url`](crate::ResourceMetadata::url).
    pub fn resource_metadata(self, url: &str) -> Self {
        self.changed(|gate| gate.challenges = Arc::new((*gate.challenges).clone().resource_metadata(url)))
    }

    /// Makes the body of a refusal, for a service whose body type does not come from a `String`. The text is the JSON that RFC 6750
    /// servers usually send; the response's headers stand. The [`VerifyError`] is among the response's extensions.
    pub fn refusal_body<F>(self, body: F) -> AuthLayer<F> {
        AuthLayer { gate: self.gate, body }
    }

    fn demanding(self, more: impl FnOnce(AccessPolicy) -> AccessPolicy) -> Self {
        self.changed(|gate| {
            if let Some(own) = gate.policies.first_mut() {
                *own = more(std::mem::take(own));
            }
        })
    }

    fn changed(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        change(Arc::make_mut(&mut self.gate));
        self
    }
}

impl Gate {
    /// `None` for a caller without any credentials, where such are admitted.
    fn admit(&self, headers: &HeaderMap) -> Result<Option<Verified>, VerifyError> {
        if self.admits_anonymous && !headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let values = headers.get_all(AUTHORIZATION).into_iter().map(HeaderValue::as_bytes);
        let caller = self.verifier.verify_authorization(values)?;
        self.policies.iter().try_for_each(|policy| self.verifier.authorize(&caller, policy))?;
        Ok(Some(caller))
    }
}

/// Among a request's extensions: an [`AuthLayer`] let it pass, with or without a [`Verified`].
#[derive(Clone)]
pub(crate) struct Admission(Verifier);

impl<S, M: Clone> Layer<S> for AuthLayer<M> {
    type Service = Auth<S, M>;

    fn layer(&self, inner: S) -> Auth<S, M> {
        Auth { inner, gate: self.gate.clone(), body: self.body.clone() }
    }
}

/// The service that [`AuthLayer`] puts around another.
#[derive(Debug, Clone)]
pub struct Auth<S, M = AsText> {
    inner: S,
    gate: Arc<Gate>,
    body: M,
}

impl<S, M, B, R> Service<Request<B>> for Auth<S, M>
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let caller = match self.gate.admit(request.headers()) {
            Ok(caller) => caller,
            Err(refused) => {
                let response = refusal(&refused, &self.gate.challenges).map(|text| self.body.refusal_body(text));
                return AuthFuture::refused(response);
            }
        };
        let extensions = request.extensions_mut();
        extensions.insert(Admission(self.gate.verifier.clone()));
        match caller {
            Some(caller) => extensions.insert(caller),
            None => extensions.remove::<Verified>(),
        };
        AuthFuture::inner(self.inner.call(request), Some(self.gate.challenges.clone()))
    }
}
