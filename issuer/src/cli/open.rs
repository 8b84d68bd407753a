//! From the configuration to an open App: directory, master key, database, keys.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use super::answer::{Answer, Failure};
use super::settings::Settings;
use crate::app::checkpoint::Unattended;
use crate::app::{App, OpenError, Parts};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, DatabaseTarget, MasterKeySource};
use crate::domain::audit::{Actor, Source};
use crate::keys::generate::{RsaGenerator, RsaSize};
use crate::keys::{MasterKey, MasterKeyPlace, master_file};
use crate::store::Db;
use crate::store::db::Location;

/// Loads the configuration, opens the issuer, does what a command is for, and closes it again.
pub(super) async fn to(
    settings: &Settings,
    act: impl AsyncFnOnce(&App) -> Result<Answer, Failure>,
) -> Result<Option<Answer>, Failure> {
    let app = app(settings.load(&[])?).await?;
    let answer = act(&app).await;
    app.db.close().await;
    answer.map(Some)
}

/// Opens the issuer for a command: what it does is done by whoever runs it.
pub(super) async fn app(config: Config) -> Result<Arc<App>, Failure> {
    let name = ["LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "unknown".to_owned());
    let name = name.chars().filter(|c| !c.is_control()).take(64).collect();
    open(config, false, Source { actor: Actor::Operator(name), ..Source::PASSANT }).await
}

/// Opens the issuer to serve.
pub(super) async fn server(config: Config, demo: bool) -> Result<Arc<App>, Failure> {
    open(config, demo, Source::PASSANT).await
}

/// Makes what is missing of an embedded one.
async fn open(config: Config, demo: bool, source: Source) -> Result<Arc<App>, Failure> {
    if let DatabaseTarget::Sqlite(_) = &config.database.target {
        make_private_directory(&config.data_dir)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let master = master_key(&config)?;
    let db = Db::open(&location(&config), Arc::clone(&clock)).await?.by(source);
    let generator = Arc::new(RsaGenerator { size: rsa_size(config.keys.bits) });
    App::open(config, Parts { db, master, clock, generator, demo, checkpoints: Arc::new(Unattended) }).await.map_err(|error| {
        match error {
            OpenError::KeyPolicy(_) => Failure::settings(error),
            OpenError::Store(_) | OpenError::Key(_) | OpenError::Rotation(_) => Failure::new(error),
        }
    })
}

/// Looks into the database without making, migrating or changing anything; with the number of migrations it waits for.
pub(super) async fn look(config: &Config) -> Result<Option<(Db, usize)>, Failure> {
    Ok(Db::look(&location(config), Arc::new(SystemClock::new())).await?)
}

fn location(config: &Config) -> Location {
    match &config.database.target {
        DatabaseTarget::Sqlite(path) => Location::Sqlite(path.clone()),
        DatabaseTarget::Postgres(url) => {
            Location::Postgres { url: url.expose().to_owned(), connections: config.database.connections }
        }
    }
}

fn make_private_directory(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|fault| Failure::new(format_args!("the data directory {} cannot be made: {fault}", path.display())))
}

/// A new master key is made for a new embedded database only: one that appeared beside an old database would open nothing, and
/// would lie where the lost one has to be put back.
fn master_key(config: &Config) -> Result<MasterKeyPlace, Failure> {
    let is_new = matches!(&config.database.target, DatabaseTarget::Sqlite(path) if !path.exists());
    let place = match &config.master_key {
        MasterKeySource::File(path) if is_new => {
            master_file::create_if_missing(path)?;
            MasterKeyPlace::File(path.clone())
        }
        MasterKeySource::File(path) if !path.exists() => {
            return Err(Failure::new(format_args!(
                "the master key {} is missing, and the signing keys in the database cannot be read without it: put its backup back",
                path.display()
            )));
        }
        MasterKeySource::File(path) => MasterKeyPlace::File(path.clone()),
        MasterKeySource::Variable { name, value } => MasterKeyPlace::Given {
            name: format!("the environment variable {name}"),
            keys: MasterKey::parse_all(value.expose())
                .map_err(|error| Failure::settings(format_args!("environment variable {name}: {error}")))?,
        },
        MasterKeySource::Command(command) => MasterKeyPlace::Command(command.clone()),
    };
    if place.file().is_some() {
        // Before a database is made that nothing would open.
        place.read()?;
    }
    Ok(place)
}

fn rsa_size(bits: u32) -> RsaSize {
    match bits {
        4096 => RsaSize::Bits4096,
        3072 => RsaSize::Bits3072,
        _ => RsaSize::Bits2048,
    }
}
