//! The layer and the extractor: who gets in, and what the others are told.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Router, routing::get};
use passant_verifier::axum::Claims;
use passant_verifier::{AccessPolicy, ResourceMetadata, Verified, VerifyError};
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{TestKey, claims, claims_with, fixed};

async fn caller(caller: Verified) -> String {
    caller.subject().to_owned()
}

async fn ask(authorization: &[&str]) -> (StatusCode, HeaderMap, String) {
    let app = Router::new().route("/orders", get(caller)).layer(fixed().0.require_scope("orders:read").require_scope("openid"));
    answer(app, authorization).await
}

async fn answer(app: Router, authorization: &[&str]) -> (StatusCode, HeaderMap, String) {
    let request = authorization.iter().fold(Request::get("/orders"), |request, value| request.header("authorization", *value));
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, 10_000).await.unwrap().to_vec()).unwrap();
    (parts.status, parts.headers, body)
}

#[tokio::test]
async fn a_good_token_reaches_the_handler_as_a_proof() {
    let (status, _, body) = ask(&[&format!("Bearer {}", TestKey::first().sign(&claims()))]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "u-1"));
}

#[tokio::test]
async fn refusals_carry_the_challenge_of_rfc_6750() {
    let good = format!("Bearer {}", TestKey::first().sign(&claims()));
    let expired = format!("Bearer {}", TestKey::first().sign(&claims_with("exp", json!(1))));
    let narrow = format!("Bearer {}", TestKey::first().sign(&claims_with("scope", json!("openid"))));
    let cases: [(&[&str], u16, &str); 7] = [
        (&[], 401, r#"Bearer realm="api""#),
        (&["Basic YTpi"], 401, r#"Bearer realm="api""#),
        (&[&expired], 401, r#"Bearer realm="api", error="invalid_token", error_description="The token has expired.""#),
        (
            &["Bearer"],
            401,
            r#"Bearer realm="api", error="invalid_token", error_description="The token is not three parts joined by dots.""#,
        ),
        (
            &["Bearer a b"],
            401,
            r#"Bearer realm="api", error="invalid_token", error_description="The token is not three parts joined by dots.""#,
        ),
        (
            &[&good, &good],
            400,
            r#"Bearer realm="api", error="invalid_request", error_description="The request carries more than one Authorization header.""#,
        ),
        (
            &[&narrow],
            403,
            r#"Bearer realm="api", error="insufficient_scope", error_description="The token lacks a required scope.", scope="orders:read openid""#,
        ),
    ];
    for (authorization, status, challenge) in cases {
        let (told, headers, body) = ask(authorization).await;
        assert_eq!((told.as_u16(), headers["www-authenticate"].to_str().unwrap()), (status, challenge));
        assert_eq!(
            (headers["cache-control"].to_str().unwrap(), headers["content-type"].to_str().unwrap()),
            ("no-store", "application/json")
        );
        assert!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"].is_string(), "{body}");
        assert!(!headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_handler_without_the_layer_answers_500_and_never_runs() {
    let app = Router::new().route("/orders", get(caller));
    let (status, _, body) = answer(app, &[&format!("Bearer {}", TestKey::first().sign(&claims()))]).await;
    assert_eq!((status, body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""));
}

#[cfg(feature = "http")]
#[tokio::test]
async fn without_keys_the_answer_is_503_with_retry_after_and_no_challenge() {
    let verifier = crate::support::builder_at("http://127.0.0.1:9").build().unwrap();
    let app = Router::new().route("/orders", get(caller)).layer(verifier.layer());
    let token = TestKey::first().sign(&claims_with("iss", json!("http://127.0.0.1:9")));
    let (status, headers, body) = answer(app, &[&format!("Bearer {token}")]).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert!(!headers.contains_key("www-authenticate") && body.contains("keys_missing"), "{body}");
}

#[tokio::test]
async fn a_route_can_demand_that_revocations_were_heard_just_now() {
    use std::time::Duration;

    use passant_verifier::{ManualClock, Verifier};

    use crate::feed::{Feed, signed};
    use crate::support::{AUDIENCE, ISSUER, NOW, jwks};

    let clock = ManualClock::at(NOW);
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone()).revocations_handed_in();
    let verifier = builder.static_jwks(jwks(&[TestKey::first().jwk()])).build().unwrap();
    verifier.take_revocations(&signed(&TestKey::first(), &Feed::new().snapshot())).unwrap();
    let token = format!("Bearer {}", TestKey::first().sign(&claims()));
    clock.advance(Duration::from_secs(31));
    for (seconds, status) in [(31, StatusCode::OK), (30, StatusCode::SERVICE_UNAVAILABLE)] {
        let layer = verifier.layer().require_fresh(Duration::from_secs(seconds)).require_fresh(Duration::from_secs(60));
        let (told, headers, body) = answer(Router::new().route("/orders", get(caller)).layer(layer), &[&token]).await;
        assert_eq!(told, status);
        let unavailable = told == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!((headers.contains_key("retry-after"), body.contains("revocations_stale")), (unavailable, unavailable));
        assert!(!headers.contains_key("www-authenticate"));
    }
}

async fn maybe(caller: Option<Verified>) -> String {
    caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject().to_owned())
}

#[tokio::test]
async fn optional_authentication_admits_no_token_but_no_bad_one() {
    let good = format!("Bearer {}", TestKey::first().sign(&claims()));
    let narrow = format!("Bearer {}", TestKey::first().sign(&claims_with("scope", json!("openid"))));
    let cases: [(&[&str], u16, &str); 6] = [
        (&[], 200, "nobody"),
        (&[&good], 200, "u-1"),
        (&[&narrow], 403, "insufficient_scope"),
        (&["Bearer x"], 401, "invalid_token"),
        (&["Basic YTpi"], 401, "missing_token"),
        (&[&good, &good], 400, "invalid_request"),
    ];
    for (authorization, status, body) in cases {
        let layer = fixed().0.require_scope("orders:read").optional();
        let (told, _, text) = answer(Router::new().route("/orders", get(maybe)).layer(layer), authorization).await;
        assert!(told.as_u16() == status && text.contains(body), "{authorization:?}: {told} {text}");
    }
    let (told, ..) = answer(Router::new().route("/orders", get(maybe)), &[]).await;
    assert_eq!(told, StatusCode::INTERNAL_SERVER_ERROR, "without a layer nobody knows");
}

#[tokio::test]
async fn claims_come_as_the_services_own_type_or_are_a_bad_token() {
    #[derive(serde::Deserialize)]
    struct Tenant {
        tenant: u32,
    }
    async fn tenant(Claims(claims): Claims<Tenant>) -> String {
        claims.tenant.to_string()
    }
    for (value, status, body) in [(json!(7), 200, "7"), (json!("seven"), 401, "invalid_token")] {
        let app = Router::new().route("/orders", get(tenant)).layer(fixed().0.layer());
        let token = format!("Bearer {}", TestKey::first().sign(&claims_with("tenant", value)));
        let (told, _, text) = answer(app, &[&token]).await;
        assert!(told.as_u16() == status && text.contains(body), "{told} {text}");
    }
}

#[tokio::test]
async fn refusals_of_routes_and_handlers_take_the_layers_words() {
    async fn by_hand(caller: Verified) -> Result<(), VerifyError> {
        caller.require_scope("orders:write")
    }
    let layer = || fixed().0.layer().realm("orders").resource_metadata("https://api.example.com/meta");
    let routed = Router::new().route("/orders", get(caller).layer(AccessPolicy::new().scope("orders:write").layer()));
    let token = format!("Bearer {}", TestKey::first().sign(&claims()));
    for routes in [routed.clone(), Router::new().route("/orders", get(by_hand))] {
        let (status, headers, _) = answer(routes.layer(layer()), &[&token]).await;
        assert_eq!(
            (status.as_u16(), headers["www-authenticate"].to_str().unwrap()),
            (
                403,
                "Bearer realm=\"orders\", error=\"insufficient_scope\", error_description=\"The token lacks a required scope.\", \
                 scope=\"orders:write\", resource_metadata=\"https://api.example.com/meta\""
            )
        );
    }
    let (status, ..) = answer(routed, &[&token]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "a policy without a layer that verifies admits nobody");
}

#[tokio::test]
async fn the_metadata_of_the_resource_is_served_without_a_token() {
    let metadata = ResourceMetadata::new("https://api.example.com/orders").unwrap();
    let metadata = metadata.authorization_server("https://id.example.com").scopes(["orders:read"]).name("Orders");
    let app = Router::new()
        .route("/orders", get(caller))
        .layer(fixed().0.layer().resource_metadata(&metadata.url()))
        .route_service(&metadata.path(), metadata.service());
    let url = "/.well-known/oauth-protected-resource/orders";
    let response = app.clone().oneshot(Request::get(url).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((response.status(), response.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "application/json"));
    let document: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
    assert_eq!(
        document,
        json!({
            "resource": "https://api.example.com/orders", "authorization_servers": ["https://id.example.com"],
            "scopes_supported": ["orders:read"], "bearer_methods_supported": ["header"], "resource_name": "Orders",
        })
    );
    let response = app.oneshot(Request::post(url).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((response.status(), response.headers()["allow"].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}
