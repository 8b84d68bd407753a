//! `POST /token`: what all grant types share, and one file for each.

mod authorization_code;
mod client_authentication;
mod client_credentials;
mod refresh_token;

use axum::body::Body;
use passant_tests::on_both_engines;

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
}
