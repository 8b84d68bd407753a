//! The command line, through the binary.

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

    /// Exit code and error of a command that must fail.
    fn refusal(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run_with(arguments, "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn a_client_gets_its_secret_once_and_the_database_never_holds_it() {
    let place = Place::new("[scopes]\n\"orders:read\" = \"Read your orders\"\n");
    let added = place.json(
        &["clients", "add", "batch", "--name", "Nightly batch", "--grant-type", "client_credentials", "--scope", "orders:read"],
        "",
    );
    let secret = added["client_secret"].as_str().expect("the secret is shown once");
    assert_eq!(secret.len(), "pcs_".len() + 43, "256 bits");
    let listed = place.json(&["clients", "list"], "").to_string();
    assert!(listed.contains("batch") && !listed.contains(secret));
    let (code, said) = place.refusal(&["clients", "add", "batch", "--name", "Again", "--grant-type", "client_credentials"]);
    assert_eq!(code, Some(1), "{said}");

    place.search_for_leaks();
}

#[test]
fn users_are_added_and_a_new_password_says_at_which_tick_it_cuts_off() {
    let place = Place::new("");
    let added = place.json(&["users", "add", "Ada", "--name", "Ada Lovelace", "--password-stdin"], "an engine that weaves\n");
    let changed = place.json(&["users", "set-password", "ada", "--password-stdin"], "another engine entirely\n");
    assert_eq!(changed["sub"], added["sub"]);
    assert!(changed["tick"].as_i64().unwrap() > 0);
    let generated = place.json(&["users", "set-password", "ada", "--generate-password"], "");
    assert!(generated["tick"].as_i64().unwrap() > changed["tick"].as_i64().unwrap());
    place.search_for_leaks();
    let short = place.run_with(&["users", "set-password", "ada", "--password-stdin"], "short\n");
    assert_eq!(short.status.code(), Some(1));
    assert_eq!(place.refusal(&["users", "set-password", "nobody", "--generate-password"]).0, Some(1));
    assert_eq!(place.run_with(&["users", "add", "ada", "--password-stdin"], "an engine that weaves\n").status.code(), Some(1));
}

#[test]
fn keys_are_listed_rotated_and_revoked() {
    let place = Place::new("");
    let first = place.json(&["keys", "list"], "")["keys"][0]["kid"].as_str().unwrap().to_owned();
    place.json(&["keys", "rotate"], "");
    let listed = place.json(&["keys", "list"], "");
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    place.json(&["keys", "revoke", &first], "");
    let keys = place.json(&["keys", "list"], "")["keys"].as_array().unwrap().clone();
    let state = |kid: &str| keys.iter().find(|key| key["kid"] == kid).unwrap()["state"].clone();
    assert_eq!(state(&first), "revoked");
    assert!(keys.iter().any(|key| key["state"] == "signing" && key["kid"] != first.as_str()));
    assert_eq!(place.refusal(&["keys", "revoke", "no-such-kid"]).0, Some(1));
}

#[test]
fn a_wrong_file_is_refused_with_line_key_and_reason_and_nothing_is_made() {
    for (text, line, key) in [
        ("issuer = \"http://auth.example.com\"\n", "line 1", "issuer"),
        ("listen = \"127.0.0.1:0\"\n\n[keys]\nperiods = \"30d\"\n", "line 4", "periods"),
        ("[keys]\nperiod = \"1h\"\n", "line 2", "period"),
        (
            "[[clients]]\nid = \"a\"\nname = \"A\"\nauthentication = \"none\"\nredirect_uris = [\"https://a.example/*\"]\n[[clients]]\nid = \"a\"\n",
            "line 5",
            "redirect_uris",
        ),
        (
            "[[clients]]\nid = \"b\"\nname = \"B\"\nauthentication = \"client_secret_basic\"\nredirect_uris = [\"https://b.example/\"]\n",
            "line",
            "secret",
        ),
    ] {
        let place = Place::new(text);
        let (code, said) = place.refusal(&["serve"]);
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.contains(line) && said.contains(key), "{text}: {said}");
        assert!(!place.path("data").exists(), "nothing was made for {text}");
    }
}

#[test]
fn a_lost_master_key_is_missed_and_not_made_anew() {
    let place = Place::new("");
    place.json(&["keys", "list"], "");
    std::fs::remove_file(place.path("data/master.key")).unwrap();
    let (code, said) = place.refusal(&["keys", "list"]);
    assert!(code == Some(1) && said.contains("put its backup back"), "{said}");
    assert!(!place.path("data/master.key").exists());
}

#[test]
fn no_password_at_all_is_told_what_to_give() {
    let (code, said) = Place::new("").refusal(&["users", "add", "ada"]);
    assert!(code == Some(1) && said.contains("--generate-password"), "{said}");
}

#[test]
fn an_error_with_json_is_one_document_too() {
    let place = Place::new("");
    let output = place.run_with(&["keys", "revoke", "no-such-kid", "--json"], "");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert!(document["error"].is_string() && output.status.code() == Some(1));
}
