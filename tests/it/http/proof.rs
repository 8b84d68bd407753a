//! `POST /revocations/proof`: a database that was put back in time under its followers, and what is no proof of it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use base64ct::Base64UrlUnpadded;
use http_body_util::BodyExt;
use passant::app::App;
use passant::config::FeedAccess;
use passant::domain::alarm::{Alarm, HIGHEST_PROVABLE, OnContradiction, Witness};
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::{TokenId, UserId};
use passant::feed::TYPE;
use passant::secret::TokenHash;
use passant::store::{feed_alarms, feed_head, users};
use passant_tests::on_both_engines;
use passant_tests::world::{Backup, Tokens};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

const MESSAGE: (&str, &str) = ("content-type", "application/passant-revocations+jwt");

/// A process on the database of a world, other than the one that the world began with.
struct Process {
    app: Arc<App>,
    router: Router,
}

impl Process {
    async fn start(world: &World) -> Self {
        Self::of(world.replica().await)
    }

    fn of(app: Arc<App>) -> Self {
        Self { router: passant::http::router(&app), app }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "auth.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from(([203, 0, 113, 1], 49152))));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Whether a proof was one.
    async fn proves(&self, message: &str) -> bool {
        let answer = self.send(Method::POST, "/revocations/proof", &[MESSAGE], message.to_owned()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.json()["contradiction"].as_bool().expect("it says one or the other")
    }

    async fn userinfo(&self, token: &str) -> StatusCode {
        let bearer = format!("Bearer {token}");
        self.send(Method::GET, "/userinfo", &[("authorization", &bearer)], String::new()).await.status
    }

    async fn post(&self, client: &Registered, path: &str, fields: &[(&str, &str)]) -> Answer {
        let authorization = basic(client.id(), client.secret.as_deref().unwrap());
        self.send(Method::POST, path, &[FORM, ("authorization", &authorization)], encoded(fields)).await
    }

    async fn is_active(&self, client: &Registered, token: &str) -> bool {
        self.post(client, "/introspect", &[("token", token)]).await.json()["active"] == true
    }

    async fn robots_token(&self, client: &Registered) -> String {
        let answer = self.post(client, "/token", &[("grant_type", "client_credentials")]).await;
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    async fn snapshot(&self) -> String {
        self.get("/revocations").await.body
    }

    async fn revoke_something(&self) {
        let (target, event) = (Target::Token(TokenId::random()), Event::done(Action::TokenRevoke));
        feed_head::cut_off(&self.app.db, vec![target], event, self.app.now()).await.unwrap();
    }

    async fn alarms(&self) -> Vec<Alarm> {
        feed_alarms::standing(&mut self.app.db.reader().await.unwrap().conn()).await.unwrap()
    }

    async fn head(&self) -> feed_head::FeedHead {
        feed_head::read(&mut self.app.db.reader().await.unwrap().conn()).await.unwrap()
    }

    /// Signs a message as this process would, with a payload of the test's choice.
    fn signed(&self, typ: &str, payload: &Value) -> String {
        self.app.keys.sign(self.app.now(), typ, payload).unwrap().0
    }

    /// A payload with the head of this database, and something else about it.
    async fn payload(&self, change: impl FnOnce(&mut Value)) -> Value {
        let head = self.head().await;
        let mut payload = json!({ "iss": ISSUER, "feed": head.feed_id, "tick": head.tick, "chain": head.chain });
        change(&mut payload);
        payload
    }
}

fn payload(message: &str) -> Value {
    let part = message.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
}

fn position(message: &str) -> String {
    let payload = payload(message);
    let text = |name: &str| payload[name].as_str().unwrap().to_owned();
    format!("{}.{}.{}", text("feed"), payload["tick"], text("chain"))
}

/// What was there before, and what a follower holds of the time that is lost.
struct Lost {
    client: Registered,
    tokens: Tokens,
    robots: String,
    /// The snapshot, a heartbeat and a delta with the last head of that time.
    messages: [String; 3],
}

/// Lets a user sign in and log out everywhere, lets a follower hear of it, and puts the database back to before.
async fn lose(world: &Arc<World>) -> Lost {
    let sub: UserId = world.user(ADA.0, ADA.1).await;
    let client = world.client("shop", |_| {}).await;
    let tokens = world.agent().tokens(&client, ADA, &[]).await;
    let backup = Backup::take(world).await;
    let first = Process::of(Arc::clone(&world.app));
    let robots = first.robots_token(&client).await;
    let began = position(&first.snapshot().await);
    world.advance(Duration::from_secs(1));
    users::log_out_everywhere(world.db(), sub, world.app.now()).await.unwrap().unwrap();
    assert_eq!(first.userinfo(tokens.access()).await, StatusCode::UNAUTHORIZED);
    let snapshot = first.snapshot().await;
    let heartbeat = first.get(&format!("/revocations?after={}&wait=0", position(&snapshot))).await.body;
    let delta = first.get(&format!("/revocations?after={began}&wait=0")).await.body;
    assert!(payload(&heartbeat)["cutoffs"].is_null() && payload(&delta)["entries"].is_array());
    backup.put_back().await;
    Lost { client, tokens, robots, messages: [snapshot, heartbeat, delta] }
}

on_both_engines! {
    async fn follower_proves_it_and_everything_from_before_is_dead_on_every_replica(world) {
        let lost = lose(&world).await;
        let (one, other) = (Process::start(&world).await, Process::start(&world).await);
        assert_eq!(one.userinfo(lost.tokens.access()).await, StatusCode::OK, "what was revoked is alive again");
        let since = one.robots_token(&lost.client).await;
        let before = one.head().await;
        for path in ["/revocations", "/revocations/stream"] {
            let answer = one.get(&format!("{path}?after={}", position(&lost.messages[1]))).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
        }
        assert_eq!(one.get("/readyz").await.json()["history"], "ok");

        assert!(one.proves(&lost.messages[1]).await);
        for process in [&one, &other] {
            assert_eq!(process.userinfo(lost.tokens.access()).await, StatusCode::UNAUTHORIZED);
            assert!(!process.is_active(&lost.client, &lost.robots).await, "born in the lost time");
            assert!(!process.is_active(&lost.client, &since).await, "born before the proof");
            let refreshed = [("grant_type", "refresh_token"), ("refresh_token", lost.tokens.refresh())];
            assert_error(&process.post(&lost.client, "/token", &refreshed).await, 400, "invalid_grant");
            let ready = process.get("/readyz").await;
            assert_eq!(ready.status, StatusCode::OK, "the issuer stays");
            assert!(ready.json()["history"].as_str().unwrap().starts_with("alarm"), "{}", ready.body);
            let (counted, proven) = (process.app.measures.text(), i32::from(std::ptr::eq(process, &one)));
            for line in [
                format!("passant_feed_proven_contradictions_total {proven}"),
                format!("passant_feed_contradictions_total {}", 2 * proven),
            ] {
                assert!(counted.lines().any(|counted| counted == line), "{line}, proven and merely claimed: {counted}");
            }
            for message in &lost.messages {
                assert!(!process.proves(message).await, "it says nothing the second time");
            }
        }
        let fresh = other.robots_token(&lost.client).await;
        assert!(one.is_active(&lost.client, &fresh).await, "life goes on");

        let (alarms, after) = (other.alarms().await, other.head().await);
        let Value::Number(proven) = &payload(&lost.messages[1])["tick"] else { panic!("a tick is a number") };
        assert_eq!(alarms.len(), 1);
        assert!(alarms[0].witness == Witness::Follower && alarms[0].cut_off && alarms[0].feed == before.feed_id);
        assert!(after.feed_id != before.feed_id && after.tick.get() > proven.as_i64().unwrap(), "{after:?}");
        let entry = passant_entry(&other, Action::HistoryContradict).await;
        assert_eq!((entry["tick"].as_i64(), &entry["address"]), (Some(alarms[0].tick.get()), &json!("203.0.113.1")));

        // Who follows goes on with a snapshot: the dead stay dead in it.
        let snapshot = payload(&one.snapshot().await);
        assert_eq!(snapshot["feed"], json!(after.feed_id));
        assert!(snapshot["cutoffs"]["iss"].is_array(), "{snapshot}");
        assert!(feed_alarms::acknowledge(&one.app.db, after.tick, one.app.now()).await.unwrap() == 1);
        assert_eq!(other.get("/readyz").await.json()["history"], "ok");
    }

    async fn proof_holds_wherever_the_old_history_has_gone_since(world) {
        let lost = lose(&world).await;
        // It has gone past the lost tick, by other entries.
        let process = Process::start(&world).await;
        world.advance(Duration::from_secs(60));
        for _ in 0..3 {
            process.revoke_something().await;
        }
        assert!(process.head().await.tick.get() > payload(&lost.messages[0])["tick"].as_i64().unwrap());
        assert!(process.proves(&lost.messages[0]).await, "a snapshot proves as much as a heartbeat");
        assert_eq!(process.userinfo(lost.tokens.access()).await, StatusCode::UNAUTHORIZED);
    }

    async fn one_of_two_proofs_at_two_replicas_raises_the_alarm(world) {
        let lost = lose(&world).await;
        let (one, other) = (Process::start(&world).await, Process::start(&world).await);
        let [_, heartbeat, delta] = &lost.messages;
        let outcomes = tokio::join!(one.proves(heartbeat), other.proves(delta), one.proves(delta), other.proves(heartbeat));
        let outcomes: [bool; 4] = outcomes.into();
        assert_eq!(outcomes.iter().filter(|first| **first).count(), 1, "{outcomes:?}");
        assert_eq!(one.alarms().await.len(), 1);
    }

    async fn old_but_true_message_contradicts_nothing(world) {
        let process = Process::of(Arc::clone(&world.app));
        let mut messages = vec![process.snapshot().await];
        for _ in 0..4 {
            process.revoke_something().await;
            messages.push(process.snapshot().await);
        }
        let before = process.head().await;
        for message in &messages {
            assert!(!process.proves(message).await);
        }
        // Nor does one that is older than what is kept.
        feed_head::prune_below(world.db(), before.tick).await.unwrap();
        let other = Process::start(&world).await;
        for message in &messages {
            assert!(!other.proves(message).await);
        }
        assert_eq!(other.alarms().await, []);
    }

    async fn what_this_issuer_does_not_vouch_for_proves_nothing(world) {
        let process = Process::of(Arc::clone(&world.app));
        let head = process.head().await;
        let ahead = process.payload(|it| it["tick"] = json!(head.tick.get() + 1000)).await;
        let real = process.signed(TYPE, &ahead);
        let (text, signature) = real.rsplit_once('.').unwrap();
        let forged = format!("{text}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        let with = async |name: &str, value: Value| {
            let payload = process.payload(|it| (it["tick"], it[name]) = (ahead["tick"].clone(), value)).await;
            process.signed(TYPE, &payload)
        };
        let mut strange = vec![
            ("empty", String::new()), ("junk", "a.b.c".to_owned()), ("cut short", text.to_owned()), ("forged", forged),
            ("of another type", process.signed("at+jwt", &ahead)),
            ("another issuer's", with("iss", json!("https://other.example.com")).await),
            ("another history's", with("feed", json!("another")).await),
            ("with a tick that is none", with("tick", json!(-1)).await),
            ("with a tick that is none", with("tick", json!(9_007_199_254_740_993_i64)).await),
            ("with a tick that no history has", with("tick", json!(9_007_199_254_740_992_i64)).await),
            ("with a tick that no history has", with("tick", json!(HIGHEST_PROVABLE.get() + 1)).await),
            ("without a link", with("chain", json!(null)).await),
        ];
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", real.split('.').nth(1).unwrap());
        strange.push(("unsigned", unsigned));
        // A budget is an address's own, and these are more than one may spend at once.
        for (number, (what, message)) in strange.iter().enumerate() {
            let mut agent = world.agent().coming_from(&format!("198.51.100.{number}"));
            let answer = agent.send(Method::POST, "/revocations/proof", &[MESSAGE], Body::from(message.clone())).await;
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "contradiction": false })), "{what}");
        }
        assert_eq!(process.head().await, head, "nothing was written");
        assert!(process.proves(&real).await, "and the real one is one");
    }

    async fn key_that_another_replica_has_revoked_proves_nothing(world) {
        let (one, other) = (Process::of(Arc::clone(&world.app)), Process::start(&world).await);
        let ahead = one.payload(|it| it["tick"] = json!(it["tick"].as_i64().unwrap() + 1_000_000)).await;
        let message = one.signed(TYPE, &ahead);
        let kid = one.app.keys.signing_kid(one.app.now()).unwrap();
        assert!(passant::app::rotation::revoke(&other.app, &kid).await.is_ok());
        assert!(!one.proves(&message).await && !other.proves(&message).await);
        assert_eq!(one.alarms().await, []);
    }

    async fn process_that_had_seen_more_needs_no_follower(world) {
        let process = Process::of(Arc::clone(&world.app));
        let client = world.client("robot", |_| {}).await;
        let token = process.robots_token(&client).await;
        let before = process.head().await;
        process.revoke_something().await;
        process.revoke_something().await;
        let step = async || process.app.feed.step(&process.app.feed_sources()).await.unwrap();
        step().await;
        let put_back = async || {
            world.execute(&format!("DELETE FROM feed_entries WHERE tick > {}", before.tick)).await;
            world.execute(&format!("UPDATE feed_head SET tick = {}, chain = '{}'", before.tick, before.chain)).await;
        };
        put_back().await;
        assert!(process.is_active(&client, &token).await);
        step().await;
        let alarms = process.alarms().await;
        assert!(alarms.len() == 1 && alarms[0].witness == Witness::Process, "{alarms:?}");
        assert!(!process.is_active(&client, &token).await);
        step().await;
        assert_eq!(process.alarms().await.len(), 1, "once is enough");

        // The same when another process has raised the old head past what this one saw, before it looked.
        let head = process.head().await;
        process.revoke_something().await;
        step().await;
        world.execute(&format!("DELETE FROM feed_entries WHERE tick > {}", head.tick)).await;
        world.execute(&format!("UPDATE feed_head SET tick = {}, chain = '{}'", head.tick, head.chain)).await;
        world.advance(Duration::from_secs(5));
        Process::start(&world).await.revoke_something().await;
        step().await;
        assert_eq!(process.alarms().await.len(), 2);
    }

    async fn budget_of_an_address_is_bounded_and_so_is_a_proof(world) {
        let mut agent = world.agent();
        let prove = async |agent: &mut Agent| {
            agent.send(Method::POST, "/revocations/proof", &[MESSAGE], Body::from("x")).await
        };
        for _ in 0..10 {
            assert_eq!(prove(&mut agent).await.status, StatusCode::OK);
        }
        let answer = prove(&mut agent).await;
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("7")));
        assert_eq!(prove(&mut world.agent().coming_from("203.0.113.9")).await.status, StatusCode::OK);
        world.advance(Duration::from_secs(6));
        assert_eq!(prove(&mut agent).await.status, StatusCode::OK);

        let mut other = world.agent().coming_from("203.0.113.8");
        let long = Body::from("x".repeat((64 << 10) + 1));
        let answer = other.send(Method::POST, "/revocations/proof", &[MESSAGE], long).await;
        assert_error(&answer, 413, "invalid_request");
        let answer = other.send(Method::POST, "/revocations/proof", &[FORM], Body::from("x")).await;
        assert_error(&answer, 400, "invalid_request");
    }

    async fn proof_that_cannot_be_looked_up_may_be_sent_again(world) {
        let process = Process::of(Arc::clone(&world.app));
        let message = process.snapshot().await;
        world.db().close().await;
        let answer = process.send(Method::POST, "/revocations/proof", &[MESSAGE], message).await;
        assert_error(&answer, 503, "temporarily_unavailable");
        let forged = process.send(Method::POST, "/revocations/proof", &[MESSAGE], "a.b.c".to_owned()).await;
        assert_eq!(forged.status, StatusCode::OK, "what nobody signed asks no database");
    }
}

/// The newest entry of the trail about this.
async fn passant_entry(process: &Process, action: Action) -> Value {
    let filter = passant::store::audit::Filter { action: Some(action.to_string()), most: 1, ..Default::default() };
    let entries = passant::store::audit::list(&mut process.app.db.reader().await.unwrap().conn(), &filter).await.unwrap();
    serde_json::to_value(entries.first().expect("the trail tells of it")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_alarm_alone_everything_lives_on_and_the_alarm_stands() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::with(engine, |config| config.feed.on_contradiction = OnContradiction::Alarm).await;
        let world = Arc::new(world);
        let lost = lose(&world).await;
        let process = Process::start(&world).await;
        assert!(process.proves(&lost.messages[1]).await);
        assert_eq!(process.userinfo(lost.tokens.access()).await, StatusCode::OK);
        let alarms = process.alarms().await;
        assert!(alarms.len() == 1 && !alarms[0].cut_off, "{alarms:?}");
        assert!(!process.proves(&lost.messages[1]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_that_asks_for_a_secret_asks_for_it_here_as_well() {
    let secret = "s".repeat(43);
    let bearer = FeedAccess::Bearer(vec![TokenHash::of(&secret)]);
    let world = Arc::new(World::with(Engine::Sqlite, |config| config.feed.access = bearer).await);
    let answer = world.agent().send(Method::POST, "/revocations/proof", &[MESSAGE], Body::from("x")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let right = format!("Bearer {secret}");
    let headers = [MESSAGE, ("authorization", right.as_str())];
    let answer = world.agent().send(Method::POST, "/revocations/proof", &headers, Body::from("x")).await;
    assert_eq!(answer.status, StatusCode::OK);
}
