//! `passant sessions`: who is signed in where, and ending it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::open;
use super::settings::Settings;
use super::users::target::by_name;
use crate::app::App;
use crate::domain::ids::SessionId;
use crate::domain::user::Username;
use crate::store::session_list::{self, ListedSession};
use crate::store::{sessions, users};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the live sessions, those last used first
    List {
        /// Of this user alone
        #[arg(long, value_name = "USERNAME", value_parser = Username::parse)]
        user: Option<Username>,
    },
    /// End sessions and what hangs on them, or with --user and --all everything that a user has
    End(End),
}

#[derive(Args)]
pub(super) struct End {
    /// `sid`, as `passant sessions list` shows it; write `--` before one that begins with a hyphen
    #[arg(value_name = "SID", required_unless_present = "user", conflicts_with = "user")]
    ids: Vec<String>,
    /// Everything that this user has: sessions, grants and tokens, those with offline access included
    #[arg(long, value_name = "USERNAME", value_parser = Username::parse, requires = "all", conflicts_with = "ids")]
    user: Option<Username>,
    /// Says that everything is meant
    #[arg(long, requires = "user")]
    all: bool,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    open::to(settings, async |app| match command {
        Command::List { user } => list(app, user.as_ref()).await,
        Command::End(End { user: Some(user), .. }) => end_all(app, user).await,
        Command::End(End { ids, .. }) => end(app, ids).await,
    })
    .await
}

async fn list(app: &App, user: Option<&Username>) -> Result<Answer, Failure> {
    let now = app.now();
    let mut found = match user {
        Some(user) => {
            let id = by_name(app, user).await?.id;
            session_list::of_user(&mut app.db.reader().await?.conn(), &id, now).await?
        }
        None => session_list::of_everybody(&mut app.db.reader().await?.conn(), now).await?,
    };
    found.sort_by(|one, other| (other.last_seen_at, &one.id).cmp(&(one.last_seen_at, &other.id)));
    let line = |it: &ListedSession| {
        let [created, seen, idle] = [it.created_at, it.last_seen_at, it.idle_until.min(it.expires_at)].map(|at| at.to_string());
        let (address, agent) = (it.address.clone().unwrap_or_default(), it.user_agent.clone().unwrap_or_default());
        [it.id.to_string(), it.username.clone(), created, seen, idle, address, agent]
    };
    let headings = ["SID", "USERNAME", "BEGAN", "LAST SEEN", "UNTIL", "ADDRESS", "USER AGENT"];
    let text = table(headings, &found.iter().map(line).collect::<Vec<_>>());
    let sessions: Vec<Value> = found.iter().map(document).collect();
    Ok(Answer { document: json!({ "sessions": sessions }), text })
}

fn document(it: &ListedSession) -> Value {
    json!({
        "sid": it.id,
        "sub": it.user_id,
        "username": it.username,
        "created_at": it.created_at.to_string(),
        "last_seen_at": it.last_seen_at.to_string(),
        "idle_until": it.idle_until.to_string(),
        "expires_at": it.expires_at.to_string(),
        "address": it.address,
        "user_agent": it.user_agent,
    })
}

/// Ends what can be ended, and then complains of the rest.
async fn end(app: &App, ids: &[String]) -> Result<Answer, Failure> {
    let (mut ended, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match sessions::end(&app.db, SessionId::new(id), app.now()).await? {
            Some(tick) => ended.push(json!({ "sid": id, "tick": tick })),
            None => unknown.push(id.as_str()),
        }
    }
    if !unknown.is_empty() {
        let (unknown, count) = (unknown.join(", "), ended.len());
        return Err(Failure::new(format_args!("there is no living session {unknown}; {count} of the others ended")));
    }
    let text =
        format!("{} ended, with all that hung on it.", if ids.len() == 1 { "The session has" } else { "The sessions have" });
    Ok(Answer { document: json!({ "ended": ended }), text })
}

async fn end_all(app: &App, user: &Username) -> Result<Answer, Failure> {
    let user = by_name(app, user).await?;
    let (sub, name) = (user.id, user.username);
    let cut_off = users::log_out_everywhere(&app.db, sub.clone(), app.now()).await?;
    let tick = cut_off.ok_or_else(|| Failure::new(format_args!("somebody else has just deleted the user {name}")))?;
    let text = format!("Every session, grant and token that {name} had is dead (tick {tick}).");
    Ok(Answer { document: json!({ "sub": sub, "username": name, "tick": tick }), text })
}
