//! `passant clients apply`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::settings::Settings;
use super::super::{open, reconciliation};
use crate::app::App;
use crate::config::DeclaredClient;
use crate::domain::cutoff::Target;
use crate::store::feed_head;

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// Remove the clients that the file no longer declares, and cut off what they had
    #[arg(long)]
    prune: bool,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let (config, clients) = settings.load_with_clients(&[])?;
    let app = open::app(config).await?;
    let answer = apply(&app, &clients, arguments).await;
    app.db.close().await;
    answer.map(Some)
}

async fn apply(app: &App, clients: &[DeclaredClient], arguments: &Arguments) -> Result<Answer, Failure> {
    let plan = reconciliation::apply(app, clients, arguments.prune).await?;
    let mut text = reconciliation::shown(&plan, arguments.prune);
    let stolen = reconciliation::stolen(app).await?;
    for id in &stolen {
        text.push_str(&format!("\nThe file still has the stolen secret of {id}, which does not work: put another one there."));
    }
    let tick = match plan.undeclared.first().filter(|_| arguments.prune) {
        Some(id) => feed_head::last_of(&mut app.db.reader().await?.conn(), &Target::Client(id.clone())).await?,
        None => None,
    };
    let document = json!({ "applied": plan, "pruned": arguments.prune, "stolen": stolen });
    Ok(Answer { document, text }.effective(tick))
}
