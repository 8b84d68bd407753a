//! `POST /logout`: ends the session of this browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::views::SignedOut;
use super::{Policy, frame, page};
use crate::app::App;
use crate::http::cookies::Cookie;
use crate::http::form::UnverifiedForm;
use crate::http::signed_in;
use crate::store::sessions;

/// Signs out. Somebody who is signed out already gets the same answer.
pub(crate) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, PageError> {
    let headers = request.headers().clone();
    let form = UnverifiedForm::read(&app, request).await.map_err(|why| PageError::bad_form(&app, &why))?;
    let now = app.now();
    // Another site's form comes without our cookie. To take the cookie away in the answer would be to sign that person out.
    form.came_from_us().map_err(|why| PageError::forged(&app, &why))?;
    let carried = Cookie::Session.read(&app, &headers).is_some();
    if let Some(signed_in) = signed_in::find(&app, &headers, now).await? {
        form.verify(&app, &signed_in.cookie).map_err(|why| PageError::forged(&app, &why))?;
        sessions::end(&app.db, signed_in.session.id, now).await?;
    }
    let mut answer = page(StatusCode::OK, &SignedOut { frame: &frame(&app, now) }, Policy::default())?;
    if carried {
        answer.headers_mut().append(header::SET_COOKIE, Cookie::Session.clear(&app));
    }
    Ok(answer)
}
