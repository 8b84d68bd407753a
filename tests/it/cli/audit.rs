//! `passant audit`

use super::Place;

#[test]
fn the_trail_tells_what_commands_did_and_who_ran_them() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    place.json(&["users", "update", "ada", "--name", "Ada"], "");
    place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
    assert_eq!(place.trail(&["--user", "ada"]), ["user_update", "user_create"]);
    assert_eq!(place.trail(&["--action", "client_create"]), ["client_create"]);
    assert_eq!(place.trail(&["--since", "1h", "--limit", "1"]), ["client_create"]);
    assert_eq!(place.trail(&["--since", "2999-01-01"]), [""; 0]);
    let entry = &place.json(&["audit", "--user", "ada"], "")["entries"][0];
    assert!(entry["actor_kind"] == "operator" && entry["actor"].is_string(), "{entry}");
    let table = String::from_utf8(place.run_with(&["audit"], "").stdout).unwrap();
    assert!(table.lines().next().unwrap().starts_with("WHEN") && table.contains("Z  user_update"), "{table}");
    for wrong in [&["audit", "--since", "soon"][..], &["audit", "--action", "dance"], &["audit", "--limit", "0"]] {
        assert_eq!(place.refusal(wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(place.refusal(&["audit", "--user", "nobody"]).0, Some(1));
}
