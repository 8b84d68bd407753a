//! `passant consents`

use passant_tests::on_both_engines;
use serde_json::json;

use super::{Place, command};

const ADA: (&str, &str) = ("ada", "an engine that weaves");

on_both_engines! {
    async fn what_a_client_that_asks_every_time_holds_is_listed_and_withdrawn(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let app = world.public_client("spa").await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&app, ADA, &[]).await;
        let by_sub = format!("--sub={}", sub.as_str());
        for whose in [&[][..], &["--user", "ada"], &[by_sub.as_str()], &["--client", "spa"], &["--user", "ada", "--client", "spa"]] {
            let listed = command(&world, &[&["consents", "list"], whose].concat());
            let one = &listed["consents"][0];
            assert_eq!(listed["consents"].as_array().unwrap().len(), 1, "{whose:?}: {listed}");
            assert_eq!((&one["username"], &one["client_id"], &one["grants"]), (&json!("ada"), &json!("spa"), &json!(1)));
            assert!(one["remembered"] == false && one["scopes"].as_array().unwrap().contains(&json!("openid")), "{one}");
        }
        assert_eq!(command(&world, &["consents", "list", "--client", "another"])["consents"], json!([]));
        command(&world, &["consents", "revoke", &by_sub, "--client", "spa"]);
        assert_eq!(command(&world, &["consents", "list"])["consents"], json!([]));
        assert_eq!(app.refresh(&agent, tokens.refresh()).await.status.as_u16(), 400);
        command(&world, &["consents", "revoke", "--user", "ada", "--client", "spa"]);
    }
}

#[test]
fn a_consent_is_withdrawn_by_whoever_administers_even_if_nothing_was_remembered() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
    assert_eq!(place.json(&["consents", "list"], "")["consents"].as_array().map(Vec::len), Some(0));
    let withdrawn = place.json(&["consents", "revoke", "--user", "ada", "--client", "batch"], "");
    assert!(withdrawn["tick"].as_i64().unwrap() > 0);
}
