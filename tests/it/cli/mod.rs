//! The command line, through the binary: one file a command.

use std::path::PathBuf;
use std::process::Output;

use passant_tests::binary::run;
use passant_tests::postgres::{self, Database};
use passant_tests::secrets::{SecretCollector, dump_postgres, dump_sqlite};
use passant_tests::world::{Directory, Engine, Storage, World};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

/// The master key that the environment holds, where one must be given.
const MASTER_KEY: [(&str, &str); 2] =
    [("PASSANT_MASTER_KEY__ENV", "TEST_MASTER_KEY"), ("TEST_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];

/// Makes a module of each test, with one case for each engine.
macro_rules! on_both_engines_by_command {
    ($(fn $name:ident($engine:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test names something of its file")]
            use super::*;

            fn case($engine: passant_tests::world::Engine) $body

            #[test]
            fn sqlite() {
                case(passant_tests::world::Engine::Sqlite);
            }

            #[test]
            fn postgres() {
                case(passant_tests::world::Engine::Postgres);
            }
        }
    )*};
}

mod audit;
mod beside_a_server;
mod check_config;
mod clients;
mod consents;
mod exit_codes;
mod keys;
mod operator;
mod reading;
mod revoke_everything;
mod secrets;
mod sessions;
mod users;

/// A configuration file and an empty database of its own.
struct Place {
    directory: Directory,
    database: Option<Database>,
    secrets: SecretCollector,
}

impl Place {
    /// With the embedded database.
    fn new(configuration: &str) -> Self {
        Self::on(Engine::Sqlite, configuration)
    }

    fn on(engine: Engine, configuration: &str) -> Self {
        let directory = Directory::new();
        std::fs::write(directory.0.join("passant.toml"), configuration).unwrap();
        let database = (engine == Engine::Postgres).then(|| wait(postgres::database("empty", async |_| ())));
        Self { directory, database, secrets: SecretCollector::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        self.run_in(&[], arguments, input)
    }

    /// Runs a command with these variables.
    fn run_in(&self, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
        let (file, data) = (self.path("passant.toml"), self.path("data"));
        let mut all = vec!["--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
        let mut environment = environment.to_vec();
        if let Some(database) = &self.database {
            all.extend(["--database-url", database.url()]);
            environment.extend(MASTER_KEY);
        }
        all.extend(arguments);
        run(&all, input, &environment)
    }

    /// Changes rows behind the issuer's back; how many.
    fn execute(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        wait(async {
            match &self.database {
                Some(database) => {
                    let mut connection = PgConnection::connect(database.url()).await.unwrap();
                    sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
                }
                None => {
                    let options = SqliteConnectOptions::new().filename(self.path("data/passant.sqlite"));
                    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                    sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
                }
            }
        })
    }

    /// Everything in the database.
    fn dump(&self) -> Vec<u8> {
        match &self.database {
            Some(database) => wait(dump_postgres(database.url())),
            None => wait(dump_sqlite(&self.path("data/passant.sqlite"))),
        }
    }

    /// The one document of a command that must succeed.
    fn json(&self, arguments: &[&str], input: &str) -> Value {
        let output = self.run_with(&[arguments, &["--json"]].concat(), input);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said} {}", String::from_utf8_lossy(&output.stderr));
        let document: Value =
            serde_json::from_str(&said).unwrap_or_else(|why| panic!("{arguments:?} said no single document ({why}): {said}"));
        let given_out = ["client_secret", "password"].into_iter().filter_map(|name| Some((name, document[name].as_str()?)));
        for (name, secret) in given_out.chain(Some(("typed", input.trim_end())).filter(|(_, typed)| !typed.is_empty())) {
            self.secrets.collect(name, secret);
        }
        document
    }

    /// Searches the database for every secret that was typed or given out.
    fn search_for_leaks(&self) {
        assert!(self.secrets.scan("the database", &self.dump()).is_empty());
    }

    /// The actions that the audit trail tells of, the newest first.
    fn trail(&self, filter: &[&str]) -> Vec<String> {
        let entries = self.json(&[&["audit"], filter].concat(), "")["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    }

    /// Exit code and error of a command that must fail.
    fn refusal(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run_with(arguments, "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Runs a command, with `--json`, on the database of an issuer that this process serves.
fn on_its_database(world: &World, arguments: &[&str]) -> Output {
    let mut all = match world.storage() {
        Storage::Sqlite(directory) => vec!["--data-dir", directory.0.to_str().unwrap()],
        Storage::Postgres(database) => vec!["--database-url", database.url()],
    };
    all.push("--json");
    all.extend(arguments);
    run(&all, "", &MASTER_KEY)
}

/// The document of such a command, which must succeed.
fn command(world: &World, arguments: &[&str]) -> Value {
    let output = on_its_database(world, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_error_with_json_is_one_document_too() {
    let place = Place::new("");
    for (arguments, code) in [(&["keys", "revoke", "no-such-kid", "--json"][..], 1), (&["clients", "add", "--json"], 2)] {
        let output = place.run_with(arguments, "");
        let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
        assert!(document["error"].is_string() && output.status.code() == Some(code), "{document}");
    }
    let document: Value = serde_json::from_slice(&place.run_with(&["clients", "add", "--json"], "").stdout).unwrap();
    assert!(document["error"].as_str().unwrap().contains("--name <NAME>"), "it says what is missing: {document}");
}
