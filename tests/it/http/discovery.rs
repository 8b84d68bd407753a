//! Discovery at both well-known paths.

use axum::body::Body;
use passant::domain::client::{ClientAuthentication, GrantType};
use passant_tests::on_both_engines;
use serde_json::{Value, json};

use super::*;

const PATHS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

on_both_engines! {
    async fn both_paths_say_the_same_and_what_is_true(world) {
        let answers = [world.agent().get(PATHS[0]).await, world.agent().get(PATHS[1]).await];
        assert_eq!(answers[0].body, answers[1].body);
        for answer in &answers {
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        }
        let metadata = answers[0].json();
        assert_eq!(metadata["issuer"], ISSUER);
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["RS256"]));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
        assert_eq!(metadata["claims_parameter_supported"], true);
        for explicitly in ["request_parameter_supported", "request_uri_parameter_supported"] {
            assert_eq!(metadata[explicitly], false, "{explicitly}: the default would say otherwise");
        }
        let scopes = metadata["scopes_supported"].as_array().unwrap();
        for scope in ["openid", "profile", "email", "offline_access", "orders:read", "orders:write"] {
            assert!(scopes.contains(&json!(scope)), "{scope}");
        }
        for (name, value) in metadata.as_object().unwrap() {
            assert!(!value.is_null() && value.as_array().is_none_or(|all| !all.is_empty()), "{name}");
        }
    }

    async fn every_endpoint_it_names_is_there(world) {
        let metadata = world.agent().get(PATHS[0]).await.json();
        let named: Vec<&str> = metadata
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.ends_with("_endpoint") || name.ends_with("_uri"))
            .filter_map(|(_, value)| Value::as_str(value))
            .collect();
        assert_eq!(named.len(), 8);
        for endpoint in named {
            let path = endpoint.strip_prefix(ISSUER).expect("it is ours");
            assert_ne!(world.agent().get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(metadata["passant_revocations_uri"], format!("{ISSUER}/revocations"));
        for path in ["/revocations", "/revocations/stream"] {
            assert_eq!(world.agent().send_raw(Method::GET, path, &[]).await.status(), StatusCode::OK, "{path}");
        }
    }

    async fn what_it_says_of_the_token_endpoint_holds(world) {
        let metadata = world.agent().get(PATHS[0]).await.json();
        assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["client_secret_basic", "client_secret_post", "none"]));
        let client = world.client("shop-web", |it| it.scopes = "openid".parse().unwrap()).await;
        for grant in metadata["grant_types_supported"].as_array().unwrap() {
            let answer = client.token(&world, &[("grant_type", grant.as_str().unwrap())]).await;
            assert!(answer.status == StatusCode::OK || answer.error() == "invalid_request", "{grant}: {}", answer.body);
        }
    }

    async fn what_it_says_of_introspection_and_revocation_holds(world) {
        let metadata = world.agent().get(PATHS[0]).await.json();
        for (endpoint, public_too) in [("introspection", false), ("revocation", true)] {
            let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            let path = metadata[format!("{endpoint}_endpoint")].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
            for method in ClientAuthentication::ALL {
                let client = world.client(&format!("{endpoint}-{method}"), |it| {
                    it.authentication = *method;
                    it.grant_types = [GrantType::AuthorizationCode].into();
                }).await;
                let named = methods.as_array().unwrap().contains(&json!(method.as_str()));
                assert_eq!(named, public_too || *method != ClientAuthentication::None, "{endpoint}: {method}");
                let answer = client.post(&world, &path, &[("token", "unknown")]).await;
                assert_eq!(answer.status == StatusCode::OK, named, "{endpoint}: {method}: {}", answer.body);
            }
        }
    }

    async fn host_and_forwarded_headers_build_no_address(world) {
        let headers = [
            ("host", "evil.example"), ("forwarded", "host=evil.example;proto=http"), ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"), ("x-original-url", "/evil"),
        ];
        let answer = world.agent().send(Method::GET, PATHS[0], &headers, Body::empty()).await;
        assert!(!answer.body.contains("evil"));
        let page = world.agent().send(Method::GET, "/login", &headers, Body::empty()).await;
        assert!(!page.body.contains("evil"));
    }
}
