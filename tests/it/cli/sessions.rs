//! `passant sessions`

use passant_tests::on_both_engines;
use serde_json::{Value, json};

use super::{Place, command, on_its_database};

const ADA: (&str, &str) = ("ada", "an engine that weaves");

fn sids(listed: &Value) -> Vec<String> {
    listed["sessions"].as_array().unwrap().iter().map(|one| one["sid"].as_str().unwrap().to_owned()).collect()
}

on_both_engines! {
    async fn a_session_that_has_ended_before_is_as_it_should_be_and_one_that_never_was_is_not(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let (mut one, mut other) = (world.agent(), world.agent());
        one.sign_in(ADA.0, ADA.1).await;
        other.sign_in(ADA.0, ADA.1).await;
        let all = sids(&command(&world, &["sessions", "list"]));
        assert_eq!(all.len(), 2);
        let by_sub = format!("--sub={}", sub.as_str());
        assert_eq!(sids(&command(&world, &["sessions", "list", &by_sub])), all);
        let (first, second) = (all[0].as_str(), all[1].as_str());
        let ended = command(&world, &["sessions", "end", "--", first]);
        assert!(ended["ended"][0]["sid"] == first && ended["ended"][0]["tick"].as_i64().unwrap() > 0);
        let again = command(&world, &["sessions", "end", "--", first]);
        assert_eq!((&again["ended"], &again["ended_before"]), (&json!([]), &json!([first])));
        let output = on_its_database(&world, &["sessions", "end", "--", "no-such-session", second]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(document["error"].as_str().unwrap().contains("no-such-session"), "{document}");
        assert!(document["ended"][0]["sid"] == second && document["unknown"] == json!(["no-such-session"]), "{document}");
        assert_eq!(command(&world, &["sessions", "list"])["sessions"], json!([]));
    }
}

#[test]
fn what_is_not_there_cannot_be_ended() {
    let place = Place::new("");
    let sub = place.json(&["users", "add", "ada", "--generate-password"], "")["sub"].as_str().unwrap().to_owned();
    assert_eq!(place.json(&["sessions", "list", "--user", "ada"], "")["sessions"].as_array().map(Vec::len), Some(0));
    let (code, said) = place.refusal(&["sessions", "end", "no-such-session"]);
    assert!(code == Some(1) && said.contains("no-such-session"), "{said}");
    for whose in [["--user", "ada"], ["--sub", &sub]] {
        assert!(place.json(&[&["sessions", "end"], &whose[..], &["--all"]].concat(), "")["tick"].as_i64().unwrap() > 0);
    }
    for wrong in [
        &["sessions", "end"][..],
        &["sessions", "end", "--user", "ada"],
        &["sessions", "end", "--sub", &sub],
        &["sessions", "end", "--all"],
        &["sessions", "end", "x", "--all"],
        &["sessions", "end", "x", "--user", "ada", "--all"],
        &["sessions", "end", "--user", "ada", "--sub", &sub, "--all"],
    ] {
        assert_eq!(place.refusal(wrong).0, Some(2), "{wrong:?}");
    }
    for unknown in [["--user", "nobody"], ["--sub", "nobody"]] {
        assert_eq!(place.refusal(&[&["sessions", "list"], &unknown[..]].concat()).0, Some(1), "{unknown:?}");
    }
}

#[test]
fn an_empty_list_says_that_it_is_empty() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    for list in [&["sessions", "list"][..], &["consents", "list"], &["clients", "list"], &["audit", "--since", "2999-01-01"]] {
        let said = String::from_utf8(place.run_with(list, "").stdout).unwrap();
        assert_eq!(said.lines().nth(1), Some("(none)"), "{list:?}: {said}");
    }
}
