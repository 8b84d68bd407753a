//! `grant_type=authorization_code`.

use std::time::Duration;

use passant::domain::claims::at_hash;
use passant::domain::client::{GrantType, TokenClaim};
use passant::secret::TokenHash;
use passant_tests::on_both_engines;
use passant_tests::world::{Tokens, VERIFIER, challenge};
use serde_json::{Value, json};

use super::*;

async fn code(agent: &mut Agent, client: &Registered, change: &[(&str, &str)]) -> String {
    agent.callback(client, ADA, change).await.code().to_owned()
}

fn redemption<'a>(client: &'a Registered, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.redirect_uri()),
        ("code_verifier", VERIFIER),
    ]
}

/// A redemption with one field replaced, or left out when it is empty.
fn with<'a>(mut fields: Vec<(&'a str, &'a str)>, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    fields.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        fields.push((name, value));
    }
    fields
}

fn names(claims: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

on_both_engines! {
    async fn good_code_brings_the_tokens_that_the_standards_describe(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let code = code(&mut agent, &client, &[]).await;
        let answer = client.redeem(&agent, &code).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let tokens = Tokens::of(&answer);
        assert_eq!(names(&tokens.0), ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
        assert_eq!(tokens.0["scope"], "openid orders:read profile");
        assert!(tokens.refresh().starts_with("psr_") && tokens.refresh().len() >= 47);

        let (header, access) = (tokens.header(), tokens.claims());
        assert_eq!(names(&header), ["alg", "kid", "typ"]);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("at+jwt")));
        let expected = ["aud", "born", "client_id", "exp", "gid", "iat", "iss", "jti", "scope", "sid", "sub"];
        assert_eq!(names(&access), expected);
        assert_eq!((access["sub"].as_str().unwrap(), &access["iss"]), (sub.as_str(), &json!(ISSUER)));

        let id = tokens.id_claims();
        let expected = ["acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sid", "sub"];
        assert_eq!(names(&id), expected);
        assert_eq!((&id["aud"], &id["sub"], &id["sid"]), (&json!("shop-web"), &access["sub"], &access["sid"]));
        assert_eq!(id["at_hash"], at_hash(tokens.access()));
        assert_eq!(id["nonce"], "n-0S6_WzA2Mj");
        assert_eq!((&id["acr"], &id["amr"], &id["auth_time"]), (&json!("1"), &json!(["pwd"]), &json!(world.app.now().seconds())));
    }

    async fn access_token_fits_into_800_bytes(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid profile orders:read")]).await;
        let claims = tokens.claims();
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("https://api.example.com")));
        assert!(claims["sid"].is_string() && claims["gid"].is_string());
        println!("an access token has {} bytes", tokens.access().len());
        assert!(tokens.access().len() <= 800, "{} bytes", tokens.access().len());
    }

    async fn nonce_is_echoed_byte_for_byte_and_absent_when_none_was_sent(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let odd = "n\u{e9} \"\\\u{1}\u{1f512}%00+&";
        assert_eq!(agent.tokens(&client, ADA, &[("nonce", odd)]).await.id_claims()["nonce"], odd);
        assert!(agent.tokens(&client, ADA, &[("nonce", "")]).await.id_claims().get("nonce").is_none());
        let path = passant_tests::world::authorize_path(&client, &[("nonce", "a\0b")]);
        assert_page(&agent.get(&path).await, 400);
    }

    async fn without_openid_there_is_no_id_token(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "orders:read")]).await;
        assert_eq!((&tokens.0["id_token"], &tokens.0["scope"]), (&Value::Null, &json!("orders:read")));
    }

    async fn wrong_client_or_redirect_uri_is_refused_and_changes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let uris = ["https://shop-web.example.com/cb", "https://shop-web.example.com/other"];
        let client = world.client("shop-web", |it| it.redirect_uris = uris.map(|uri| uri.parse().unwrap()).into()).await;
        let other = world.client("other", |it| it.redirect_uris = uris.map(|uri| uri.parse().unwrap()).into()).await;
        let mut agent = world.agent();
        let code = code(&mut agent, &client, &[]).await;
        assert_error(&other.token(&world, &redemption(&client, &code)).await, 400, "invalid_grant");
        for redirect_uri in ["", uris[1], "https://shop-web.example.com/cb/", "https://shop-web.example.com/cb%20"] {
            let fields = with(redemption(&client, &code), "redirect_uri", redirect_uri);
            assert_error(&client.token(&world, &fields).await, 400, "invalid_grant");
        }
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        assert_error(&other.token(&world, &redemption(&client, &code)).await, 400, "invalid_grant");
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK, "only its own client can replay a code");
    }

    async fn wrong_verifier_burns_the_code(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let (short, long, other) = (&VERIFIER[..42], VERIFIER.repeat(3), VERIFIER.replace('d', "e"));
        for verifier in ["", short, &long, &other, challenge(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\u{e9}"] {
            let code = code(&mut agent, &client, &[]).await;
            let fields = with(redemption(&client, &code), "code_verifier", verifier);
            assert_error(&client.token(&world, &fields).await, 400, "invalid_grant");
            assert_error(&client.redeem(&agent, &code).await, 400, "invalid_grant");
        }
    }

    async fn verifier_has_43_to_128_unreserved_characters_even_where_its_hash_fits(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let (short, shortest, longest, long) = ("v".repeat(42), "v".repeat(43), "-._~".repeat(32), "v".repeat(129));
        let odd = format!("{shortest}+");
        for (verifier, good) in [(&short, false), (&shortest, true), (&longest, true), (&long, false), (&odd, false)] {
            let challenge = TokenHash::of(verifier);
            let code = code(&mut agent, &client, &[("code_challenge", challenge.as_str())]).await;
            let answer = client.token(&world, &with(redemption(&client, &code), "code_verifier", verifier)).await;
            assert_eq!(answer.status == StatusCode::OK, good, "{verifier}: {}", answer.body);
        }
    }

    async fn verifier_without_a_challenge_is_a_downgrade_and_refused(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("old", |it| it.pkce_required = false).await;
        let mut agent = world.agent();
        let none = [("code_challenge", ""), ("code_challenge_method", "")];
        let first = code(&mut agent, &client, &none).await;
        assert_error(&client.redeem(&agent, &first).await, 400, "invalid_grant");
        let second = code(&mut agent, &client, &none).await;
        let fields = with(redemption(&client, &second), "code_verifier", "");
        assert_eq!(client.token(&world, &fields).await.status, StatusCode::OK);
        let third = code(&mut agent, &client, &[]).await;
        let fields = with(redemption(&client, &third), "code_verifier", "");
        assert_error(&client.token(&world, &fields).await, 400, "invalid_grant");
    }

    async fn code_lives_for_60_seconds(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = code(&mut agent, &client, &[]).await;
        world.advance(Duration::from_millis(59_999));
        assert_eq!(client.redeem(&agent, &first).await.status, StatusCode::OK);
        let second = code(&mut agent, &client, &[]).await;
        world.advance(Duration::from_secs(60));
        assert_error(&client.redeem(&agent, &second).await, 400, "invalid_grant");
    }

    async fn replayed_code_revokes_its_tokens(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let untouched = agent.tokens(&client, ADA, &[]).await;
        let code = code(&mut agent, &client, &[]).await;
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        world.advance(Duration::from_secs(300));
        assert_error(&client.redeem(&agent, &code).await, 400, "invalid_grant");
        assert_error(&agent.userinfo(tokens.access()).await, 401, "invalid_token");
        assert_error(&client.refresh(&agent, tokens.refresh()).await, 400, "invalid_grant");
        assert_eq!(agent.userinfo(untouched.access()).await.status, StatusCode::OK, "another grant is none of its business");
    }

    async fn code_dies_with_its_session_user_and_client(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let gone = world.client("gone", |_| {}).await;
        let mut agent = world.agent();
        let of_session = code(&mut agent, &client, &[]).await;
        let home = agent.get("/").await;
        agent.submit(&home, "/logout", &[]).await;
        assert_error(&client.redeem(&agent, &of_session).await, 400, "invalid_grant");

        let of_client = code(&mut agent, &gone, &[]).await;
        disable(&world, "clients", "gone").await;
        assert_error(&gone.redeem(&agent, &of_client).await, 401, "invalid_client");

        let of_user = code(&mut agent, &client, &[]).await;
        disable(&world, "users", ada.as_str()).await;
        assert_error(&client.redeem(&agent, &of_user).await, 400, "invalid_grant");
    }

    async fn resource_may_narrow_what_was_granted_and_never_widen_it(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let (api, other) = ("https://api.example.com", "https://other.example.com");
        let both = code(&mut agent, &client, &[("resource", api), ("resource", other)]).await;
        let foreign = with(redemption(&client, &both), "resource", "https://elsewhere.example.com");
        assert_error(&client.token(&world, &foreign).await, 400, "invalid_target");
        let narrow = with(redemption(&client, &both), "resource", other);
        let tokens = Tokens::of(&client.token(&world, &narrow).await);
        assert_eq!(tokens.claims()["aud"], other);
        let refreshed = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!(refreshed.claims()["aud"], json!([api, other]), "the grant keeps what it was given");

        let default = code(&mut agent, &client, &[]).await;
        let wider = with(redemption(&client, &default), "resource", other);
        assert_error(&client.token(&world, &wider).await, 400, "invalid_target");
        let named = with(redemption(&client, &default), "resource", api);
        assert_eq!(Tokens::of(&client.token(&world, &named).await).claims()["aud"], api, "the default may be named");
    }

    async fn client_without_the_refresh_grant_gets_no_refresh_token(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.grant_types = [GrantType::AuthorizationCode].into()).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        assert_eq!(tokens.0["refresh_token"], Value::Null);
    }

    async fn registration_puts_the_sign_in_into_the_access_token(world) {
        world.user(ADA.0, ADA.1).await;
        let all = [TokenClaim::AuthTime, TokenClaim::Acr, TokenClaim::Amr];
        let client = world.client("shop-web", |it| it.token_claims = all.into()).await;
        let one = world.client("one", |it| it.token_claims = [TokenClaim::Acr].into()).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let signed_in_at = world.app.now().seconds();
        world.advance(Duration::from_secs(7));
        let claims = agent.tokens(&client, ADA, &[]).await.claims();
        assert_eq!((&claims["auth_time"], &claims["acr"], &claims["amr"]), (&json!(signed_in_at), &json!("1"), &json!(["pwd"])));
        let claims = agent.tokens(&one, ADA, &[]).await.claims();
        assert_eq!((claims.get("auth_time"), &claims["acr"], claims.get("amr")), (None, &json!("1"), None));
    }

    async fn registration_that_shrank_meanwhile_narrows_the_tokens(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let code = code(&mut agent, &client, &[]).await;
        register_anew(&world, &client, |it| it.scopes = "openid profile".parse().unwrap()).await;
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        assert_eq!((&tokens.0["scope"], &tokens.claims()["scope"]), (&json!("openid profile"), &json!("openid profile")));
        register_anew(&world, &client, |it| it.scopes = "profile".parse().unwrap()).await;
        let tokens = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!((&tokens.0["scope"], &tokens.0["id_token"]), (&json!("profile"), &Value::Null));
        register_anew(&world, &client, |it| (it.resources, it.default_resource) = (Vec::new(), None)).await;
        assert_error(&client.refresh(&agent, tokens.refresh()).await, 400, "invalid_target");
    }

    async fn missing_and_odd_codes_are_refused(world) {
        let client = world.client("shop-web", |_| {}).await;
        assert_error(&client.token(&world, &with(redemption(&client, "x"), "code", "")).await, 400, "invalid_request");
        for code in ["x", "psc_", &"x".repeat(10_000), "\u{e9}"] {
            assert_error(&client.token(&world, &redemption(&client, code)).await, 400, "invalid_grant");
        }
        let both = with(redemption(&client, "x"), "resource", "x");
        assert_error(&client.token(&world, &both).await, 400, "invalid_target");
    }
}
