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
pub use self::sections::{Audit, Http, Keys, Limits, Log, LogFormat, Metrics, Passwords, Sessions, StatusLists, Throttle};
pub use self::storage::{Database, DatabaseTarget, InvalidPostgresUrl, MasterKeySource, PostgresUrl};
pub use self::tls::TlsFiles;

use self::clients::{ClientEntry, JudgedClient, Surroundings};
use self::feed::{FeedSection, JudgedFeed};
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
    /// `[metrics]`; not served.
    pub metrics: Metrics,
    /// `[tls]`; none, so that TLS ends in front of Passant.
    pub tls: Option<TlsFiles>,
    /// `[status_lists]`
    pub status_lists: StatusLists,
    /// `[audit]`
    pub audit: Audit,
    /// `[log]`
    pub log: Log,
    /// `[scopes]`: the applications' own scopes, and what the consent page says about them.
    pub scopes: BTreeMap<Scope, String>,
    /// `[resources]`: the resources that clients may be allowed, with their names.
    pub resources: BTreeMap<Resource, String>,
}

impl Config {
    /// Reads a file (its name and text) and the environment. `PASSANT_KEYS__PERIOD` stands for `period` in `[keys]` and
    /// overrides it. `[[clients]]` is judged as well, but for the secrets: those need not be there for most of what is done.
    pub fn load(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        load(file, environment, |_, _, _, _| Ok(())).map(|(config, ())| config)
    }

    /// The same with `[[clients]]` and everybody's secrets, for whoever serves or makes the database's clients what the file declares.
    /// `read` fetches the files that hold secrets.
    pub fn load_with_clients(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<(Self, Vec<DeclaredClient>), ConfigError> {
        load(file, environment, |config, judged, source, environment| {
            let variable = |name: &str| environment.get(name).cloned();
            config.feed = judged.feed.with_secrets(source, variable, &read)?;
            judged.clients.into_iter().map(|one| one.with_secret(source, variable, &read)).collect()
        })
    }

    /// What a registration may refer to.
    pub fn declared(&self) -> Declared<'_> {
        Declared { scopes: &self.scopes, resources: &self.resources }
    }

    /// The defaults, for an issuer at this address.
    pub fn for_issuer(issuer: IssuerUrl) -> Self {
        let Document {
            listen,
            data_dir,
            database,
            keys,
            tokens,
            sessions,
            passwords,
            throttle,
            limits,
            http,
            status_lists,
            audit,
            log,
            ..
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
            feed: Feed::default(),
            http,
            metrics: Metrics::default(),
            tls: None,
            status_lists,
            audit,
            log,
            scopes: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }
}

/// The configuration, and what `finish` makes of the judged clients.
fn load<T>(
    file: Option<(&Path, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    finish: impl FnOnce(&mut Config, Judged, &Source<'_>, &BTreeMap<String, String>) -> Result<T, ConfigError>,
) -> Result<(Config, T), ConfigError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let mut source = Source::parse(file)?;
    overlay(&mut source, &environment)?;
    let document: Document = source.read()?;
    document.check(&source)?;
    let (mut config, judged) = document.resolve(&source, |name| environment.get(name).cloned())?;
    let finished = finish(&mut config, judged, &source, &environment)?;
    Ok((config, finished))
}

/// What has secrets that nobody has looked for yet.
struct Judged {
    clients: Vec<JudgedClient>,
    feed: JudgedFeed,
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
    metrics: Metrics,
    tls: TlsSection,
    status_lists: StatusLists,
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
            metrics: Metrics::default(),
            tls: TlsSection::default(),
            status_lists: StatusLists::default(),
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

    fn resolve(self, source: &Source<'_>, variable: impl Fn(&str) -> Option<String>) -> Result<(Config, Judged), ConfigError> {
        let database = self.database.resolve(&self.data_dir);
        let master_key = self.master_key.resolve(source, &database.target, &self.data_dir, &variable)?;
        let tls = self.tls.resolve(source, &self.issuer)?;
        let surroundings =
            Surroundings { declared: Declared { scopes: &self.scopes, resources: &self.resources }, lifetimes: self.tokens };
        let feed = self.feed.judge(source)?;
        let clients = clients::judge(self.clients, source, &surroundings)?;
        let config = Config {
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
            feed: feed.without_secrets(),
            http: self.http,
            metrics: self.metrics,
            tls,
            status_lists: self.status_lists,
            audit: self.audit,
            log: self.log,
            scopes: self.scopes,
            resources: self.resources,
        };
        Ok((config, Judged { clients, feed }))
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("an address is an IP address and a port, such as 127.0.0.1:8080"))
}
