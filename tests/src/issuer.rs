//! The binary as an operator runs it: a configuration file, TLS, a database of its own, and a user who was made by command.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::authority::Authority;
use crate::binary::{passant, run};
use crate::keeper::Keeper;
use crate::postgres::{self, Database};
use crate::world::{Directory, Engine};

/// A running binary that answers over TLS until it is dropped.
pub struct Issuer {
    /// Its issuer, such as `https://localhost:49152`.
    pub url: String,
    _keeper: Keeper,
    directory: Directory,
    _database: Option<Database>,
}

/// A user who can sign in.
#[derive(Debug)]
pub struct User {
    /// What is typed as the name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The `sub` of the user's tokens.
    pub sub: String,
}

/// An issuer that does not run yet.
pub struct Prepared {
    url: String,
    directory: Directory,
    database: Option<Database>,
}

impl Prepared {
    /// An issuer on this engine, with its place in the network and the rest of its configuration file.
    pub async fn new(engine: Engine, configuration: &str) -> Self {
        let directory = Directory::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::database("empty", async |_| {}).await),
        };
        let place = |name: &str| directory.0.join(name).display().to_string();
        let authority = Authority::of_this_process();
        let url = format!("https://localhost:{port}");
        let mut file = format!(
            "issuer = {url:?}\nlisten = \"127.0.0.1:{port}\"\ndata_dir = {:?}\n\
             [tls]\ncertificate = {:?}\nprivate_key = {:?}\n[master_key]\nfile = {:?}\n",
            place("data"),
            place("server.pem"),
            place("server.key"),
            place("master.key"),
        );
        if let Some(database) = &database {
            file.push_str(&format!("[database]\nurl = {:?}\n", database.url()));
        }
        for (name, text) in [
            ("root.pem", authority.root.as_str()),
            ("server.pem", &authority.certificate),
            ("server.key", &authority.private_key),
            ("master.key", &"A".repeat(43)),
            ("passant.toml", &(file + configuration)),
        ] {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(directory.0.join(name));
            file.expect("the directory is empty").write_all(text.as_bytes()).expect("the directory can be written");
        }
        Self { url, directory, database }
    }

    /// The file with the certificate of the authority that vouches for it.
    pub fn root(&self) -> PathBuf {
        self.directory.0.join("root.pem")
    }

    /// Runs a command of the binary that must succeed, and returns its one document.
    pub fn command(&self, arguments: &[&str], input: &str) -> Value {
        let file = self.directory.0.join("passant.toml");
        let output = run(&[&["--config", file.to_str().expect("a UTF-8 path"), "--json"], arguments].concat(), input, &[]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&said).unwrap_or_else(|why| panic!("{arguments:?} said no document ({why}): {said}"))
    }

    /// Makes a user by `passant users add`.
    pub fn user(&self, name: &str, password: &str, more: &[&str]) -> User {
        let added = self.command(&[&["users", "add", name, "--password-stdin"], more].concat(), &format!("{password}\n"));
        let sub = added["sub"].as_str().expect("a user has a sub").to_owned();
        User { name: name.to_owned(), password: password.to_owned(), sub }
    }

    /// Starts it.
    pub async fn serve(self) -> Issuer {
        let Self { url, directory, database } = self;
        let place = |name: &str| directory.0.join(name).display().to_string();
        let (log, file) = (place("log"), place("passant.toml"));
        let started = tokio::task::spawn_blocking(move || {
            let program = passant().to_str().expect("a UTF-8 path");
            Keeper::start(KEEP_ISSUER, &[&log, program, "--config", &file, "serve"], "Passant is ready").0
        });
        let keeper = started.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        Issuer { url, _keeper: keeper, directory, _database: database }
    }
}

impl Issuer {
    /// The file with the certificate of the authority that vouches for it.
    pub fn root(&self) -> PathBuf {
        self.directory.0.join("root.pem")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.0.join("log")).unwrap_or_default()
    }
}

/// A server that ends before it is ready takes the keeper with it, after its last words.
const KEEP_ISSUER: &str = r#"
setsid sh -c '"$@" 2>"$0" </dev/null || { cat "$0"; kill -s KILL '$$'; }' "$@" &
issuer=$!
await_end_of_tests
kill -s KILL -- "-$issuer"
wait
"#;
