//! One file an endpoint, named as its handler is: what each promises, and what it refuses.

mod account;
mod audit;
mod authorize;
mod consent;
mod discovery;
mod end_session;
mod followers;
mod health;
mod home;
mod introspect;
mod jwks;
mod layers;
mod login;
mod logout;
mod metrics;
mod proof;
mod redirect_tricks;
mod resume;
mod revocations;
mod revoke;
pub(crate) mod routes;
mod set_up;
mod status_lists;
mod throttle;
mod token;
mod userinfo;
mod waiting_requests;

use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode};
use base64ct::{Base64, Encoding};
use passant::domain::client::{Client, Registration};
use passant::store::clients::{self, DeclaredClient, Reconciled};
use passant_tests::world::{Agent, Answer, Engine, ISSUER, Registered, Storage, World};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

pub(super) const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
pub(super) const GRACE: (&str, &str) = ("grace", "a compiler out of English words");

pub(super) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(super) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{id}:{secret}").as_bytes()))
}

/// POST /token with exactly this body and these headers beside the content type.
pub(super) async fn token_request(world: &Arc<World>, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([FORM]).collect();
    world.agent().send(Method::POST, "/token", &headers, body.to_owned().into()).await
}

/// A form of a page of ours with headers of the test's choice.
async fn post_with(agent: &mut Agent, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([FORM]).collect();
    agent.send(Method::POST, path, &headers, encoded(fields).into()).await
}

/// Fails unless this is an OAuth error of that status and code whose description is plain.
#[track_caller]
pub(super) fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, code), "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_plain(answer.json()["error_description"].as_str().expect("an error has a description"));
}

/// Printable ASCII without quote and backslash (RFC 6749, section 5.2), in words.
#[track_caller]
pub(super) fn assert_plain(description: &str) {
    let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    assert!(!description.is_empty() && description.chars().all(allowed), "not plain: {description}");
    for inside in ["sqlx", "SELECT", "panicked", ".rs:", "Error("] {
        assert!(!description.contains(inside), "{description} shows the inside");
    }
}

/// Fails unless this is a page of ours that sends nobody anywhere.
#[track_caller]
pub(super) fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("location").is_none() && answer.header("access-control-allow-origin").is_none());
    assert!(answer.body.contains("auth.example.com"), "the page says whose it is");
}

fn engine(world: &World) -> Engine {
    match world.storage() {
        Storage::Sqlite(_) => Engine::Sqlite,
        Storage::Postgres(_) => Engine::Postgres,
    }
}

/// Changes rows behind the issuer's back; how many.
pub(super) async fn execute(world: &World, sql: &str) -> u64 {
    world.execute(sql).await
}

pub(super) async fn count(world: &World, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    match world.storage() {
        Storage::Sqlite(directory) => {
            let options = SqliteConnectOptions::new().filename(directory.0.join("passant.sqlite"));
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
        }
        Storage::Postgres(database) => {
            let mut connection = PgConnection::connect(database.url()).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
        }
    }
}

/// Changes a registration, as the operator would.
pub(super) async fn register_anew(world: &World, client: &Registered, change: impl FnOnce(&mut Registration)) {
    let mut registration = client.client.clone().into_registration();
    change(&mut registration);
    let origin = registration.origin;
    let secrets = client.secret.iter().map(|secret| passant::secret::TokenHash::of(secret)).collect();
    let declared = DeclaredClient { client: Client::new(registration).unwrap(), secrets };
    let done = clients::reconcile(world.db(), origin, vec![declared], world.app.now()).await.unwrap();
    assert!(matches!(done, Reconciled::Applied { updated, .. } if updated.len() == 1));
}

pub(super) async fn disable(world: &World, table: &str, id: &str) {
    assert_eq!(execute(world, &format!("UPDATE {table} SET disabled_at = 1 WHERE id = '{id}'")).await, 1);
}

/// The headers that may not tell two answers apart.
fn comparable(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = |name: &str| ["x-request-id", "set-cookie"].contains(&name);
    let mut all: Vec<(String, String)> = headers
        .iter()
        .filter(|(name, _)| !own(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    all.sort();
    all
}

/// The Set-Cookie line of a cookie.
fn set_cookie<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    lines.into_iter().find(|line| line.starts_with(&format!("{name}=")))
}

const SESSION: &str = "__Host-passant-session";
const BROWSER: &str = "__Host-passant-browser";

/// Whether a browser is signed in.
async fn signed_in(agent: &mut Agent) -> bool {
    let home = agent.get("/").await;
    assert_eq!(home.status, StatusCode::OK);
    home.body.contains("action=\"/logout\"")
}
