//! Commands beside a running issuer on the same SQLite database: it notices at its next request, and neither waits for the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use passant_tests::binary::passant;
use passant_tests::world::{Engine, World};
use serde_json::Value;

use super::{Place, command};

/// A server of its own process.
struct Serving {
    child: Child,
    port: u16,
}

impl Serving {
    fn start(place: &Place) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(passant())
            .args(["--config", place.path("passant.toml").to_str().unwrap(), "--data-dir", place.path("data").to_str().unwrap()])
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("PASSANT_ISSUER", format!("http://localhost:{port}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut said, mut lines) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        while !said.contains("Passant is ready") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it ended early: {said}");
        }
        Self { child, port }
    }

    /// The status of a token request of this client.
    fn token(&self, id: &str, secret: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (body, basic) = ("grant_type=client_credentials", Base64::encode_string(format!("{id}:{secret}").as_bytes()));
        write!(
            stream,
            "POST /token HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nAuthorization: Basic {basic}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len(),
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_server_notices_what_happens_to_a_client_at_its_next_request() {
    let place = Place::new("");
    let serving = Serving::start(&place);
    let secret = |document: &Value| document["client_secret"].as_str().unwrap().to_owned();
    let first = secret(&place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], ""));
    assert_eq!(serving.token("batch", &first), 200);
    place.json(&["clients", "disable", "batch"], "");
    assert_eq!(serving.token("batch", &first), 401);
    place.json(&["clients", "enable", "batch"], "");
    assert_eq!(serving.token("batch", &first), 200);
    let second = secret(&place.json(&["clients", "rotate-secret", "batch"], ""));
    assert_eq!((serving.token("batch", &first), serving.token("batch", &second)), (200, 200), "two are alive");
    let third = secret(&place.json(&["clients", "rotate-secret", "batch"], ""));
    assert_eq!([&first, &second, &third].map(|secret| serving.token("batch", secret)), [401, 200, 200], "never three");
    let fourth = secret(&place.json(&["clients", "rotate-secret", "batch", "--leaked"], ""));
    assert_eq!([&second, &third, &fourth].map(|secret| serving.token("batch", secret)), [401, 401, 200]);
    place.json(&["clients", "remove", "batch"], "");
    assert_eq!(serving.token("batch", &fourth), 401);
}

#[test]
fn commands_and_requests_at_the_same_time_all_end_well() {
    let place = Place::new("");
    let serving = Serving::start(&place);
    let added = place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
    let secret = added["client_secret"].as_str().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let place = &place;
            scope.spawn(move || {
                for number in 0..4 {
                    place.run_with(&["users", "add", &format!("user-{writer}-{number}"), "--generate-password"], "");
                }
            });
        }
        for _ in 0..100 {
            assert_eq!(serving.token("batch", secret), 200);
        }
    });
    assert_eq!(place.json(&["users", "list"], "")["users"].as_array().unwrap().len(), 8, "no command was turned away");
}

const ADA: (&str, &str) = ("ada", "an engine that weaves");

async fn signed_in(agent: &mut passant_tests::world::Agent) -> bool {
    agent.get("/").await.body.contains("Where you are signed in")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_user_is_signed_out_at_the_next_page_and_stays_so() {
    World::run(Engine::Sqlite, async |world: Arc<World>| {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        assert!(signed_in(&mut agent).await);
        command(&world, &["users", "disable", "ada"]);
        assert!(!signed_in(&mut agent).await);
        agent.sign_in(ADA.0, ADA.1).await;
        assert!(!signed_in(&mut agent).await, "the right password does not help");
        command(&world, &["users", "enable", "ada"]);
        assert!(!signed_in(&mut agent).await, "what was before stays dead");
        agent.sign_in(ADA.0, ADA.1).await;
        assert!(signed_in(&mut agent).await);
        command(&world, &["users", "delete", "ada"]);
        assert!(!signed_in(&mut agent).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_consent_and_an_ended_session_refuse_the_next_refresh() {
    World::run(Engine::Sqlite, async |world: Arc<World>| {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop", |_| {}).await;
        let mut agent = world.agent();
        for end in ["consent", "everything"] {
            let tokens = agent.tokens(&client, ADA, &[]).await;
            let next = client.refresh(&agent, tokens.refresh()).await;
            assert_eq!(next.status.as_u16(), 200);
            let next = next.json()["refresh_token"].as_str().unwrap().to_owned();
            match end {
                "consent" => command(&world, &["consents", "revoke", "--user", "ada", "--client", "shop"]),
                _ => command(&world, &["sessions", "end", "--user", "ada", "--all"]),
            };
            let refused = client.refresh(&agent, &next).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (400, &Value::from("invalid_grant")), "{end}");
        }
        assert!(!signed_in(&mut agent).await);
    })
    .await;
}
