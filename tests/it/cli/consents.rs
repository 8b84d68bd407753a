//! `passant consents`

use super::Place;

#[test]
fn a_withdrawal_needs_a_user_and_a_client() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
    assert_eq!(place.json(&["consents", "list"], "")["consents"].as_array().map(Vec::len), Some(0));
    let withdrawn = place.json(&["consents", "revoke", "--user", "ada", "--client", "batch"], "");
    assert!(withdrawn["tick"].as_i64().unwrap() > 0);
    assert_eq!(place.refusal(&["consents", "revoke", "--user", "ada", "--client", "unknown"]).0, Some(1));
    assert_eq!(place.refusal(&["consents", "revoke", "--user", "nobody", "--client", "batch"]).0, Some(1));
    assert_eq!(place.refusal(&["consents", "revoke", "--user", "ada"]).0, Some(2));
}
