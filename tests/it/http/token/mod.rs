//! `POST /token`: what all grant types share, and one file for each.

mod authorization_code;
mod client_authentication;
mod client_credentials;
mod refresh_token;

use std::time::Duration;

use axum::body::Body;
use passant::app::checkpoint::Checkpoint;
use passant_tests::on_both_engines;
use passant_tests::world::{Holding, Tokens};

use super::*;

on_both_engines! {
    async fn request_that_is_no_form_in_the_body_alone_is_refused(world) {
        let client = world.client("shop-web", |_| {}).await;
        let authorization = basic(client.id(), client.secret.as_deref().unwrap());
        let good = "grant_type=client_credentials";
        let mut agent = world.agent();
        for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain"] {
            let headers = [("content-type", kind), ("authorization", authorization.as_str())];
            assert_error(&agent.send(Method::POST, "/token", &headers, Body::from(good)).await, 400, "invalid_request");
        }
        let headers = [("authorization", authorization.as_str())];
        assert_error(&agent.send(Method::POST, "/token", &headers, Body::from(good)).await, 400, "invalid_request");
        let headers = [FORM, ("authorization", authorization.as_str())];
        for path in ["/token?grant_type=client_credentials", "/token?x=1", "/token?client_secret=x&client_id=shop-web"] {
            assert_error(&agent.send(Method::POST, path, &headers, Body::from(good)).await, 400, "invalid_request");
        }
        for body in ["grant_type=%ff", "grant_type=%00", &"a=&".repeat(101), "", "grant_type="] {
            assert_error(&token_request(&world, &headers[1..], body).await, 400, "invalid_request");
        }
        assert_eq!(token_request(&world, &headers[1..], good).await.status, StatusCode::OK);
    }

    async fn parameter_given_twice_is_refused(world) {
        let client = world.client("shop-web", |_| {}).await;
        let authorization = basic(client.id(), client.secret.as_deref().unwrap());
        for name in [
            "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "client_id", "client_secret", "unknown",
        ] {
            let body = format!("{name}=a&{name}=a&grant_type=client_credentials");
            let answer = token_request(&world, &[("authorization", &authorization)], &body).await;
            assert_error(&answer, 400, "invalid_request");
            assert!(answer.json()["error_description"].as_str().unwrap().contains(name));
        }
    }

    async fn grant_type_that_is_unknown_is_named_and_one_that_is_not_registered_is_unauthorized(world) {
        let client = world.client("shop-web", |it| it.grant_types = ["authorization_code".parse().unwrap()].into()).await;
        for odd in ["password", "implicit", "Client_Credentials", "\"\\\u{e9}\n", "urn:ietf:params:oauth:grant-type:device_code"] {
            assert_error(&client.token(&world, &[("grant_type", odd)]).await, 400, "unsupported_grant_type");
        }
        for foreign in ["refresh_token", "client_credentials"] {
            assert_error(&client.token(&world, &[("grant_type", foreign)]).await, 400, "unauthorized_client");
        }
    }

    async fn token_address_takes_post_alone(world) {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let answer = world.agent().send(method.clone(), "/token", &[], Body::empty()).await;
            assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
            if method != Method::HEAD {
                assert_error(&answer, 405, "invalid_request");
            }
        }
    }

    async fn body_over_the_limit_is_answered_in_json_that_other_origins_can_read(world) {
        let origin = ("origin", "https://spa.example.com");
        let headers = [FORM, origin];
        let huge = format!("grant_type=client_credentials&x={}", "x".repeat(64 << 10));
        let answer = world.agent().send(Method::POST, "/token", &headers, Body::from(huge)).await;
        assert_error(&answer, 413, "invalid_request");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }

    async fn iat_is_from_before_the_evidence_however_long_that_takes(world) {
        world.user(ADA.0, ADA.1).await;
        let listed = world.client("listed", |it| it.status_list = true).await;
        for client in [world.client("shop-web", |_| {}).await, listed] {
            for checkpoint in [Checkpoint::ClientProved, Checkpoint::GrantSpent, Checkpoint::PlaceTaken] {
                if checkpoint == Checkpoint::PlaceTaken && !client.client.status_list {
                    continue;
                }
                for request in ["code", "refresh_token", "client_credentials"] {
                    if (checkpoint, request) == (Checkpoint::GrantSpent, "client_credentials") {
                        continue;
                    }
                    let asking = asking(&world, &client, request).await;
                    let (begun, mut hold) = (world.clock_seconds(), world.held.next(checkpoint));
                    let task = tokio::spawn(asking);
                    hold.arrived().await;
                    world.advance(LATER);
                    hold.release();
                    assert_dated(&task.await.unwrap(), begun, &format!("{request} at {checkpoint:?}"));
                }
            }
        }
    }

    async fn iat_is_from_before_the_first_read_of_the_tick(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for request in ["code", "refresh_token", "client_credentials"] {
            let asking = asking(&world, &client, request).await;
            let begun = world.clock_seconds();
            // SQLite's readers wait for nobody: there is no read that could be held.
            let Some(mut holding) = Holding::begin(world.storage(), "LOCK TABLE feed_head IN ACCESS EXCLUSIVE MODE").await else { return };
            let task = tokio::spawn(asking);
            holding.is_waited_for().await;
            world.advance(LATER);
            holding.commit().await;
            assert_dated(&task.await.unwrap(), begun, request);
        }
    }
}

const LATER: Duration = Duration::from_secs(7);

/// A token request that is about to be sent, with all that it needs.
async fn asking(world: &Arc<World>, client: &Registered, request: &str) -> impl Future<Output = Answer> + Send + 'static {
    let (world, client, mut agent) = (Arc::clone(world), client.clone(), world.agent());
    let (request, code, tokens) = match request {
        "code" => (request.to_owned(), Some(agent.callback(&client, ADA, &[]).await.code().to_owned()), None),
        "refresh_token" => (request.to_owned(), None, Some(agent.tokens(&client, ADA, &[]).await)),
        other => (other.to_owned(), None, None),
    };
    async move {
        match (code, tokens) {
            (Some(code), _) => client.redeem(&agent, &code).await,
            (None, Some(tokens)) => client.refresh(&agent, tokens.refresh()).await,
            (None, None) => client.token(&world, &[("grant_type", &request)]).await,
        }
    }
}

/// Every token of the answer says that it was made at this moment.
#[track_caller]
fn assert_dated(answer: &Answer, begun: i64, what: &str) {
    let tokens = Tokens::of(answer);
    let claims = tokens.claims();
    let life = tokens.0["expires_in"].as_i64().unwrap();
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(begun), Some(begun + life)), "{what}");
    if tokens.0["id_token"].is_string() {
        assert_eq!(tokens.id_claims()["iat"], begun, "{what}");
    }
}
