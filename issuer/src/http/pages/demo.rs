//! `GET /demo`, under `passant serve --dev` alone: a public client's own small page, which runs the code flow and shows the token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::error::PageError;
use super::views::Demo;
use super::{Policy, frame, page};
use crate::app::App;

/// The demo's client.
pub const CLIENT_ID: &str = "demo";
/// What it asks for.
pub const SCOPE: &str = "openid profile email orders:read";
/// The resource it asks for: where the example service listens.
pub const RESOURCE: &str = "http://localhost:8081";
/// The scope of the example service, and what consent calls it.
pub const OWN_SCOPE: (&str, &str) = ("orders:read", "Read your orders");

/// Shows the page.
pub(crate) async fn get(State(app): State<Arc<App>>) -> Result<Response, PageError> {
    if !app.demo {
        return Err(PageError::not_found());
    }
    let template = Demo {
        frame: &frame(&app, app.now()),
        issuer: app.config.issuer.as_str(),
        client_id: CLIENT_ID,
        scope: SCOPE,
        resource: RESOURCE,
        orders_url: &format!("{RESOURCE}/orders"),
    };
    let policy = Policy { script_and_connect: Some(RESOURCE), ..Policy::default() };
    Ok(page(StatusCode::OK, &template, policy)?)
}
