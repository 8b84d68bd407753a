//! `passant serve`: runs the issuer until it is asked to end.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure};
use super::dev::{self, Demonstration};
use super::settings::Settings;
use super::{log, open, reconciliation};
use crate::app::App;
use crate::clock::UnixTime;
use crate::config::{Config, DeclaredClient};
use crate::domain::client::ClientOrigin;
use crate::domain::client_address::TrustedProxies;
use crate::http::serve::{Server, Tls};
use crate::jobs::Jobs;
use crate::secret::OpaqueToken;
use crate::store::clients;
use crate::store::set_up_tokens;

/// How long the link to the first administrator works.
const SET_UP_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long the database's connections may take to close.
const CLOSING: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(super) struct Arguments {
    /// Add a user, a client and a page to try everything with; for development alone
    #[arg(long)]
    dev: bool,
    /// Remove the clients that the configuration file no longer declares, and cut off what they had
    #[arg(long)]
    prune: bool,
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "PASSANT_LISTEN", hide_env_values = true)]
    listen: Option<String>,
}

/// Runs the issuer. What is written on standard output once it is ready is meant for whoever started it: links and passwords go
/// there and not into the log.
pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let listen = ("--listen", "PASSANT_LISTEN", arguments.listen.as_deref());
    let (config, clients) =
        if arguments.dev { dev::settings(settings, listen)? } else { settings.load_with_clients(&[listen])? };
    log::start(&config.log)?;
    let tls = config.tls.as_ref().map(|files| Tls::load(files, &config.issuer)).transpose().map_err(Failure::wrong)?;
    let encrypted = tls.is_some();
    let app = open::server(config, arguments.dev).await?;
    reconcile(&app, &clients, arguments.prune).await?;
    let server = Server::bind(&app, tls).await.map_err(Failure::new)?;
    let demonstration = if arguments.dev { Some(dev::prepare(&app).await?) } else { None };
    let set_up = set_up_link(&app).await?;
    if !arguments.dev {
        warn_of_a_demonstration(&app).await?;
    }
    let jobs = Jobs::start(&app);
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, issuer = %app.config.issuer, address = %server.address(), "Passant is listening");
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "metrics are served, by plain http and to everybody who reaches that address");
    }
    tell_who_ends_tls(&app.config, encrypted);
    ready(&app, &server, set_up.as_ref(), demonstration.as_ref()).say(settings.json);
    server.run().await;
    jobs.stop().await;
    if tokio::time::timeout(CLOSING, app.db.close()).await.is_err() {
        tracing::warn!("the database's connections did not close in time");
    }
    Ok(None)
}

/// Whether what crosses the network is encrypted here or must be elsewhere.
fn tell_who_ends_tls(config: &Config, encrypted: bool) {
    match (encrypted, config.issuer.is_https()) {
        (true, _) => tracing::info!("TLS ends here"),
        (false, true) if config.http.trusted_proxies != TrustedProxies::default() => {
            tracing::info!("plain http: TLS ends in a proxy in front, which passes Host on");
        }
        (false, true) => {
            tracing::warn!(
                "TLS ends in front, but http.trusted_proxies is empty: all users count as one address, and share its limits of \
                 connections and attempts"
            );
            if !config.listen.ip().is_loopback() {
                tracing::warn!("plain http on the network: Host must be passed on, and nobody but the proxy may reach this port");
            }
        }
        (false, false) => tracing::info!("plain http without TLS, for this machine alone"),
    }
}

/// A database that `--dev` was run on still has the demonstration's user and client, whose password a terminal has shown.
async fn warn_of_a_demonstration(app: &App) -> Result<(), Failure> {
    let clients = clients::list(&mut app.db.reader().await?.conn()).await?;
    if clients.iter().any(|client| client.origin == ClientOrigin::Demo) {
        tracing::warn!(
            "this database was used with --dev: its demo user and demo client still work; begin with a fresh data directory"
        );
    }
    Ok(())
}

/// Makes the database's clients what the file declares, and tells the log.
async fn reconcile(app: &App, clients: &[DeclaredClient], prune: bool) -> Result<(), Failure> {
    let plan = reconciliation::apply(app, clients, prune).await?;
    plan.create.iter().for_each(|id| tracing::info!(client_id = %id, "a client of the configuration was created"));
    plan.update.iter().for_each(|it| {
        tracing::info!(client_id = %it.client_id, keys = it.keys.join(" "), "a client of the configuration was updated");
    });
    plan.undeclared.iter().for_each(|id| match prune {
        true => tracing::warn!(client_id = %id, "a client is no longer in the configuration; it was removed"),
        false => tracing::warn!(client_id = %id, "a client is no longer in the configuration; it was left as it is"),
    });
    for id in reconciliation::stolen(app).await? {
        tracing::error!(client_id = %id, "the configuration still has a secret that was declared stolen; it does not work");
    }
    Ok(())
}

/// A link that creates the first administrator, while there is none.
async fn set_up_link(app: &App) -> Result<Option<(String, UnixTime)>, Failure> {
    let needed = set_up_tokens::needed(&mut app.db.reader().await?.conn()).await?;
    let Some(born) = needed else { return Ok(None) };
    let token = OpaqueToken::random("pst_");
    let expires_at = app.now() + SET_UP_LIFE;
    set_up_tokens::create(&app.db, token.hash(), born, expires_at).await?;
    Ok(Some((app.config.issuer.join(&format!("/set-up?token={}", token.expose())), expires_at)))
}

fn ready(app: &Arc<App>, server: &Server, set_up: Option<&(String, UnixTime)>, demonstration: Option<&Demonstration>) -> Answer {
    let mut text = String::new();
    if let Some(demonstration) = demonstration {
        text.push_str(&demonstration.text());
        text.push('\n');
    }
    if let Some((url, _)) = set_up {
        text.push_str(&format!("There is no administrator yet. Within 15 minutes, this link makes one:\n\n  {url}\n\n"));
    }
    text.push_str(&format!("Passant is ready: open {}", app.config.issuer.join("/")));
    let document = json!({
        "ready": true,
        "issuer": app.config.issuer.as_str(),
        "listen": server.address().to_string(),
        "metrics": server.metrics_address().map(|address| address.to_string()),
        "set_up": set_up.map(|(url, expires_at)| json!({ "url": url, "expires_at": expires_at.to_string() })),
        "demo": demonstration.map(Demonstration::document),
    });
    Answer { document, text }
}
