//! `passant audit`: the trail of who did what, from where, and how it ended.

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure, table};
use super::moment::{Moment, short};
use super::open::{self, Seen};
use super::settings::Settings;
use super::users::target::Whose;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Entry, Outcome};
use crate::domain::ids::ClientId;
use crate::store::audit::{self, Filter};

/// How much of a client's name stands beside its id.
const NAME: usize = 20;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
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
    open::to_read(settings, async |seen| list(seen, arguments).await).await
}

async fn list(seen: &Seen, arguments: &Arguments) -> Result<Answer, Failure> {
    let filter = Filter {
        user: arguments.whose.sub(&seen.db).await?,
        client: arguments.client.clone(),
        action: arguments.action.map(|action| action.to_string()),
        since: arguments.since.map(|since| since.before(seen.now)),
        most: arguments.limit,
    };
    let entries = audit::list(&mut seen.db.reader().await?.conn(), &filter).await?;
    let headings = ["WHEN (UTC)", "WHO", "FROM", "ACTION", "ABOUT", "DETAIL"];
    let text = table(headings, entries.iter().map(|entry| line(entry, seen.now)).collect());
    Ok(Answer { document: json!({ "entries": entries }), text })
}

/// The names that people know; every id is in the document for programs.
fn line(entry: &Entry, now: UnixTime) -> [String; 6] {
    [
        short(entry.at, now),
        who(entry),
        entry.address.clone().unwrap_or_default(),
        entry.action.clone(),
        about(entry),
        detail(entry),
    ]
}

fn who(entry: &Entry) -> String {
    match (&entry.actor_username, &entry.actor) {
        (Some(username), _) => format!("{} {username}", entry.actor_kind),
        (None, Some(name)) => format!("{} {name}", entry.actor_kind),
        (None, None) => entry.actor_kind.clone(),
    }
}

/// Whom it is about, but for the one who acts; a session or a grant where neither user nor client says more.
fn about(entry: &Entry) -> String {
    let of_itself = |kind: &str, id: &str| entry.actor_kind == kind && entry.actor.as_deref() == Some(id);
    let user = entry.user_id.as_deref().map(|sub| match of_itself("user", sub) {
        true => String::new(),
        false => format!("user {}", entry.username.as_deref().unwrap_or(sub)),
    });
    let client = entry.client_id.as_deref().map(|id| match (of_itself("client", id), &entry.client_name) {
        (true, _) => String::new(),
        (false, Some(name)) if name != id => format!("client {id} ({})", cut(name)),
        (false, _) => format!("client {id}"),
    });
    let otherwise = match (&user, &client, &entry.session_id, &entry.grant_id) {
        (None, None, Some(sid), _) => Some(format!("session {sid}")),
        (None, None, None, Some(gid)) => Some(format!("grant {gid}")),
        _ => None,
    };
    let said = [user, client, otherwise].into_iter().flatten().filter(|words| !words.is_empty());
    said.collect::<Vec<_>>().join(", ")
}

/// How it ended, where it was not simply done, and what more there is to say.
fn detail(entry: &Entry) -> String {
    let ended = (entry.outcome != Outcome::Done.as_str()).then_some(entry.outcome.as_str());
    [ended, entry.detail.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(NAME - 1).collect();
    format!("{}…", beginning.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let some = |text: &str| Some(text.to_owned());
        Entry {
            id: "e".into(),
            at: UnixTime::from_seconds(1_795_252_440),
            action: "client_update".into(),
            outcome: "done".into(),
            actor_kind: "operator".into(),
            actor: some("root"),
            actor_username: None,
            address: None,
            request_id: None,
            tick: None,
            user_id: some("sub-of-ada"),
            username: some("ada"),
            client_id: some("shop"),
            client_name: some("A shop with a very long name"),
            session_id: some("sid"),
            grant_id: None,
            detail: some("changed name"),
        }
    }

    #[test]
    fn a_line_says_the_names_that_people_know() {
        let now = UnixTime::from_seconds(1_795_252_440);
        let expected = [
            "21 Nov 09:14:00",
            "operator root",
            "",
            "client_update",
            "user ada, client shop (A shop with a very…)",
            "changed name",
        ];
        assert_eq!(line(&entry(), now), expected.map(str::to_owned));
    }

    #[test]
    fn a_moment_is_written_as_every_command_writes_it() {
        assert_eq!(json!(entry())["at"], json!(UnixTime::from_seconds(1_795_252_440).to_string()));
        assert_eq!(UnixTime::from_seconds(1_795_252_440).to_string(), "2026-11-21T09:14:00Z");
    }

    #[test]
    fn who_acts_is_not_named_twice_and_who_is_gone_is_named_by_id() {
        let own =
            Entry { actor_kind: "user".into(), actor: Some("sub-of-ada".into()), actor_username: Some("ada".into()), ..entry() };
        assert_eq!((who(&own), about(&own)), ("user ada".into(), "client shop (A shop with a very…)".into()));
        let gone = Entry { actor_username: None, username: None, client_name: None, ..own };
        assert_eq!((who(&gone), about(&gone)), ("user sub-of-ada".into(), "client shop".into()));
        let nobody = Entry { user_id: None, client_id: None, ..entry() };
        assert_eq!(about(&nobody), "session sid");
    }

    #[test]
    fn how_it_ended_is_said_where_it_was_not_done() {
        let refused = Entry { outcome: "refused".into(), detail: Some("wrong password".into()), ..entry() };
        assert_eq!(detail(&refused), "refused: wrong password");
        assert_eq!(detail(&Entry { outcome: "throttled".into(), detail: None, ..entry() }), "throttled");
    }
}
