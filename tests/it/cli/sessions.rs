//! `passant sessions`

use super::Place;

#[test]
fn what_is_not_there_cannot_be_ended() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    assert_eq!(place.json(&["sessions", "list", "--user", "ada"], "")["sessions"].as_array().map(Vec::len), Some(0));
    let (code, said) = place.refusal(&["sessions", "end", "no-such-session"]);
    assert!(code == Some(1) && said.contains("no-such-session"), "{said}");
    assert!(place.json(&["sessions", "end", "--user", "ada", "--all"], "")["tick"].as_i64().unwrap() > 0);
    for wrong in
        [&["sessions", "end"][..], &["sessions", "end", "--user", "ada"], &["sessions", "end", "x", "--user", "ada", "--all"]]
    {
        assert_eq!(place.refusal(wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(place.refusal(&["sessions", "list", "--user", "nobody"]).0, Some(1));
}
