//! `passant consents`: what users allow to clients, and withdrawing it for them.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::moment::short;
use super::open::{self, Seen};
use super::settings::Settings;
use super::users::target::Whose;
use crate::app::App;
use crate::domain::ids::ClientId;
use crate::domain::resource::Resource;
use crate::store::applications::{self, Allowed};
use crate::store::{consents, registrations};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show what users allow to clients, as far as it is alive: remembered answers, and grants of clients that ask every time
    List(List),
    /// Withdraw what a user allows to a client; the client's grants and tokens of this user are dead
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    whose: Whose,
    /// What is allowed to this client alone
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
}

#[derive(Args)]
#[group(skip)]
pub(super) struct Revoke {
    #[command(flatten)]
    whose: Whose,
    /// Given to which client
    #[arg(long, value_name = "ID", requires = "whose")]
    client: ClientId,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::List(arguments) => open::to_read(settings, async |seen| list(seen, arguments).await).await,
        Command::Revoke(arguments) => open::to(settings, async |app| revoke(app, arguments).await).await,
    }
}

async fn list(seen: &Seen, List { whose, client }: &List) -> Result<Answer, Failure> {
    let user = whose.find(&seen.db).await?;
    let mut reader = seen.db.reader().await?;
    let mut found = match user {
        Some(user) => applications::allowed_by(&mut reader.conn(), &user.id, seen.now).await?,
        None => applications::allowed_by_everybody(&mut reader.conn(), client.as_ref(), seen.now).await?,
    };
    found.retain(|one| client.as_ref().is_none_or(|client| one.client.id == *client));
    let line = |one: &Allowed| {
        let resources = one.consent.resources.iter().map(Resource::as_str).collect::<Vec<_>>().join(" ");
        let (client, scopes) = (one.client.id.to_string(), one.consent.scopes.to_string());
        [one.username.clone(), client, scopes, resources, short(one.since, seen.now), by(one)]
    };
    let headings = ["USERNAME", "CLIENT", "SCOPES", "RESOURCES", "SINCE (UTC)", "BY"];
    let text = table(headings, found.iter().map(line).collect());
    let consents: Vec<Value> = found.iter().map(document).collect();
    Ok(Answer { document: json!({ "consents": consents }), text })
}

/// By what it is allowed: `answer, 2 grants`.
fn by(one: &Allowed) -> String {
    let offline = if one.offline { " (offline)" } else { "" };
    let grants = match one.grants {
        0 => None,
        1 => Some(format!("1 grant{offline}")),
        many => Some(format!("{many} grants{offline}")),
    };
    one.remembered.then(|| "answer".to_owned()).into_iter().chain(grants).collect::<Vec<_>>().join(", ")
}

fn document(one: &Allowed) -> Value {
    json!({
        "sub": one.user_id,
        "username": one.username,
        "client_id": one.client.id,
        "client_name": one.client.name,
        "scopes": one.consent.scopes,
        "resources": one.consent.resources,
        "claims": one.consent.claims,
        "since": one.since.to_string(),
        "remembered": one.remembered,
        "grants": one.grants,
        "offline": one.offline,
    })
}

/// Whatever was remembered: grants of a client that asks every time hang on it as well.
async fn revoke(app: &App, Revoke { whose, client }: &Revoke) -> Result<Answer, Failure> {
    let user = whose.named(&app.db).await?;
    let known = {
        let mut reader = app.db.reader().await?;
        let mut conn = reader.conn();
        registrations::find(&mut conn, client).await?.is_some() || consents::find(&mut conn, &user.id, client).await?.is_some()
    };
    if !known {
        return Err(Failure::new(format_args!("there is no client {client}, and {} allows it nothing", user.username)));
    }
    let tick = consents::withdraw(&app.db, user.id.clone(), client.clone(), app.now()).await?;
    let text =
        format!("Whatever {} allowed to {client} is withdrawn; its grants and tokens are dead (tick {tick}).", user.username);
    let document = json!({ "sub": user.id, "username": user.username, "client_id": client });
    Ok(Answer { document, text }.effective(Some(tick)))
}
