//! `passant clients`

use serde_json::{Value, json};

use super::Place;

const SCOPES: &str = "[scopes]\n\"orders:read\" = \"Read your orders\"\n";
const BATCH: [&str; 7] = ["clients", "add", "batch", "--name", "Nightly batch", "--grant-type", "client_credentials"];

fn file_client(id: &str, name: &str, hash: &str) -> String {
    format!(
        "[[clients]]\nid = \"{id}\"\nname = \"{name}\"\nauthentication = \"client_secret_basic\"\nsecret_hash = \"{hash}\"\n\
         grant_types = [\"client_credentials\"]\n"
    )
}

const HASH: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/// The only client that the list shows of this id.
fn shown(place: &Place, id: &str) -> Value {
    place.json(&["clients", "show", id], "")
}

#[test]
fn a_client_gets_its_secret_once_and_the_database_never_holds_it() {
    let place = Place::new("[scopes]\n\"orders:read\" = \"Read your orders\"\n");
    let added = place.json(
        &["clients", "add", "batch", "--name", "Nightly batch", "--grant-type", "client_credentials", "--scope", "orders:read"],
        "",
    );
    let secret = added["client_secret"].as_str().expect("the secret is shown once");
    assert_eq!(secret.len(), "pcs_".len() + 43, "256 bits");
    let listed = place.json(&["clients", "list"], "").to_string();
    assert!(listed.contains("batch") && !listed.contains(secret));
    let (code, said) = place.refusal(&["clients", "add", "batch", "--name", "Again", "--grant-type", "client_credentials"]);
    assert_eq!(code, Some(1), "{said}");

    place.search_for_leaks();
}

#[test]
fn an_update_changes_what_is_given_and_is_judged_as_a_whole() {
    let place = Place::new(SCOPES);
    place.json(&[&BATCH[..], &["--scope", "orders:read", "--access-token", "5m", "--refresh-idle", "14d"]].concat(), "");
    let changed =
        place.json(&["clients", "update", "batch", "--name", "Batch", "--scope", "openid", "--scope", "orders:read"], "");
    assert_eq!(changed["changed"], true);
    let now = shown(&place, "batch");
    assert_eq!((&now["name"], &now["scopes"]), (&json!("Batch"), &json!(["openid", "orders:read"])));
    assert_eq!((&now["lifetimes"]["access_token"], &now["lifetimes"]["refresh_idle"]), (&json!("5m"), &json!("14d")));
    assert_eq!(place.json(&["clients", "update", "batch", "--name", "Batch"], "")["changed"], false);
    assert_eq!(place.json(&["clients", "update", "batch", "--clear", "scopes"], "")["client"]["scopes"], json!([]));
    for (arguments, code, why) in [
        (&["--scope", "undeclared"][..], 2, "not declared in [scopes]"),
        (&["--resource", "https://api.example.com"], 2, "not declared in [resources]"),
        (&["--public"], 1, "client_credentials needs a client with a secret"),
        (&["--grant-type", "authorization_code"], 1, "at least one redirect URI"),
    ] {
        let (ended, said) = place.refusal(&[&["clients", "update", "batch"], arguments].concat());
        assert!(ended == Some(code) && said.contains(why), "{arguments:?}: {said}");
    }
    assert_eq!(shown(&place, "batch")["scopes"], json!([]), "what is refused changes nothing");
    assert_eq!(place.refusal(&["clients", "update", "nobody", "--name", "x"]).0, Some(1));
    assert_eq!(place.refusal(&["clients", "update", "batch", "--access-token", "2h"]).0, Some(2), "the arguments are wrong");
}

#[test]
fn mapped_claims_are_registered_by_command() {
    let place = Place::new("");
    place.json(
        &[&BATCH[..], &["--mapped-claim", "roles=roles", "--mapped-claim", "dept=attributes.department@id_token"]].concat(),
        "",
    );
    let mapped = &shown(&place, "batch")["mapped_claims"];
    assert_eq!(mapped["dept"], json!({ "from": "attributes.department", "carried_by": ["id_token"] }));
    assert_eq!(place.refusal(&[&BATCH[..], &["--mapped-claim", "sub=roles"]].concat()).0, Some(2));
}

#[test]
fn places_in_status_lists_are_switched_on_and_off_by_command() {
    let place = Place::new("");
    place.json(&BATCH, "");
    assert_eq!(shown(&place, "batch")["status_list"], false, "off unless it is asked for");
    for (option, listed) in [("--status-list", true), ("--status-list=false", false), ("--status-list=true", true)] {
        assert_eq!(place.json(&["clients", "update", "batch", option], "")["changed"], true);
        assert_eq!(shown(&place, "batch")["status_list"], listed);
    }
    assert_eq!(place.json(&["clients", "update", "batch", "--name", "Batch"], "")["client"]["status_list"], true);
}

#[test]
fn secrets_are_rotated_shown_once_and_warned_of() {
    let place = Place::new("");
    let first = place.json(&[&BATCH[..], &["--secret-expires-in", "10d"]].concat(), "");
    let warned = place.json(&["clients", "list"], "")["warnings"][0].as_str().unwrap().to_owned();
    assert!(warned.contains("batch") && warned.contains("rotate-secret"), "{warned}");
    let second = place.json(&["clients", "rotate-secret", "batch", "--expires-in", "90d", "--old-for", "7d"], "");
    assert_ne!(first["client_secret"], second["client_secret"]);
    assert!(second["old_until"].is_string() && second["client_secret_expires_at"].is_string());
    assert_eq!(place.json(&["clients", "list"], "")["warnings"], json!([]));
    let secrets = shown(&place, "batch")["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 2);
    assert!(!secrets.to_string().contains("hash"), "{secrets}");
    let third = place.json(&["clients", "rotate-secret", "batch", "--leaked"], "");
    assert!(third["tick"].as_i64().unwrap() > 0 && third["old_until"].is_null());
    assert_eq!(shown(&place, "batch")["secrets"].as_array().unwrap().len(), 1);
    place.search_for_leaks();
}

on_both_engines_by_command! {
    fn a_rotation_tells_what_was_committed_and_not_what_was_wished(engine) {
        let place = Place::on(engine, "");
        let rotate = |wish: &[&str]| {
            let text = String::from_utf8(place.run_with(&[&["clients", "rotate-secret", "batch"], wish].concat(), "").stdout).unwrap();
            let secrets = shown(&place, "batch")["secrets"].as_array().unwrap().clone();
            (text, secrets)
        };
        place.json(&[&BATCH[..], &["--secret-expires-in", "1h"]].concat(), "");
        let end = shown(&place, "batch")["secrets"][0]["expires_at"].as_str().unwrap().to_owned();
        let answer = place.json(&["clients", "rotate-secret", "batch", "--old-for", "7d"], "");
        assert_eq!((&answer["old_until"], &answer["secrets_ended"]), (&json!(end), &json!(0)), "it ended before seven days already");
        let (text, secrets) = rotate(&["--old-for", "7d"]);
        assert!(text.contains("One still older has stopped working now."), "{text}");
        assert!(text.contains(&format!("The old one works until {}.", secrets[0]["expires_at"].as_str().unwrap())), "{text}");
        place.execute("UPDATE client_secrets SET expires_at = 1");
        let (text, _) = rotate(&[]);
        assert!(text.contains("No older one works any more."), "{text}");
        place.json(&["clients", "rotate-secret", "batch"], "");
        let leaked = place.json(&["clients", "rotate-secret", "batch", "--leaked"], "");
        assert_eq!((&leaked["old_until"], &leaked["secrets_ended"]), (&json!(null), &json!(2)));
        let (text, _) = rotate(&["--leaked"]);
        assert!(text.contains("The secret of batch has stopped working. Every grant and token that batch had is dead"), "{text}");
        let details = place.json(&["audit", "--action", "secret_rotate"], "");
        assert_eq!(details["entries"][3]["detail"], format!("the old one works until {end}"));
    }
}

#[test]
fn a_client_of_the_file_is_changed_in_the_file_but_stopped_by_command() {
    let place = Place::new(&file_client("shop", "The shop", HASH));
    assert_eq!(place.json(&["clients", "apply"], "")["applied"]["create"], json!(["shop"]));
    for refused in
        [&["clients", "update", "shop", "--name", "x"][..], &["clients", "remove", "shop"], &["clients", "rotate-secret", "shop"]]
    {
        let (code, said) = place.refusal(refused);
        assert!(code == Some(1) && said.contains("configuration file"), "{refused:?}: {said}");
    }
    assert_eq!(place.json(&["clients", "disable", "shop"], "")["changed"], true);
    assert_eq!(place.json(&["clients", "disable", "shop"], "")["changed"], false);
    assert!(shown(&place, "shop")["disabled_at"].is_string());
    assert_eq!(place.json(&["clients", "enable", "shop"], "")["changed"], true);
    let leaked = place.json(&["clients", "rotate-secret", "shop", "--leaked"], "");
    assert!(leaked["change_the_file"] == true && leaked["client_secret"].is_null());
    assert_eq!(place.json(&["clients", "apply"], "")["stolen"], json!(["shop"]), "the file still has it");
    std::fs::write(place.path("passant.toml"), file_client("shop", "The shop", &HASH.replace("47DE", "48DE"))).unwrap();
    let applied = place.json(&["clients", "apply"], "");
    assert_eq!((&applied["applied"]["update"][0]["keys"], &applied["stolen"]), (&json!(["secret"]), &json!([])));
}

#[test]
fn what_leaves_the_file_goes_when_it_is_pruned() {
    let place = Place::new(&(file_client("shop", "The shop", HASH) + &file_client("till", "The till", HASH)));
    place.json(&["clients", "apply"], "");
    place.json(&BATCH, "");
    std::fs::write(place.path("passant.toml"), file_client("shop", "The new shop", HASH)).unwrap();
    let kept = place.json(&["clients", "apply"], "");
    assert_eq!((&kept["applied"]["undeclared"], &kept["applied"]["update"][0]["keys"]), (&json!(["till"]), &json!(["name"])));
    shown(&place, "till");
    assert_eq!(place.json(&["clients", "apply", "--prune"], "")["applied"]["undeclared"], json!(["till"]));
    assert_eq!(place.refusal(&["clients", "show", "till"]).0, Some(1));
    shown(&place, "batch");
}

#[test]
fn a_removed_client_is_gone() {
    let place = Place::new("");
    place.json(&BATCH, "");
    assert!(place.json(&["clients", "remove", "batch"], "")["tick"].as_i64().unwrap() > 0);
    assert_eq!(place.refusal(&["clients", "remove", "batch"]).0, Some(1));
    assert_eq!(place.json(&["clients", "list"], "")["clients"], json!([]));
    let actions: Vec<String> = place.trail(&["--client", "batch"]);
    assert_eq!(actions, ["client_remove", "client_create"]);
}

#[test]
fn a_client_is_not_called_as_a_user() {
    let place = Place::new("");
    let added = place.json(&["users", "add", "ada", "--generate-password"], "");
    let sub = added["sub"].as_str().unwrap();
    // A sub may begin with a hyphen.
    let (code, said) = place.refusal(&["clients", "add", "--name", "x", "--grant-type", "client_credentials", "--", sub]);
    assert!(code == Some(1) && said.contains("a user's sub"), "{said}");
}
