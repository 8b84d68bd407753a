//! `POST /account/applications/withdraw`: takes back everything that one application was allowed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::error::PageError;
use super::Checked;
use crate::app::App;
use crate::domain::ids::ClientId;
use crate::domain::said::Said;
use crate::http::visit::Submission;
use crate::store::{applications, consents};

/// Withdraws it. What is allowed nothing has nothing to lose, and no row is made for an application that nobody registered.
pub(crate) async fn post(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, PageError> {
    let checked = Checked::of(&app, submission).await?;
    let client = checked.params.get("client").ok_or_else(|| PageError::unreadable(&"client is missing"))?;
    let user = &checked.signed_in.user.id;
    let mut reader = app.db.reader().await?;
    let allowed = applications::of_user(&mut reader.conn(), user, checked.sender.now).await?;
    drop(reader);
    if allowed.iter().all(|application| application.client.id.as_str() != client) {
        return Ok(checked.done(&app, Said::Withdrawn, None));
    }
    let tick = consents::withdraw(&checked.db(&app), user.clone(), ClientId::new(client), checked.sender.now).await?;
    Ok(checked.done(&app, Said::Withdrawn, Some(tick)))
}
