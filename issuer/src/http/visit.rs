//! A page being opened: when, in which browser, with which parameters. Read once, at the request's edge.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::cookies::Browser;
use super::pages::error::PageError;
use super::signed_in::{self, SignedIn};
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::params::Params;
use crate::store::StoreError;

/// A page being opened.
pub(crate) struct Visit {
    /// When.
    pub(crate) now: UnixTime,
    /// With which parameters.
    pub(crate) query: Params,
    /// In which browser.
    pub(crate) browser: Browser,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let query = Params::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self {
            now: app.now(),
            query: query.map_err(|why| PageError::unreadable(app, &why))?,
            browser: Browser::recognise(app, &parts.headers),
            headers: parts.headers.clone(),
        })
    }
}

impl Visit {
    /// Who is signed in in this browser.
    pub(crate) async fn signed_in(&self, app: &App) -> Result<Option<SignedIn>, StoreError> {
        signed_in::find(app, &self.headers, self.now).await
    }
}
