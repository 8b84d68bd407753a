//! `GET /metrics` on its own listener.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::TokenId;
use passant::http::serve::Listener;
use passant::store::feed_head;
use passant_tests::on_both_engines;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;

/// The series of a process, as Prometheus would find them.
struct Scraped {
    url: String,
    _ending: watch::Sender<bool>,
}

impl Scraped {
    async fn start(world: &World) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", socket.local_addr().unwrap());
        let ending = watch::Sender::new(false);
        tokio::spawn(Listener::of_metrics(socket, &world.app).serve(ending.subscribe()));
        Self { url, _ending: ending }
    }

    async fn series(&self) -> BTreeMap<String, f64> {
        let answer = reqwest::get(&self.url).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = answer.text().await.unwrap();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap()).collect()
    }
}

async fn revoke(world: &World) {
    let (target, event) = (Target::Token(TokenId::random()), Event::done(Action::TokenRevoke));
    feed_head::cut_off(world.db(), vec![target], event, world.app.now()).await.unwrap();
}

fn position(message: &str) -> String {
    use base64ct::Base64UrlUnpadded;
    let part = message.split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
    format!("{}.{}.{}", payload["feed"].as_str().unwrap(), payload["tick"], payload["chain"].as_str().unwrap())
}

on_both_engines! {
    async fn what_happens_is_counted_and_how_it_stands_is_measured(world) {
        let scraped = Scraped::start(&world).await;
        world.advance(Duration::from_secs(9));
        let before = scraped.series().await;
        assert_eq!(before["passant_feed_age_seconds"], 9.0, "who has read nothing yet knows nothing");
        for name in ["passant_feed_messages_total", "passant_feed_contradictions_total", "passant_feed_alarms"] {
            assert_eq!(before.get(name), Some(&0.0), "{name}");
        }
        let mut agent = world.agent();
        let snapshot = agent.get("/revocations").await.body;
        revoke(&world).await;
        let delta = agent.get(&format!("/revocations?after={}", position(&snapshot))).await.body;
        let stream = world.agent().send_raw(Method::GET, "/revocations/stream", &[]).await;
        assert_eq!(agent.get("/assets/passant.css").await.status, StatusCode::OK);
        assert_eq!(agent.get("/a/path/that/somebody/made/up").await.status, StatusCode::NOT_FOUND);
        agent.send(Method::POST, "/token", &[FORM], Body::empty()).await;
        world.user(ADA.0, ADA.1).await;
        world.advance(Duration::from_secs(7));

        let series = scraped.series().await;
        let head = feed_head::read(&mut world.db().reader().await.unwrap().conn()).await.unwrap();
        let bytes = (snapshot.len() + delta.len()) as f64;
        for (name, value) in [
            ("passant_feed_tick", head.tick.get() as f64),
            ("passant_feed_age_seconds", 7.0),
            ("passant_feed_followers", 1.0),
            ("passant_feed_messages_total", 2.0),
            ("passant_feed_sent_bytes_total", bytes),
            ("passant_feed_catch_ups_total", 1.0),
            ("passant_feed_snapshots_total", 1.0),
            ("passant_feed_contradictions_total", 0.0),
            ("passant_feed_alarms", 0.0),
            ("passant_keys_overdue_seconds", 0.0),
            ("passant_password_queue", 0.0),
            ("passant_http_requests_total{route=\"/revocations\",status=\"200\"}", 2.0),
            ("passant_http_requests_total{route=\"/revocations/stream\",status=\"200\"}", 1.0),
            ("passant_http_requests_total{route=\"/assets/{name}\",status=\"200\"}", 1.0),
            ("passant_http_requests_total{route=\"other\",status=\"404\"}", 1.0),
            ("passant_http_requests_total{route=\"/token\",status=\"401\"}", 1.0),
        ] {
            assert_eq!(series.get(name), Some(&value), "{name} in {series:?}");
        }
        assert!(series["passant_password_hashes_total"] > 0.0, "{series:?}");
        assert!(series.keys().all(|name| !name.contains("made")), "no label comes from a request: {series:?}");
        drop(stream);
        world.advance(Duration::from_secs(40 * 24 * 60 * 60));
        let series = scraped.series().await;
        assert!(series["passant_keys_overdue_seconds"] > 0.0 && series["passant_feed_followers"] == 0.0, "{series:?}");
    }

    async fn contradiction_and_alarm_show_and_a_database_that_is_away_hides_nothing(world) {
        let scraped = Scraped::start(&world).await;
        let mut agent = world.agent();
        let snapshot = position(&agent.get("/revocations").await.body);
        let mut parts = snapshot.split('.');
        let (feed, tick) = (parts.next().unwrap(), parts.next().unwrap().parse::<i64>().unwrap());
        let ahead = format!("{feed}.{}.{}", tick + 1000, "l".repeat(43));
        assert_eq!(agent.get(&format!("/revocations?after={ahead}")).await.status, StatusCode::CONFLICT);
        let lost = passant::store::feed_alarms::Proof {
            position: ahead.parse().unwrap(),
            signed_by: None,
            witness: passant::domain::alarm::Witness::Process,
        };
        let policy = world.app.config.feed.on_contradiction;
        assert!(passant::store::feed_alarms::contradict(world.db(), lost, policy, world.app.now()).await.unwrap().is_some());
        let shown = |series: &BTreeMap<String, f64>| [series["passant_feed_contradictions_total"], series["passant_feed_alarms"]];
        assert_eq!(shown(&scraped.series().await), [1.0, 1.0]);
        world.db().close().await;
        assert_eq!(shown(&scraped.series().await), [1.0, 1.0]);
    }

    async fn metrics_are_nowhere_but_on_their_listener(world) {
        let scraped = Scraped::start(&world).await;
        assert_eq!(world.agent().get("/metrics").await.status, StatusCode::NOT_FOUND);
        let root = scraped.url.trim_end_matches("/metrics").to_owned();
        for path in ["/", "/token", "/jwks.json", "/revocations"] {
            assert_eq!(reqwest::get(format!("{root}{path}")).await.unwrap().status(), 404, "{path}");
        }
        assert_eq!(world.app.config.metrics.listen, None, "and by default there is none");
    }
}
