//! `POST /account/sessions/end-all`: logs out everywhere, here too.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::Response;

use super::super::error::PageError;
use super::Checked;
use crate::app::App;
use crate::domain::said::Said;
use crate::http::cookies::Cookie;
use crate::http::visit::Submission;
use crate::store::users;

/// Ends everything. No password is asked: whoever has the session may end it, and to end too much harms less than too little.
pub(crate) async fn post(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, PageError> {
    let checked = Checked::of(&app, submission).await?;
    let user = checked.signed_in.user.id.clone();
    let tick = users::log_out_everywhere(&checked.db(&app), user, checked.sender.now).await?;
    let mut answer = checked.done(&app, Said::LoggedOutEverywhere, tick);
    answer.headers_mut().append(header::SET_COOKIE, Cookie::Session.clear(&app));
    Ok(answer)
}
