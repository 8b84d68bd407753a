//! An issuer's web server that does as it is told, down to the single byte, and counts what it is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use crate::support::{TestKey, claims, jwks};

#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, ever.
    Silence,
    /// These bytes first, and then blanks without end, so many at a time.
    Endless(Vec<u8>, usize, Duration),
    /// These bytes first, and then whatever is sent to all.
    Live(Vec<u8>, broadcast::Sender<Vec<u8>>),
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::with("200 OK", "", body)
    }

    pub(crate) fn with(status: &str, headers: &str, body: &str) -> Self {
        Self::Raw(
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into(),
        )
    }
}

#[derive(Clone)]
pub(crate) struct KeyServer {
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
}

struct State {
    discovery: Answer,
    keys: Answer,
    others: Vec<(String, Answer)>,
    requests: Vec<String>,
}

impl KeyServer {
    fn nothing() -> Answer {
        Answer::with("404 Not Found", "", "")
    }

    /// A well-behaved server that publishes these keys.
    pub(crate) async fn start(keys: &[TestKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let discovery = Answer::ok(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }).to_string());
        let state = State { discovery, keys: Answer::ok(&published(keys)), others: Vec::new(), requests: Vec::new() };
        let server = Self { issuer, state: Arc::new(Mutex::new(state)) };
        let answering = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answering.clone().serve(stream));
            }
        });
        server
    }

    pub(crate) fn answer_keys(&self, answer: Answer) {
        self.state.lock().unwrap().keys = answer;
    }

    pub(crate) fn answer_discovery(&self, answer: Answer) {
        self.state.lock().unwrap().discovery = answer;
    }

    /// Answers requests whose head begins so.
    pub(crate) fn answer(&self, beginning: &str, answer: Answer) {
        let others = &mut self.state.lock().unwrap().others;
        others.retain(|(other, _)| other != beginning);
        others.push((beginning.to_owned(), answer));
    }

    pub(crate) fn feed_uri(&self) -> String {
        format!("{}/revocations", self.issuer)
    }

    /// The heads of all requests that begin so, with the body of those that have one.
    pub(crate) fn heads(&self, beginning: &str) -> Vec<String> {
        self.state.lock().unwrap().requests.iter().filter(|head| head.starts_with(beginning)).cloned().collect()
    }

    /// The heads of all requests for the key set.
    pub(crate) fn key_requests(&self) -> Vec<String> {
        self.heads("GET /jwks")
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// A good token of this issuer.
    pub(crate) fn token(&self, key: &TestKey) -> String {
        let mut claims = claims();
        claims["iss"] = json!(self.issuer);
        key.sign(&claims)
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let mut head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        head.push_str(&String::from_utf8(body).unwrap());
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(head.clone());
            match state.others.iter().find(|(beginning, _)| head.starts_with(beginning)) {
                Some((_, answer)) => answer.clone(),
                None if head.starts_with("GET /jwks ") => state.keys.clone(),
                None if head.contains(" /revocations") => Self::nothing(),
                None => state.discovery.clone(),
            }
        };
        match answer {
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Answer::Silence => std::future::pending().await,
            Answer::Live(first, sender) => {
                let mut live = sender.subscribe();
                let _ = stream.write_all(&first).await;
                drop(sender);
                while let Ok(bytes) = live.recv().await {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
            Answer::Endless(first, many, pause) => {
                let _ = stream.write_all(&first).await;
                while stream.write_all(&vec![b' '; many]).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

pub(crate) fn published(keys: &[TestKey]) -> String {
    jwks(&keys.iter().map(TestKey::jwk).collect::<Vec<_>>())
}
