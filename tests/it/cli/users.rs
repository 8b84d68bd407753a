//! `passant users`

use serde_json::json;

use super::Place;

#[test]
fn users_are_added_and_a_new_password_says_at_which_tick_it_cuts_off() {
    let place = Place::new("");
    let added = place.json(&["users", "add", "Ada", "--name", "Ada Lovelace", "--password-stdin"], "an engine that weaves\n");
    let changed = place.json(&["users", "set-password", "ada", "--password-stdin"], "another engine entirely\n");
    assert_eq!(changed["sub"], added["sub"]);
    assert!(changed["tick"].as_i64().unwrap() > 0);
    let generated = place.json(&["users", "set-password", "ada", "--generate-password"], "");
    assert!(generated["tick"].as_i64().unwrap() > changed["tick"].as_i64().unwrap());
    place.search_for_leaks();
    let short = place.run_with(&["users", "set-password", "ada", "--password-stdin"], "short\n");
    assert_eq!(short.status.code(), Some(2));
    assert_eq!(place.refusal(&["users", "set-password", "nobody", "--generate-password"]).0, Some(1));
    assert_eq!(place.run_with(&["users", "add", "ada", "--password-stdin"], "an engine that weaves\n").status.code(), Some(1));
}

#[test]
fn no_password_at_all_is_told_what_to_give() {
    let (code, said) = Place::new("").refusal(&["users", "add", "ada"]);
    assert!(code == Some(2) && said.contains("--generate-password"), "{said}");
}

#[test]
fn what_is_said_of_a_user_is_set_shown_and_taken_away() {
    let place = Place::new("");
    let claims = ["--claim", "given_name=Ada", "--claim", "birthdate=1815-12-10", "--claim", "address.locality=London"];
    let attributes = ["--attribute", "department=Sales", "--attribute", "floor=3", "--attribute", "sites=[\"London\"]"];
    let rest = [
        "--email",
        "ada@example.com",
        "--email-verified",
        "--phone-number",
        "+493012345678",
        "--role",
        "clerk",
        "--generate-password",
    ];
    let added = place.json(&[&["users", "add", "ada", "--name", "Ada"], &claims[..], &attributes, &rest].concat(), "");
    let sub = added["sub"].as_str().unwrap();
    let show = || place.json(&["users", "show", "ada"], "");
    let ada = show();
    assert_eq!(
        (&ada["given_name"], &ada["address"], &ada["birthdate"]),
        (&json!("Ada"), &json!({ "locality": "London" }), &json!("1815-12-10"))
    );
    assert_eq!(ada["attributes"], json!({ "department": "Sales", "floor": 3, "sites": ["London"] }));
    assert_eq!(
        (&ada["email_verified"], &ada["phone_number_verified"], &ada["roles"]),
        (&json!(true), &json!(false), &json!(["clerk"]))
    );

    let update = |arguments: &[&str]| place.json(&[&["users", "update", "ada"], arguments].concat(), "");
    assert_eq!(update(&["--email", "ada@example.org"])["user"]["email_verified"], false, "another address is unverified");
    assert_eq!(update(&["--role", "auditor", "--role", "boss"])["user"]["roles"], json!(["auditor", "boss"]));
    assert_eq!(update(&["--no-role", "--claim", "given_name=", "--attribute", "floor="])["user"]["roles"], json!([]));
    assert_eq!(update(&["--name", "Ada"])["changed"], false);
    let ada = place.json(&["users", "show", &format!("--sub={sub}")], "");
    assert!(ada["given_name"].is_null() && ada["attributes"]["floor"].is_null() && ada["email"] == "ada@example.org");

    for arguments in [["--claim", "birthdate=tomorrow"], ["--email", "nobody"], ["--role", "a b"], ["--attribute", "x={}"]] {
        assert_eq!(place.refusal(&[&["users", "update", "ada"], &arguments[..]].concat()).0, Some(2), "{arguments:?}");
    }
    assert_eq!(place.json(&["users", "show", "ada"], ""), ada, "what is refused changes nothing");
}

#[test]
fn users_are_listed_switched_off_and_deleted() {
    let place = Place::new("");
    for name in ["ada", "bob", "cleo"] {
        place.json(&["users", "add", name, "--generate-password"], "");
    }
    let page = place.json(&["users", "list", "--limit", "2"], "");
    assert_eq!((page["users"].as_array().unwrap().len(), &page["next"]), (2, &json!("bob")));
    assert_eq!(place.json(&["users", "list", "--after", "bob"], "")["users"][0]["username"], "cleo");
    assert!(place.json(&["users", "disable", "bob"], "")["tick"].as_i64().unwrap() > 0);
    assert_eq!(place.json(&["users", "disable", "bob"], "")["changed"], false);
    assert!(place.json(&["users", "show", "bob"], "")["disabled_at"].is_string());
    assert_eq!(place.json(&["users", "enable", "bob"], "")["changed"], true);
    let sub = place.json(&["users", "delete", "bob"], "")["sub"].as_str().unwrap().to_owned();
    assert_eq!(place.refusal(&["users", "show", "bob"]).0, Some(1));
    let again = place.json(&["users", "add", "bob", "--generate-password"], "");
    assert_ne!(again["sub"].as_str(), Some(sub.as_str()), "the name is free, the sub is not");
    let trail = place.trail(&[&format!("--sub={sub}")]);
    assert_eq!(trail, ["user_delete", "user_enable", "user_disable", "user_create"]);
    assert_eq!(place.refusal(&["users", "show"]).0, Some(2));
}

#[test]
fn the_last_administrator_goes_by_force_alone() {
    let place = Place::new("");
    place.json(&["users", "add", "root", "--administrator", "--generate-password"], "");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    for act in [&["users", "disable", "root"][..], &["users", "delete", "root"], &["users", "grant-admin", "root", "--revoke"]] {
        let (code, said) = place.refusal(act);
        assert!(code == Some(1) && said.contains("--force"), "{act:?}: {said}");
    }
    assert_eq!(place.json(&["users", "grant-admin", "ada"], "")["changed"], true);
    assert_eq!(place.json(&["users", "grant-admin", "root", "--revoke"], "")["changed"], true);
    assert_eq!(place.json(&["users", "delete", "ada", "--force"], "")["changed"], true);
}
