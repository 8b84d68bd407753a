//! Where a session came from: the connection's word, and a trusted proxy's, and nobody else's.

use axum::body::Body;
use axum::http::Method;
use passant::domain::client_address::TrustedProxies;
use passant_tests::on_both_engines;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::*;
use passant_tests::world::Storage;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

pub(super) async fn addresses(world: &World) -> Vec<String> {
    let sql = AssertSqlSafe("SELECT address FROM sessions ORDER BY created_at, id".to_owned());
    match world.storage() {
        Storage::Sqlite(directory) => {
            let url = format!("sqlite:{}", directory.0.join("passant.sqlite").display());
            sqlx::query_scalar(sql).fetch_all(&mut SqliteConnection::connect(&url).await.unwrap()).await.unwrap()
        }
        Storage::Postgres(database) => {
            sqlx::query_scalar(sql).fetch_all(&mut PgConnection::connect(database.url()).await.unwrap()).await.unwrap()
        }
    }
}

async fn sign_in(world: &Arc<World>, peer: &str, headers: &[(&str, &str)]) {
    world.advance(Duration::from_secs(1));
    let mut agent = world.agent().coming_from(peer);
    let page = agent.get("/login").await;
    let fields = [("csrf", page.field("csrf").unwrap()), ("username", ADA.0.to_owned()), ("password", ADA.1.to_owned())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let own = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://auth.example.com")];
    let headers: Vec<(&str, &str)> = own.iter().chain(headers).copied().collect();
    let answer = agent.send(Method::POST, "/login", &headers, Body::from(body)).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
}

on_both_engines! {
    async fn session_keeps_the_address_that_a_trusted_proxy_vouches_for(world) {
        let engine = if matches!(world.storage(), Storage::Sqlite(_)) { Engine::Sqlite } else { Engine::Postgres };
        let behind = |config: &mut Config| config.http.trusted_proxies = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        let world = Arc::new(World::with(engine, behind).await);
        world.user(ADA.0, ADA.1).await;
        let forwarded = [("x-forwarded-for", "1.1.1.1, 198.51.100.7"), ("forwarded", "for=9.9.9.9")];
        sign_in(&world, "10.0.0.1", &forwarded).await;
        sign_in(&world, "203.0.113.5", &forwarded).await;
        sign_in(&world, "10.0.0.1", &[("forwarded", "for=\"[2001:db8::7]:99\"")]).await;
        sign_in(&world, "10.0.0.1", &[("x-forwarded-for", "unknown")]).await;
        assert_eq!(addresses(&world).await, ["198.51.100.7", "203.0.113.5", "2001:db8::7", "10.0.0.1"]);
    }

    async fn nobody_is_believed_where_no_proxy_is_trusted(world) {
        world.user(ADA.0, ADA.1).await;
        sign_in(&world, "127.0.0.1", &[("x-forwarded-for", "198.51.100.7"), ("x-real-ip", "198.51.100.7")]).await;
        assert_eq!(addresses(&world).await, ["127.0.0.1"]);
    }
}
