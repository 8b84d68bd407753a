//! `passant clients update`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::open;
use super::super::settings::Settings;
use super::options::{List, Options};
use crate::app::App;
use crate::domain::client::{Client, ClientError};
use crate::domain::ids::ClientId;
use crate::secret::OpaqueToken;
use crate::store::registrations::{self, Update};

/// How often a change begins anew when somebody else was faster.
const ATTEMPTS: usize = 5;

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// `client_id`
    id: ClientId,
    /// What people read on the consent page
    #[arg(long)]
    name: Option<String>,
    /// Take a list away; may be given again
    #[arg(long, value_name = "LIST", value_enum)]
    clear: Vec<List>,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    arguments.options.check(&config)?;
    if arguments.name.as_ref().is_some_and(|name| !Client::name_can_be_shown(name)) {
        return Err(Failure::wrong(ClientError::Name));
    }
    let app = open::existing(config).await?;
    let answer = update(&app, arguments).await;
    app.db.close().await;
    answer.map(Some)
}

async fn update(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let id = &arguments.id;
    for _ in 0..ATTEMPTS {
        let held = super::own(app, id).await?;
        let mut registration = held.client.clone().into_registration();
        arguments.clear.iter().for_each(|list| list.clear(&mut registration));
        if let Some(name) = &arguments.name {
            registration.name.clone_from(name);
        }
        arguments.options.apply(&mut registration);
        let client = Client::new(registration)?;
        if client == held.client {
            let text = format!("The client {id} is so already.");
            return Ok(Answer { document: json!({ "client_id": id, "changed": false }), text });
        }
        // One that kept no secret needs its first.
        let secret = (held.client.is_public() && !client.is_public()).then(super::new_secret);
        let update = Update {
            client: client.clone(),
            replaces: held.revision,
            secret: secret.as_ref().map(OpaqueToken::hash),
            now: app.now(),
        };
        if registrations::update(&app.db, update).await? {
            let text = format!("The client {id} was changed. A running server notices at its next request.");
            let mut answer = Answer { document: json!({ "client_id": id, "changed": true, "client": client }), text };
            if let Some(secret) = &secret {
                super::show_secret(&mut answer, secret, None);
            }
            return Ok(answer);
        }
    }
    Err(Failure::new(format_args!("the client {id} keeps changing under somebody else's hands; try again")))
}
