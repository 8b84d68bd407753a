//! An issuer's web server that does as it is told, down to the single byte, and counts what it is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{TestKey, claims, jwks};

#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, ever.
    Silence,
    /// These bytes first, and then blanks without end, so many at a time.
    Endless(Vec<u8>, usize, Duration),
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
    requests: Vec<String>,
}

impl KeyServer {
    /// A well-behaved server that publishes these keys.
    pub(crate) async fn start(keys: &[TestKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let discovery = Answer::ok(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }).to_string());
        let state = State { discovery, keys: Answer::ok(&published(keys)), requests: Vec::new() };
        let server = Self { issuer, state: Arc::new(Mutex::new(state)) };
        let answering = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answering.clone().answer(stream));
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

    /// The heads of all requests for the key set.
    pub(crate) fn key_requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.iter().filter(|head| head.starts_with("GET /jwks")).cloned().collect()
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

    async fn answer(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(head.clone());
            if head.starts_with("GET /jwks ") { state.keys.clone() } else { state.discovery.clone() }
        };
        match answer {
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Answer::Silence => std::future::pending().await,
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
