//! `passant consents`: what users allow to clients, and withdrawing it for them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::open;
use super::settings::Settings;
use super::users::target::by_name;
use crate::app::App;
use crate::domain::ids::ClientId;
use crate::domain::resource::Resource;
use crate::domain::user::Username;
use crate::store::consent_list::{self, ListedConsent};
use crate::store::{consents, registrations};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show what users allow to clients, as far as it is alive
    List {
        /// This user's alone
        #[arg(long, value_name = "USERNAME", value_parser = Username::parse)]
        user: Option<Username>,
        /// Those given to this client alone
        #[arg(long, value_name = "ID")]
        client: Option<ClientId>,
    },
    /// Withdraw what a user allows to a client; the client's grants and tokens of this user are dead
    Revoke {
        /// Whose
        #[arg(long, value_name = "USERNAME", value_parser = Username::parse)]
        user: Username,
        /// Given to which client
        #[arg(long, value_name = "ID")]
        client: ClientId,
    },
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    open::to(settings, async |app| match command {
        Command::List { user, client } => list(app, user.as_ref(), client.as_ref()).await,
        Command::Revoke { user, client } => revoke(app, user, client).await,
    })
    .await
}

async fn list(app: &App, user: Option<&Username>, client: Option<&ClientId>) -> Result<Answer, Failure> {
    let user = match user {
        Some(user) => Some(by_name(app, user).await?.id),
        None => None,
    };
    let found = consent_list::live(&mut app.db.reader().await?.conn(), user.as_ref(), client).await?;
    let line = |ListedConsent { username, given }: &ListedConsent| {
        let resources = given.consent.resources.iter().map(Resource::as_str).collect::<Vec<_>>().join(" ");
        let (client, scopes) = (given.client_id.to_string(), given.consent.scopes.to_string());
        [username.clone(), client, scopes, resources, given.updated_at.to_string()]
    };
    let text = table(["USERNAME", "CLIENT", "SCOPES", "RESOURCES", "SINCE"], &found.iter().map(line).collect::<Vec<_>>());
    let consents: Vec<Value> = found.iter().map(document).collect();
    Ok(Answer { document: json!({ "consents": consents }), text })
}

fn document(ListedConsent { username, given }: &ListedConsent) -> Value {
    json!({
        "sub": given.user_id,
        "username": username,
        "client_id": given.client_id,
        "scopes": given.consent.scopes,
        "resources": given.consent.resources,
        "claims": given.consent.claims,
        "updated_at": given.updated_at.to_string(),
    })
}

/// Whatever was remembered: grants of a client that asks every time hang on it as well.
async fn revoke(app: &App, user: &Username, client: &ClientId) -> Result<Answer, Failure> {
    let user = by_name(app, user).await?;
    let known = {
        let mut reader = app.db.reader().await?;
        let mut conn = reader.conn();
        registrations::find(&mut conn, client).await?.is_some() || consents::find(&mut conn, &user.id, client).await?.is_some()
    };
    if !known {
        return Err(Failure::new(format_args!("there is no client {client}, and {} allows it nothing", user.username)));
    }
    let tick = consents::withdraw(&app.db, user.id.clone(), client.clone(), app.now()).await?;
    let text = format!("What {} allowed to {client} is withdrawn; its grants and tokens are dead (tick {tick}).", user.username);
    Ok(Answer { document: json!({ "sub": user.id, "username": user.username, "client_id": client, "tick": tick }), text })
}
