//! `passant audit`: the trail of who did what, from where, and how it ended.

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure, table};
use super::moment::Moment;
use super::open;
use super::settings::Settings;
use super::users::target::by_name;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Entry};
use crate::domain::ids::{ClientId, UserId};
use crate::domain::user::Username;
use crate::store::audit::{self, Filter};

#[derive(Args)]
pub(super) struct Arguments {
    /// About this user, or by them
    #[arg(long, value_name = "USERNAME", value_parser = Username::parse)]
    user: Option<Username>,
    /// The same by `sub`, for users who are deleted
    #[arg(long, conflicts_with = "user", allow_hyphen_values = true)]
    sub: Option<String>,
    /// About this client, or by it
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// Of this kind, such as sign_in or client_disable
    #[arg(long)]
    action: Option<Action>,
    /// Not before: 24h ago, or 2026-05-01 (UTC)
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    open::to(settings, async |app| list(app, arguments).await).await
}

async fn list(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let user = match &arguments.user {
        Some(name) => Some(by_name(app, name).await?.id),
        None => arguments.sub.clone().map(UserId::new),
    };
    let filter = Filter {
        user,
        client: arguments.client.clone(),
        action: arguments.action.map(|action| action.to_string()),
        since: arguments.since.map(|since| since.before(app.now())),
        most: arguments.limit,
    };
    let entries = audit::list(&mut app.db.reader().await?.conn(), &filter).await?;
    let headings = ["WHEN", "ACTION", "OUTCOME", "ACTOR", "FROM", "ABOUT", "DETAIL"];
    let text = table(headings, &entries.iter().map(line).collect::<Vec<_>>());
    Ok(Answer { document: json!({ "entries": entries }), text })
}

fn line(entry: &Entry) -> [String; 7] {
    let actor = match &entry.actor {
        Some(name) => format!("{} {name}", entry.actor_kind),
        None => entry.actor_kind.clone(),
    };
    let about = [("sub", &entry.user_id), ("client", &entry.client_id), ("sid", &entry.session_id), ("gid", &entry.grant_id)];
    let about = about.iter().filter_map(|(what, id)| id.as_ref().map(|id| format!("{what}={id}"))).collect::<Vec<_>>().join(" ");
    [
        UnixTime::from_millis(entry.at).to_string(),
        entry.action.clone(),
        entry.outcome.clone(),
        actor,
        entry.address.clone().unwrap_or_default(),
        about,
        entry.detail.clone().unwrap_or_default(),
    ]
}
