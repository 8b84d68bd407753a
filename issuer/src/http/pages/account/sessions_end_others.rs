//! `POST /account/sessions/end-others`: ends everything but this browser's session and what hangs on it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::error::PageError;
use super::Checked;
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::domain::said::Said;
use crate::http::visit::Submission;
use crate::store::anew::{self, Anew};

/// Ends the others.
pub(crate) async fn post(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, PageError> {
    let checked = Checked::of(&app, submission).await?;
    app.reached(Checkpoint::AccountChangeJudged).await;
    match anew::end_others(&checked.db(&app), checked.acting(), checked.sender.now).await? {
        Anew::Done(tick) => Ok(checked.done_known(&app, Said::OthersEnded, tick)),
        Anew::SignInAgain => Err(PageError::sign_in_again()),
    }
}
