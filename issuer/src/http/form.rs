//! Form bodies, and the check that every state-changing form of ours passes before its fields can be read: a synchronizer token
//! bound to a cookie, and Origin or Sec-Fetch-Site.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use base64ct::{Base64UrlUnpadded, Encoding};

use crate::app::App;
use crate::domain::params::{Params, ParamsError};
use crate::secret::{OpaqueToken, constant_time_eq};

/// The name of the hidden field.
pub(crate) const CSRF_FIELD: &str = "csrf";

/// How long a form's body may take: well below a request's time, so that what the form asks for is not cut off half done.
const PATIENCE: Duration = Duration::from_secs(15);

/// The parameters of an `application/x-www-form-urlencoded` body.
pub(crate) struct FormBody(pub(crate) Params);

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// Another content type, or none.
    #[error("the body must be application/x-www-form-urlencoded")]
    NotAForm,
    /// Longer than any form of ours.
    #[error("the body is too long")]
    TooLong,
    /// Cut short.
    #[error("the body is incomplete")]
    Unreadable,
    /// Its parameters cannot be read.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

impl FormBody {
    /// Reads a body; an absent one is a form without fields.
    pub(crate) async fn read(request: Request) -> Result<Self, FormError> {
        let form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if !form {
            return Err(FormError::NotAForm);
        }
        let body = tokio::time::timeout(PATIENCE, Bytes::from_request(request, &())).await;
        let bytes = body.map_err(|_| FormError::Unreadable)?.map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => FormError::TooLong,
            _ => FormError::Unreadable,
        })?;
        Ok(Self(Params::parse(&bytes)?))
    }
}

/// A form of ours that has not been checked: nothing of it can be read.
pub(crate) struct UnverifiedForm {
    params: Params,
    same_site: bool,
}

/// Why a form of ours is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForgeryError {
    /// The token is missing or belongs to another browser or session.
    #[error("the page was open too long, or the form was not ours")]
    Token,
    /// The browser says that another site sent it.
    #[error("the form came from another site")]
    CrossSite,
}

impl UnverifiedForm {
    /// Reads a form of ours.
    pub(crate) async fn read(app: &App, request: Request) -> Result<Self, FormError> {
        let same_site = sent_by_us(app, request.headers());
        Ok(Self { params: FormBody::read(request).await?.0, same_site })
    }

    /// Whether the browser says that one of our pages sent it: half of the check, for a form without anything to be bound to.
    pub(crate) fn came_from_us(&self) -> Result<(), ForgeryError> {
        if self.same_site { Ok(()) } else { Err(ForgeryError::CrossSite) }
    }

    /// The handle of the authorization request that waits, of a form that was open too long. It is no more than a name: whoever
    /// follows it must find the request bound to this very browser.
    pub(crate) fn unverified_request(&self) -> Option<String> {
        self.params.get("request").map(str::to_owned)
    }

    /// Checks the form against the cookie that its page was bound to, and opens it.
    pub(crate) fn verify(self, app: &App, bound_to: &OpaqueToken) -> Result<Params, ForgeryError> {
        self.came_from_us()?;
        let expected = csrf_token(app, bound_to);
        let presented = self.params.get(CSRF_FIELD).unwrap_or_default();
        if !constant_time_eq(expected.as_bytes(), presented.as_bytes()) {
            return Err(ForgeryError::Token);
        }
        Ok(self.params)
    }
}

/// The token of a form that is bound to a cookie.
pub(crate) fn csrf_token(app: &App, bound_to: &OpaqueToken) -> String {
    Base64UrlUnpadded::encode_string(&app.csrf_key().mac(&[b"form", bound_to.hash().as_str().as_bytes()]))
}

/// What Origin says decides. Under `Referrer-Policy: no-referrer` browsers send `Origin: null` with a form: then Sec-Fetch-Site
/// decides, and where that is missing the token alone.
fn sent_by_us(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match text("origin") {
        Some(origin) if origin != "null" => origin == app.config.issuer.origin(),
        _ => text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none")),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::{StreamExt, stream};

    use super::*;

    async fn dripping(patience: Duration) -> Option<Result<FormBody, FormError>> {
        let drops = stream::repeat_with(|| Ok::<_, std::io::Error>("x")).then(|drop| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop
        });
        let request = Request::post("/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from_stream(drops)).unwrap();
        tokio::time::timeout(patience, FormBody::read(request)).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_drips_is_waited_for_15_seconds_and_no_longer() {
        assert!(dripping(Duration::from_secs(14)).await.is_none());
        assert!(matches!(dripping(Duration::from_secs(16)).await, Some(Err(FormError::Unreadable))));
    }
}
