//! `passant sessions`: who is signed in where, and ending it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::moment::short;
use super::open::{self, Seen};
use super::settings::Settings;
use super::users::target::Whose;
use crate::app::App;
use crate::domain::cutoff::Standing;
use crate::domain::ids::SessionId;
use crate::domain::user::User;
use crate::domain::user_agent;
use crate::store::evidence::{self, Levels};
use crate::store::session_list::{self, ListedSession};
use crate::store::{sessions, users};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the live sessions, those last used first
    List(Whose),
    /// End sessions and what hangs on them, or with --all everything that a user has
    End(End),
}

#[derive(Args)]
#[command(
    override_usage = "passant sessions end [OPTIONS] <SID>...\n       passant sessions end [OPTIONS] <--user <USERNAME>|--sub <SUB>> --all"
)]
pub(super) struct End {
    /// `sid`, as `passant sessions list` shows it; write `--` before one that begins with a hyphen
    #[arg(value_name = "SID", required_unless_present = "whose", conflicts_with = "whose")]
    ids: Vec<String>,
    #[command(flatten)]
    whose: Whose,
    /// Everything that the user has: sessions, grants and tokens, those with offline access included
    #[arg(long, requires = "whose", required_unless_present = "ids")]
    all: bool,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::List(whose) => open::to_read(settings, async |seen| list(seen, whose).await).await,
        Command::End(End { ids, whose, .. }) => {
            let act = async |app: &App| match whose.find(&app.db).await? {
                Some(user) => end_all(app, user).await,
                None => end(app, ids).await,
            };
            open::to(settings, act).await
        }
    }
}

async fn list(seen: &Seen, whose: &Whose) -> Result<Answer, Failure> {
    let user = whose.find(&seen.db).await?;
    let mut reader = seen.db.reader().await?;
    let mut found = match user {
        Some(user) => session_list::of_user(&mut reader.conn(), &user.id, seen.now).await?,
        None => session_list::of_everybody(&mut reader.conn(), seen.now).await?,
    };
    found.sort_by(|one, other| (other.last_seen_at, &one.id).cmp(&(one.last_seen_at, &other.id)));
    let line = |it: &ListedSession| {
        let [created, last, until] =
            [it.created_at, it.last_seen_at, it.idle_until.min(it.expires_at)].map(|at| short(at, seen.now));
        let (address, browser) = (it.address.clone().unwrap_or_default(), user_agent::in_words(it.user_agent.as_deref()));
        [it.id.to_string(), it.username.clone(), created, last, until, address, browser]
    };
    let headings = ["SID", "USERNAME", "BEGAN (UTC)", "LAST SEEN", "UNTIL", "ADDRESS", "BROWSER"];
    let text = table(headings, found.iter().map(line).collect());
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

/// Ends what can be ended, and then complains of the rest. One that has ended before is what was asked for.
async fn end(app: &App, ids: &[String]) -> Result<Answer, Failure> {
    let (mut ended, mut before, mut unknown, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
    for id in ids {
        match sessions::end(&app.db, SessionId::new(id), app.now()).await? {
            Some(tick) => {
                last = Some(tick);
                ended.push(json!({ "sid": id, "tick": tick }));
            }
            None if has_ended(app, id).await? => before.push(id.as_str()),
            None => unknown.push(id.as_str()),
        }
    }
    if !unknown.is_empty() {
        let others = match ended.len() {
            0 => String::new(),
            1 => "; one other has ended".to_owned(),
            count => format!("; {count} others have ended"),
        };
        let failure = Failure::new(format_args!("there is no session {}{others}", unknown.join(", ")));
        return Err(failure.beside("ended", json!(ended)).beside("unknown", json!(unknown)));
    }
    let text = match (ended.len(), before.len()) {
        (0, 1) => "The session had ended already.".to_owned(),
        (0, _) => "The sessions had ended already.".to_owned(),
        (1, 0) => "The session has ended, with all that hung on it.".to_owned(),
        (count, 0) => format!("{count} sessions have ended, with all that hung on them."),
        (count, before) => format!("{count} ended now, with all that hung on it; {before} had ended already."),
    };
    Ok(Answer { document: json!({ "ended": ended, "ended_before": before }), text }.effective(last))
}

async fn has_ended(app: &App, id: &str) -> Result<bool, Failure> {
    let levels = Levels { session: Some(SessionId::new(id)), ..Levels::default() };
    let found = evidence::read(&mut app.db.reader().await?.conn(), &levels, app.now()).await?;
    Ok(found.evidence.session == Standing::Ended)
}

async fn end_all(app: &App, user: User) -> Result<Answer, Failure> {
    let (sub, name) = (user.id, user.username);
    let cut_off = users::log_out_everywhere(&app.db, sub.clone(), app.now()).await?;
    let tick = cut_off.ok_or_else(|| Failure::new(format_args!("somebody else has just deleted the user {name}")))?;
    let text = format!("Every session, grant and token that {name} had is dead (tick {tick}).");
    Ok(Answer { document: json!({ "sub": sub, "username": name }), text }.effective(Some(tick)))
}
