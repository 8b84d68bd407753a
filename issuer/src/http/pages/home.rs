//! `GET /`: who is signed in, or the way to sign in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::error::PageError;
use super::views::{HomeSignedIn, HomeSignedOut};
use super::{Policy, frame, page};
use crate::app::App;
use crate::http::form::csrf_token;
use crate::http::signed_in;

/// Shows the page.
pub(crate) async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    let now = app.now();
    let frame = &frame(&app, now);
    let answer = match signed_in::find(&app, &headers, now).await? {
        Some(signed_in) => {
            let template = HomeSignedIn {
                frame,
                csrf: &csrf_token(&app, &signed_in.cookie),
                name: signed_in.user.display_name(),
                username: &signed_in.user.username,
                since: signed_in.session.auth_time,
            };
            page(StatusCode::OK, &template, Policy::default())
        }
        None => page(StatusCode::OK, &HomeSignedOut { frame }, Policy::default()),
    };
    Ok(answer?)
}
