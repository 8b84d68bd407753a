//! A refusal as an HTTP response: status, headers and a small JSON body for people, the same behind every adapter.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::challenge::Challenges;
use crate::error::VerifyError;

/// Makes a service's own body of a refusal's text. A function does; so does [`AsText`].
pub trait RefusalBody<R> {
    /// The body, given the response with its text.
    fn refusal_body(&self, text: String) -> R;
}

/// For bodies that come from a `String`, as those of axum, hyper's `Full` and reqwest do.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsText;

impl<R: From<String>> RefusalBody<R> for AsText {
    fn refusal_body(&self, text: String) -> R {
        text.into()
    }
}

impl<R, F: Fn(String) -> R> RefusalBody<R> for F {
    fn refusal_body(&self, text: String) -> R {
        self(text)
    }
}

/// Tells a refusal as RFC 6750, section 3 wants it told. The [`VerifyError`] goes along among the extensions, for a log.
pub(crate) fn refusal(refused: &VerifyError, challenges: &Challenges) -> Response<String> {
    let error = refused.oauth_error().unwrap_or(refused.code());
    let mut response = Response::new(format!(r#"{{"error":"{error}","error_description":"{refused}"}}"#));
    *response.status_mut() = StatusCode::from_u16(refused.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = refused.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    response.extensions_mut().insert(refused.clone());
    reword(&mut response, challenges);
    response
}

/// Puts the challenge of a refusal that a handler gave into these words, unless another layer's stand already.
pub(super) fn reword<R>(response: &mut Response<R>, challenges: &Challenges) {
    let Some(refused) = response.extensions().get::<VerifyError>() else { return };
    if response.extensions().get::<Worded>().is_some() {
        return;
    }
    if let Some(challenge) = challenges.challenge(refused).and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if *challenges != Challenges::default() {
        response.extensions_mut().insert(Worded);
    }
}

/// A layer with words of its own has told the challenge.
#[derive(Clone, Copy)]
struct Worded;
