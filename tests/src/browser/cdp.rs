//! The DevTools protocol over one WebSocket, shared by every page of a browser.
//!
//! The socket lives on a thread and a runtime of its own: each test has its own runtime, and the browser outlives them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// What a browser announces about one session.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) method: String,
    pub(super) params: Value,
}

pub(super) type Events = mpsc::UnboundedReceiver<Event>;

/// The browser as a whole, or one page of it. Clones talk over the same socket.
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: Option<String>,
    outgoing: mpsc::UnboundedSender<String>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    commands: u64,
    answers: HashMap<u64, oneshot::Sender<Result<Value, String>>>,
    followers: HashMap<String, Vec<mpsc::UnboundedSender<Event>>>,
}

impl Session {
    /// Connects to the browser that listens at `url`.
    pub(super) fn open(url: String) -> Self {
        let (outgoing, commands) = mpsc::unbounded_channel();
        let shared = Arc::<Mutex<Shared>>::default();
        let session = Self { id: None, outgoing, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(carry(&url, commands, &shared));
            // Whoever still waits learns that no answer will come.
            *shared.lock().unwrap() = Shared::default();
        });
        session
    }

    /// The same browser, speaking to one page.
    pub(super) fn attached(&self, id: &str) -> Self {
        Self { id: Some(id.to_owned()), ..self.clone() }
    }

    /// What this session announces from now on.
    pub(super) fn events(&self) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        let id = self.id.clone().unwrap_or_default();
        self.shared.lock().unwrap().followers.entry(id).or_default().push(sender);
        receiver
    }

    /// Runs a command that must succeed.
    pub(super) async fn run(&self, method: &str, params: Value) -> Value {
        self.attempt(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Runs a command; the error is the browser's own sentence.
    pub(super) async fn attempt(&self, method: &str, params: Value) -> Result<Value, String> {
        self.send(method, params).await.unwrap_or_else(|_| panic!("{method}: the browser is gone"))
    }

    /// Sends a command now; its answer may be ignored.
    pub(super) fn send(&self, method: &str, params: Value) -> oneshot::Receiver<Result<Value, String>> {
        let (sender, answer) = oneshot::channel();
        let mut shared = self.shared.lock().unwrap();
        shared.commands += 1;
        let mut command = json!({"id": shared.commands, "method": method, "params": params});
        if let Some(session) = &self.id {
            command["sessionId"] = json!(session);
        }
        if self.outgoing.send(command.to_string()).is_ok() {
            let id = shared.commands;
            shared.answers.insert(id, sender);
        }
        answer
    }
}

async fn carry(url: &str, mut commands: mpsc::UnboundedReceiver<String>, shared: &Mutex<Shared>) {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("the browser accepts its DevTools connection");
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => if socket.send(Message::text(command)).await.is_err() { return },
                None => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => deliver(&text, shared),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn deliver(text: &str, shared: &Mutex<Shared>) {
    let mut message: Value = serde_json::from_str(text).expect("the browser speaks JSON");
    let mut shared = shared.lock().unwrap();
    if let Some(id) = message["id"].as_u64() {
        let answer = match message["error"]["message"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(message["result"].take()),
        };
        if let Some(waiting) = shared.answers.remove(&id) {
            let _ = waiting.send(answer);
        }
        return;
    }
    let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
    if let Some(followers) = shared.followers.get_mut(&session) {
        let (method, params) = (message["method"].as_str().unwrap_or_default().to_owned(), message["params"].take());
        followers.retain(|follower| follower.send(Event { method: method.clone(), params: params.clone() }).is_ok());
    }
}
