//! `passant revoke-everything` and `passant grants end`

use serde_json::Value;

use super::Place;

#[test]
fn nothing_happens_without_a_word_and_what_dies_is_said_before() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    let (code, said) = place.refusal(&["revoke-everything"]);
    assert!(code == Some(2) && said.contains("This ends all") && said.contains("nothing has changed"), "{said}");
    assert!(!place.trail(&[]).contains(&"issuer_cut_off".to_owned()));
    let answer = place.json(&["revoke-everything", "--yes"], "");
    assert_eq!((&answer["sessions"], &answer["effective_within"]), (&Value::from(0), &Value::from(1)));
    assert!(answer["tick"].is_i64());
    assert_eq!(place.trail(&[])[0], "issuer_cut_off");
}

#[test]
fn an_unknown_grant_is_no_success() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    let (code, said) = place.refusal(&["grants", "end", "-unknown"]);
    assert!(code == Some(1) && said.contains("there is no grant -unknown"), "{said}");
}
