//! `passant users update`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::open;
use super::super::settings::Settings;
use super::details::Options;
use super::show;
use super::target::Target;
use crate::app::App;
use crate::domain::user_details::Details;
use crate::store::accounts::{self, Update};

/// How often a change begins anew when somebody else was faster.
const ATTEMPTS: usize = 5;

#[derive(Args)]
pub(in super::super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    arguments.options.change().check().map_err(Failure::wrong)?;
    open::to(settings, async |app| update(app, arguments).await).await
}

async fn update(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let change = arguments.options.change();
    for _ in 0..ATTEMPTS {
        let user = arguments.target.find(&app.db).await?;
        let (id, username, replaces) = (user.id.clone(), user.username.clone(), user.updated_at);
        let held = Details::from(user);
        let details = change.apply(held.clone())?;
        let changed = details != held;
        if !changed || accounts::update(&app.db, Update { id, replaces, held, details, now: app.now() }).await? {
            let user = arguments.target.find(&app.db).await?;
            let text = if changed {
                format!("The user {username} was changed. Tokens say so from their next issue on.")
            } else {
                format!("The user {username} is so already.")
            };
            return Ok(Answer { document: json!({ "changed": changed, "user": show::document(&user) }), text });
        }
    }
    Err(Failure::new("the user keeps changing under somebody else's hands; try again"))
}
