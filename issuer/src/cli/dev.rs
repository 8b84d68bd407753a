//! `passant serve --dev`: a user, a client and a page that show the whole flow on one machine. Not for real users.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::answer::Failure;
use super::password;
use super::settings::{Override, Settings};
use crate::app::App;
use crate::config::{Config, DatabaseTarget, DeclaredClient};
use crate::domain::client::{Client, ClientAuthentication, ClientOrigin, GrantType, Registration};
use crate::domain::ids::{ClientId, UserId};
use crate::domain::issuer_url::IssuerUrl;
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;
use crate::domain::user::Username;
use crate::http::pages::demo;
use crate::store::clients::{self, Reconciled};
use crate::store::users::{self, NewUser};

const USERNAME: &str = "demo";
const RESOURCE_NAME: &str = "the example orders service";
const EXAMPLE: &str = "cargo run -p passant-verifier --example orders_api --features http,axum";

/// What whoever started it needs to know.
pub(super) struct Demonstration {
    url: String,
    example: String,
    password: String,
    data_dir: String,
}

/// The configuration with what the demonstration needs, in a data directory of its own unless one was named.
pub(super) fn settings(settings: &Settings, listen: Override<'_>) -> Result<(Config, Vec<DeclaredClient>), Failure> {
    let (mut config, mut clients) = settings.load_with_clients(&[listen])?;
    let by_default = Config::for_issuer(config.issuer.clone()).data_dir;
    if !settings.names_a_data_dir() && config.data_dir == by_default {
        let own = by_default.join("dev");
        (config, clients) = settings.load_with_clients(&[listen, ("--data-dir", "PASSANT_DATA_DIR", own.to_str())])?;
    }
    if config.issuer.is_https() {
        let sentence =
            format_args!("--dev is for an issuer on this machine, such as http://localhost:8080, not {}", config.issuer);
        return Err(Failure::wrong(sentence));
    }
    if let DatabaseTarget::Postgres(_) = config.database.target {
        return Err(Failure::wrong("--dev keeps a SQLite database of its own; leave the Postgres database out"));
    }
    let (scope, meaning) = demo::OWN_SCOPE;
    config.scopes.entry(Scope::try_from(scope)?).or_insert_with(|| meaning.to_owned());
    config.resources.entry(Resource::try_from(demo::RESOURCE)?).or_insert_with(|| RESOURCE_NAME.to_owned());
    Ok((config, clients))
}

/// Makes the client and the user; the user gets a new password at every start.
pub(super) async fn prepare(app: &App) -> Result<Demonstration, Failure> {
    let declared = clients::DeclaredClient { client: client(app)?, secrets: Vec::new() };
    let reconciled = clients::reconcile(&app.db, ClientOrigin::Demo, vec![declared], app.now()).await?;
    match reconciled {
        Reconciled::Applied { .. } => {}
        Reconciled::BelongsTo(id, origin) => {
            return Err(Failure::wrong(format_args!("--dev needs the client id {id}, which is taken (origin {origin})")));
        }
        Reconciled::IsAUser(id) => {
            return Err(Failure::wrong(format_args!("--dev needs the client id {id}, which is a user's sub")));
        }
    }
    let password = password::generate();
    give_password(app, &password).await?;
    let issuer = &app.config.issuer;
    let example = if *issuer == IssuerUrl::LOCAL { EXAMPLE.to_owned() } else { format!("ISSUER={issuer} {EXAMPLE}") };
    let data_dir = app.config.data_dir.display().to_string();
    Ok(Demonstration { url: issuer.join("/demo"), example, password: password.expose().clone(), data_dir })
}

fn client(app: &App) -> Result<Client, Failure> {
    let resource = Resource::try_from(demo::RESOURCE)?;
    Ok(Client::new(Registration {
        id: ClientId::new(demo::CLIENT_ID),
        origin: ClientOrigin::Demo,
        name: "The demo".to_owned(),
        authentication: ClientAuthentication::None,
        first_party: false,
        pkce_required: true,
        redirect_uris: vec![RedirectUri::try_from(app.config.issuer.join("/demo"))?],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        scopes: demo::SCOPE.parse()?,
        resources: vec![resource],
        default_resource: None,
        lifetimes: app.config.tokens,
        token_claims: BTreeSet::new(),
        post_logout_redirect_uris: vec![],
        mapped_claims: BTreeMap::new(),
        status_list: false,
    })?)
}

async fn give_password(app: &App, password: &password::Generated) -> Result<(), Failure> {
    let password_hash = app.passwords.hash(password.to_password()?).await?;
    let username = Username::parse(USERNAME)?;
    let user = NewUser {
        id: UserId::random(),
        username: username.clone(),
        name: Some("Demo User".to_owned()),
        email: Some("demo@example.com".to_owned()),
        password_hash: Some(password_hash.clone()),
        administrator: false,
        created_at: app.now(),
    };
    if users::create(&app.db, user).await? {
        return Ok(());
    }
    let known = users::sign_in_record(&mut app.db.reader().await?.conn(), &username).await?;
    let known = known.ok_or_else(|| Failure::new("the user demo has just been deleted; try again"))?.user;
    if known.administrator {
        let sentence =
            "the user demo of this database is an administrator, whose password --dev will not touch; name another --data-dir";
        return Err(Failure::new(sentence));
    }
    users::set_password(&app.db, known.id, password_hash, app.now()).await?;
    Ok(())
}

impl Demonstration {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { url, example, password, data_dir } = self;
        let lines = [
            "THIS IS FOR DEVELOPMENT: anybody who reads this can sign in.",
            "",
            &format!("Open       {url}"),
            &format!("User name  {USERNAME}"),
            &format!("Password   {password}"),
            &format!("Data       {data_dir}"),
            "",
            "The example service that accepts the tokens, in another terminal:",
            example,
        ];
        boxed(&lines)
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let Self { url, example, password, data_dir } = self;
        json!({ "url": url, "username": USERNAME, "password": password, "data_dir": data_dir, "example": example })
    }
}

fn boxed(lines: &[&str]) -> String {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let rule = "─".repeat(width + 2);
    let middle: String = lines.iter().map(|line| format!("│ {line:width$} │\n")).collect();
    format!("┌{rule}┐\n{middle}└{rule}┘\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_closes_around_its_longest_line() {
        assert_eq!(boxed(&["ab", "é"]), "┌────┐\n│ ab │\n│ é  │\n└────┘\n");
    }
}
