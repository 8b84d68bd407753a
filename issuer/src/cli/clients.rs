//! `passant clients`: registrations made on the command line, beside those of the configuration file.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Answer, Failure, table};
use super::open;
use super::settings::Settings;
use crate::app::App;
use crate::config::Config;
use crate::domain::client::{Client, ClientAuthentication, ClientOrigin, GrantType, Registration, TokenClaim};
use crate::domain::ids::ClientId;
use crate::domain::life::{AccessTokenLife, ClientLifetimes, RefreshLife, RetryWindow};
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;
use crate::secret::OpaqueToken;
use crate::store::clients::{self, DeclaredClient};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a client
    Add(Box<Add>),
    /// Show every client, wherever it was registered
    List,
}

#[derive(Args)]
pub(super) struct Add {
    /// `client_id`
    id: ClientId,
    /// What people read on the consent page
    #[arg(long)]
    name: String,
    /// It can keep no secret: a single-page or installed application
    #[arg(long, conflicts_with = "authentication")]
    public: bool,
    /// How it proves who it is: client_secret_basic or client_secret_post
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic")]
    authentication: ClientAuthentication,
    /// Where its codes may be carried; may be given again
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<RedirectUri>,
    /// Where browsers may be sent after a sign-out that it began; may be given again
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// authorization_code, refresh_token or client_credentials; may be given again
    #[arg(long = "grant-type", value_name = "TYPE", default_value = "authorization_code")]
    grant_types: Vec<GrantType>,
    /// A scope it may be given: a standard one, or one declared in [scopes]; may be given again
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// A resource it may have tokens for, declared in [resources]; may be given again
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<Resource>,
    /// The resource that is meant when it names none
    #[arg(long, value_name = "URI")]
    default_resource: Option<Resource>,
    /// It belongs to whoever runs the issuer: people are not asked for consent
    #[arg(long)]
    first_party: bool,
    /// Exempt it from PKCE; only one with a secret can be
    #[arg(long)]
    without_pkce: bool,
    /// How long its access tokens live, such as 10m
    #[arg(long, value_name = "TIME")]
    access_token: Option<AccessTokenLife>,
    /// How long a refresh token may lie unused, such as 14d
    #[arg(long, value_name = "TIME")]
    refresh_idle: Option<RefreshLife>,
    /// How long a grant may be refreshed at all, such as 90d
    #[arg(long, value_name = "TIME")]
    refresh_absolute: Option<RefreshLife>,
    /// How long a used refresh token may be retried, such as 10s
    #[arg(long, value_name = "TIME")]
    refresh_retry_window: Option<RetryWindow>,
    /// What its access tokens say about the sign-in: auth_time, acr or amr; may be given again
    #[arg(long = "token-claim", value_name = "CLAIM")]
    token_claims: Vec<TokenClaim>,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    let wanted = match command {
        Command::Add(add) => Some(Client::new(add.registration(&config)?)?),
        Command::List => None,
    };
    let app = open::app(config).await?;
    let answer = match wanted {
        Some(client) => create(&app, client).await,
        None => list(&app).await,
    };
    app.db.close().await;
    answer.map(Some)
}

async fn create(app: &App, client: Client) -> Result<Answer, Failure> {
    let secret = (!client.is_public()).then(|| OpaqueToken::random("pcs_"));
    let id = client.id.clone();
    let declared = DeclaredClient { client, secrets: secret.iter().map(OpaqueToken::hash).collect() };
    let Some(tick) = clients::create(&app.db, declared, app.now()).await? else {
        return Err(Failure::new(format_args!("the client id {id} is taken")));
    };
    let mut text = format!("The client {id} was added.");
    if let Some(secret) = &secret {
        text.push_str(&format!("\nIts secret, shown this once:\n\n  {}", secret.expose()));
    }
    let mut document = json!({ "client_id": id, "tick": tick });
    if let (Some(secret), Some(document)) = (secret, document.as_object_mut()) {
        document.insert("client_secret".to_owned(), json!(secret.expose()));
    }
    Ok(Answer { document, text })
}

async fn list(app: &App) -> Result<Answer, Failure> {
    let clients = clients::list(&mut app.db.reader().await?.conn()).await?;
    let line = |client: &Client| {
        let grant_types: Vec<&str> = client.grant_types.iter().map(|grant_type| grant_type.as_str()).collect();
        let (origin, authentication) = (client.origin.to_string(), client.authentication.to_string());
        [client.id.to_string(), client.name.clone(), origin, authentication, grant_types.join(" "), client.scopes.to_string()]
    };
    let headings = ["ID", "NAME", "ORIGIN", "AUTHENTICATION", "GRANT TYPES", "SCOPES"];
    let text = table(headings, &clients.iter().map(line).collect::<Vec<_>>());
    Ok(Answer { document: json!({ "clients": clients }), text })
}

impl Add {
    fn registration(&self, config: &Config) -> Result<Registration, Failure> {
        let known = |scope: &&Scope| Scope::STANDARD.contains(scope) || config.scopes.contains_key(scope);
        if let Some(scope) = self.scopes.iter().find(|scope| !known(scope)) {
            return Err(Failure::new(format_args!("the scope {scope} is not declared in [scopes]")));
        }
        if let Some(resource) = self.resources.iter().find(|resource| !config.resources.contains_key(resource)) {
            return Err(Failure::new(format_args!("the resource {resource} is not declared in [resources]")));
        }
        let default = config.tokens;
        Ok(Registration {
            id: self.id.clone(),
            origin: ClientOrigin::CommandLine,
            name: self.name.clone(),
            authentication: if self.public { ClientAuthentication::None } else { self.authentication },
            first_party: self.first_party,
            pkce_required: !self.without_pkce,
            redirect_uris: self.redirect_uris.clone(),
            grant_types: self.grant_types.iter().copied().collect(),
            scopes: self.scopes.iter().cloned().collect(),
            resources: self.resources.clone(),
            default_resource: self.default_resource.clone(),
            lifetimes: ClientLifetimes {
                access_token: self.access_token.unwrap_or(default.access_token),
                refresh_idle: self.refresh_idle.unwrap_or(default.refresh_idle),
                refresh_absolute: self.refresh_absolute.unwrap_or(default.refresh_absolute),
                refresh_retry_window: self.refresh_retry_window.unwrap_or(default.refresh_retry_window),
            },
            token_claims: self.token_claims.iter().copied().collect::<BTreeSet<_>>(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            mapped_claims: BTreeMap::new(),
        })
    }
}
