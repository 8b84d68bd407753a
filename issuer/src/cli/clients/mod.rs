//! `passant clients`: registrations made on the command line, beside those of the configuration file. A registration is changed by
//! its own origin alone; what an emergency asks for works for every one.

mod add;
mod apply;
mod options;
mod rotate_secret;
mod show;
mod switches;
mod update;

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure};
use super::open;
use super::settings::Settings;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::client::ClientOrigin;
use crate::domain::ids::ClientId;
use crate::secret::OpaqueToken;
use crate::store::Db;
use crate::store::registrations::{self, Registered};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a client
    Add(Box<add::Arguments>),
    /// Show a client with all that is registered
    Show(Which),
    /// Show every client, wherever it was registered
    List,
    /// Change a client that was made by command; only what is given changes, and a list that is given replaces the old one
    Update(Box<update::Arguments>),
    /// Remove a client that was made by command, and all that it had
    Remove(Which),
    /// Give a client another secret; the old one works on for a while
    RotateSecret(rotate_secret::Arguments),
    /// Switch any client off at once; all that it had is dead
    Disable(Which),
    /// Switch a client on again; what it had before stays dead
    Enable(Which),
    /// Make the clients of the configuration file so now, as a start does
    Apply(apply::Arguments),
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// `client_id`
    id: ClientId,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::Add(arguments) => add::run(settings, arguments).await,
        Command::Show(Which { id }) => open::to_read(settings, async |seen| show::one(seen, id).await).await,
        Command::List => open::to_read(settings, show::all).await,
        Command::Update(arguments) => update::run(settings, arguments).await,
        Command::Remove(Which { id }) => open::to(settings, async |app| switches::remove(app, id).await).await,
        Command::RotateSecret(arguments) => rotate_secret::run(settings, arguments).await,
        Command::Disable(Which { id }) => open::to(settings, async |app| switches::disable(app, id).await).await,
        Command::Enable(Which { id }) => open::to(settings, async |app| switches::enable(app, id).await).await,
        Command::Apply(arguments) => apply::run(settings, arguments).await,
    }
}

async fn find(db: &Db, id: &ClientId) -> Result<Registered, Failure> {
    let found = registrations::find(&mut db.reader().await?.conn(), id).await?;
    found.ok_or_else(|| unknown(id))
}

fn unknown(id: &ClientId) -> Failure {
    Failure::new(format_args!("there is no client {id}; `passant clients list` shows them all"))
}

/// The client, if a command may change it.
async fn own(app: &App, id: &ClientId) -> Result<Registered, Failure> {
    let found = find(&app.db, id).await?;
    match not_ours(id, found.client.origin) {
        Some(refusal) => Err(refusal),
        None => Ok(found),
    }
}

fn not_ours(id: &ClientId, origin: ClientOrigin) -> Option<Failure> {
    let instead = match origin {
        ClientOrigin::CommandLine => return None,
        ClientOrigin::File => "it belongs to the configuration file: change it there, then `passant clients apply`",
        ClientOrigin::Registration => "it registered itself, and changes itself",
        ClientOrigin::Demo => "it belongs to the demonstration; `passant clients disable` switches it off",
    };
    Some(Failure::new(format_args!("the client {id} cannot be changed by command: {instead}")))
}

fn new_secret() -> OpaqueToken {
    OpaqueToken::random("pcs_")
}

fn show_secret(answer: &mut Answer, secret: &OpaqueToken, end: Option<UnixTime>) {
    let life = end.map(|end| format!(", works until {end}")).unwrap_or_default();
    answer.text.push_str(&format!("\nIts secret, shown this once{life}:\n\n  {}", secret.expose()));
    if let Some(document) = answer.document.as_object_mut() {
        document.insert("client_secret".to_owned(), json!(secret.expose()));
        document.insert("client_secret_expires_at".to_owned(), json!(end.map(|end| end.to_string())));
    }
}
