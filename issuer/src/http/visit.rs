//! A page being opened, and a form of ours being sent: when, from which browser, with what. Read once, at the request's edge.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::cookies::Browser;
use super::device::Device;
use super::form::UnverifiedForm;
use super::pages::error::PageError;
use super::said;
use super::signed_in::{self, SignedIn};
use super::source;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::Source;
use crate::domain::params::Params;
use crate::domain::said::Said;
use crate::store::StoreError;

/// A page being opened.
pub(crate) struct Visit {
    /// When.
    pub(crate) now: UnixTime,
    /// With which parameters.
    pub(crate) query: Params,
    /// In which browser.
    pub(crate) browser: Browser,
    /// From where.
    pub(crate) source: Source,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let query = Params::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self {
            now: app.now(),
            query: query.map_err(|why| PageError::unreadable(&why))?,
            browser: Browser::recognise(app, &parts.headers),
            source: source::of(&parts.headers, &parts.extensions),
            headers: parts.headers.clone(),
        })
    }
}

impl Visit {
    /// What this browser is to be told about what was just done.
    pub(crate) fn said(&self, app: &App) -> Option<Said> {
        said::read(app, &self.headers, &self.browser)
    }

    /// Who is signed in in this browser.
    pub(crate) async fn signed_in(&self, app: &App) -> Result<Option<SignedIn>, StoreError> {
        signed_in::find(app, &self.headers, self.now).await
    }
}

/// A form of ours being sent; nothing of it can be read before it has been checked.
pub(crate) struct Submission {
    /// What was sent.
    pub(crate) form: UnverifiedForm,
    /// By whom.
    pub(crate) sender: Sender,
}

/// Who sends a form.
pub(crate) struct Sender {
    /// When the form had come as a whole.
    pub(crate) now: UnixTime,
    /// From which browser.
    pub(crate) browser: Browser,
    /// As far as it says and the connection shows.
    pub(crate) device: Device,
    /// From where.
    pub(crate) source: Source,
    /// What else it sent.
    pub(crate) headers: HeaderMap,
}

impl FromRequest<Arc<App>> for Submission {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, PageError> {
        let (headers, device) = (request.headers().clone(), Device::of(&request));
        let source = source::of(&headers, request.extensions());
        let form = UnverifiedForm::read(app, request).await.map_err(|why| PageError::bad_form(&why))?;
        let browser = Browser::recognise(app, &headers);
        Ok(Self { form, sender: Sender { now: app.now(), browser, device, source, headers } })
    }
}

impl Sender {
    /// Who is signed in in the browser that sends it.
    pub(crate) async fn signed_in(&self, app: &App) -> Result<Option<SignedIn>, StoreError> {
        signed_in::find(app, &self.headers, self.now).await
    }
}
