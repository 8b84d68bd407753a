//! A service whose one route wants a token of the issuer with the scope `orders:read`. It starts while the issuer is down, and
//! goes on while the issuer is stopped.

use std::env;

use axum::http::{HeaderValue, Method, header::AUTHORIZATION};
use axum::{Json, Router, routing::get};
use passant_verifier::{Verified, Verifier};
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = setting("ISSUER", "http://localhost:8080");
    let audience = setting("AUDIENCE", "http://localhost:8081");
    let listen = setting("LISTEN", "127.0.0.1:8081");

    let verifier = Verifier::builder().issuer(&issuer).audience(&audience).build()?;
    let app =
        Router::new().route("/orders", get(orders)).layer(verifier.require_scope("orders:read")).layer(browsers_from(&issuer)?);

    let listener = tokio::net::TcpListener::bind(&listen).await?;
    println!("orders API on {listen}, tokens of {issuer} — try: curl -H \"Authorization: Bearer $TOKEN\" http://{listen}/orders");
    Ok(axum::serve(listener, app).await?)
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

/// Lets pages of the issuer's origin, such as its demo, call this service from a browser.
fn browsers_from(issuer: &str) -> Result<CorsLayer, Box<dyn std::error::Error>> {
    let origin: String = issuer.split_inclusive('/').take(3).collect();
    let origin = HeaderValue::from_str(origin.trim_end_matches('/'))?;
    Ok(CorsLayer::new().allow_origin(origin).allow_methods([Method::GET]).allow_headers([AUTHORIZATION]))
}
