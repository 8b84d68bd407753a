//! `passant serve` as a process: what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use passant_tests::binary::{passant, run};
use passant_tests::secrets::{SecretCollector, dump_sqlite};
use passant_tests::world::Directory;
use serde_json::Value;

struct Serving {
    child: Child,
    port: u16,
    said: String,
}

impl Serving {
    fn start(data: &Directory) -> Self {
        Self::configured(data, "")
    }

    fn configured(data: &Directory, configuration: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = data.0.join("passant.toml");
        std::fs::write(&file, configuration).unwrap();
        let mut child = Command::new(passant())
            .args(["--config", file.to_str().unwrap(), "--data-dir", data.0.join("data").to_str().unwrap()])
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("PASSANT_ISSUER", format!("http://localhost:{port}"))
            .env("SHOP_SECRET", "k".repeat(43))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !said.contains("Passant is ready") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it ended early: {said}");
        }
        Self { child, port, said }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port))
    }

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_first_start_prints_the_link_that_makes_the_first_administrator() {
    let data = Directory::new();
    let serving = Serving::start(&data);
    let link = format!("http://localhost:{}/set-up?token=", serving.port);
    let (_, token) = serving.said.split_once(&link).unwrap_or_else(|| panic!("no link in {}", serving.said));
    let token = token.split_whitespace().next().unwrap();
    assert!(token.starts_with("pst_"), "{token}");
    let secrets = SecretCollector::default();
    secrets.collect("set-up link", token);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dump = runtime.block_on(dump_sqlite(&data.0.join("data/passant.sqlite")));
    assert!(secrets.scan("the database", &dump).is_empty());
}

#[test]
fn metrics_are_served_where_the_configuration_says_until_the_end() {
    let data = Directory::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut serving = Serving::configured(&data, &format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\npassant_feed_age_seconds "), "{answer}");
    serving.terminate();
    assert!(serving.child.wait().unwrap().success());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_graceful_end_finishes_the_request_in_flight() {
    let data = Directory::new();
    let mut serving = Serving::start(&data);
    let mut stream = serving.connect().unwrap();
    let body = "grant_type=refresh_token&client_id=nobody";
    write!(
        stream,
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..10]
    )
    .unwrap();
    // Answered once the server reads requests: the one above was accepted before it, on the same listener.
    let mut probe = serving.connect().unwrap();
    write!(probe, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut healthy = String::new();
    probe.read_to_string(&mut healthy).unwrap();
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");

    serving.terminate();
    // The edge of a process: its listener closes some time after the signal.
    while serving.connect().is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "the request in flight is answered: {answer}");
    assert!(serving.child.wait().unwrap().success());
}

#[test]
fn a_graceful_end_waits_for_nobody_who_follows_the_feed() {
    let data = Directory::new();
    let mut serving = Serving::start(&data);
    let mut stream = serving.connect().unwrap();
    write!(stream, "GET /revocations/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut read = BufReader::new(stream);
    let mut said = String::new();
    while !said.contains("data: ") {
        assert!(read.read_line(&mut said).unwrap() > 0, "it follows: {said}");
    }
    serving.terminate();
    let mut rest = String::new();
    read.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "the stream ends as it should: {rest}");
    assert!(serving.child.wait().unwrap().success());
}

/// The clients that the command line lists.
fn listed(data: &Directory) -> Vec<(String, String)> {
    let output = run(&["--data-dir", data.0.join("data").to_str().unwrap(), "clients", "list", "--json"], "", &[]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |client: &Value, name: &str| client[name].as_str().unwrap().to_owned();
    document["clients"].as_array().unwrap().iter().map(|client| (text(client, "id"), text(client, "name"))).collect()
}

#[test]
fn the_files_clients_are_reconciled_at_each_start_and_others_are_left_alone() {
    let data = Directory::new();
    let client = |id: &str, name: &str| {
        format!(
            "[[clients]]\nid = \"{id}\"\nname = \"{name}\"\nauthentication = \"client_secret_basic\"\nsecret_env = \"SHOP_SECRET\"\n\
             redirect_uris = [\"https://{id}.example/cb\"]\nscopes = [\"openid\"]\n"
        )
    };
    let named =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect::<Vec<_>>();
    drop(Serving::configured(&data, &(client("shop", "The shop") + &client("till", "The till"))));
    assert_eq!(listed(&data), named(&[("shop", "The shop"), ("till", "The till")]));
    let own = ["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"];
    assert!(run(&[&["--data-dir", data.0.join("data").to_str().unwrap()], &own[..]].concat(), "", &[]).status.success());

    drop(Serving::configured(&data, &client("shop", "The new shop")));
    assert_eq!(listed(&data), named(&[("batch", "Batch"), ("shop", "The new shop"), ("till", "The till")]));

    let file = data.0.join("passant.toml");
    std::fs::write(&file, client("shop", "A third name") + &client("batch", "Not the file's")).unwrap();
    let place = data.0.join("data");
    let arguments = ["--config", file.to_str().unwrap(), "--data-dir", place.to_str().unwrap(), "serve"];
    let secret = "k".repeat(43);
    let refused = run(&arguments, "", &[("SHOP_SECRET", &secret), ("PASSANT_LISTEN", "127.0.0.1:0")]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(
        listed(&data),
        named(&[("batch", "Batch"), ("shop", "The new shop"), ("till", "The till")]),
        "nothing is half applied"
    );
}
