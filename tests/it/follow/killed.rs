//! The binary is killed in the middle of its work, again and again: what it has acknowledged stays revoked.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64ct::{Base64, Encoding};
use passant_tests::binary::{passant, run};
use passant_tests::postgres::{self, Database};
use passant_tests::running::Running;
use passant_tests::world::Directory;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::*;

const MASTER_KEY: [(&str, &str); 2] =
    [("PASSANT_MASTER_KEY__ENV", "TEST_MASTER_KEY"), ("TEST_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
const ROUNDS: usize = 4;
const OF_A_ROUND: usize = 50;
const WORKERS: usize = 4;

/// A binary that can be killed and started again.
struct Binary {
    url: String,
    listen: String,
    directory: Directory,
    database: Option<Database>,
    http: reqwest::Client,
    basic: String,
}

impl Binary {
    async fn new(engine: Engine) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::database("empty", async |_| ()).await),
        };
        let (url, listen) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
        let http = reqwest::Client::new();
        let mut binary = Self { url, listen, directory: Directory::new(), database, http, basic: String::new() };
        let mut command = binary.arguments();
        command.extend(["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"].map(str::to_owned));
        command.push("--json".to_owned());
        let output = run(&command.iter().map(String::as_str).collect::<Vec<_>>(), "", binary.environment());
        let added: Value = serde_json::from_slice(&output.stdout).unwrap();
        let secret = added["client_secret"].as_str().unwrap();
        binary.basic = format!("Basic {}", Base64::encode_string(format!("batch:{secret}").as_bytes()));
        binary
    }

    fn arguments(&self) -> Vec<String> {
        match &self.database {
            Some(database) => vec!["--database-url".to_owned(), database.url().to_owned()],
            None => vec!["--data-dir".to_owned(), self.directory.0.join("data").display().to_string()],
        }
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        if self.database.is_some() { &MASTER_KEY } else { &[] }
    }

    async fn start(&self) -> Running {
        let mut command = Command::new(passant());
        command.args(self.arguments()).args(["serve", "--listen", &self.listen]).env("PASSANT_ISSUER", &self.url);
        command.envs(self.environment().iter().copied());
        let mut running = Running::start(command);
        running.until("Passant is ready").await;
        running
    }

    /// Sends a form; the answer's body if it was a good one.
    async fn post(&self, path: &str, body: String) -> Option<String> {
        let request = self.http.post(format!("{}{path}", self.url)).header("authorization", &self.basic);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    }

    async fn token(&self) -> Tokens {
        let body = self.post("/token", "grant_type=client_credentials".to_owned()).await.expect("a token is given");
        Tokens(serde_json::from_str(&body).unwrap())
    }

    /// Whether the revocation was acknowledged.
    async fn revoke(&self, tokens: &Tokens) -> bool {
        self.post("/revoke", format!("token={}", tokens.access())).await.is_some()
    }

    /// A verifier that has just begun.
    async fn verifier(&self) -> Verifier {
        let verifier = Verifier::builder().issuer(&self.url).dangerous_accept_any_audience().build().unwrap();
        verifier.ready(PATIENCE).await.unwrap();
        verifier
    }
}

/// Tokens to be revoked one after another, by several at once.
struct Work {
    binary: Binary,
    tokens: Vec<Tokens>,
    next: AtomicUsize,
    acknowledged: Mutex<Vec<usize>>,
    count: watch::Sender<usize>,
}

impl Work {
    /// Revokes up to this number. Ends at the first failure, which may have been a revocation without an acknowledgement.
    async fn revoke_until(&self, end: usize) {
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number >= end || !self.binary.revoke(&self.tokens[number]).await {
                return;
            }
            self.acknowledged.lock().unwrap().push(number);
            self.count.send_modify(|count| *count += 1);
        }
    }

    fn all_refused(&self, verifier: &Verifier) -> bool {
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.iter().all(|number| reason(verifier, &self.tokens[*number]) == Some(Reason::Revoked))
    }
}

on_each_engine! {
    async fn no_acknowledged_revocation_is_lost_or_revived_by_a_kill(engine) {
        let binary = Binary::new(engine).await;
        let mut running = binary.start().await;
        let mut tokens = Vec::new();
        for _ in 0..=ROUNDS * OF_A_ROUND {
            tokens.push(binary.token().await);
        }
        let untouched = tokens.pop().unwrap();
        let resumed = binary.verifier().await;
        let count = watch::Sender::new(0);
        let work = Arc::new(Work { binary, tokens, next: AtomicUsize::new(0), acknowledged: Mutex::default(), count });
        for round in 1..=ROUNDS {
            let (begin, end) = ((round - 1) * OF_A_ROUND, round * OF_A_ROUND);
            work.next.store(begin, Ordering::SeqCst);
            let mut workers = JoinSet::new();
            let before = *work.count.borrow();
            for _ in 0..WORKERS {
                let work = Arc::clone(&work);
                workers.spawn(async move { work.revoke_until(end).await });
            }
            work.count.subscribe().wait_for(|count| count - before >= 15 + round).await.unwrap();
            running.signal("KILL");
            workers.join_all().await;
            running.ended().await;
            running = work.binary.start().await;
            let fresh = work.binary.verifier().await;
            assert!(work.all_refused(&fresh), "one that begins after the kill knows of all");
            eventually("one that resumes knows of all", || work.all_refused(&resumed)).await;
            // The others of the round, and those that were not acknowledged.
            for number in begin..end {
                if !work.acknowledged.lock().unwrap().contains(&number) {
                    assert!(work.binary.revoke(&work.tokens[number]).await);
                    work.acknowledged.lock().unwrap().push(number);
                }
            }
        }
        let fresh = work.binary.verifier().await;
        assert_eq!(work.acknowledged.lock().unwrap().len(), ROUNDS * OF_A_ROUND);
        eventually("all are refused", || work.all_refused(&resumed)).await;
        assert!(work.all_refused(&fresh));
        assert_eq!([&fresh, &resumed].map(|verifier| reason(verifier, &untouched)), [None, None]);
    }
}
