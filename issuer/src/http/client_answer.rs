//! The answer to an authorization request on its way to the client: in the redirect URI's query or in a form, with the issuer's name
//! on it (RFC 9207) and the state untouched.

use axum::response::Response;

use super::pages::error::PageError;
use super::pages::form_post;
use super::redirect;
use crate::app::App;
use crate::domain::authorization_request::RequestError;
use crate::domain::client::Client;
use crate::domain::response_mode::ResponseMode;

/// Where a client's answer goes, and how.
pub(crate) struct ClientAnswer<'a> {
    /// Whose.
    pub(crate) client: &'a Client,
    /// One of the client's own, byte for byte.
    pub(crate) redirect_uri: &'a str,
    /// How.
    pub(crate) response_mode: ResponseMode,
    /// Echoed untouched.
    pub(crate) state: Option<&'a str>,
}

impl ClientAnswer<'_> {
    /// Sends the browser back with a code.
    pub(crate) fn with_code(&self, app: &App, code: &str) -> Result<Response, PageError> {
        self.with(app, vec![("code", code)])
    }

    /// Sends the browser back with an error (RFC 6749, section 4.1.2.1).
    pub(crate) fn with_error(&self, app: &App, error: &RequestError) -> Result<Response, PageError> {
        self.with(app, vec![("error", error.code), ("error_description", &error.description)])
    }

    fn with<'s>(&'s self, app: &'s App, mut answer: Vec<(&'s str, &'s str)>) -> Result<Response, PageError> {
        answer.extend(self.state.map(|state| ("state", state)));
        answer.push(("iss", app.config.issuer.as_str()));
        match self.response_mode {
            ResponseMode::Query => Ok(redirect::with_query(self.redirect_uri, &answer)),
            ResponseMode::FormPost => Ok(form_post::show(app, self.client, self.redirect_uri, &answer)?),
        }
    }
}
