//! `grant_type=client_credentials`.

use passant_tests::on_both_engines;
use passant_tests::world::Tokens;
use serde_json::json;

use super::*;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

on_both_engines! {
    async fn token_speaks_of_the_client_alone(world) {
        let client = world.client("robot", |_| {}).await;
        let answer = client.token(&world, &[GRANT]).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let tokens = Tokens::of(&answer);
        assert_eq!(tokens.0["refresh_token"], json!(null));
        assert_eq!(tokens.0["id_token"], json!(null));
        assert_eq!((&tokens.0["token_type"], &tokens.0["expires_in"]), (&json!("Bearer"), &json!(600)));
        let claims = tokens.claims();
        let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["aud", "born", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]);
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("robot"), &json!("robot")));
        assert_eq!(claims["scope"], "orders:read orders:write");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("https://api.example.com")));
    }

    async fn scope_is_narrowed_and_never_about_a_person(world) {
        let client = world.client("robot", |_| {}).await;
        let narrow = Tokens::of(&client.token(&world, &[GRANT, ("scope", "orders:read")]).await);
        assert_eq!((&narrow.0["scope"], &narrow.claims()["scope"]), (&json!("orders:read"), &json!("orders:read")));
        for scope in ["openid", "orders:read openid", "profile", "email", "offline_access", "admin", " ", "a\"b", "orders:READ"] {
            assert_error(&client.token(&world, &[GRANT, ("scope", scope)]).await, 400, "invalid_scope");
        }
    }

    async fn resource_comes_from_the_allow_list(world) {
        let client = world.client("robot", |_| {}).await;
        let bare = world.client("bare", |it| it.default_resource = None).await;
        let (api, other) = (("resource", "https://api.example.com"), ("resource", "https://other.example.com"));
        assert_eq!(Tokens::of(&client.token(&world, &[GRANT, other]).await).claims()["aud"], other.1);
        let both = Tokens::of(&client.token(&world, &[GRANT, other, api]).await);
        assert_eq!(both.claims()["aud"], json!([other.1, api.1]));
        assert_eq!(Tokens::of(&bare.token(&world, &[GRANT]).await).claims()["aud"], ISSUER);
        for foreign in ["https://elsewhere.example.com", "https://api.example.com/", "api", ISSUER] {
            assert_error(&client.token(&world, &[GRANT, api, ("resource", foreign)]).await, 400, "invalid_target");
        }
    }

    async fn lifetime_is_the_clients(world) {
        let client = world.client("robot", |it| it.lifetimes.access_token = "1m".parse().unwrap()).await;
        let tokens = Tokens::of(&client.token(&world, &[GRANT]).await);
        let claims = tokens.claims();
        assert_eq!(tokens.0["expires_in"], 60);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        assert_eq!(claims["iat"], world.app.now().seconds());
    }
}
