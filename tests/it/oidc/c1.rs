//! C1: everywhere. C1.12, which asks for TLS, is held by the tests of the running binary.

use std::collections::BTreeSet;
use std::time::Duration;

use passant::domain::claims::at_hash;
use passant_tests::on_both_engines;

use super::*;

/// The members of RFC 8414, OpenID Connect Discovery and the extensions registered beside them that an issuer like this one may have.
/// `passant_revocations_uri` alone is registered nowhere: the conformance suite warns of members that it does not know, and its
/// configuration has to list this one.
const REGISTERED: [&str; 63] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "service_documentation",
    "ui_locales_supported",
    "op_policy_uri",
    "op_tos_uri",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "signed_metadata",
    "device_authorization_endpoint",
    "userinfo_endpoint",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "userinfo_signing_alg_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "request_object_signing_alg_values_supported",
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    "display_values_supported",
    "claim_types_supported",
    "claims_supported",
    "claims_locales_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "require_signed_request_object",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported",
    "check_session_iframe",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "end_session_endpoint",
    "prompt_values_supported",
    "dpop_signing_alg_values_supported",
    "tls_client_certificate_bound_access_tokens",
    "mtls_endpoint_aliases",
    "authorization_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "protected_resources",
    "authorization_details_types_supported",
    "passant_revocations_uri",
];

/// Of 256 random bits, in base64url and without the prefix that says what it is.
#[track_caller]
fn assert_random(token: &str) {
    let random = token.split_once('_').map_or(token, |(_, random)| random);
    let letters: BTreeSet<char> = random.chars().collect();
    assert!(random.len() >= 43 && letters.len() >= 16, "{token}");
    assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
}

on_both_engines! {
    async fn c1_01_discovery_names_this_issuer_exactly(world) {
        let answer = world.agent().get("/.well-known/openid-configuration").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], ISSUER);
        for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            assert!(metadata[endpoint].as_str().unwrap().starts_with("https://auth.example.com/"), "{endpoint}");
        }
    }

    async fn c1_02_metadata_has_registered_members_in_their_types_and_none_that_is_null_or_empty(world) {
        let metadata = metadata(&world).await;
        for (name, value) in metadata.as_object().unwrap() {
            assert!(REGISTERED.contains(&name.as_str()), "{name} is registered nowhere");
            match value {
                Value::Array(all) => {
                    assert!(name.ends_with("_supported") && !all.is_empty() && all.iter().all(Value::is_string), "{name}: {value}");
                    let distinct: BTreeSet<&str> = all.iter().filter_map(Value::as_str).collect();
                    assert_eq!(distinct.len(), all.len(), "{name}: {value}");
                }
                Value::Bool(_) => assert!(name.ends_with("_supported") || name.starts_with("require_"), "{name}: {value}"),
                Value::String(text) => assert!(text.starts_with("https://"), "{name}: {value}"),
                Value::Null | Value::Number(_) | Value::Object(_) => panic!("{name}: {value}"),
            }
        }
    }

    async fn c1_03_every_key_has_its_own_kid_and_no_private_member(world) {
        let keys = world.agent().get("/jwks.json").await.json()["keys"].as_array().unwrap().clone();
        let kids: BTreeSet<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert!(!keys.is_empty() && kids.len() == keys.len());
        for key in &keys {
            assert_eq!(names(key), ["alg", "e", "kid", "kty", "n", "use"]);
            assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&json!("RSA"), &json!("sig"), &json!("RS256")));
        }
    }

    async fn c1_04_id_token_has_the_protocols_claims_in_their_types(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let nonce = "n-\u{e9}+/=%20 &";
        let tokens = agent.tokens(&client, ADA, &[("nonce", nonce), ("max_age", "60")]).await;
        let claims = tokens.id_claims();
        let now = world.app.now().seconds();
        assert_eq!((&claims["iss"], &claims["aud"], &claims["nonce"]), (&json!(ISSUER), &json!("shop-web"), &json!(nonce)));
        assert!(claims["exp"].as_i64().unwrap() > now && (now - claims["iat"].as_i64().unwrap()).abs() < 300);
        assert!(claims["auth_time"].is_i64());
        assert!(claims["sub"].as_str().is_some_and(|sub| sub.is_ascii() && (1..=255).contains(&sub.len())));
        let jwks = agent.get("/jwks.json").await.json();
        assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == tokens.header()["kid"]));
        for (name, value) in claims.as_object().unwrap() {
            assert!(value.as_str().is_none_or(|text| !text.trim().is_empty() && text != "null"), "{name}: {value}");
        }
        assert!(agent.tokens(&client, ADA, &[("nonce", "")]).await.id_claims().get("nonce").is_none());
    }

    async fn c1_05_id_token_says_nothing_that_was_asked_for_by_scope_alone(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let claims = world.agent().tokens(&client, ADA, &[ALL_SCOPES]).await.id_claims();
        let expected = ["acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sid", "sub"];
        assert_eq!(names(&claims), expected);
    }

    async fn c1_06_at_hash_is_that_of_the_access_token(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let first = world.agent().tokens(&client, ADA, &[]).await;
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        for tokens in [first, second] {
            assert_eq!(tokens.id_claims()["at_hash"], at_hash(tokens.access()));
        }
    }

    async fn c1_07_sub_is_the_same_in_id_token_access_token_and_userinfo(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let told = agent.userinfo(tokens.access()).await.json();
        for found in [&tokens.id_claims()["sub"], &tokens.claims()["sub"], &told["sub"]] {
            assert_eq!(found, sub.as_str());
        }
    }

    async fn c1_08_codes_and_tokens_are_long_and_random(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let mut seen = BTreeSet::new();
        for _ in 0..5 {
            let code = agent.callback(&client, ADA, &[]).await.code().to_owned();
            let tokens = Tokens::of(&client.redeem(&agent, &code).await);
            for opaque in [code.as_str(), tokens.refresh()] {
                assert_random(opaque);
                assert!(seen.insert(opaque.to_owned()));
            }
            assert!(tokens.access().len() > 128 && seen.insert(tokens.access().to_owned()));
        }
    }

    async fn c1_09_token_answer_is_json_that_nobody_stores(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let code = agent.callback(&client, ADA, &[]).await.code().to_owned();
        let answer = client.redeem(&agent, &code).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let tokens = answer.json();
        assert_eq!(names(&tokens), ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
        assert_eq!(tokens["token_type"], "Bearer");
        assert!((1..=365 * 24 * 60 * 60).contains(&tokens["expires_in"].as_i64().unwrap()));
    }

    async fn c1_10_callback_carries_what_is_expected_and_the_state_untouched(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let state: String = (' '..='~').cycle().take(300).collect();
        for (change, expected) in [
            (("prompt", "none"), vec!["code", "iss", "state"]),
            (("max_age", "x\u{e9}\"\\\r\n\t"), vec!["error", "error_description", "iss", "state"]),
        ] {
            let query = agent.authorize(&client, &[("state", &state), change]).await;
            let page = agent.authorize(&client, &[("state", &state), ("response_mode", "form_post"), change]).await;
            for callback in [Callback::parse(query.location(), client.redirect_uri()), Callback::posted(&page, client.redirect_uri())] {
                let mut names: Vec<&str> = callback.0.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                assert_eq!(names, expected);
                assert_eq!((callback.get("state"), callback.get("iss")), (Some(state.as_str()), Some(ISSUER)));
                if let Some(description) = callback.get("error_description") {
                    assert_plain(description);
                }
            }
        }
        assert_eq!(metadata(&world).await["authorization_response_iss_parameter_supported"], true);
    }

    async fn c1_11_token_errors_are_json_with_the_right_status(world) {
        let client = world.client("shop-web", |_| {}).await;
        for (fields, code) in [
            (vec![], "invalid_request"),
            (vec![("grant_type", "authorization_code")], "invalid_request"),
            (vec![("grant_type", "authorization_code"), ("code", "psc_x")], "invalid_grant"),
            (vec![("grant_type", "refresh_token"), ("refresh_token", "psr_x")], "invalid_grant"),
            (vec![("grant_type", "password\"\\\u{e9}\r\n")], "unsupported_grant_type"),
            (vec![("grant_type", "client_credentials"), ("scope", "admin")], "invalid_scope"),
            (vec![("grant_type", "client_credentials"), ("resource", "https://elsewhere.example")], "invalid_target"),
        ] {
            assert_error(&client.token(&world, &fields).await, 400, code);
        }
        let wrong = basic("shop-web", "wrong");
        let headers = [FORM, ("authorization", wrong.as_str())];
        let body = encoded(&[("grant_type", "client_credentials")]);
        let answer = send(&mut world.agent(), Method::POST, "/token", &headers, body).await;
        assert_error(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
    }

    async fn c1_13_a_hundred_and_twenty_logins_in_a_minute_from_one_address_are_let_in(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for _ in 0..120 {
            world.agent().callback(&client, ADA, &[]).await.code();
            world.advance(Duration::from_millis(500));
        }
    }

    async fn c1_14_consent_is_given_as_often_as_it_is_asked_for(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        for change in [[].as_slice(), &[], &[("prompt", "consent")]] {
            agent.callback(&client, ADA, change).await.code();
        }
    }
}
