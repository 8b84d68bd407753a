//! The pages for integrators in `issuer/docs`, followed as a newcomer would: their files are written down, their commands typed, on
//! ports of the test's own.
//!
//! They hold what the pages promise, which no database changes: the issuer is the one that the pages start, on SQLite.

mod axum_service;
mod command_line_tool;
mod machine_to_machine;
mod server_rendered_app;
mod single_page_app;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use passant_tests::binary::passant;
use passant_tests::browser::Page;
use passant_tests::readme;
use passant_tests::running::{Running, shell};
use passant_tests::world::Directory;
use tokio::process::Command;
use tokio::sync::OnceCell;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The ports that the pages name: of the issuer, of the service, and of the applications.
const PORTS: [&str; 4] = ["8080", "8081", "8082", "8083"];
const ISSUER: usize = 0;
const SERVICE: usize = 1;
const PAGES: usize = 2;
const SHOP: usize = 3;

/// How long a command that ends may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A page, its files written into a directory, its commands ready to be typed there.
struct Guide {
    directory: Directory,
    files: BTreeMap<String, String>,
    commands: BTreeMap<String, String>,
    untyped: Mutex<BTreeSet<String>>,
    ports: Vec<u16>,
}

impl Guide {
    /// Opens a page and writes its files down.
    fn open(name: &str) -> Self {
        let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let text = with_ports(&page(name), &ports);
        let (files, commands) = (readme::files(&text), readme::commands(&text));
        let directory = Directory::new();
        for (name, text) in &files {
            let path = directory.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let untyped = Mutex::new(commands.keys().cloned().collect());
        Self { directory, files, commands, untyped, ports }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    /// An address on this machine that the page names.
    fn url(&self, port: usize, path: &str) -> String {
        format!("http://localhost:{}{path}", self.ports[port])
    }

    /// A command's text. From here on the page's reader has typed it.
    fn text(&self, name: &str) -> &str {
        self.untyped.lock().unwrap().remove(name);
        self.commands.get(name).unwrap_or_else(|| panic!("the page has no command `{name}`"))
    }

    /// A command as it would be typed, with these variables.
    fn command(&self, name: &str, environment: &[(&str, &str)]) -> Command {
        self.typed(self.text(name), environment)
    }

    fn typed(&self, text: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = shell(text, &self.directory.0, environment);
        let programs = [&self.path("bin"), passant().parent().unwrap()].map(|place| place.to_str().unwrap().to_owned());
        command.env("PATH", format!("{}:{}", programs.join(":"), std::env::var("PATH").unwrap()));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("NO_PROXY", "localhost,127.0.0.1").env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Runs a command to its end, which must be a good one, and returns what it said.
    async fn run(&self, name: &str, environment: &[(&str, &str)]) -> String {
        let output = ended(self.command(name, environment)).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Starts the issuer.
    async fn issuer(&self) -> Running {
        let mut issuer = Running::start(self.command("issuer", &[]));
        issuer.until("Passant is ready").await;
        issuer
    }

    /// Stops the issuer, and starts it again with one more line in its client's entry.
    async fn restarted(&self, issuer: Running, line: &str) -> Running {
        let (file, text) = (self.path("passant.toml"), &self.files["passant.toml"]);
        std::fs::write(file, format!("{text}{line}\n")).unwrap();
        stopped(issuer).await;
        self.issuer().await
    }

    /// Starts the orders service by the page's command, or by that of its own page, and waits until it has the keys.
    async fn service(&self, environment: &[(&str, &str)]) -> Running {
        let service = self.unready_service(environment).await;
        let ready = async { while self.get(SERVICE, "/readyz").await.status() != 204 {} };
        tokio::time::timeout(PATIENCE, ready).await.expect("the service finds the keys");
        service
    }

    /// Starts the orders service: by the page's command, but what it has built once is not built again.
    async fn unready_service(&self, environment: &[(&str, &str)]) -> Running {
        let built = orders_api().await.to_str().unwrap();
        let elsewhere = readme::commands(&page("axum-service"));
        let text = if self.commands.contains_key("service") { self.text("service") } else { &elsewhere["service"] };
        assert!(text.contains(SERVICE_COMMAND), "{text}");
        let mut command = self.typed(&text.replace(SERVICE_COMMAND, built), &[]);
        command.env("ISSUER", self.url(ISSUER, "")).env("AUDIENCE", self.url(SERVICE, ""));
        command.env("LISTEN", format!("127.0.0.1:{}", self.ports[SERVICE])).envs(environment.iter().copied());
        let mut service = Running::start(command);
        service.until("orders API on").await;
        service
    }

    async fn get(&self, port: usize, path: &str) -> reqwest::Response {
        reqwest::get(self.url(port, path)).await.unwrap()
    }

    /// Makes the user whom the page makes, and returns her password.
    async fn user(&self) -> String {
        self.run("user", &[]).await.split_whitespace().last().unwrap().to_owned()
    }

    /// Asks for a token by a command of the page that prints the issuer's answer.
    async fn token(&self, name: &str) -> String {
        access_token(&self.run(name, &[]).await)
    }

    /// The page has been followed to its end: nothing on it is left untyped.
    fn done(self) {
        assert_eq!(*self.untyped.lock().unwrap(), BTreeSet::new(), "no test types these commands");
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join("issuer/docs").join(name).with_extension("md")).unwrap()
}

/// The text with this test's own ports.
fn with_ports(text: &str, ports: &[u16]) -> String {
    let (mut own, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("808") {
        let port = PORTS.iter().position(|known| rest[at..].starts_with(known)).expect("a port of the pages");
        own = own + &rest[..at] + &ports[port].to_string();
        rest = &rest[at + 4..];
    }
    own + rest
}

async fn ended(mut command: Command) -> Output {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it ends in time").unwrap()
}

async fn stopped(server: Running) {
    server.signal("TERM");
    drop(server.ended().await);
}

/// The access token of the token endpoint's answer.
fn access_token(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_else(|why| panic!("{why} in {answer}"));
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Signs in on the issuer's page.
async fn sign_in(page: &Page, password: &str) {
    page.fill("[name=username]", "ada").await;
    page.fill("[name=password]", password).await;
    page.click_and_wait("main button").await;
}

/// How the pages start the orders service.
const SERVICE_COMMAND: &str = "cargo run --manifest-path orders-api/Cargo.toml";

/// The orders service, built once a run from the files of its page. Its directory stays, so that the next run has it built.
async fn orders_api() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let (target, root) = (passant().ancestors().nth(2).unwrap(), Path::new(ROOT));
        let (project, manifest) = (target.join("integrators"), std::fs::read_to_string(root.join("Cargo.toml")).unwrap());
        for (name, text) in readme::files(&page("axum-service")) {
            write_changed(&project.join(name), &text.replace("../passant", ROOT));
        }
        // As the workspace is built, so that what it has built is built; and in the versions that everything else is tested with.
        write_changed(&project.join(".cargo/config.toml"), &manifest[manifest.find("[profile.").unwrap()..]);
        write_changed(&project.join("orders-api/Cargo.lock"), &std::fs::read_to_string(root.join("Cargo.lock")).unwrap());
        let mut build = shell(&SERVICE_COMMAND.replace("cargo run", "cargo build --quiet"), &project, &[]);
        build.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true");
        let output = ended(build).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("debug/orders-api")
    };
    BUILT.get_or_init(build).await
}

/// Leaves a file that is as it should be alone: cargo looks at its time.
fn write_changed(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|present| present == text) {
        return;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Makes a program of this name that the commands find first.
fn stand_in(guide: &Guide, name: &str, script: &str) {
    let path = guide.path("bin").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn only_the_pages_ports_are_replaced_and_each_once() {
    assert_eq!(with_ports("http://localhost:8080 8083/8081", &[48081, 2, 3, 4]), "http://localhost:48081 4/2");
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    for file in std::fs::read_dir(format!("{ROOT}/issuer/docs")).unwrap().flatten() {
        let link = format!("(issuer/docs/{})", file.file_name().to_str().unwrap());
        assert!(readme.contains(&link), "{link}");
    }
}
