//! The log tells which request a line belongs to, and no secret; what strangers write stays where it belongs.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64ct::{Base64, Encoding};
use passant::app::checkpoint::Checkpoint;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

use super::*;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What is logged on this thread, in the form that machines read.
struct Log {
    bytes: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let writer = {
            let bytes = Arc::clone(&bytes);
            move || Writer(Arc::clone(&bytes))
        };
        let filter = EnvFilter::new("passant=trace,tower_http=trace,sqlx=debug,axum=trace");
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).json().flatten_event(true).finish();
        Self { bytes, _guard: tracing::subscriber::set_default(lines) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
    }
}

/// One whole life of what is secret: sign-in, code, tokens, refresh, theft, refusals.
async fn whole_life(engine: Engine) {
    let log = Log::start();
    let world = Arc::new(World::new(engine).await);
    world.user(ADA.0, ADA.1).await;
    let client = world.client("shop-web", |it| it.first_party = false).await;
    let (state, nonce) = ("a-state-of-the-clients-own-making", "a-nonce-of-the-clients-own-making");
    for (label, secret) in [
        ("state", state),
        ("nonce", nonce),
        ("verifier", passant_tests::world::VERIFIER),
        ("wrong", "a wrong password that was typed"),
    ] {
        world.secrets.collect(label, secret);
    }
    let mut agent = world.agent();
    agent.sign_in(ADA.0, "a wrong password that was typed").await;
    let change = [("state", state), ("nonce", nonce), ("scope", "openid profile offline_access")];
    let callback = agent.callback(&client, ADA, &change).await;
    let tokens = Tokens::of(&client.redeem(&agent, callback.code()).await);
    let refreshed = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
    assert_eq!(agent.userinfo(refreshed.access()).await.status, StatusCode::OK);
    assert_eq!(agent.userinfo(&format!("{}x", refreshed.access())).await.status, StatusCode::UNAUTHORIZED);
    client.refresh(&agent, refreshed.refresh()).await;
    world.advance(Duration::from_secs(60));
    assert_eq!(client.refresh(&agent, tokens.refresh()).await.error(), "invalid_grant", "theft");
    assert_eq!(client.redeem(&agent, callback.code()).await.error(), "invalid_grant", "a code used twice");
    for (headers, body) in [
        (
            vec![("authorization", format!("Basic {}", Base64::encode_string(b"shop-web:a-wrong-secret-of-the-client")))],
            "grant_type=client_credentials",
        ),
        (vec![], "client_id=shop-web&client_secret=a-wrong-secret-of-the-client&grant_type=client_credentials"),
    ] {
        world.secrets.collect("wrong client secret", "a-wrong-secret-of-the-client");
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).chain([FORM]).collect();
        let answer = world.agent().send(Method::POST, "/token", &headers, Body::from(body)).await;
        assert_eq!(answer.error(), "invalid_client");
    }
    agent.authorize(&client, &[("state", state), ("scope", "nonsense:scope")]).await;
    agent.authorize(&client, &[("state", state), ("redirect_uri", "https://evil.example/cb")]).await;
    agent.get(&format!("/set-up?token=pst_{}", "a-made-up-token-of-set-up")).await;
    world.secrets.collect("set-up token", "a-made-up-token-of-set-up");
    let home = agent.get("/").await;
    agent.submit(&home, "/logout", &[]).await;

    let text = log.text();
    assert!(
        text.contains("refused a grant") && text.contains("refused a client") && text.contains("request"),
        "something was logged"
    );
    let leaks = world.secrets.scan("the log", text.as_bytes());
    assert!(leaks.is_empty(), "{leaks:?}");
    world.secrets.collect("planted", "refused a client");
    assert!(!world.secrets.scan("the log", text.as_bytes()).is_empty(), "what is in it would be found");
}

#[tokio::test]
async fn no_secret_of_a_whole_life_is_in_the_log_sqlite() {
    whole_life(Engine::Sqlite).await;
}

#[tokio::test]
async fn no_secret_of_a_whole_life_is_in_the_log_postgres() {
    whole_life(Engine::Postgres).await;
}

#[tokio::test]
async fn reference_on_an_error_page_is_the_requests_id_in_answer_and_log() {
    let log = Log::start();
    let world = Arc::new(World::new(Engine::Sqlite).await);
    let mut hold = world.held.next(Checkpoint::PasswordProved);
    world.user(ADA.0, ADA.1).await;
    let panicking = async {
        hold.arrived().await;
        drop(hold);
    };
    let mut signing_in = world.agent();
    let (broken, ()) = tokio::join!(signing_in.sign_in(ADA.0, ADA.1), panicking);
    assert_eq!(broken.status, StatusCode::INTERNAL_SERVER_ERROR);
    let misdirected = world.agent().send(Method::GET, "/login", &[("host", "evil.example")], Body::empty()).await;
    let unknown_client = world.agent().get("/authorize?client_id=nobody").await;
    for answer in [broken, misdirected, unknown_client, world.agent().get("/none").await, world.agent().get("/logout").await] {
        let id = answer.header("x-request-id").unwrap();
        assert!(answer.body.contains(&format!(">{id}<")), "{id}: {}", answer.body);
        let told = log.lines().into_iter().find(|line| line["message"] == "showed an error page" && line["span"]["id"] == id);
        assert!(told.is_some(), "{id}: {}", log.text());
    }
}

#[tokio::test]
async fn line_names_method_path_and_client_and_leaves_the_query_out() {
    let log = Log::start();
    let world = Arc::new(World::new(Engine::Sqlite).await);
    world.agent().coming_from("198.51.100.7").get("/none?code=a-code-in-a-query").await;
    let line = log.lines().into_iter().find(|line| line["message"] == "showed an error page").unwrap();
    let span = &line["span"];
    assert_eq!((&span["method"], &span["path"], &span["client"]), (&"GET".into(), &"/none".into(), &"198.51.100.7".into()));
    assert!(!log.text().contains("a-code-in-a-query"));
}

on_both_engines! {
    async fn panic_of_a_handler_is_500_in_each_groups_shape_and_holds_nothing(world) {
        let client = world.client("robot", |_| {}).await;
        for _ in 0..6 {
            let mut hold = world.held.next(Checkpoint::ClientProved);
            let fields = [("grant_type", "client_credentials")];
            let panicking = async { hold.arrived().await; drop(hold); };
            let (broken, ()) = tokio::join!(client.token(&world, &fields), panicking);
            assert_eq!((broken.status.as_u16(), broken.error().as_str()), (500, "server_error"));
            assert!(broken.header("x-request-id").is_some() && broken.header("x-content-type-options") == Some("nosniff"));
            assert_eq!(client.token(&world, &fields).await.status, StatusCode::OK);
        }
        world.user(ADA.0, ADA.1).await;
        for _ in 0..6 {
            let mut hold = world.held.next(Checkpoint::PasswordProved);
            let panicking = async { hold.arrived().await; drop(hold); };
            let mut agent = world.agent();
            let (broken, ()) = tokio::join!(agent.sign_in(ADA.0, ADA.1), panicking);
            assert_eq!((broken.status.as_u16(), broken.header("content-type")), (500, Some("text/html; charset=utf-8")));
            assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.status, StatusCode::SEE_OTHER, "the gate's permit is free again");
        }
    }
}

#[tokio::test]
async fn control_characters_of_strangers_reach_neither_headers_nor_lines_of_the_log() {
    let log = Log::start();
    let world = Arc::new(World::new(Engine::Sqlite).await);
    let client = world.client("shop-web", |_| {}).await;
    let evil = "x\r\nset-cookie: a=b\r\n\u{1}\u{1b}[31m";
    let mut answers = Vec::new();
    for name in ["client_id", "state", "scope", "nonce", "prompt", "login_hint", "redirect_uri", "response_type", "max_age", evil]
    {
        answers.push(world.agent().authorize(&client, &[(name, evil)]).await);
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair(name, evil).append_pair("grant_type", evil).finish();
        answers.push(world.agent().send(Method::POST, "/token", &[FORM], Body::from(body)).await);
    }
    let mut agent = world.agent();
    answers.push(agent.sign_in(evil, evil).await);
    answers.push(agent.get("/none%0d%0aset-cookie:a=b").await);
    for answer in answers {
        for (name, value) in &answer.headers {
            assert!(value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte)), "{name}: {value:?}");
            assert!(name != "set-cookie" || value.to_str().unwrap().starts_with("__Host-"), "{value:?}");
        }
    }
    // Each line is one JSON object of ours.
    assert!(log.lines().iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    assert!(!log.text().chars().any(|c| c.is_control() && c != '\n'));
}
