//! C2.4 to C2.6: what is told of the user, by scope and by name.

use std::time::Duration;

use passant_tests::on_both_engines;

use super::*;

fn url(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("https://"))
}

/// A browser of Ada's that sees the question of a third party.
async fn question(world: &Arc<World>, client: &Registered, change: &[(&str, &str)]) -> (Agent, Answer) {
    let mut agent = world.agent();
    agent.sign_in(ADA.0, ADA.1).await;
    let answer = agent.authorize(client, change).await;
    let page = agent.follow(answer).await;
    assert!(page.body.contains("asks for access"), "{}", page.body);
    (agent, page)
}

on_both_engines! {
    async fn c2_04_every_standard_claim_has_its_value_in_its_type(world) {
        let sub = world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[ALL_SCOPES]).await;
        let told = agent.userinfo(tokens.access()).await.json();
        let expected = [
            "address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "locale", "middle_name", "name",
            "nickname", "phone_number", "phone_number_verified", "picture", "preferred_username", "profile", "sub", "updated_at",
            "website", "zoneinfo",
        ];
        assert_eq!((names(&told), &told["sub"]), (expected.to_vec(), &json!(sub.as_str())));
        assert_eq!(told["updated_at"], world.app.now().seconds());
        assert_eq!((&told["email_verified"], &told["phone_number_verified"]), (&json!(true), &json!(true)));
        let address = json!({
            "street_address": "12 St James Square", "locality": "London", "postal_code": "SW1Y 4JH", "country": "GB",
        });
        assert_eq!((&told["address"], &told["birthdate"], &told["phone_number"]), (&address, &json!("1815-12-10"), &json!("+442079460123")));
        assert!(url(&told["profile"]) && url(&told["picture"]) && url(&told["website"]));
        let supported = metadata(&world).await["claims_supported"].clone();
        for name in expected {
            assert!(supported.as_array().unwrap().contains(&json!(name)), "{name}");
        }
    }

    async fn c2_04_what_is_not_known_is_absent_and_never_null_or_empty(world) {
        let id = world.user(ADA.0, ADA.1).await;
        let sql = format!(
            r#"UPDATE users SET name = '', email = NULL, profile = '{{"nickname": "", "address": {{"locality": ""}}}}' WHERE id = '{}'"#,
            id.as_str()
        );
        assert_eq!(world.execute(&sql).await, 1);
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[ALL_SCOPES]).await;
        assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), ["preferred_username", "sub", "updated_at"]);
    }

    async fn c2_05_each_scope_opens_its_own_claims_and_no_others(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let profile = vec![
            "birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname", "picture",
            "preferred_username", "profile", "sub", "updated_at", "website", "zoneinfo",
        ];
        for (scope, expected) in [
            ("openid", vec!["sub"]),
            ("openid profile", profile),
            ("openid email", vec!["email", "email_verified", "sub"]),
            ("openid address", vec!["address", "sub"]),
            ("openid phone", vec!["phone_number", "phone_number_verified", "sub"]),
        ] {
            let tokens = agent.tokens(&client, ADA, &[("scope", scope)]).await;
            assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), expected, "{scope}");
        }
    }

    async fn c2_05_scopes_are_for_the_clients_registered_for_them(world) {
        let client = world.client("shop-web", |it| it.scopes = "openid email".parse().unwrap()).await;
        for scope in ["openid profile", "openid address", "openid phone"] {
            assert_eq!(sent_back(&world.agent().authorize(&client, &[("scope", scope)]).await, &client), "invalid_scope");
        }
    }

    async fn c2_06_claims_parameter_is_honoured_for_userinfo_and_id_token(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let wish = r#"{
            "userinfo": {"name": {"essential": true}, "address": null, "http://example.com/odd": null},
            "id_token": {"email": null, "email_verified": {"essential": true, "odd": 1}, "updated_at": null, "auth_time": {"essential": true},
                         "acr": {"values": ["1", "2"]}, "iss": {"value": "https://evil.example.com"}, "aud": null}
        }"#;
        let tokens = agent.tokens(&client, ADA, &[("scope", "openid"), ("claims", wish)]).await;
        assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), ["address", "name", "sub"]);
        let claims = tokens.id_claims();
        let expected = [
            "acr", "amr", "at_hash", "aud", "auth_time", "email", "email_verified", "exp", "iat", "iss", "nonce", "sid", "sub",
            "updated_at",
        ];
        assert_eq!(names(&claims), expected);
        assert_eq!((&claims["iss"], &claims["aud"], &claims["acr"]), (&json!(ISSUER), &json!("shop-web"), &json!("1")));
        assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("ada@example.com"), &json!(true)));
        assert!(claims["auth_time"].is_i64() && claims["updated_at"].is_i64());
        assert!(tokens.claims().get("email").is_none(), "access tokens are for services");
        assert_eq!(metadata(&world).await["claims_parameter_supported"], true);
    }

    async fn c2_06_claims_are_told_to_clients_that_may_have_their_scope(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.scopes = "openid email".parse().unwrap()).await;
        let mut agent = world.agent();
        let wish = r#"{"userinfo": {"phone_number": {"essential": true}, "email": null}, "id_token": {"birthdate": null, "email": null}}"#;
        let change = [("scope", "openid"), ("claims", wish)];
        let tokens = agent.tokens(&client, ADA, &change).await;
        assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), ["email", "sub"]);
        assert!(tokens.id_claims().get("birthdate").is_none() && tokens.id_claims()["email"].is_string());
        // What the registration allowed when the token was made, it allows no more.
        register_anew(&world, &client, |it| it.scopes = "openid".parse().unwrap()).await;
        assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), ["sub"]);
        let refreshed = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert!(refreshed.id_claims().get("email").is_none());
    }

    async fn c2_06_malformed_claims_are_an_invalid_request(world) {
        let client = world.client("shop-web", |_| {}).await;
        let long = format!(r#"{{"x": "{}"}}"#, "y".repeat(4096));
        for odd in ["{", "null", "[]", "name", r#"{"userinfo": []}"#, r#"{"id_token": {"email": 1}}"#, &long] {
            assert_eq!(sent_back(&world.agent().authorize(&client, &[("claims", odd)]).await, &client), "invalid_request", "{odd}");
        }
    }

    async fn c2_06_sub_asked_for_with_a_value_is_the_only_one_who_will_do(world) {
        let (ada, grace) = (world.user(ADA.0, ADA.1).await, world.user(GRACE.0, GRACE.1).await);
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let hint = tokens.0["id_token"].as_str().unwrap();
        for section in ["id_token", "userinfo"] {
            let wish = |user: &str| format!(r#"{{"{section}": {{"sub": {{"value": "{user}"}}}}}}"#);
            silently(&mut agent, &client, &[("prompt", "none"), ("claims", &wish(ada.as_str()))]).await;
            let change = [("prompt", "none"), ("claims", &*wish(grace.as_str()))];
            assert_eq!(sent_back(&agent.authorize(&client, &change).await, &client), "login_required");
            let change = [("prompt", "none"), ("claims", &*wish(grace.as_str())), ("id_token_hint", hint)];
            assert_eq!(sent_back(&agent.authorize(&client, &change).await, &client), "invalid_request");
        }
        world.advance(Duration::from_secs(1));
        let wish = format!(r#"{{"id_token": {{"sub": {{"value": "{}"}}}}}}"#, grace.as_str());
        let answer = agent.authorize(&client, &[("claims", &wish)]).await;
        let page = agent.follow(answer).await;
        assert!(asks_for_a_password(&page), "somebody else is signed in");
        world.advance(Duration::from_secs(1));
        let answer = agent.submit(&page, "/login", &[("username", GRACE.0), ("password", GRACE.1)]).await;
        let answer = agent.follow(answer).await;
        let code = code_of(&answer, &client);
        assert_eq!(Tokens::of(&client.redeem(&agent, &code).await).id_claims()["sub"], grace.as_str());
    }

    async fn c2_06_essential_acr_that_nobody_reaches_is_told_at_once(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        for (acr, expected) in [
            (r#"{"essential": true, "values": ["2", "1"]}"#, None),
            (r#"{"essential": true}"#, None),
            (r#"{"values": ["9"]}"#, None),
            (r#"{"essential": true, "value": "9"}"#, Some("unmet_authentication_requirements")),
        ] {
            let wish = format!(r#"{{"id_token": {{"acr": {acr}}}}}"#);
            match expected {
                None => assert_eq!(silently(&mut agent, &client, &[("claims", &wish)]).await.id_claims()["acr"], "1"),
                Some(error) => assert_eq!(sent_back(&agent.authorize(&client, &[("claims", &wish)]).await, &client), error),
            }
        }
    }

    async fn c2_06_claims_beyond_the_scopes_are_on_the_consent_page(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let wish = r#"{"userinfo": {"birthdate": null, "email": null}, "id_token": {"phone_number": null, "picture": null}}"#;
        let (mut agent, page) = question(&world, &client, &[("scope", "openid email"), ("claims", wish)]).await;
        assert!(page.body.contains("See details about you"));
        assert!(page.body.contains("your picture, your birthday and your phone number"), "{}", page.body);
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        let code = code_of(&answer, &client);
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        assert_eq!(names(&agent.userinfo(tokens.access()).await.json()), ["birthdate", "email", "email_verified", "sub"]);
        let (_, page) = question(&world, &client, &[("scope", "openid email"), ("claims", r#"{"userinfo": {"email": null}}"#), ("prompt", "consent")]).await;
        assert!(!page.body.contains("See details about you"), "the scope opens it anyway");
    }

    async fn c2_06_every_scope_has_its_line_on_the_consent_page(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let (_, page) = question(&world, &client, &[ALL_SCOPES]).await;
        for line in ["Know who you are", "See your profile", "See your e-mail address", "See your postal address", "See your phone number"] {
            assert!(page.body.contains(line), "{line}");
        }
    }

    async fn c2_06_claims_mean_nothing_without_openid(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let wish = r#"{"userinfo": {"birthdate": null}}"#;
        let (mut agent, page) = question(&world, &client, &[("scope", "orders:read"), ("claims", wish)]).await;
        assert!(!page.body.contains("your birthday"));
        agent.submit(&page, "/consent", &[("answer", "allow")]).await.location();
        assert_eq!(count(&world, "grants WHERE claims = '{}'").await, 1);
    }
}
