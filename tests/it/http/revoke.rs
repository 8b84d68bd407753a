//! `POST /revoke` (RFC 7009).

use std::time::Duration;

use axum::body::Body;
use passant::app::checkpoint::Checkpoint;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;

use super::*;

async fn revoke(world: &Arc<World>, client: &Registered, token: &str) -> Answer {
    client.post(world, "/revoke", &[("token", token)]).await
}

#[track_caller]
fn assert_good(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), (Some("application/json"), Some("no-store")));
}

/// The tick from which on everybody refuses it.
#[track_caller]
fn assert_revoked(answer: &Answer) -> i64 {
    assert_good(answer);
    assert_eq!(answer.json()["effective_within"], 1);
    answer.json()["tick"].as_i64().unwrap()
}

/// Nothing was alive, and no tick is made up.
#[track_caller]
fn assert_nothing(answer: &Answer) {
    assert_good(answer);
    assert_eq!(answer.body, "{}");
}

async fn alive(world: &Arc<World>, tokens: &Tokens) -> bool {
    world.agent().userinfo(tokens.access()).await.status == StatusCode::OK
}

on_both_engines! {
    async fn an_access_token_dies_by_its_jti_alone_and_revoking_it_twice_is_one_cut_off(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let before = count(&world, "cutoffs").await;
        let mut ticks = Vec::new();
        for _ in 0..2 {
            ticks.push(assert_revoked(&revoke(&world, &client, tokens.access()).await));
            assert!(!alive(&world, &tokens).await);
        }
        assert_eq!(ticks[0], ticks[1], "the second time the tick of the first is told");
        assert_eq!(count(&world, "cutoffs").await - before, 1);
        assert_eq!(count(&world, "audit WHERE action = 'token_revoke'").await, 1);
        let next = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert!(alive(&world, &next).await, "its grant lives on");
    }

    async fn a_refresh_token_takes_its_grant_along_and_revoking_it_twice_is_one_cut_off(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let (tokens, other) = (agent.tokens(&client, ADA, &[]).await, agent.tokens(&client, ADA, &[]).await);
        let next = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        let (before, mut ticks) = (count(&world, "cutoffs").await, Vec::new());
        for token in [next.refresh(), next.refresh(), tokens.refresh()] {
            ticks.push(assert_revoked(&revoke(&world, &client, token).await));
        }
        assert_eq!(count(&world, "cutoffs").await - before, 1);
        assert!(ticks.iter().all(|tick| *tick == ticks[0]));
        execute(&world, "DELETE FROM cutoffs").await;
        assert_nothing(&revoke(&world, &client, next.refresh()).await);
        assert!(!alive(&world, &tokens).await && !alive(&world, &next).await);
        assert_eq!(client.refresh(&agent, next.refresh()).await.error(), "invalid_grant");
        assert_eq!(count(&world, "audit WHERE action = 'token_revoke'").await, 1);
        assert!(alive(&world, &other).await, "another grant of the same client and user lives on");
    }

    async fn a_used_refresh_token_takes_its_grant_along_as_well(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let next = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_revoked(&revoke(&world, &client, tokens.refresh()).await);
        assert!(!alive(&world, &next).await);
    }

    async fn a_clients_own_token_can_be_revoked(world) {
        let client = world.client("robot", |_| {}).await;
        let tokens = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        let asked = async || client.post(&world, "/introspect", &[("token", tokens.access())]).await.json()["active"].clone();
        assert_eq!(asked().await, true);
        assert_revoked(&revoke(&world, &client, tokens.access()).await);
        assert_eq!(asked().await, false);
    }

    async fn a_public_client_revokes_by_its_client_id(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.public_client("spa").await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        assert_revoked(&revoke(&world, &client, tokens.access()).await);
        assert!(!alive(&world, &tokens).await);
        assert_revoked(&revoke(&world, &client, tokens.refresh()).await);
        assert_eq!(client.refresh(&world.agent(), tokens.refresh()).await.error(), "invalid_grant");
    }

    async fn the_hint_is_only_a_hint(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for hint in ["access_token", "refresh_token", "id_token", "nonsense", ""] {
            let tokens = world.agent().tokens(&client, ADA, &[]).await;
            for token in [tokens.access(), tokens.refresh()] {
                let answer = client.post(&world, "/revoke", &[("token", token), ("token_type_hint", hint)]).await;
                assert_revoked(&answer);
            }
            assert!(!alive(&world, &tokens).await, "{hint}");
            assert_eq!(client.refresh(&world.agent(), tokens.refresh()).await.error(), "invalid_grant", "{hint}");
        }
    }

    async fn another_clients_token_is_refused_and_lives(world) {
        world.user(ADA.0, ADA.1).await;
        let (client, other) = (world.client("shop-web", |_| {}).await, world.client("other", |_| {}).await);
        let public = world.public_client("spa").await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        for stranger in [&other, &public] {
            for token in [tokens.access(), tokens.refresh()] {
                assert_error(&revoke(&world, stranger, token).await, 400, "invalid_grant");
            }
        }
        assert!(alive(&world, &tokens).await);
        Tokens::of(&client.refresh(&world.agent(), tokens.refresh()).await);
    }

    async fn what_is_unknown_broken_or_over_is_answered_like_success(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.lifetimes.access_token = "1m".parse().unwrap()).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let (good, before) = (tokens.access(), count(&world, "cutoffs").await);
        let cut = good[..good.len() - 1].to_owned();
        for token in ["x", "..", "psr_unknown", &cut, "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", "\u{20ac}"] {
            assert_nothing(&revoke(&world, &client, token).await);
        }
        world.advance(Duration::from_secs(60 + 5 * 60));
        assert_nothing(&revoke(&world, &client, good).await);
        assert_eq!(count(&world, "cutoffs").await, before);
    }

    async fn a_token_that_verifiers_with_another_clock_still_take_is_cut_off(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.lifetimes.access_token = "1m".parse().unwrap()).await;
        let (tokens, before) = (world.agent().tokens(&client, ADA, &[]).await, count(&world, "cutoffs").await);
        world.advance(Duration::from_secs(60 + 5 * 60 - 1));
        assert_revoked(&revoke(&world, &client, tokens.access()).await);
        assert_eq!(count(&world, "cutoffs").await, before + 1);
    }

    async fn a_token_that_was_revoked_while_its_user_was_disabled_does_not_come_back_with_them(world) {
        let user = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let (tokens, other) = (world.agent().tokens(&client, ADA, &[]).await, world.agent().tokens(&client, ADA, &[]).await);
        disable(&world, "users", user.as_str()).await;
        assert_revoked(&revoke(&world, &client, tokens.access()).await);
        execute(&world, "UPDATE users SET disabled_at = NULL").await;
        assert!(!alive(&world, &tokens).await && alive(&world, &other).await);
    }

    async fn an_id_token_is_of_no_type_that_can_be_revoked(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        assert_error(&revoke(&world, &client, tokens.0["id_token"].as_str().unwrap()).await, 400, "unsupported_token_type");
        assert!(alive(&world, &tokens).await);
    }

    async fn without_authentication_or_token_nothing_is_revoked(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let (form, wrong) = (encoded(&[("token", tokens.access())]), basic("shop-web", "wrong"));
        let claimed = format!("{form}&client_id=shop-web");
        for (headers, body) in [(vec![FORM], &form), (vec![FORM], &claimed), (vec![FORM, ("authorization", wrong.as_str())], &form)] {
            let answer = world.agent().send(Method::POST, "/revoke", &headers, Body::from(body.clone())).await;
            assert_error(&answer, 401, "invalid_client");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
        }
        assert_error(&client.post(&world, "/revoke", &[]).await, 400, "invalid_request");
        assert_error(&client.post(&world, &format!("/revoke?token={}", tokens.access()), &[]).await, 400, "invalid_request");
        assert_error(&client.post(&world, "/revoke", &[("token", "a"), ("token", "b")]).await, 400, "invalid_request");
        assert!(alive(&world, &tokens).await);
    }

    async fn i40_a_storage_failure_is_503_and_never_200(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let mut hold = world.held.next(Checkpoint::ClientProved);
        let (revoking, other, token) = (client.clone(), Arc::clone(&world), tokens.access().to_owned());
        let task = tokio::spawn(async move { revoke(&other, &revoking, &token).await });
        hold.arrived().await;
        world.db().close().await;
        hold.release();
        assert_error(&task.await.unwrap(), 503, "temporarily_unavailable");
        assert_eq!((count(&world, "cutoffs WHERE level = 'jti'").await, count(&world, "audit WHERE action = 'token_revoke'").await), (0, 0));
    }

    async fn i40_a_revocation_that_cannot_be_written_is_no_success(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        execute(&world, "ALTER TABLE feed_entries RENAME TO feed_entries_gone").await;
        for token in [tokens.access(), tokens.refresh()] {
            assert!(revoke(&world, &client, token).await.status.is_server_error());
        }
        execute(&world, "ALTER TABLE feed_entries_gone RENAME TO feed_entries").await;
        assert!(alive(&world, &tokens).await, "nothing was half done");
        assert_revoked(&revoke(&world, &client, tokens.refresh()).await);
        assert!(!alive(&world, &tokens).await);
    }

    async fn a_page_of_any_origin_may_revoke_without_credentials(world) {
        let preflight = [
            ("origin", "https://spa.example.com"), ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        for path in ["/revoke", "/introspect"] {
            let answer = world.agent().send(Method::OPTIONS, path, &preflight, Body::empty()).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::OK, Some("*")));
            assert!(answer.header("access-control-allow-credentials").is_none());
        }
    }
}
