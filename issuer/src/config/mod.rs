//! The configuration: one TOML file and the environment, parsed once into types. A mistake is named with file, line and key,
//! and nothing runs on a configuration that has one.

mod clients;
mod declared;
mod error;
mod feed;
mod secrets;
mod sections;
mod source;
mod storage;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

pub use self::clients::DeclaredClient;
pub use self::declared::{Declared, Undeclared};
pub use self::error::{ConfigError, Place};
pub use self::feed::{Feed, FeedAccess};
pub use self::sections::{Audit, Http, Keys, Limits, Log, LogFormat, Passwords, Sessions, Throttle};
pub use self::storage::{Database, DatabaseTarget, InvalidPostgresUrl, MasterKeySource, PostgresUrl};
pub use self::tls::TlsFiles;

use self::clients::{ClientEntry, Surroundings};
use self::feed::FeedSection;
use self::source::{Source, Step::At, Step::Key};
use self::storage::{DatabaseSection, MASTER_KEY_KINDS, MasterKeySection};
use self::tls::TlsSection;
use crate::domain::issuer_url::IssuerUrl;
use crate::domain::life::ClientLifetimes;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;

/// Everything that an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the issuer lives; `http://localhost:8080`.
    pub issuer: IssuerUrl,
    /// The address to listen on; `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Where files are put; `./passant-data`.
    pub data_dir: PathBuf,
    /// `[database]`; SQLite in `data_dir`.
    pub database: Database,
    /// `[master_key]`; the file `master.key` in `data_dir`.
    pub master_key: MasterKeySource,
    /// `[keys]`
    pub keys: Keys,
    /// `[tokens]`: what holds for clients that say nothing else.
    pub tokens: ClientLifetimes,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[throttle]`
    pub throttle: Throttle,
    /// `[limits]`
    pub limits: Limits,
    /// `[feed]`; public.
    pub feed: Feed,
    /// `[http]`
    pub http: Http,
    /// `[tls]`; none, so that TLS ends in front of Passant.
    pub tls: Option<TlsFiles>,
    /// `[audit]`
    pub audit: Audit,
    /// `[log]`
    pub log: Log,
    /// `[scopes]`: the applications' own scopes, and what the consent page says about them.
    pub scopes: BTreeMap<Scope, String>,
    /// `[resources]`: the resources that clients may be allowed, with their names.
    pub resources: BTreeMap<Resource, String>,
    /// `[[clients]]`
    pub clients: Vec<DeclaredClient>,
}

impl Config {
    /// Reads a file (its name and text) and the environment. `PASSANT_KEYS__PERIOD` stands for `period` in `[keys]` and
    /// overrides it. `read` fetches the files that hold clients' secrets.
    pub fn load(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        let mut source = Source::parse(file)?;
        overlay(&mut source, &environment)?;
        let document: Document = source.read()?;
        document.check(&source)?;
        document.resolve(&source, |name| environment.get(name).cloned(), read)
    }

    /// What a registration may refer to.
    pub fn declared(&self) -> Declared<'_> {
        Declared { scopes: &self.scopes, resources: &self.resources }
    }

    /// The defaults, for an issuer at this address.
    pub fn for_issuer(issuer: IssuerUrl) -> Self {
        let Document {
            listen, data_dir, database, keys, tokens, sessions, passwords, throttle, limits, http, audit, log, ..
        } = Document::default();
        Self {
            issuer,
            listen,
            database: database.resolve(&data_dir),
            master_key: MasterKeySource::File(data_dir.join("master.key")),
            data_dir,
            keys,
            tokens,
            sessions,
            passwords,
            throttle,
            limits,
            feed: Feed { access: FeedAccess::Public },
            http,
            tls: None,
            audit,
            log,
            scopes: BTreeMap::new(),
            resources: BTreeMap::new(),
            clients: Vec::new(),
        }
    }
}

/// Lays the variables over the file. Those that the file itself names as holding a secret are left alone.
fn overlay(source: &mut Source<'_>, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let master_key = environment.get("PASSANT_MASTER_KEY__ENV").map(String::as_str);
    let mut named: Vec<String> =
        master_key.or_else(|| source.text(&[Key("master_key"), Key("env")])).map(str::to_owned).into_iter().collect();
    let feed = environment.get("PASSANT_FEED__BEARER_ENV").map(String::as_str);
    named.extend(feed.or_else(|| source.text(&[Key("feed"), Key("bearer_env")])).map(str::to_owned));
    for client in 0..source.len(&[Key("clients")]) {
        named.extend(source.text(&[Key("clients"), At(client), Key("secret_env")]).map(str::to_owned));
    }
    if environment.keys().any(|name| name.starts_with("PASSANT_MASTER_KEY__")) {
        MASTER_KEY_KINDS.iter().for_each(|kind| source.remove("master_key", kind));
    }
    for (name, value) in environment {
        if name.starts_with("PASSANT_") && name != "PASSANT_CONFIG" && !named.contains(name) {
            source.set(name, value.clone())?;
        }
    }
    Ok(())
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    issuer: IssuerUrl,
    #[serde(deserialize_with = "address")]
    listen: SocketAddr,
    data_dir: PathBuf,
    database: DatabaseSection,
    master_key: MasterKeySection,
    keys: Keys,
    tokens: ClientLifetimes,
    sessions: Sessions,
    passwords: Passwords,
    throttle: Throttle,
    limits: Limits,
    feed: FeedSection,
    http: Http,
    tls: TlsSection,
    audit: Audit,
    log: Log,
    scopes: BTreeMap<Scope, String>,
    resources: BTreeMap<Resource, String>,
    clients: Vec<ClientEntry>,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            issuer: IssuerUrl::LOCAL,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("./passant-data"),
            database: DatabaseSection::default(),
            master_key: MasterKeySection::default(),
            keys: Keys::default(),
            tokens: ClientLifetimes::default(),
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            limits: Limits::default(),
            feed: FeedSection::default(),
            http: Http::default(),
            tls: TlsSection::default(),
            audit: Audit::default(),
            log: Log::default(),
            scopes: BTreeMap::new(),
            resources: BTreeMap::new(),
            clients: Vec::new(),
        }
    }
}

impl Document {
    /// What no key says alone.
    fn check(&self, source: &Source<'_>) -> Result<(), ConfigError> {
        let rules = [
            (self.keys.lead < self.keys.period, ["keys", "lead", "period"], "lead must be shorter than period"),
            (
                self.keys.lead >= self.keys.jwks_max_age * 2,
                ["keys", "lead", "jwks_max_age"],
                "lead must be at least twice jwks_max_age",
            ),
            (
                self.sessions.idle <= self.sessions.absolute,
                ["sessions", "idle", "absolute"],
                "idle must not be longer than absolute",
            ),
            (
                self.tokens.refresh_idle <= self.tokens.refresh_absolute,
                ["tokens", "refresh_idle", "refresh_absolute"],
                "refresh_idle must not be longer than refresh_absolute",
            ),
            (
                self.throttle.first_delay <= self.throttle.longest_delay,
                ["throttle", "first_delay", "longest_delay"],
                "first_delay must not be longer than longest_delay",
            ),
            (
                self.limits.streams < self.limits.connections,
                ["limits", "streams", "connections"],
                "streams must be fewer than connections: people sign in by those that are left",
            ),
        ];
        for (holds, [section, one, other], reason) in rules {
            if !holds {
                let given = if source.has(&[Key(section), Key(one)]) { one } else { other };
                return Err(source.fault(&[Key(section), Key(given)], reason));
            }
        }
        let standard = self.scopes.keys().find(|scope| Scope::STANDARD.contains(scope));
        match standard {
            Some(scope) => {
                Err(source.fault(&[Key("scopes"), Key(scope.as_str())], "this scope has its meaning from the standard"))
            }
            None => Ok(()),
        }
    }

    fn resolve(
        self,
        source: &Source<'_>,
        variable: impl Fn(&str) -> Option<String>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Config, ConfigError> {
        let database = self.database.resolve(&self.data_dir);
        let master_key = self.master_key.resolve(source, &database.target, &self.data_dir, &variable)?;
        let tls = self.tls.resolve(source, &self.issuer)?;
        let surroundings =
            Surroundings { declared: Declared { scopes: &self.scopes, resources: &self.resources }, lifetimes: self.tokens };
        let feed = self.feed.resolve(source, &variable, &read)?;
        let clients = clients::resolve(self.clients, source, &surroundings, variable, read)?;
        Ok(Config {
            issuer: self.issuer,
            listen: self.listen,
            data_dir: self.data_dir,
            database,
            master_key,
            keys: self.keys,
            tokens: self.tokens,
            sessions: self.sessions,
            passwords: self.passwords,
            throttle: self.throttle,
            limits: self.limits,
            feed,
            http: self.http,
            tls,
            audit: self.audit,
            log: self.log,
            scopes: self.scopes,
            resources: self.resources,
            clients,
        })
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("an address is an IP address and a port, such as 127.0.0.1:8080"))
}
