//! `passant check-config`, and what becomes of a wrong configuration

use serde_json::{Value, json};

use super::Place;

#[test]
fn a_wrong_file_is_refused_with_line_key_and_reason_and_nothing_is_made() {
    for (text, line, key) in [
        ("issuer = \"http://auth.example.com\"\n", "line 1", "issuer"),
        ("listen = \"127.0.0.1:0\"\n\n[keys]\nperiods = \"30d\"\n", "line 4", "periods"),
        ("[keys]\nperiod = \"1h\"\n", "line 2", "period"),
        (
            "[[clients]]\nid = \"a\"\nname = \"A\"\nauthentication = \"none\"\nredirect_uris = [\"https://a.example/*\"]\n[[clients]]\nid = \"a\"\n",
            "line 5",
            "redirect_uris",
        ),
        (
            "[[clients]]\nid = \"b\"\nname = \"B\"\nauthentication = \"client_secret_basic\"\nredirect_uris = [\"https://b.example/\"]\n",
            "line",
            "secret",
        ),
    ] {
        let place = Place::new(text);
        let (code, said) = place.refusal(&["serve"]);
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.contains(line) && said.contains(key), "{text}: {said}");
        assert!(!place.path("data").exists(), "nothing was made for {text}");
    }
}

#[test]
fn a_check_says_what_a_start_would_change_and_makes_nothing() {
    let client = |name: &str| {
        format!(
            "[[clients]]\nid = \"spa\"\nname = \"{name}\"\nauthentication = \"none\"\nredirect_uris = [\"https://spa.example/cb\"]\n"
        )
    };
    let place = Place::new(&client("The app"));
    let checked = place.json(&["check-config"], "");
    assert_eq!((&checked["database"]["kind"], &checked["database"]["exists"]), (&json!("sqlite"), &json!(false)));
    assert_eq!((&checked["clients"]["create"], &checked["issuer"]), (&json!(["spa"]), &json!("http://localhost:8080")));
    assert!(!place.path("data").exists(), "nothing was made");
    place.json(&["clients", "apply"], "");
    assert_eq!(place.json(&["check-config"], "")["clients"]["unchanged"], json!(["spa"]));
    std::fs::write(place.path("passant.toml"), client("Another")).unwrap();
    let files = || std::fs::read_dir(place.path("data")).unwrap().count();
    let before = files();
    let checked = place.json(&["check-config"], "");
    assert_eq!(checked["clients"]["update"], json!([{ "client_id": "spa", "keys": ["name"] }]));
    assert_eq!((&checked["database"]["pending_migrations"], files()), (&json!(0), before));
    assert_eq!(
        place.json(&["check-config"], "")["clients"]["update"].as_array().map(Vec::len),
        Some(1),
        "a check applies nothing"
    );
}

#[test]
fn a_check_of_what_cannot_be_ends_with_code_2() {
    let place = Place::new("");
    place.json(&["clients", "add", "taken", "--name", "x", "--grant-type", "client_credentials"], "");
    let client =
        "[[clients]]\nid = \"taken\"\nname = \"x\"\nauthentication = \"none\"\nredirect_uris = [\"https://x.example/cb\"]\n";
    std::fs::write(place.path("passant.toml"), client).unwrap();
    let (code, said) = place.refusal(&["check-config"]);
    assert!(code == Some(2) && said.contains("command_line"), "{said}");
    std::fs::write(place.path("passant.toml"), "[keys]\nbits = 1\n").unwrap();
    let output = place.run_with(&["check-config", "--json"], "");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.code() == Some(2) && document["error"].as_str().unwrap().contains("line 2: keys.bits"));
}

#[test]
fn the_sample_is_itself_a_right_configuration() {
    let place = Place::new("");
    let printed = place.run_with(&["check-config", "--sample"], "");
    assert!(printed.status.success());
    std::fs::write(place.path("passant.toml"), printed.stdout).unwrap();
    place.json(&["check-config"], "");
}
