//! `POST /revocations/followers`: followers that say who they are.

use std::time::Duration;

use axum::body::Body;
use passant::clock::UnixTime;
use passant::config::FeedAccess;
use passant::domain::follower::Heard;
use passant::jobs::{Job, Sweep, WriteReports};
use passant::secret::TokenHash;
use passant::store::followers;
use passant_tests::on_both_engines;
use serde_json::{Value, json};

use super::*;

const PATH: &str = "/revocations/followers";
const JSON: (&str, &str) = ("content-type", "application/json");

fn report(instance: &str) -> Value {
    let (position, keys) = (format!("feed.7.{}", "l".repeat(43)), "k".repeat(43));
    json!({ "name": "orders", "instance": instance, "position": position, "keys": keys, "keys_age": 35 })
}

async fn say(agent: &mut Agent, report: &Value) -> StatusCode {
    agent.send(Method::POST, PATH, &[JSON], Body::from(report.to_string())).await.status
}

async fn heard(world: &World) -> Vec<Heard> {
    let mut reader = world.db().reader().await.unwrap();
    followers::heard_since(&mut reader.conn(), UnixTime::from_millis(0)).await.unwrap()
}

on_both_engines! {
    async fn what_a_follower_says_is_written_down_a_little_later_with_its_address(world) {
        let mut agent = world.agent().coming_from("2001:db8:1:2:3:4:5:6");
        assert_eq!(say(&mut agent, &report("a")).await, StatusCode::NO_CONTENT);
        assert_eq!(say(&mut agent, &report("b")).await, StatusCode::NO_CONTENT);
        assert_eq!(heard(&world).await, [], "not by the request");
        WriteReports::default().step(&world.app).await;
        world.advance(Duration::from_secs(30));
        assert_eq!(say(&mut agent, &report("b")).await, StatusCode::NO_CONTENT);
        WriteReports::default().step(&world.app).await;
        let all = heard(&world).await;
        let seen: Vec<_> = all.iter().map(|it| (it.instance.as_str(), it.seen_at, it.keys_at)).collect();
        let now = world.app.now();
        let (before, fetched) = (now - Duration::from_secs(30), Duration::from_secs(35));
        assert_eq!(seen, [("a", before, before - fetched), ("b", now, now - fetched)]);
        assert!(all.iter().all(|it| it.address == "2001:db8:1:2::" && it.tick.get() == 7 && it.head.get() > 7), "{all:?}");
    }

    async fn who_is_silent_for_five_minutes_is_forgotten(world) {
        say(&mut world.agent(), &report("a")).await;
        WriteReports::default().step(&world.app).await;
        world.advance(Duration::from_secs(299));
        say(&mut world.agent(), &report("b")).await;
        WriteReports::default().step(&world.app).await;
        Sweep::default().step(&world.app).await;
        assert_eq!(heard(&world).await.len(), 2);
        world.advance(Duration::from_secs(2));
        Sweep::default().step(&world.app).await;
        assert_eq!(heard(&world).await.iter().map(|it| it.instance.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    async fn what_is_no_report_is_refused_and_noted_nowhere(world) {
        let mut agent = world.agent();
        let with = |name: &str, value: Value| {
            let mut report = report("a");
            report[name] = value;
            report.to_string()
        };
        for body in [
            String::new(), "{}".to_owned(), "[]".to_owned(), with("name", json!("a b")), with("instance", json!("x".repeat(65))),
            with("position", json!("feed.7")), with("keys", json!("")), with("keys_age", json!(-1)), with("keys_age", json!(null)),
        ] {
            let answer = agent.send(Method::POST, PATH, &[JSON], Body::from(body)).await;
            assert_error(&answer, 400, "invalid_request");
        }
        let answer = agent.send(Method::POST, PATH, &[FORM], Body::from(report("a").to_string())).await;
        assert_error(&answer, 400, "invalid_request");
        let answer = agent.send(Method::POST, PATH, &[JSON], Body::from(with("more", json!("x".repeat(3000))))).await;
        assert_error(&answer, 413, "invalid_request");
        WriteReports::default().step(&world.app).await;
        assert_eq!(heard(&world).await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_that_asks_for_a_secret_asks_for_it_here_as_well() {
    let secret = "s".repeat(43);
    let world = Arc::new(
        World::with(Engine::Sqlite, |config| config.feed.access = FeedAccess::Bearer(vec![TokenHash::of(&secret)])).await,
    );
    let body = || Body::from(report("a").to_string());
    let answer = world.agent().send(Method::POST, PATH, &[JSON], body()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = world.agent().send(Method::POST, PATH, &[JSON, ("authorization", "Bearer x")], body()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let right = format!("Bearer {secret}");
    let answer = world.agent().send(Method::POST, PATH, &[JSON, ("authorization", &right)], body()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}
