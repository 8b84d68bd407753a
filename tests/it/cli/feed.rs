//! `passant feed`

use passant::domain::alarm::{OnContradiction, Witness};
use passant::store::feed_alarms::{self, Proof};
use passant::store::feed_head;
use passant_tests::binary::run;
use passant_tests::on_both_engines;
use passant_tests::world::{Storage, World};
use serde_json::json;

use super::{MASTER_KEY, command};

/// What people are told.
fn said(world: &World, arguments: &[&str]) -> String {
    let place = match world.storage() {
        Storage::Sqlite(directory) => ["--data-dir", directory.0.to_str().unwrap()],
        Storage::Postgres(database) => ["--database-url", database.url()],
    };
    String::from_utf8(run(&[&place, arguments].concat(), "", &MASTER_KEY).stdout).unwrap()
}

on_both_engines! {
    async fn alarm_is_shown_with_what_is_left_to_do_until_it_is_acknowledged(world) {
        let quiet = command(&world, &["feed", "show"]);
        assert_eq!(quiet["alarms"], json!([]));
        assert_eq!(command(&world, &["feed", "acknowledge"])["acknowledged"], 0);
        let head = feed_head::read(&mut world.db().reader().await.unwrap().conn()).await.unwrap();
        let lost = passant::domain::ids::Tick::new(head.tick.get() + 1_000_000_000_000);
        let position = passant::domain::feed::Position { feed: head.feed_id.clone(), tick: lost, link: head.chain };
        let proof = Proof { position, signed_by: None, witness: Witness::Follower };
        feed_alarms::contradict(world.db(), proof, OnContradiction::CutOff, world.app.now()).await.unwrap().unwrap();

        let shown = command(&world, &["feed", "show"]);
        let alarm = &shown["alarms"][0];
        assert_eq!((&alarm["witness"], &alarm["lost_tick"], &alarm["cut_off"]), (&json!("follower"), &json!(lost), &json!(true)));
        assert!(alarm["feed"] == json!(head.feed_id) && shown["feed"] != alarm["feed"], "{shown}");
        let said = said(&world, &["feed", "show"]);
        for words in ["above the head", "everything before tick", "Do again what must hold", "passant feed acknowledge"] {
            assert!(said.contains(words), "{words} in {said}");
        }
        assert_eq!(command(&world, &["feed", "acknowledge"])["acknowledged"], 1);
        assert_eq!(command(&world, &["feed", "show"])["alarms"], json!([]));
        let entries = command(&world, &["audit", "--action", "alarm_acknowledge"])["entries"].as_array().unwrap().clone();
        assert!(entries.len() == 1 && entries[0]["actor_kind"] == "operator", "{entries:?}");
    }
}
