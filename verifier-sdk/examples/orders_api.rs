//! A service whose routes each want a scope of their own. It starts while the issuer is down, goes on while the issuer is stopped,
//! and follows the issuer's revocation feed.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::{Json, Router, routing::get, routing::post};
use passant_verifier::{Verified, Verifier};
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the orders API cannot start: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = setting("ISSUER", "http://localhost:8080");
    let audience = setting("AUDIENCE", "http://localhost:8081");
    let listen = setting("LISTEN", "127.0.0.1:8081");
    // The pages that may call it from a browser, one origin after another: by default the issuer's, for its demo.
    let origins = setting("ORIGINS", issuer.trim_end_matches('/'));

    let verifier = Verifier::builder().issuer(&issuer).audience(&audience).build()?;
    let reading = Router::new().route("/orders", get(orders)).layer(verifier.require_scope("orders:read"));
    let writing = Router::new().route("/orders", post(order)).layer(verifier.require_scope("orders:write"));
    let app = Router::new()
        .merge(reading)
        .merge(writing)
        .layer(browsers_from(&origins)?)
        .route("/readyz", get(readyz).with_state(verifier.clone()));

    let listener = tokio::net::TcpListener::bind(&listen).await.map_err(|why| format!("LISTEN={listen}: {why}"))?;
    println!("orders API on {listen}, tokens of {issuer} — try: curl -H \"Authorization: Bearer $TOKEN\" http://{listen}/orders");
    tokio::spawn(tell(verifier));
    Ok(axum::serve(listener, app).await?)
}

/// Says on the terminal by what tokens are judged, once that is known.
async fn tell(verifier: Verifier) {
    while let Err(why) = verifier.ready(Duration::from_secs(10)).await {
        eprintln!("every token is answered 503 until the issuer answers: {why}");
    }
    match verifier.health().revocations {
        Some(feed) => println!("follows the issuer's revocation feed, at tick {}", feed.tick.unwrap_or_default()),
        None => println!("the issuer announces no revocation feed: a revoked token is good here until it expires"),
    }
}

async fn orders(caller: Verified) -> Json<Value> {
    Json(json!({
        "sub": caller.subject(),
        "orders": [
            { "id": "1001", "item": "silver spoon", "quantity": 6 },
            { "id": "1002", "item": "sugar tongs", "quantity": 1 },
        ],
    }))
}

async fn order(caller: Verified, Json(wanted): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "sub": caller.subject(), "item": wanted.get("item") })))
}

/// Whether tokens can be judged at all: for the load balancer, so that nobody is sent here to be answered 503.
async fn readyz(State(verifier): State<Verifier>) -> StatusCode {
    if verifier.is_ready() { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Lets pages of these origins read the answers. Tokens come in a header, so no cookie is let through.
fn browsers_from(origins: &str) -> Result<CorsLayer, Box<dyn std::error::Error>> {
    let origins = origins.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>();
    let origins = origins.map_err(|why| format!("ORIGINS: {why}"))?;
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER]))
}
