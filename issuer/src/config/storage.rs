//! Where things rest: the database, and the master key that encrypts what must not lie there in the clear.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::error::ConfigError;
use super::sections::count;
use super::source::{Source, Step::Key};
use crate::secret::Secret;

/// The database and how many connections it gets.
#[derive(Clone, Debug)]
pub struct Database {
    /// Which database.
    pub target: DatabaseTarget,
    /// The most connections in the pool; 10.
    pub connections: u32,
}

/// Which database.
#[derive(Clone, Debug)]
pub enum DatabaseTarget {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresUrl),
}

/// The address of a Postgres database; `Debug` and `Display` leave out user, password and parameters.
#[derive(Clone)]
pub struct PostgresUrl(Secret<String>);

impl PostgresUrl {
    /// The whole address, password included.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl TryFrom<String> for PostgresUrl {
    type Error = InvalidPostgresUrl;

    fn try_from(text: String) -> Result<Self, InvalidPostgresUrl> {
        let secret = Secret::new(text);
        let scheme_is_right = Url::parse(secret.expose()).is_ok_and(|url| ["postgres", "postgresql"].contains(&url.scheme()));
        if scheme_is_right { Ok(Self(secret)) } else { Err(InvalidPostgresUrl) }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Url::parse(self.expose()).map_err(|_| fmt::Error)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or(""), url.path())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// The text is no address of a Postgres database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a database is postgres://user:password@host/name; leave the key out for SQLite in data_dir")]
pub struct InvalidPostgresUrl;

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// A file; with SQLite it is made at the first start.
    File(PathBuf),
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// What it held at the start.
        value: Secret<String>,
    },
    /// What a shell command prints.
    Command(String),
}

/// `[database]` as it stands in the file.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct DatabaseSection {
    #[serde(deserialize_with = "postgres_url")]
    url: Option<PostgresUrl>,
    #[serde(deserialize_with = "count::<1, 1000, _>")]
    connections: u32,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self { url: None, connections: 10 }
    }
}

impl DatabaseSection {
    pub(super) fn resolve(self, data_dir: &Path) -> Database {
        let target = self.url.map_or_else(|| DatabaseTarget::Sqlite(data_dir.join("passant.sqlite")), DatabaseTarget::Postgres);
        Database { target, connections: self.connections }
    }
}

/// `[master_key]` as it stands in the file.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct MasterKeySection {
    file: Option<PathBuf>,
    env: Option<String>,
    command: Option<String>,
}

/// The keys of `[master_key]`, of which at most one is given.
pub(super) const MASTER_KEY_KINDS: [&str; 3] = ["file", "env", "command"];

impl MasterKeySection {
    pub(super) fn resolve(
        self,
        source: &Source<'_>,
        database: &DatabaseTarget,
        data_dir: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<MasterKeySource, ConfigError> {
        match (self.file, self.env, self.command) {
            (Some(file), None, None) => Ok(MasterKeySource::File(file)),
            (None, None, Some(command)) => Ok(MasterKeySource::Command(command)),
            (None, Some(name), None) => match variable(&name).filter(|value| !value.is_empty()) {
                Some(value) => Ok(MasterKeySource::Variable { name, value: Secret::new(value) }),
                None => Err(source.fault(&[Key("master_key"), Key("env")], format!("the environment has no variable {name}"))),
            },
            (None, None, None) => match database {
                DatabaseTarget::Sqlite(_) => Ok(MasterKeySource::File(data_dir.join("master.key"))),
                DatabaseTarget::Postgres(_) => Err(ConfigError {
                    key: "master_key".to_owned(),
                    ..source.fault(
                        &[Key("database"), Key("url")],
                        "with Postgres every replica needs the same master key: give one of master_key.file, .env and .command",
                    )
                }),
            },
            _ => Err(source.fault(&[Key("master_key")], "give only one of file, env and command")),
        }
    }
}

fn postgres_url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PostgresUrl>, D::Error> {
    PostgresUrl::try_from(String::deserialize(deserializer)?).map(Some).map_err(serde::de::Error::custom)
}
