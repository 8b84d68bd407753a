//! The command line, through the binary: one file a command.

mod audit;
mod beside_a_server;
mod check_config;
mod clients;
mod consents;
mod keys;
mod sessions;
mod users;

use std::path::PathBuf;
use std::process::Output;

use passant_tests::binary::run;
use passant_tests::secrets::{SecretCollector, dump_sqlite};
use passant_tests::world::Directory;
use serde_json::Value;

/// A data directory and a configuration file of its own.
struct Place {
    directory: Directory,
    secrets: SecretCollector,
}

impl Place {
    fn new(configuration: &str) -> Self {
        let directory = Directory::new();
        std::fs::write(directory.0.join("passant.toml"), configuration).unwrap();
        Self { directory, secrets: SecretCollector::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let (file, data) = (self.path("passant.toml"), self.path("data"));
        let mut all = vec!["--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
        all.extend(arguments);
        run(&all, input, &[])
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dump = runtime.block_on(dump_sqlite(&self.path("data/passant.sqlite")));
        assert!(self.secrets.scan("the database", &dump).is_empty());
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

#[test]
fn an_error_with_json_is_one_document_too() {
    let place = Place::new("");
    let output = place.run_with(&["keys", "revoke", "no-such-kid", "--json"], "");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert!(document["error"].is_string() && output.status.code() == Some(1));
}
