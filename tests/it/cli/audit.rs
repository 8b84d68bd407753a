//! `passant audit`

use super::Place;

#[test]
fn the_trail_tells_what_commands_did_and_who_ran_them() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    place.json(&["users", "update", "ada", "--name", "Ada"], "");
    place.json(&["clients", "add", "batch", "--name", "Nightly batch", "--grant-type", "client_credentials"], "");
    assert_eq!(place.trail(&["--user", "ada"]), ["user_update", "user_create"]);
    assert_eq!(place.trail(&["--action", "client_create"]), ["client_create"]);
    assert_eq!(place.trail(&["--since", "1h", "--limit", "1"]), ["client_create"]);
    assert_eq!(place.trail(&["--since", "2999-01-01"]), [""; 0]);
    let entry = &place.json(&["audit", "--user", "ada"], "")["entries"][0];
    assert!(entry["actor_kind"] == "operator" && entry["actor"].is_string(), "{entry}");
    let table = String::from_utf8(place.run_with(&["audit"], "").stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("WHEN (UTC)"), "{table}");
    assert!(lines[1].contains("client_create") && lines[1].ends_with("client batch (Nightly batch)"), "{table}");
    assert!(lines[2].contains("user_update") && lines[2].contains("user ada") && lines[2].ends_with("changed name"), "{table}");
    let sub = entry["user_id"].as_str().unwrap();
    assert!(entry["username"] == "ada" && !table.contains(sub), "names for people, and ids beside them for programs");
    assert!(lines.iter().all(|line| line.chars().count() <= 120), "{table}");
    assert_eq!(place.trail(&[&format!("--sub={sub}")]), ["user_update", "user_create"]);
}
