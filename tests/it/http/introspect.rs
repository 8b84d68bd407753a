//! `POST /introspect` (RFC 7662).

use std::time::Duration;

use axum::body::Body;
use passant::domain::audit::{Action, Event};
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, TokenId};
use passant::store::{consents, everything, feed_head, grants, sessions};
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;
use serde_json::{Value, json};

use super::*;

async fn ask(world: &Arc<World>, client: &Registered, token: &str) -> Answer {
    let answer = client.post(world, "/introspect", &[("token", token)]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, Some("no-store")), "{}", answer.body);
    assert!(answer.header("access-control-allow-credentials").is_none());
    answer
}

/// Every way of being no live token reads the same, to the byte.
async fn assert_inactive(world: &Arc<World>, client: &Registered, token: &str) {
    let (answer, unknown) = (ask(world, client, token).await, ask(world, client, "unknown").await);
    assert_eq!((answer.body.as_str(), &unknown.body), (r#"{"active":false}"#, &answer.body), "{token}");
    assert_eq!(comparable(&answer.headers), comparable(&unknown.headers));
}

on_both_engines! {
    async fn an_active_access_token_is_told_as_it_is(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let mut said = ask(&world, &client, tokens.access()).await.json();
        let extra = said.as_object_mut().unwrap();
        for (name, value) in [("active", json!(true)), ("token_type", json!("Bearer")), ("username", json!("ada"))] {
            assert_eq!(extra.remove(name), Some(value), "{name}");
        }
        assert_eq!(said, tokens.claims(), "all else is what the token says itself");
    }

    async fn the_users_name_is_told_where_the_scopes_tell_it(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid email")]).await;
        for token in [tokens.access(), tokens.refresh()] {
            assert_eq!(ask(&world, &client, token).await.json().get("username"), None);
        }
        let robot = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        let said = ask(&world, &client, robot.access()).await.json();
        assert_eq!((&said["active"], &said["sub"], said.get("username")), (&json!(true), &json!("shop-web"), None));
    }

    async fn an_active_refresh_token_is_told_to_its_own_client_alone(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let (client, other) = (world.client("shop-web", |_| {}).await, world.client("api", |_| {}).await);
        for (scope, session) in [("openid profile", true), ("openid offline_access profile", false)] {
            let tokens = world.agent().tokens(&client, ADA, &[("scope", scope)]).await;
            let said = ask(&world, &client, tokens.refresh()).await.json();
            let claims = tokens.claims();
            let expected = json!({
                "active": true, "token_type": "N_A", "username": "ada", "iss": ISSUER, "sub": ada.as_str(), "client_id": "shop-web",
                "aud": "https://api.example.com", "exp": said["exp"], "scope": claims["scope"], "born": claims["born"],
                "gid": claims["gid"],
            });
            let mut expected = expected;
            if session {
                expected["sid"] = claims["sid"].clone();
            }
            assert_eq!(said, expected);
            assert!(said["exp"].as_i64().unwrap() > world.app.now().seconds());
            assert_inactive(&world, &other, tokens.refresh()).await;
        }
    }

    async fn an_access_token_concerns_its_client_and_those_of_its_resources(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let api = world.client("api", |it| (it.resources, it.default_resource) = (vec!["https://api.example.com".parse().unwrap()], None)).await;
        let stranger = world.client("stranger", |it| (it.resources, it.default_resource) = (vec![], None)).await;
        let bare = world.client("bare", |it| it.default_resource = None).await;
        let mut agent = world.agent();
        let both = [("resource", "https://other.example.com"), ("resource", "https://api.example.com")];
        for (change, concerns) in [(&both[..], true), (&both[..1], false), (&both[1..], true)] {
            let tokens = agent.tokens(&client, ADA, change).await;
            assert_eq!(ask(&world, &client, tokens.access()).await.json()["active"], true);
            assert_eq!(ask(&world, &api, tokens.access()).await.json()["active"], concerns);
            assert_inactive(&world, &stranger, tokens.access()).await;
        }
        let for_the_issuer = agent.tokens(&bare, ADA, &[]).await;
        assert_eq!(ask(&world, &bare, for_the_issuer.access()).await.json()["active"], true);
        assert_inactive(&world, &client, for_the_issuer.access()).await;
    }

    async fn i41_only_a_client_with_a_secret_may_ask(world) {
        world.user(ADA.0, ADA.1).await;
        let (client, public) = (world.client("shop-web", |_| {}).await, world.public_client("spa").await);
        let tokens = world.agent().tokens(&public, ADA, &[]).await;
        assert_error(&public.post(&world, "/introspect", &[("token", tokens.access())]).await, 401, "invalid_client");
        let (form, wrong) = (encoded(&[("token", tokens.access())]), basic("shop-web", "wrong"));
        let bearer = format!("Bearer {}", tokens.access());
        for headers in [vec![FORM], vec![FORM, ("authorization", wrong.as_str())], vec![FORM, ("authorization", bearer.as_str())]] {
            let answer = world.agent().send(Method::POST, "/introspect", &headers, Body::from(form.clone())).await;
            assert_error(&answer, 401, "invalid_client");
        }
        assert_error(&client.post(&world, "/introspect", &[]).await, 400, "invalid_request");
        assert_error(&client.post(&world, &format!("/introspect?token={}", tokens.access()), &[]).await, 400, "invalid_request");
        assert_error(&world.agent().get("/introspect").await, 405, "invalid_request");
    }

    async fn i41_unknown_foreign_truncated_and_malformed_tokens_read_alike(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let good = tokens.access();
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (header, claims) = head.split_once('.').unwrap();
        let elsewhere = |config: &mut passant::config::Config| config.issuer = "https://elsewhere.example.com".parse().unwrap();
        let elsewhere = Arc::new(World::with(engine(&world), elsewhere).await);
        let (robot, turned) = (elsewhere.client("shop-web", |_| {}).await, signature.chars().rev().collect::<String>());
        // The fixture keys are the same there: the signature is right, and only the issuer is not.
        let foreign = Tokens::of(&robot.token(&elsewhere, &[("grant_type", "client_credentials")]).await);
        for token in [
            tokens.0["id_token"].as_str().unwrap(), foreign.access(), &good[..good.len() - 1], &format!("{good}="), &format!("{head}."),
            &format!("{head}.{turned}"), &format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}."), &format!("{header}..{signature}"),
            &format!("{good}{}", "A".repeat(10_000)), &tokens.refresh()[..40], &format!("{}x", tokens.refresh()), "psr_", "..", "x",
            "\u{20ac}", " ",
        ] {
            assert_inactive(&world, &client, token).await;
        }
        assert_eq!(ask(&world, &client, good).await.json()["active"], true);
    }

    async fn i41_a_token_is_active_until_its_time_is_up(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| {
            it.lifetimes.access_token = "1m".parse().unwrap();
            it.lifetimes.refresh_idle = "2m".parse().unwrap();
        }).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        for (token, life) in [(tokens.access(), 60), (tokens.refresh(), 60)] {
            world.advance(Duration::from_secs(life - 1));
            assert_eq!(ask(&world, &client, token).await.json()["active"], true);
            world.advance(Duration::from_secs(1));
            assert_inactive(&world, &client, token).await;
        }
    }

    async fn i41_a_used_refresh_token_is_inactive_and_its_successor_is_not(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let next = Tokens::of(&client.refresh(&world.agent(), tokens.refresh()).await);
        assert_inactive(&world, &client, tokens.refresh()).await;
        assert_eq!(ask(&world, &client, next.refresh()).await.json()["active"], true);
    }

    async fn i41_asking_changes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        for _ in 0..3 {
            ask(&world, &client, tokens.refresh()).await;
        }
        let next = Tokens::of(&client.refresh(&world.agent(), tokens.refresh()).await);
        assert_inactive(&world, &client, tokens.refresh()).await;
        assert_eq!(ask(&world, &client, next.access()).await.json()["active"], true, "an asked-about used token is no replay");
    }

    async fn i41_every_level_that_kills_at_token_and_userinfo_kills_here(world) {
        let user = world.user(ADA.0, ADA.1).await;
        let judge = world.client("judge", |_| {}).await;
        let now = world.app.now();
        for level in ["session", "grant", "consent", "user cut off", "user disabled", "client disabled", "token", "issuer", "key"] {
            let name = level.replace(' ', "-");
            let client = world.client(&format!("shop-{name}"), |_| {}).await;
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, ADA, &[]).await;
            let offline = agent.tokens(&client, ADA, &[("scope", "openid profile offline_access")]).await;
            assert_eq!(ask(&world, &judge, tokens.access()).await.json()["active"], true, "{level}");
            let claims = tokens.claims();
            let text = |name: &str| claims[name].as_str().unwrap();
            let mut survives = false;
            match level {
                "session" => {
                    sessions::end(world.db(), SessionId::new(text("sid")), now).await.unwrap().unwrap();
                    survives = true;
                }
                "grant" => {
                    grants::revoke(world.db(), GrantId::new(text("gid")), now).await.unwrap().unwrap();
                    survives = true;
                }
                "consent" => {
                    consents::withdraw(world.db(), user.clone(), ClientId::new(client.id()), now).await.unwrap();
                }
                "user cut off" => assert_eq!(execute(&world, &format!("UPDATE users SET cutoff = {} WHERE id = '{user}'", claims["born"].as_i64().unwrap() + 1)).await, 1),
                "user disabled" => disable(&world, "users", user.as_str()).await,
                "client disabled" => disable(&world, "clients", client.id()).await,
                "token" => {
                    let (token, event) = (TokenId::new(text("jti")), Event::done(Action::TokenRevoke));
                    feed_head::cut_off_token(world.db(), token, event, now).await.unwrap();
                    survives = true;
                }
                "issuer" => drop(everything::revoke(world.db(), now).await.unwrap()),
                _ => {
                    let kid = KeyId::new(tokens.header()["kid"].as_str().unwrap());
                    passant::app::rotation::revoke(&world.app, &kid).await.unwrap().expect("it lived");
                }
            }
            assert_inactive(&world, &judge, tokens.access()).await;
            let alive = ask(&world, &judge, offline.access()).await.json()["active"] == true;
            assert_eq!(alive, survives, "{level}");
            assert_eq!(alive, world.agent().userinfo(offline.access()).await.status == StatusCode::OK, "{level}");
            if level != "client disabled" {
                let refresh = ask(&world, &client, offline.refresh()).await.json()["active"] == Value::Bool(true);
                assert_eq!(refresh, survives || level == "key", "{level}");
                let dead = ask(&world, &client, tokens.refresh()).await.json()["active"] == Value::Bool(false);
                assert_eq!(dead, !["token", "key"].contains(&level), "{level}");
            }
            match level {
                "user cut off" => assert_eq!(execute(&world, &format!("UPDATE users SET cutoff = 0 WHERE id = '{user}'")).await, 1),
                "user disabled" => assert_eq!(execute(&world, &format!("UPDATE users SET disabled_at = NULL WHERE id = '{user}'")).await, 1),
                _ => {}
            }
        }
    }

    async fn i41_a_session_that_ran_out_ends_its_refresh_tokens(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let offline = world.agent().tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        world.advance(world.app.config.sessions.idle);
        assert_inactive(&world, &client, tokens.refresh()).await;
        assert_eq!(ask(&world, &client, offline.refresh()).await.json()["active"], true);
    }
}
