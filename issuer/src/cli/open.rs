//! From the configuration to what a command works on: an open App (directory, master key, database, keys) for whatever changes
//! something, and the database alone, as it is, for whatever only reads.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use super::answer::{Answer, Failure};
use super::operator;
use super::settings::Settings;
use crate::app::checkpoint::Unattended;
use crate::app::{App, OpenError, Parts};
use crate::clock::{Clock, SystemClock, UnixTime};
use crate::config::{Config, DatabaseTarget, MasterKeySource};
use crate::domain::audit::Source;
use crate::keys::generate::{RsaGenerator, RsaSize};
use crate::keys::{MasterKey, MasterKeyPlace, master_file};
use crate::store::Db;
use crate::store::db::Location;

/// What a command that only reads is handed.
pub(super) struct Seen {
    /// The database, for reading alone.
    pub(super) db: Db,
    /// When it is looked at.
    pub(super) now: UnixTime,
}

/// Loads the configuration, opens the issuer, does what a command is for, and closes it again. The issuer must be there: a command
/// that changes what exists would find nothing in one that it made itself.
pub(super) async fn to(
    settings: &Settings,
    act: impl AsyncFnOnce(&App) -> Result<Answer, Failure>,
) -> Result<Option<Answer>, Failure> {
    let app = existing(settings.load(&[])?).await?;
    let answer = act(&app).await;
    app.db.close().await;
    answer.map(Some)
}

/// Loads the configuration and looks into the database without making, migrating or appending anything.
pub(super) async fn to_read(
    settings: &Settings,
    read: impl AsyncFnOnce(&Seen) -> Result<Answer, Failure>,
) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    let (db, pending) = look(&config).await?.ok_or_else(|| missing(&config))?;
    let seen = Seen { db, now: SystemClock::new().now() };
    let answer = match pending {
        0 => read(&seen).await,
        pending => Err(Failure::new(format_args!(
            "the database {} is of an older Passant and waits for {pending} migration{}: the next `passant serve` applies them",
            place(&config),
            if pending == 1 { "" } else { "s" }
        ))),
    };
    seen.db.close().await;
    answer.map(Some)
}

/// Opens the issuer for a command, or makes it: what the command does is done by whoever runs it.
pub(super) async fn app(config: Config) -> Result<Arc<App>, Failure> {
    open(config, false, operator::source()).await
}

/// The same for an issuer that must be there.
pub(super) async fn existing(config: Config) -> Result<Arc<App>, Failure> {
    let (db, _) = look(&config).await?.ok_or_else(|| missing(&config))?;
    db.close().await;
    app(config).await
}

fn missing(config: &Config) -> Failure {
    Failure::new(format_args!(
        "there is no issuer yet in {}: `passant serve` makes it; --data-dir, --database-url or --config name another place",
        place(config)
    ))
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
            OpenError::KeyPolicy(_) => Failure::wrong(error),
            OpenError::Store(_) | OpenError::Key(_) | OpenError::Rotation(_) => Failure::new(error),
        }
    })
}

/// Looks into the database without making, migrating or changing anything; with the number of migrations it waits for.
pub(super) async fn look(config: &Config) -> Result<Option<(Db, usize)>, Failure> {
    let looked = Db::look(&location(config), Arc::new(SystemClock::new())).await;
    looked.map_err(|error| Failure::new(format_args!("the database {} cannot be read: {error}", place(config))))
}

/// Where the database is, without its password.
pub(super) fn place(config: &Config) -> String {
    match &config.database.target {
        DatabaseTarget::Sqlite(path) => path.display().to_string(),
        DatabaseTarget::Postgres(url) => url.to_string(),
    }
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
                .map_err(|error| Failure::wrong(format_args!("environment variable {name}: {error}")))?,
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
