//! `passant followers`

use std::time::Duration;

use passant::clock::{Clock, SystemClock, UnixTime};
use passant::keys::jwks::published_digest;
use passant_tests::world::{Engine, World};

use super::Place;

/// Writes a row as a replica would.
fn heard(place: &Place, instance: &str, (feed, behind): (&str, i64), keys: &str, ago: i64) {
    let now = SystemClock::new().now().millis();
    let (seen, fetched) = (now - ago * 1000, now - ago * 1000 - 60_000);
    let written = place.execute(&format!(
        "INSERT INTO followers (id, address, name, instance, feed_id, tick, head_tick, keys_digest, keys_at, seen_at)
         VALUES ('{instance}', '203.0.113.1', 'orders', '{instance}', '{feed}', {}, {now}, '{keys}', {fetched}, {seen})",
        now - behind
    ));
    assert_eq!(written, 1);
}

on_both_engines_by_command! {
    fn everybody_is_told_with_how_far_they_were_and_how_old_their_keys_are(engine) {
        let place = Place::on(engine, "");
        place.json(&["users", "add", "ada", "--generate-password"], "");
        let none = place.json(&["followers"], "");
        assert_eq!(none["followers"].as_array().map(Vec::len), Some(0));
        let feed = none["feed"].as_str().unwrap();
        heard(&place, "a-current", (feed, 0), &"k".repeat(43), 2);
        heard(&place, "b-behind", (feed, 4_000), &"k".repeat(43), 20);
        heard(&place, "c-elsewhere", ("elsewhere", 0), &"k".repeat(43), 2);
        heard(&place, "d-gone", (feed, 0), &"k".repeat(43), 400);
        let all = place.json(&["followers"], "")["followers"].as_array().unwrap().clone();
        let told: Vec<_> = all.iter().map(|it| (it["instance"].as_str().unwrap(), it["ticks_behind"].as_i64())).collect();
        assert_eq!(told, [("a-current", Some(0)), ("b-behind", Some(4_000)), ("c-elsewhere", None)]);
        assert!(all.iter().all(|it| it["keys_current"] == false && it["address"] == "203.0.113.1"), "{all:?}");

        let said = String::from_utf8(place.run_with(&["followers"], "").stdout).unwrap();
        let line = |instance: &str| said.lines().find(|line| line.contains(instance)).unwrap_or_else(|| panic!("{said}"));
        assert!(line("a-current").contains("at the head") && line("a-current").contains("another set, fetched 1m"), "{said}");
        assert!(line("b-behind").contains("4s behind"), "{said}");
        assert!(line("c-elsewhere").contains("in another history"), "{said}");
        assert!(!said.contains("d-gone"), "{said}");
    }
}

/// The digest that followers compare is the one that the feed names, and needs no private key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_set_that_is_published_now_is_known_as_such() {
    let world = World::new(Engine::Sqlite).await;
    for days in [0, 20, 29, 31] {
        world.advance(Duration::from_secs(days * 86_400));
        drop(passant::app::rotation::plan(&world.app).await);
        let now: UnixTime = world.app.now();
        assert_eq!(published_digest(&world.app.keys.rows(), now).unwrap(), world.app.keys.digest(now).unwrap());
    }
}
