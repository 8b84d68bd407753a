//! Protection for tonic services: an interceptor that admits only calls with a good token, and refusals as a [`Status`]. It judges
//! the metadata `authorization`, as the layers for HTTP judge the header.

use std::sync::Arc;

use ::tonic::metadata::{AsciiMetadataValue, MetadataMap};
use ::tonic::service::Interceptor;
use ::tonic::{Code, Request, Status};

use crate::access::AccessPolicy;
use crate::challenge::Challenges;
use crate::error::{Reason, VerifyError};
use crate::verified::Verified;
use crate::verifier::Verifier;

impl Verifier {
    /// An interceptor that admits only calls with a good token. Methods behind it find the caller by [`caller`].
    pub fn interceptor(&self) -> AuthInterceptor {
        AuthInterceptor { verifier: self.clone(), policies: Arc::new([]), challenges: Arc::default(), admits_anonymous: false }
    }
}

/// Admits only calls with a good token; made by [`Verifier::interceptor`].
#[derive(Debug, Clone)]
pub struct AuthInterceptor {
    verifier: Verifier,
    policies: Arc<[AccessPolicy]>,
    challenges: Arc<Challenges>,
    admits_anonymous: bool,
}

impl AuthInterceptor {
    /// Demands that the caller satisfies this policy too.
    #[must_use]
    pub fn require(mut self, policy: AccessPolicy) -> Self {
        self.policies = self.policies.iter().cloned().chain([policy]).collect();
        self
    }

    /// Admits a call without any `authorization` too. A bad token is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.admits_anonymous = true;
        self
    }

    /// How challenges are worded; they go along as the metadata `www-authenticate`.
    #[must_use]
    pub fn challenges(mut self, challenges: Challenges) -> Self {
        self.challenges = challenges.into();
        self
    }

    fn admit(&self, metadata: &MetadataMap) -> Result<Option<Verified>, VerifyError> {
        if self.admits_anonymous && !metadata.contains_key("authorization") {
            return Ok(None);
        }
        let values = metadata.get_all("authorization").into_iter().map(AsciiMetadataValue::as_encoded_bytes);
        let caller = self.verifier.verify_authorization(values)?;
        self.policies.iter().try_for_each(|policy| self.verifier.authorize(&caller, policy))?;
        Ok(Some(caller))
    }
}

impl Interceptor for AuthInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self.admit(request.metadata()).map_err(|refused| status(&refused, &self.challenges))? {
            Some(caller) => request.extensions_mut().insert(caller),
            None => request.extensions_mut().remove::<Verified>(),
        };
        Ok(request)
    }
}

/// The caller whom an [`AuthInterceptor`] has admitted.
///
/// # Errors
/// `UNAUTHENTICATED` for a call without a token, where the interceptor is [`optional`](AuthInterceptor::optional) or missing.
pub fn caller<T>(request: &Request<T>) -> Result<&Verified, Status> {
    request.extensions().get::<Verified>().ok_or_else(|| VerifyError::new(Reason::MissingToken).into())
}

/// `UNAUTHENTICATED` where HTTP says 400 or 401, `PERMISSION_DENIED` for 403, `UNAVAILABLE` for 503; the challenge goes along as
/// `www-authenticate`, and the time to wait as `grpc-retry-pushback-ms`.
impl From<VerifyError> for Status {
    fn from(refused: VerifyError) -> Self {
        status(&refused, &Challenges::default())
    }
}

fn status(refused: &VerifyError, challenges: &Challenges) -> Status {
    let code = match refused.http_status() {
        403 => Code::PermissionDenied,
        503 => Code::Unavailable,
        _ => Code::Unauthenticated,
    };
    let mut metadata = MetadataMap::new();
    if let Some(challenge) = challenges.challenge(refused).and_then(|challenge| challenge.parse().ok()) {
        metadata.insert("www-authenticate", challenge);
    }
    if let Some(pushback) = refused.retry_after().and_then(|after| after.as_millis().to_string().parse().ok()) {
        metadata.insert("grpc-retry-pushback-ms", pushback);
    }
    Status::with_metadata(code, refused.to_string(), metadata)
}
