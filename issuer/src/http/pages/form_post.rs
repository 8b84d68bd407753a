//! The page of `response_mode=form_post` (OAuth 2.0 Form Post Response Mode 1.0): a form with the answer, which a script of ours posts
//! to the client at once, and a button does where no script runs.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::views::{ClientLine, Frame};
use super::{Policy, frame, page};
use crate::app::App;
use crate::domain::client::Client;

/// What goes back to the client, and where.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(super) struct FormPost<'a> {
    /// The frame.
    pub(super) frame: &'a Frame,
    /// The application that waits for the answer.
    pub(super) client: ClientLine<'a>,
    /// Its redirect URI.
    pub(super) redirect_uri: &'a str,
    /// The answer, by name and value.
    pub(super) answer: &'a [(&'a str, &'a str)],
}

/// Shows the form.
pub(crate) fn show(app: &App, client: &Client, redirect_uri: &str, answer: &[(&str, &str)]) -> Result<Response, askama::Error> {
    let registered = client.redirect_uri(redirect_uri);
    let host = registered.map(|uri| uri.host()).unwrap_or_default();
    let place = registered.and_then(|uri| uri.origin_for_csp(redirect_uri));
    let line = ClientLine { name: &client.name, host };
    let template = FormPost { frame: &frame(app, app.now()), client: line, redirect_uri, answer };
    page(StatusCode::OK, &template, Policy { form_action: place.as_deref(), script: true, ..Policy::default() })
}
