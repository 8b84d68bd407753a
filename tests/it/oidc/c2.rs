//! C2: the basic profile, code flow. What is told of the user (C2.4 to C2.6) has a file of its own.

use std::time::Duration;

use passant::domain::client::{ClientAuthentication, GrantType};
use passant_tests::on_both_engines;

use super::*;

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

on_both_engines! {
    async fn c2_01_two_clients_at_once_each_with_its_own_exact_redirect_uri(world) {
        world.user(ADA.0, ADA.1).await;
        let (first, second) = (world.client("client", |_| {}).await, world.client("client2", |_| {}).await);
        let mut agent = world.agent();
        let codes = [agent.callback(&first, ADA, &[]).await, agent.callback(&second, ADA, &[]).await];
        let tokens = [
            Tokens::of(&first.redeem(&agent, codes[0].code()).await),
            Tokens::of(&second.redeem(&agent, codes[1].code()).await),
        ];
        assert_eq!((&tokens[0].id_claims()["aud"], &tokens[1].id_claims()["aud"]), (&json!("client"), &json!("client2")));
        for uri in [second.redirect_uri().to_owned(), format!("{}/", first.redirect_uri()), format!("{}?x=1", first.redirect_uri())] {
            assert_page(&agent.authorize(&first, &[("redirect_uri", &uri)]).await, 400);
        }
    }

    async fn c2_02_secret_in_the_header_form_encoded_and_secret_in_the_form(world) {
        let in_header = world.client("in-header", |_| {}).await;
        let in_form = world.client("in-form", |it| it.authentication = ClientAuthentication::SecretPost).await;
        let body = encoded(&[("grant_type", "client_credentials")]);
        let encoded_parts = basic(&percent_encoded(in_header.id()), &percent_encoded(in_header.secret.as_deref().unwrap()));
        let answer = send(&mut world.agent(), Method::POST, "/token", &[FORM, ("authorization", &encoded_parts)], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        Tokens::of(&in_form.token(&world, &[("grant_type", "client_credentials")]).await);
        let methods = metadata(&world).await["token_endpoint_auth_methods_supported"].clone();
        for method in ["client_secret_basic", "client_secret_post"] {
            assert!(methods.as_array().unwrap().contains(&json!(method)));
        }
    }

    async fn c2_03_userinfo_by_get_by_post_and_with_the_token_in_the_form(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[("scope", "openid")]).await;
        let bearer = format!("Bearer {}", tokens.access());
        let form = encoded(&[("access_token", tokens.access())]);
        for (method, headers, body) in [
            (Method::GET, vec![("authorization", bearer.as_str())], String::new()),
            (Method::POST, vec![("authorization", bearer.as_str())], String::new()),
            (Method::POST, vec![FORM], form),
        ] {
            let answer = send(&mut agent, method, "/userinfo", &headers, body).await;
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
            assert_eq!(answer.json(), json!({"sub": sub.as_str()}));
        }
    }

    async fn c2_07_nonce_is_optional_in_the_code_flow(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        assert!(agent.tokens(&client, ADA, &[("nonce", "")]).await.id_claims().get("nonce").is_none());
        for response_type in ["id_token", "id_token token", "code id_token", "code id_token token", "code token"] {
            let answer = agent.authorize(&client, &[("response_type", response_type)]).await;
            assert_eq!(sent_back(&answer, &client), "unsupported_response_type");
        }
    }

    async fn c2_08_missing_response_type_goes_back_to_the_client(world) {
        let client = world.client("shop-web", |_| {}).await;
        let answer = world.agent().authorize(&client, &[("response_type", "")]).await;
        assert_eq!(sent_back(&answer, &client), "invalid_request");
    }

    async fn c2_09_unknown_and_odd_parameters_are_never_an_error(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for change in [
            ("extra", "foobar"), ("display", "page"), ("display", "popup"), ("display", "touch"), ("display", "hologram"),
            ("ui_locales", "se"), ("ui_locales", "\u{e9} !!"), ("claims_locales", "se"), ("login_hint", "buffy@auth.example.com"),
            ("acr_values", "urn:example:odd 9"), ("claims", r#"{"userinfo": {"http://example.com/odd": null}, "odd": 1}"#),
        ] {
            world.agent().callback(&client, ADA, &[change]).await.code();
        }
    }

    async fn c2_09_login_hint_fills_a_field_that_can_be_overwritten(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[("login_hint", "buffy@auth.example.com")]).await;
        let page = agent.follow(answer).await;
        assert_eq!(page.field("username").as_deref(), Some("buffy@auth.example.com"));
        assert!(!page.body.contains("readonly") && !page.body.contains("disabled"));
        let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = agent.follow(answer).await;
        code_of(&answer, &client);
    }

    async fn c2_10_prompt_login_asks_again_and_auth_time_is_later(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let mut before = agent.tokens(&client, ADA, &[]).await.id_claims();
        for prompt in ["login", "select_account"] {
            world.advance(Duration::from_secs(1));
            let answer = agent.authorize(&client, &[("prompt", prompt)]).await;
            assert!(asks_for_a_password(&agent.follow(answer).await), "{prompt}");
            let after = agent.tokens(&client, ADA, &[("prompt", prompt)]).await.id_claims();
            assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64() && after["sub"] == before["sub"]);
            before = after;
        }
    }

    async fn c2_11_prompt_none_shows_no_page_with_a_session_or_without(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        assert_eq!(sent_back(&agent.authorize(&client, &[("prompt", "none")]).await, &client), "login_required");
        let first = agent.tokens(&client, ADA, &[]).await.id_claims();
        world.advance(Duration::from_secs(5));
        let second = silently(&mut agent, &client, &[("prompt", "none")]).await.id_claims();
        assert_eq!((&first["auth_time"], &first["sub"]), (&second["auth_time"], &second["sub"]));
    }

    async fn c2_12_max_age_asks_again_and_auth_time_follows(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await.id_claims();
        world.advance(Duration::from_secs(2));
        let same = silently(&mut agent, &client, &[("max_age", "10000")]).await.id_claims();
        assert_eq!(same["auth_time"], first["auth_time"]);
        let answer = agent.authorize(&client, &[("max_age", "1")]).await;
        assert!(asks_for_a_password(&agent.follow(answer).await));
        let later = agent.tokens(&client, ADA, &[("max_age", "1")]).await.id_claims();
        assert!(later["auth_time"].as_i64() > first["auth_time"].as_i64());
    }

    async fn c2_13_id_token_hint_of_the_same_user_passes_and_of_another_does_not(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let graces = world.agent().tokens(&client, GRACE, &[]).await.0["id_token"].as_str().unwrap().to_owned();
        let mut agent = world.agent();
        let adas = agent.tokens(&client, ADA, &[]).await.0["id_token"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            let tokens = silently(&mut agent, &client, &[("prompt", "none"), ("id_token_hint", &adas)]).await;
            assert_eq!(tokens.id_claims()["auth_time"], passant_tests::world::BEGINNING.seconds());
            let answer = agent.authorize(&client, &[("prompt", "none"), ("id_token_hint", &graces)]).await;
            assert_eq!(sent_back(&answer, &client), "login_required");
            // The second time, the token has expired.
            world.advance(Duration::from_secs(2 * 60 * 60));
        }
    }

    async fn c2_13_id_token_hint_holds_after_its_key_has_retired_and_for_its_own_client_alone(world) {
        world.user(ADA.0, ADA.1).await;
        let (client, other) = (world.client("shop-web", |_| {}).await, world.client("other", |_| {}).await);
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let hint = tokens.0["id_token"].as_str().unwrap().to_owned();
        let answer = agent.authorize(&other, &[("prompt", "none"), ("id_token_hint", &hint)]).await;
        assert_eq!(sent_back(&answer, &other), "invalid_request");
        for _ in 0..70 {
            world.advance(Duration::from_secs(24 * 60 * 60));
            passant::app::rotation::plan(&world.app).await.unwrap();
        }
        let jwks = agent.get("/jwks.json").await.json();
        assert!(jwks["keys"].as_array().unwrap().iter().all(|key| key["kid"] != tokens.header()["kid"]), "its key is published no more");
        agent.sign_in(ADA.0, ADA.1).await;
        silently(&mut agent, &client, &[("prompt", "none"), ("id_token_hint", &hint)]).await;
        let (head, signature) = hint.rsplit_once('.').unwrap();
        let turned: String = signature.chars().rev().collect();
        for odd in [format!("{head}.{turned}"), format!("{head}."), tokens.access().to_owned(), "x".to_owned()] {
            let answer = agent.authorize(&client, &[("prompt", "none"), ("id_token_hint", &odd)]).await;
            assert_eq!(sent_back(&answer, &client), "invalid_request");
        }
    }

    async fn c2_14_acr_is_one_that_the_metadata_offers_and_that_was_reached(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let offered = metadata(&world).await["acr_values_supported"].clone();
        let mut agent = world.agent();
        for acr_values in ["1 2", "1", "9"] {
            let acr = agent.tokens(&client, ADA, &[("acr_values", acr_values)]).await.id_claims()["acr"].clone();
            assert!(offered.as_array().unwrap().contains(&acr) && acr == "1");
        }
    }

    async fn c2_15_replayed_code_is_invalid_grant_and_ends_its_tokens(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let code = agent.callback(&client, ADA, &[]).await.code().to_owned();
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK);
        world.advance(Duration::from_secs(30));
        assert_error(&client.redeem(&agent, &code).await, 400, "invalid_grant");
        assert_error(&agent.userinfo(tokens.access()).await, 401, "invalid_token");
        assert_error(&client.refresh(&agent, tokens.refresh()).await, 400, "invalid_grant");
    }

    async fn c2_16_unregistered_redirect_uri_gets_a_page_that_says_so(world) {
        let client = world.client("shop-web", |_| {}).await;
        for mode in ["", "form_post"] {
            let change = [("redirect_uri", "https://shop-web.example.com/cb/unregistered"), ("response_mode", mode)];
            let answer = world.agent().authorize(&client, &change).await;
            assert_page(&answer, 400);
            assert!(answer.body.contains("redirect_uri") && !answer.body.contains("<form"));
        }
    }

    async fn c2_17_posted_request_survives_the_sign_in(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let body = authorize_path(&client, &[]).split_once('?').unwrap().1.to_owned();
        let cross_site = [FORM, ("origin", "https://shop-web.example.com"), ("sec-fetch-site", "cross-site")];
        // SameSite=Lax: the cookies are missing with the POST, and there with the GET that follows it.
        let mut agent = world.agent();
        for signed_in in [false, true] {
            let posted = send(&mut world.agent(), Method::POST, "/authorize", &cross_site, body.clone()).await;
            let mut answer = agent.follow(posted).await;
            assert_eq!(asks_for_a_password(&answer), !signed_in);
            if !signed_in {
                answer = agent.submit(&answer, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
                answer = agent.follow(answer).await;
            }
            let callback = Callback::parse(answer.location(), client.redirect_uri());
            assert_eq!(callback.get("state"), Some("xyz-state"));
            assert_eq!(Tokens::of(&client.redeem(&agent, callback.code()).await).id_claims()["nonce"], "n-0S6_WzA2Mj");
        }
    }

    async fn c2_18_request_objects_are_refused_with_their_own_codes_and_the_metadata_says_so(world) {
        let client = world.client("shop-web", |_| {}).await;
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9.";
        for (name, value, code) in [
            ("request", unsigned, "request_not_supported"),
            ("request_uri", "https://shop-web.example.com/request.jwt#1", "request_uri_not_supported"),
            ("request_uri", "urn:ietf:params:oauth:request_uri:x", "request_uri_not_supported"),
            ("registration", "{}", "registration_not_supported"),
        ] {
            assert_eq!(sent_back(&world.agent().authorize(&client, &[(name, value)]).await, &client), code);
        }
        let metadata = metadata(&world).await;
        for switch in ["request_parameter_supported", "request_uri_parameter_supported"] {
            assert_eq!(metadata[switch], false, "{switch}");
        }
        assert!(metadata.get("request_object_signing_alg_values_supported").is_none());
    }

    async fn c2_19_redirect_uri_inside_a_request_object_leads_nowhere(world) {
        let client = world.client("shop-web", |_| {}).await;
        // {"redirect_uri":"https://evil.example.com/cb"}
        let inside = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS5jb20vY2IifQ.";
        assert_eq!(sent_back(&world.agent().authorize(&client, &[("request", inside)]).await, &client), "request_not_supported");
        for outside in ["", "https://evil.example.com/cb"] {
            assert_page(&world.agent().authorize(&client, &[("request", inside), ("redirect_uri", outside)]).await, 400);
        }
    }

    async fn c2_20_pkce_is_enforced_when_used_and_a_client_can_be_exempted(world) {
        world.user(ADA.0, ADA.1).await;
        let strict = world.client("strict", |_| {}).await;
        let exempt = world.client("exempt", |it| it.pkce_required = false).await;
        let mut agent = world.agent();
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        assert_eq!(sent_back(&agent.authorize(&strict, &without).await, &strict), "invalid_request");
        let redeem = |code: String, verifier: Option<&'static str>| {
            let (world, exempt) = (Arc::clone(&world), exempt.clone());
            async move {
                let redirect_uri = exempt.redirect_uri().to_owned();
                let mut fields = vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &redirect_uri)];
                fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
                exempt.token(&world, &fields).await
            }
        };
        let code = agent.callback(&exempt, ADA, &without).await.code().to_owned();
        assert_eq!(redeem(code, None).await.status, StatusCode::OK);
        let code = agent.callback(&exempt, ADA, &[]).await.code().to_owned();
        assert_eq!(redeem(code, Some(passant_tests::world::VERIFIER)).await.status, StatusCode::OK);
        let code = agent.callback(&exempt, ADA, &[]).await.code().to_owned();
        assert_error(&redeem(code, None).await, 400, "invalid_grant");
        let code = agent.callback(&exempt, ADA, &without).await.code().to_owned();
        assert_error(&redeem(code, Some(passant_tests::world::VERIFIER)).await, 400, "invalid_grant");
    }

    async fn c2_21_refresh_tokens_are_for_the_clients_registered_for_them(world) {
        world.user(ADA.0, ADA.1).await;
        let with = world.client("with", |_| {}).await;
        let without = world.client("without", |it| { it.grant_types.remove(&GrantType::RefreshToken); }).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&with, ADA, &[]).await;
        Tokens::of(&with.refresh(&agent, tokens.refresh()).await);
        assert!(agent.tokens(&without, ADA, &[]).await.0.get("refresh_token").is_none());
    }
}
