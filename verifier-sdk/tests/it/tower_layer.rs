//! The layer without axum: it fits around services of any body, and its refusals can have any body.

use std::convert::Infallible;
use std::future::ready;

use axum::http::{Request, Response};
use passant_verifier::{AccessPolicy, Verified, VerifyError};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{TestKey, claims, fixed};

/// A body of no crate, neither `Default` nor made of text.
#[derive(Debug, PartialEq)]
struct Odd(u8, String);

fn request(authorization: Option<&str>) -> Request<Odd> {
    let request = authorization.iter().fold(Request::get("/"), |request, value| request.header("authorization", *value));
    request.body(Odd(1, "asked".to_owned())).unwrap()
}

async fn ask(authorization: Option<&str>) -> Response<Odd> {
    let inner = service_fn(|request: Request<Odd>| {
        let caller = request.extensions().get::<Verified>().unwrap().subject().to_owned();
        ready(Ok::<_, Infallible>(Response::new(Odd(2, caller))))
    });
    let layer = fixed().0.require(AccessPolicy::new().scope("orders:read")).refusal_body(|text| Odd(3, text));
    layer.layer(inner).oneshot(request(authorization)).await.unwrap()
}

#[tokio::test]
async fn any_body_goes_in_and_comes_out() {
    let response = ask(Some(&format!("Bearer {}", TestKey::first().sign(&claims())))).await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &Odd(2, "u-1".to_owned())));
    let response = ask(None).await;
    assert_eq!((response.status().as_u16(), response.body().0), (401, 3));
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
    assert_eq!(response.extensions().get::<VerifyError>().unwrap().code(), "missing_token", "a log can say why");
}

#[tokio::test]
async fn a_body_of_text_needs_no_word_about_it() {
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(String::new()))));
    let response = fixed().0.layer().layer(inner).oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    assert_eq!(response.body(), r#"{"error":"missing_token","error_description":"The request carries no access token."}"#);
}

#[tokio::test]
async fn the_outer_of_two_layers_leaves_the_inner_ones_words() {
    let inner = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(String::new()))));
    let inner = fixed().0.require_scope("x").realm("inner").layer(inner);
    let request = Request::get("/").header("authorization", format!("Bearer {}", TestKey::first().sign(&claims())));
    let response = fixed().0.layer().realm("outer").layer(inner).oneshot(request.body(()).unwrap()).await.unwrap();
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer realm=\"inner\""), "{challenge}");
}
