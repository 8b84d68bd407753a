//! `passant check-config`: whether the configuration is right, and what a start would change. Nothing is made and nothing migrated.

use clap::Args;
use serde_json::{Value, json};

use super::answer::{Answer, Failure};
use super::settings::Settings;
use super::{open, reconciliation};
use crate::config::{Config, DatabaseTarget, MasterKeySource};
use crate::domain::reconciliation::Plan;

/// Every key with its default and its meaning.
const SAMPLE: &str = include_str!("../../passant.sample.toml");

#[derive(Args)]
pub(super) struct Arguments {
    /// Print a file with every key, its default and its meaning instead
    #[arg(long)]
    sample: bool,
}

/// What there is of a database.
enum Standing {
    Missing,
    Empty,
    Present { pending: usize },
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    if arguments.sample {
        return Ok(Some(Answer { document: json!({ "sample": SAMPLE }), text: SAMPLE.to_owned() }));
    }
    let (config, clients) = settings.load_with_clients(&[])?;
    let (standing, plan) = match open::look(&config).await? {
        None => (missing(&config), reconciliation::plan_of_a_new_database(&clients)),
        Some((db, pending)) => {
            let plan = reconciliation::plan(&clients, &mut db.reader().await?.conn()).await;
            db.close().await;
            (Standing::Present { pending }, plan?)
        }
    };
    if let Some(why) = &plan.refused {
        return Err(Failure::wrong(why));
    }
    Ok(Some(answer(&config, clients.len(), &standing, &plan)))
}

fn missing(config: &Config) -> Standing {
    match &config.database.target {
        DatabaseTarget::Sqlite(path) if !path.exists() => Standing::Missing,
        DatabaseTarget::Sqlite(_) | DatabaseTarget::Postgres(_) => Standing::Empty,
    }
}

fn answer(config: &Config, clients: usize, standing: &Standing, plan: &Plan) -> Answer {
    let kind = match &config.database.target {
        DatabaseTarget::Sqlite(_) => "sqlite",
        DatabaseTarget::Postgres(_) => "postgres",
    };
    let place = open::place(config);
    let (state, pending) = match standing {
        Standing::Missing => ("the first start makes it", Value::Null),
        Standing::Empty => ("it is empty", Value::Null),
        Standing::Present { pending: 0 } => ("it is up to date", json!(0)),
        Standing::Present { pending } => ("a start migrates it", json!(pending)),
    };
    let master_key = match &config.master_key {
        MasterKeySource::File(path) => format!("the file {}", path.display()),
        MasterKeySource::Variable { name, .. } => format!("the environment variable {name}"),
        MasterKeySource::Command(_) => "a command".to_owned(),
    };
    let mut text = format!(
        "The configuration is right.\n\nIssuer      {}\nListen      {}\nDatabase    {kind}: {place} ({state})\nMaster key  {master_key}\n",
        config.issuer, config.listen
    );
    text.push_str(&format!("Clients     {clients} in the file\n\n{}", reconciliation::shown(plan, false)));
    let document = json!({
        "issuer": config.issuer.as_str(),
        "listen": config.listen.to_string(),
        "database": { "kind": kind, "place": place, "exists": !pending.is_null(), "pending_migrations": pending },
        "master_key": master_key,
        "clients": plan,
    });
    Answer { document, text }
}
