//! `POST /account/sessions/end`: ends one of one's own sessions.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::error::PageError;
use super::Checked;
use crate::app::App;
use crate::domain::ids::SessionId;
use crate::domain::said::Said;
use crate::http::visit::Submission;
use crate::store::sessions;

/// Ends it. Somebody else's, or one that has ended, is none of this user's: nothing happens.
pub(crate) async fn post(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, PageError> {
    let checked = Checked::of(&app, submission).await?;
    let id = checked.params.get("session").map(SessionId::new).ok_or_else(|| PageError::unreadable(&"session is missing"))?;
    let user = checked.signed_in.user.id.clone();
    let tick = sessions::end_own(&checked.db(&app), user, id, checked.sender.now).await?;
    Ok(checked.done(&app, Said::SessionEnded, tick))
}
