//! `passant keys`

use super::Place;

#[test]
fn keys_are_listed_rotated_and_revoked() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    let first = place.json(&["keys", "list"], "")["keys"][0]["kid"].as_str().unwrap().to_owned();
    place.json(&["keys", "rotate"], "");
    let listed = place.json(&["keys", "list"], "");
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    place.json(&["keys", "revoke", &first], "");
    let keys = place.json(&["keys", "list"], "")["keys"].as_array().unwrap().clone();
    let state = |kid: &str| keys.iter().find(|key| key["kid"] == kid).unwrap()["state"].clone();
    assert_eq!(state(&first), "revoked");
    assert!(keys.iter().any(|key| key["state"] == "signing" && key["kid"] != first.as_str()));
    assert_eq!(place.refusal(&["keys", "revoke", "no-such-kid"]).0, Some(1));
}

#[test]
fn a_lost_master_key_is_missed_and_not_made_anew() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    std::fs::remove_file(place.path("data/master.key")).unwrap();
    let (code, said) = place.refusal(&["keys", "rotate"]);
    assert!(code == Some(1) && said.contains("put its backup back"), "{said}");
    assert!(!place.path("data/master.key").exists());
}

#[test]
fn a_revoked_key_is_answered_with_its_tick_and_a_second_time_with_the_same() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    let kid = place.json(&["keys", "list"], "")["keys"][0]["kid"].as_str().unwrap().to_owned();
    let first = place.json(&["keys", "revoke", &kid], "");
    let second = place.json(&["keys", "revoke", &kid], "");
    assert_eq!((&first["changed"], &second["changed"]), (&true.into(), &false.into()));
    assert_eq!((&first["tick"], &first["effective_within"]), (&second["tick"], &1.into()));
    assert!(first["tick"].is_i64());
}
