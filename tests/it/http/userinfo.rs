//! `GET|POST /userinfo`.

use std::time::Duration;

use axum::body::Body;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;
use serde_json::{Value, json};

use super::*;

async fn ask(world: &Arc<World>, method: Method, headers: &[(&str, &str)], body: String) -> Answer {
    world.agent().send(method, "/userinfo", headers, Body::from(body)).await
}

on_both_engines! {
    async fn token_is_taken_from_the_header_or_from_a_form(world) {
        let sub = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid profile email")]).await;
        let (bearer, lower) = (format!("Bearer {}", tokens.access()), format!("bEARER {}", tokens.access()));
        let form = encoded(&[("access_token", tokens.access())]);
        for (method, headers, body) in [
            (Method::GET, vec![("authorization", bearer.as_str())], String::new()),
            (Method::GET, vec![("authorization", lower.as_str())], String::new()),
            (Method::POST, vec![("authorization", bearer.as_str())], String::new()),
            (Method::POST, vec![("authorization", bearer.as_str()), FORM], String::new()),
            (Method::POST, vec![FORM], form),
        ] {
            let answer = ask(&world, method, &headers, body).await;
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.json(), json!({
                "sub": sub.as_str(), "name": "Ada Lovelace", "preferred_username": "ada",
                "email": "ada@example.com", "email_verified": false, "updated_at": world.app.now().seconds(),
            }));
        }
    }

    async fn claims_follow_the_scopes_of_the_token(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        for (scope, expected) in [
            ("openid", vec!["sub"]),
            ("openid email", vec!["email", "email_verified", "sub"]),
            ("openid profile", vec!["name", "preferred_username", "sub", "updated_at"]),
        ] {
            let tokens = agent.tokens(&client, ADA, &[("scope", scope)]).await;
            let answer = agent.userinfo(tokens.access()).await.json();
            let mut names: Vec<&String> = answer.as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(names, expected);
            assert_eq!(answer["sub"], tokens.id_claims()["sub"]);
        }
    }

    async fn token_without_openid_is_not_enough(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let of_user = world.agent().tokens(&client, ADA, &[("scope", "orders:read")]).await;
        let of_client = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        for tokens in [of_user, of_client] {
            let answer = world.agent().userinfo(tokens.access()).await;
            assert_error(&answer, 403, "insufficient_scope");
            assert!(answer.header("www-authenticate").unwrap().contains(r#"error="insufficient_scope", scope="openid""#));
        }
    }

    async fn without_a_token_the_challenge_names_no_error(world) {
        for (method, headers, body) in [
            (Method::GET, vec![], ""),
            (Method::POST, vec![], ""),
            (Method::POST, vec![FORM], "access_token="),
            (Method::GET, vec![("authorization", "Basic eDp5")], ""),
            (Method::GET, vec![("authorization", "Bearer")], ""),
        ] {
            let answer = ask(&world, method, &headers, body.to_owned()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="passant""#));
        }
    }

    async fn token_in_the_address_is_no_token(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let answer = world.agent().get(&format!("/userinfo?access_token={}", tokens.access())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }

    async fn token_in_two_places_is_refused(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let bearer = format!("Bearer {}", tokens.access());
        let form = encoded(&[("access_token", tokens.access())]);
        let both = ask(&world, Method::POST, &[("authorization", &bearer), FORM], form.clone()).await;
        assert_error(&both, 400, "invalid_request");
        let lines = ask(&world, Method::GET, &[("authorization", &bearer), ("authorization", &bearer)], String::new()).await;
        assert_error(&lines, 400, "invalid_request");
        assert_error(&ask(&world, Method::POST, &[FORM], format!("{form}&{form}")).await, 400, "invalid_request");
        let kind = [("content-type", "application/json")];
        assert_error(&ask(&world, Method::POST, &kind, "{}".to_owned()).await, 400, "invalid_request");
    }

    async fn token_that_is_not_a_live_access_token_of_ours_is_refused(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let good = tokens.access();
        let id_token = tokens.0["id_token"].as_str().unwrap();
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (header, claims) = head.split_once('.').unwrap();
        let turned: String = signature.chars().rev().collect();
        let (cut, padded) = (&good[..good.len() - 1], format!("{good}="));
        let (unsigned, swapped) = (format!("{head}."), format!("{header}.{}.{signature}", id_token.split('.').nth(1).unwrap()));
        let forged = format!("{head}.{turned}");
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
        let long = format!("{good}{}", "A".repeat(10_000));
        for odd in [id_token, tokens.refresh(), &forged, cut, &padded, &unsigned, &swapped, &none, &long, "x", "..", "\u{20ac}"] {
            let form = encoded(&[("access_token", odd)]);
            let answer = ask(&world, Method::POST, &[FORM], form).await;
            assert_error(&answer, 401, "invalid_token");
            assert!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#));
        }
        assert_eq!(agent.userinfo(good).await.status, StatusCode::OK);
    }

    async fn token_lives_as_long_as_it_says(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.lifetimes.access_token = "1m".parse().unwrap()).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        world.advance(Duration::from_secs(59));
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK);
        world.advance(Duration::from_secs(1));
        assert_error(&agent.userinfo(tokens.access()).await, 401, "invalid_token");
    }

    async fn token_of_ours_without_a_sound_born_is_none(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let claims = agent.tokens(&client, ADA, &[]).await.claims();
        let born = claims["born"].as_i64().unwrap();
        let (whole, text) = (json!(1_i64 << 53), json!(born.to_string()));
        for (born, status) in [
            (Some(json!(born)), StatusCode::OK), (Some(whole), StatusCode::OK), (None, StatusCode::UNAUTHORIZED),
            (Some(json!((1_i64 << 53) + 1)), StatusCode::UNAUTHORIZED), (Some(json!(-1)), StatusCode::UNAUTHORIZED),
            (Some(json!(1.5)), StatusCode::UNAUTHORIZED), (Some(text), StatusCode::UNAUTHORIZED), (Some(Value::Null), StatusCode::UNAUTHORIZED),
        ] {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().remove("born");
            if let Some(born) = &born {
                claims["born"] = born.clone();
            }
            let token = world.app.sign(world.app.now(), "at+jwt", &claims).unwrap();
            assert_eq!(agent.userinfo(&token).await.status, status, "{born:?}");
        }
    }

    async fn head_and_other_methods(world) {
        let head = world.agent().send(Method::HEAD, "/userinfo", &[], Body::empty()).await;
        assert_eq!((head.status, head.body.as_str()), (StatusCode::UNAUTHORIZED, ""));
        let put = world.agent().send(Method::PUT, "/userinfo", &[], Body::empty()).await;
        assert_error(&put, 405, "invalid_request");
        assert_eq!(put.header("allow"), Some("GET,HEAD,POST"));
        assert_ne!(put.json()["error_description"], Value::Null);
    }
}
