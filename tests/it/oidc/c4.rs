//! C4: the configuration plan, which reads the metadata and follows its links.

use passant_tests::on_both_engines;

use super::*;

fn all(value: &Value) -> Vec<&str> {
    value.as_array().expect("an array").iter().map(|one| one.as_str().expect("of texts")).collect()
}

on_both_engines! {
    async fn c4_metadata_is_valid_and_tells_the_truth_about_each_switch(world) {
        let metadata = metadata(&world).await;
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                assert!(value.as_str().unwrap().starts_with("https://auth.example.com/"), "{name}");
            }
        }
        for (name, expected) in [
            ("response_types_supported", vec!["code"]),
            ("response_modes_supported", vec!["query", "form_post"]),
            ("subject_types_supported", vec!["public"]),
            ("id_token_signing_alg_values_supported", vec!["RS256"]),
            ("code_challenge_methods_supported", vec!["S256"]),
            ("acr_values_supported", vec!["1"]),
            ("claim_types_supported", vec!["normal"]),
            ("display_values_supported", vec!["page"]),
            ("ui_locales_supported", vec!["en"]),
            ("prompt_values_supported", vec!["none", "login", "consent", "select_account"]),
        ] {
            assert_eq!(all(&metadata[name]), expected, "{name}");
        }
        for (switch, expected) in [
            ("claims_parameter_supported", true), ("request_parameter_supported", false),
            ("request_uri_parameter_supported", false), ("authorization_response_iss_parameter_supported", true),
        ] {
            assert_eq!(metadata[switch], expected, "{switch}");
        }
        let scopes = all(&metadata["scopes_supported"]);
        assert!(["openid", "profile", "email", "address", "phone", "offline_access"].iter().all(|scope| scopes.contains(scope)));
        assert!(all(&metadata["grant_types_supported"]).contains(&"authorization_code"));
        assert!(all(&metadata["claims_supported"]).contains(&"sub"));
    }

    async fn c4_key_set_is_where_the_metadata_says(world) {
        let uri = metadata(&world).await["jwks_uri"].as_str().unwrap().to_owned();
        let keys = world.agent().get(uri.strip_prefix(ISSUER).unwrap()).await;
        assert_eq!((keys.status, keys.header("content-type")), (StatusCode::OK, Some("application/jwk-set+json")));
        assert!(!keys.json()["keys"].as_array().unwrap().is_empty());
    }

    async fn c4_every_scope_and_prompt_of_the_metadata_is_understood(world) {
        world.user(ADA.0, ADA.1).await;
        let metadata = metadata(&world).await;
        let scopes = all(&metadata["scopes_supported"]).join(" ");
        let client = world.client("all", |it| it.scopes = scopes.parse().unwrap()).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[("scope", &scopes)]).await;
        let mut granted: Vec<&str> = tokens.0["scope"].as_str().unwrap().split(' ').collect();
        let mut asked: Vec<&str> = scopes.split(' ').collect();
        granted.sort_unstable();
        asked.sort_unstable();
        assert_eq!(granted, asked);
        for prompt in all(&metadata["prompt_values_supported"]) {
            agent.callback(&client, ADA, &[("prompt", prompt)]).await.code();
        }
        assert_eq!(sent_back(&agent.authorize(&client, &[("prompt", "create")]).await, &client), "invalid_request");
    }
}
