//! What the OpenID Foundation's plans check of an issuer, line by line: a test's name begins with the line that it holds.

mod c1;
mod c2;
mod c2_claims;
mod c3;
mod c4;
mod c8;
mod mapped_claims;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use passant_tests::world::{Agent, Answer, Callback, ISSUER, Registered, Tokens, World, authorize_path};
use serde_json::{Value, json};

use crate::http::{ADA, FORM, GRACE, assert_error, assert_page, assert_plain, basic, count, encoded, register_anew};

/// Every scope with a meaning of its own but `offline_access`.
const ALL_SCOPES: (&str, &str) = ("scope", "openid profile email address phone");

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

async fn metadata(world: &Arc<World>) -> Value {
    world.agent().get("/.well-known/openid-configuration").await.json()
}

/// The error that went back to the client, where a browser that is signed in or not needs no page for it.
#[track_caller]
fn sent_back(answer: &Answer, client: &Registered) -> String {
    let callback = Callback::parse(answer.location(), client.redirect_uri());
    assert_eq!((callback.get("state"), callback.get("iss")), (Some("xyz-state"), Some(ISSUER)));
    assert_plain(callback.get("error_description").unwrap());
    callback.get("error").unwrap_or_default().to_owned()
}

/// The code of a browser for which no page is needed.
#[track_caller]
fn code_of(answer: &Answer, client: &Registered) -> String {
    Callback::parse(answer.location(), client.redirect_uri()).code().to_owned()
}

/// The tokens of a browser that is signed in, without a page.
async fn silently(agent: &mut Agent, client: &Registered, change: &[(&str, &str)]) -> Tokens {
    let answer = agent.authorize(client, change).await;
    let code = code_of(&answer, client);
    Tokens::of(&client.redeem(agent, &code).await)
}

fn asks_for_a_password(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("name=\"password\"")
}

async fn send(agent: &mut Agent, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    agent.send(method, path, headers, Body::from(body)).await
}
