//! `passant grants`: ending what one approval allowed, by the `gid` that tokens and the audit trail name.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure};
use super::open;
use super::settings::Settings;
use crate::app::App;
use crate::domain::ids::GrantId;
use crate::store::grants;

#[derive(Subcommand)]
pub(super) enum Command {
    /// End what one approval allowed: its refresh tokens and its access tokens
    End {
        /// `gid`, as tokens and the audit trail name it
        #[arg(value_name = "GID", allow_hyphen_values = true)]
        id: String,
    },
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    open::to(settings, async |app| match command {
        Command::End { id } => end(app, GrantId::new(id)).await,
    })
    .await
}

async fn end(app: &App, id: GrantId) -> Result<Answer, Failure> {
    let Some(grant) = grants::find(&mut app.db.reader().await?.conn(), &id).await? else {
        return Err(Failure::new(format_args!("there is no grant {id}; one that is over is forgotten after a while")));
    };
    let tick = grants::revoke(&app.db, id.clone(), app.now()).await?;
    let text = match tick {
        Some(tick) => format!("What {id} allowed to {} is over, and its tokens are dead (tick {tick}).", grant.client_id),
        None => format!("What {id} allowed to {} was over already.", grant.client_id),
    };
    let document = json!({ "gid": id, "sub": grant.user_id, "client_id": grant.client_id, "changed": tick.is_some() });
    Ok(Answer { document, text }.effective(tick))
}
