//! The binary as an operator runs it: a configuration file, TLS, a database of its own, and a user who was made by command.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::authority::Authority;
use crate::binary::{passant, run};
use crate::postgres::{self, Database};
use crate::world::{Directory, Engine};

/// How long the binary may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running binary that answers over TLS until it is dropped.
pub struct Issuer {
    /// Its issuer, such as `https://localhost:49152`.
    pub url: String,
    directory: Directory,
    _database: Option<Database>,
    _child: Child,
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

    /// The issuer's address once it runs.
    pub fn url(&self) -> &str {
        &self.url
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
        let log = std::fs::File::create(directory.0.join("log")).expect("the directory can be written");
        let mut child = Command::new(passant())
            .arg("--config")
            .arg(directory.0.join("passant.toml"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("the output is piped"));
        let mut said = String::new();
        let ready = async {
            while !said.contains("Passant is ready") {
                if output.read_line(&mut said).await.unwrap_or(0) == 0 {
                    return false;
                }
            }
            true
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await.unwrap_or(false);
        let log = || std::fs::read_to_string(directory.0.join("log")).unwrap_or_default();
        assert!(ready, "the issuer is not ready: {said}{}", log());
        // Somebody must read on: a full pipe would hold the server up.
        tokio::spawn(async move { output.read_to_end(&mut Vec::new()).await });
        Issuer { url, directory, _database: database, _child: child }
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
