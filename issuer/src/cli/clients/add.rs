//! `passant clients add`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::moment::length;
use super::super::open;
use super::super::settings::Settings;
use super::options::Options;
use crate::app::App;
use crate::config::Config;
use crate::domain::client::{Client, ClientAuthentication, ClientOrigin, GrantType, Registration};
use crate::domain::ids::ClientId;
use crate::domain::scope::ScopeSet;
use crate::secret::OpaqueToken;
use crate::store::clients::{self, DeclaredClient};

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// `client_id`
    id: ClientId,
    /// What people read on the consent page
    #[arg(long)]
    name: String,
    /// The secret stops working after this time, such as 90d
    #[arg(long, value_name = "TIME", value_parser = length, conflicts_with = "public")]
    secret_expires_in: Option<Duration>,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    arguments.options.check(&config)?;
    let client = Client::new(arguments.registration(&config)).map_err(Failure::wrong)?;
    let app = open::app(config).await?;
    let answer = add(&app, client, arguments).await;
    app.db.close().await;
    answer.map(Some)
}

async fn add(app: &App, client: Client, arguments: &Arguments) -> Result<Answer, Failure> {
    let secret = (!client.is_public()).then(super::new_secret);
    let (id, now) = (client.id.clone(), app.now());
    let end = arguments.secret_expires_in.map(|length| now + length);
    let declared = DeclaredClient { client, secrets: secret.iter().map(OpaqueToken::hash).collect() };
    let created = match end {
        Some(end) => clients::create_until(&app.db, declared, end, now).await?,
        None => clients::create(&app.db, declared, now).await?,
    };
    let Some(tick) = created else {
        return Err(Failure::new(format_args!("the client id {id} is taken, by a client or as a user's sub")));
    };
    let mut answer = Answer { document: json!({ "client_id": id, "tick": tick }), text: format!("The client {id} was added.") };
    if let Some(secret) = &secret {
        super::show_secret(&mut answer, secret, end);
    }
    Ok(answer)
}

impl Arguments {
    fn registration(&self, config: &Config) -> Registration {
        let mut registration = Registration {
            id: self.id.clone(),
            origin: ClientOrigin::CommandLine,
            name: self.name.clone(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: false,
            pkce_required: true,
            redirect_uris: Vec::new(),
            grant_types: BTreeSet::from([GrantType::AuthorizationCode]),
            scopes: ScopeSet::default(),
            resources: Vec::new(),
            default_resource: None,
            lifetimes: config.tokens,
            token_claims: BTreeSet::new(),
            post_logout_redirect_uris: Vec::new(),
            mapped_claims: BTreeMap::new(),
            status_list: false,
        };
        self.options.apply(&mut registration);
        registration
    }
}
