//! A whole issuer in process, on either engine, with a clock that the test owns: what most tests are written against. When a test is
//! done, its database is searched for every secret that any answer gave out.

mod agent;
mod backup;
mod flow;
mod held;
mod holding;
mod operator;
mod registered;
mod served;
mod tailing;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use passant::app::{App, OpenError, Parts};
use passant::clock::{Clock, ManualClock, SystemClock, UnixTime};
use passant::config::Config;
use passant::domain::issuer_url::IssuerUrl;
use passant::keys::{FixtureKeys, MasterKey, MasterKeyPlace, master_file};
use passant::store::Db;
use passant::store::db::Location;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

pub use self::agent::{Agent, Answer};
pub use self::backup::Backup;
pub use self::flow::{Callback, Tokens, VERIFIER, authorize_path, challenge};
pub use self::held::{Held, Hold};
pub use self::holding::Holding;
pub use self::operator::told_of;
pub use self::registered::{PROFILE, Registered, registration};
pub use self::served::Served;
pub use self::tailing::Tailing;
use crate::postgres::{self, Database};
use crate::secrets::{SecretCollector, dump_postgres, dump_sqlite, rows_of_sqlite};

/// The database under a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// A database of the run's own Postgres cluster.
    Postgres,
}

/// The moment at which every test begins: 2027-01-15 08:00 UTC.
pub const BEGINNING: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// The issuer of every test.
pub const ISSUER: &str = "https://auth.example.com";

/// The file of the master key, in a directory of its own.
const MASTER_KEY: &str = "master.key";

/// A whole issuer.
pub struct World {
    /// The issuer.
    pub app: Arc<App>,
    /// Its time, unless it lives in the machine's.
    pub clock: ManualClock,
    /// What it gave out.
    pub secrets: Arc<SecretCollector>,
    /// Holds its requests at checkpoints.
    pub held: Held,
    time: Arc<dyn Clock>,
    router: Router,
    storage: Storage,
    home: Directory,
}

/// What a world is apart from its configuration.
#[derive(Debug, Clone, Copy, Default)]
struct Kind {
    /// Shows the page of `serve --dev`.
    demo: bool,
    /// Lives in the machine's time, for what is measured.
    real_time: bool,
}

/// A database that goes away with its owner.
pub enum Storage {
    /// A file in a directory of its own.
    Sqlite(Directory),
    /// A database in the cluster.
    Postgres(Database),
}

/// A directory that goes away with its owner.
pub struct Directory(pub PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Directory {
    /// An empty directory of its own.
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("passant-test-{}", passant::secret::random_id()));
        std::fs::create_dir(&path).expect("a directory for the test can be made");
        Self(path)
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Storage {
    /// A new database on this engine: migrated on Postgres, not even a file yet on SQLite.
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite(Directory::new()),
            Engine::Postgres => Self::Postgres(
                postgres::database("passant", async |url: String| {
                    let location = Location::Postgres { url, connections: 1 };
                    let clock = Arc::new(ManualClock::at(BEGINNING));
                    Db::open(&location, clock).await.expect("the template migrates").close().await;
                })
                .await,
            ),
        }
    }

    /// Where Passant finds it.
    pub fn location(&self) -> Location {
        match self {
            Self::Sqlite(directory) => Location::Sqlite(directory.0.join("passant.sqlite")),
            Self::Postgres(database) => Location::Postgres { url: database.url().to_owned(), connections: 8 },
        }
    }

    /// Opens it.
    pub async fn open(&self, clock: &ManualClock) -> Db {
        Db::open(&self.location(), Arc::new(clock.clone())).await.expect("the database opens")
    }

    /// Every row of every table, as text.
    pub async fn rows(&self) -> Vec<u8> {
        match self {
            Self::Sqlite(directory) => rows_of_sqlite(&directory.0.join("passant.sqlite")).await,
            Self::Postgres(database) => dump_postgres(database.url()).await,
        }
    }

    /// Everything in it, as bytes to be searched.
    pub async fn dump(&self) -> Vec<u8> {
        match self {
            Self::Sqlite(directory) => dump_sqlite(&directory.0.join("passant.sqlite")).await,
            Self::Postgres(database) => dump_postgres(database.url()).await,
        }
    }
}

impl World {
    /// An issuer with the configuration of most tests.
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, |_| {}).await
    }

    /// An issuer with a configuration of its own.
    pub async fn with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(engine, change, Kind::default()).await
    }

    async fn begin(engine: Engine, change: impl FnOnce(&mut Config), kind: Kind) -> Self {
        let clock = ManualClock::at(BEGINNING);
        let time: Arc<dyn Clock> = if kind.real_time { Arc::new(SystemClock::new()) } else { Arc::new(clock.clone()) };
        let storage = Storage::new(engine).await;
        let mut config = Config::for_issuer(ISSUER.parse::<IssuerUrl>().expect("the issuer is one"));
        (config.passwords.memory_kib, config.passwords.iterations, config.passwords.permits) = (8, 2, 4);
        config.scopes.insert("orders:read".parse().expect("a scope"), "Read your orders".to_owned());
        config.scopes.insert("orders:write".parse().expect("a scope"), "Change your orders".to_owned());
        config.resources.insert("https://api.example.com".parse().expect("a resource"), "the orders service".to_owned());
        change(&mut config);
        let held = Held::default();
        let home = Directory::new();
        let master = MasterKey::parse(&"A".repeat(43)).expect("a master key");
        master_file::replace(&home.0.join(MASTER_KEY), &[master]).expect("the master key can be written");
        let place = MasterKeyPlace::File(home.0.join(MASTER_KEY));
        let app = replica(config, &storage, (&time, &held), (place, kind.demo)).await.expect("the issuer opens");
        Self { router: passant::http::router(&app), app, clock, time, secrets: Arc::default(), held, storage, home }
    }

    /// Runs a test against an issuer on this engine, then searches its database for what it gave out.
    pub async fn run<F>(engine: Engine, test: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = ()>,
    {
        let world = Arc::new(Self::new(engine).await);
        test(Arc::clone(&world)).await;
        world.every_cut_off_has_a_cause().await;
        world.search_for_leaks().await;
    }

    /// Fails when any secret that an answer gave out rests in the database.
    pub async fn search_for_leaks(&self) {
        let leaks = self.secrets.scan("the database", &self.storage.dump().await);
        assert!(
            leaks.is_empty(),
            "secrets rest in the database: {}",
            leaks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
    }

    /// A second process on the same database, master key and clock.
    pub async fn replica(&self) -> Arc<App> {
        self.replica_from(MasterKeyPlace::File(self.master_key())).await
    }

    /// The same with its master key from another place.
    pub async fn replica_from(&self, place: MasterKeyPlace) -> Arc<App> {
        self.another(place).await.expect("the issuer opens")
    }

    /// Why a process with these master keys does not start.
    pub async fn refused_replica(&self, place: MasterKeyPlace) -> String {
        self.another(place).await.err().expect("it does not open").to_string()
    }

    async fn another(&self, place: MasterKeyPlace) -> Result<Arc<App>, OpenError> {
        replica(self.app.config.clone(), &self.storage, (&self.time, &self.held), (place, self.app.demo)).await
    }

    /// A second process on the same database and master key, whose machine has another clock.
    pub async fn replica_with(&self, clock: &ManualClock) -> Arc<App> {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let master = MasterKeyPlace::File(self.master_key());
        let app = replica(self.app.config.clone(), &self.storage, (&clock, &self.held), (master, self.app.demo)).await;
        app.expect("the issuer opens")
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.app.db
    }

    /// Where the master key is.
    pub fn master_key(&self) -> PathBuf {
        self.home.0.join(MASTER_KEY)
    }

    /// Where the database is.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Changes rows behind the issuer's back; how many.
    pub async fn execute(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.storage {
            Storage::Sqlite(directory) => {
                let options = SqliteConnectOptions::new().filename(directory.0.join("passant.sqlite"));
                let mut connection = SqliteConnection::connect_with(&options).await.expect("the database opens");
                sqlx::query(sql).execute(&mut connection).await.expect("the statement works").rows_affected()
            }
            Storage::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.expect("the database opens");
                sqlx::query(sql).execute(&mut connection).await.expect("the statement works").rows_affected()
            }
        }
    }

    /// A browser with an empty cookie jar.
    pub fn agent(self: &Arc<Self>) -> Agent {
        Agent::new(Arc::clone(self))
    }

    /// Moves time on.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// The time in seconds since 1970, as messages and tokens give it.
    pub fn clock_seconds(&self) -> i64 {
        self.app.now().seconds()
    }

    fn router(&self) -> Router {
        self.router.clone()
    }
}

async fn replica(
    config: Config,
    storage: &Storage,
    (clock, held): (&Arc<dyn Clock>, &Held),
    (master, demo): (MasterKeyPlace, bool),
) -> Result<Arc<App>, OpenError> {
    let parts = Parts {
        db: Db::open(&storage.location(), Arc::clone(clock)).await.expect("the database opens"),
        master,
        clock: Arc::clone(clock),
        generator: Arc::new(fixture_keys()),
        demo,
        checkpoints: Arc::new(held.clone()),
    };
    App::open(config, parts).await
}

/// The signing keys of the tests, in turn.
pub fn fixture_keys() -> FixtureKeys {
    FixtureKeys::new((0..8).map(|number| {
        let path = format!("{}/fixtures/keys/{number}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the fixture key is there")
    }))
}

/// Makes a module of each test, with one case for each engine.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$note:meta])* async fn $name:ident($world:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test names something of its file")]
            use super::*;

            async fn case($world: std::sync::Arc<$crate::world::World>) $body

            $(#[$note])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::world::World::run($crate::world::Engine::Sqlite, case).await;
            }

            $(#[$note])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::world::World::run($crate::world::Engine::Postgres, case).await;
            }
        }
    )*};
}
