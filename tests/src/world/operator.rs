//! The operator of a world: commands of the binary on its database, and what its tables say.

use std::collections::BTreeMap;

use passant::domain::audit::{Action, Event};
use passant::domain::causes::{Cause, is_known, raises};
use passant::domain::cutoff::{Level, Target};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, SqliteConnection};

use super::{Storage, World};
use crate::binary;

/// What the audit trail tells of a cut-off of this target, where a test raises it past every act.
pub fn told_of(target: &Target) -> Event {
    let row = Cause::ALL.iter().map(|cause| cause.row()).find(|row| row.level == target.kind());
    Event::done(row.expect("every level has a cause").told.0)
}

/// What the issuer of a world is configured with, beside what is said by variables.
const CONFIGURATION: &str = r#"
[scopes]
"orders:read" = "Read your orders"
"orders:write" = "Change your orders"

[resources]
"https://api.example.com" = "the orders service"
"https://other.example.com" = "another service"
"#;

impl World {
    /// Runs a command of the binary, which must succeed, on this database and master key: its one document.
    pub fn command(&self, arguments: &[&str]) -> Value {
        let (succeeded, document) = self.try_command(arguments, "");
        assert!(succeeded, "{arguments:?}: {document}");
        document
    }

    /// Runs a command with this standard input: whether it succeeded, and its one document.
    pub fn try_command(&self, arguments: &[&str], input: &str) -> (bool, Value) {
        let (arguments, environment) = self.invocation(&[&["--json"], arguments].concat());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let output = binary::run(&arguments, input, &environment);
        let said = String::from_utf8(output.stdout).expect("answers are text");
        let document = serde_json::from_str(&said).unwrap_or_else(|why| {
            panic!("{arguments:?} said no single document ({why}): {said} {}", String::from_utf8_lossy(&output.stderr))
        });
        (output.status.success(), document)
    }

    /// The arguments and variables with which the binary does something on this database and master key.
    pub fn invocation(&self, arguments: &[&str]) -> (Vec<String>, Vec<(&'static str, String)>) {
        let file = self.home.0.join("passant.toml");
        std::fs::write(&file, CONFIGURATION).expect("the configuration can be written");
        let mut all = vec!["--config".to_owned(), file.display().to_string()];
        let mut environment = vec![
            ("PASSANT_MASTER_KEY__FILE", self.master_key().display().to_string()),
            ("PASSANT_ISSUER", self.app.config.issuer.as_str().to_owned()),
        ];
        match &self.storage {
            Storage::Sqlite(directory) => all.extend(["--data-dir".to_owned(), directory.0.display().to_string()]),
            Storage::Postgres(database) => environment.push(("PASSANT_DATABASE__URL", database.url().to_owned())),
        }
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        (all, environment)
    }

    /// Reads rows past the issuer.
    pub async fn rows<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.storage {
            Storage::Sqlite(directory) => {
                let options = SqliteConnectOptions::new().filename(directory.0.join("passant.sqlite"));
                let mut connection = SqliteConnection::connect_with(&options).await.expect("the database opens");
                sqlx::query_as(sql).fetch_all(&mut connection).await.expect("the query works")
            }
            Storage::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.expect("the database opens");
                sqlx::query_as(sql).fetch_all(&mut connection).await.expect("the query works")
            }
        }
    }

    /// Fails when a cut-off was raised that the table of causes does not know, or that the audit trail does not tell of.
    pub async fn every_cut_off_has_a_cause(&self) {
        let told: Vec<(i64, String)> = self.rows("SELECT tick, action FROM audit WHERE tick IS NOT NULL").await;
        let mut told_at: BTreeMap<i64, Vec<Action>> = BTreeMap::new();
        for (tick, action) in told {
            let action: Action = action.parse().expect("an action");
            assert!(raises(action), "{action} tells of a cut-off, and has no row in the table of causes");
            told_at.entry(tick).or_default().push(action);
        }
        for (tick, level) in self.rows::<(i64, String)>("SELECT DISTINCT tick, level FROM cutoffs").await {
            let level: Level = level.parse().expect("a level");
            let told = told_at.get(&tick).map(Vec::as_slice).unwrap_or_default();
            assert!(!told.is_empty(), "the cut-off of a {level} at {tick} is told by nobody");
            let known = told.iter().any(|action| is_known(*action, level));
            assert!(known, "{told:?} cut off a {level}: the table of causes has no such row");
        }
    }
}
