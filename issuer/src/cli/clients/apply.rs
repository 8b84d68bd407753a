//! `passant clients apply`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::reconciliation;
use crate::app::App;

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// Remove the clients that the file no longer declares, and cut off what they had
    #[arg(long)]
    prune: bool,
}

pub(super) async fn run(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let plan = reconciliation::apply(app, arguments.prune).await?;
    let mut text = reconciliation::shown(&plan, arguments.prune);
    let stolen = reconciliation::stolen(app).await?;
    for id in &stolen {
        text.push_str(&format!("\nThe file still has the stolen secret of {id}, which does not work: put another one there."));
    }
    Ok(Answer { document: json!({ "applied": plan, "pruned": arguments.prune, "stolen": stolen }), text })
}
