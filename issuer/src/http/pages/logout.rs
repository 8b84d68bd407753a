//! `POST /logout`: ends the session of this browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::views::SignedOut;
use super::{Policy, frame, page};
use crate::app::App;
use crate::http::cookies::Cookie;
use crate::http::effect;
use crate::http::visit::Submission;
use crate::store::sessions;

/// Signs out. Somebody who is signed out already gets the same answer.
pub(crate) async fn post(State(app): State<Arc<App>>, Submission { form, sender }: Submission) -> Result<Response, PageError> {
    // Another site's form comes without our cookie. To take the cookie away in the answer would be to sign that person out.
    form.came_from_us().map_err(|why| PageError::forged(&why))?;
    let mut tick = None;
    let carried = Cookie::Session.read(&app, &sender.headers).is_some();
    if let Some(signed_in) = sender.signed_in(&app).await? {
        form.verify(&app, &signed_in.cookie).map_err(|why| PageError::forged(&why))?;
        tick = sessions::end(&signed_in.db(&app, &sender.source), signed_in.session.id, sender.now).await?;
    }
    let mut answer = match effect::wants_json(&sender.headers) {
        true => effect::answer(tick),
        false => page(StatusCode::OK, &SignedOut { frame: &frame(&app, sender.now) }, Policy::default())?,
    };
    if carried {
        answer.headers_mut().append(header::SET_COOKIE, Cookie::Session.clear(&app));
    }
    Ok(answer)
}
