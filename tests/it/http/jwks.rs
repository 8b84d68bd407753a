//! `GET /jwks.json`.

use std::time::Duration;

use axum::body::Body;
use passant::app::rotation;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;

use super::*;

async fn fetch(world: &Arc<World>, if_none_match: &str) -> Answer {
    world.agent().send(Method::GET, "/jwks.json", &[("if-none-match", if_none_match)], Body::empty()).await
}

on_both_engines! {
    async fn keys_have_public_members_and_nothing_else(world) {
        let client = world.client("robot", |_| {}).await;
        let answer = world.agent().get("/jwks.json").await;
        assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
        let set = answer.json();
        let keys = set["keys"].as_array().unwrap();
        for key in keys {
            let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
            assert_eq!((key["kty"].as_str(), key["use"].as_str(), key["alg"].as_str()), (Some("RSA"), Some("sig"), Some("RS256")));
        }
        let token = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        assert!(keys.iter().any(|key| key["kid"] == token.header()["kid"]), "the signing key is among them");
    }

    async fn unchanged_set_is_not_sent_again(world) {
        let first = world.agent().get("/jwks.json").await;
        let etag = first.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{etag} is a strong tag");
        for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let again = fetch(&world, &tag).await;
            assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
            for name in ["etag", "cache-control"] {
                assert_eq!(again.header(name), first.header(name));
            }
        }
        for tag in ["\"other\"", "", etag.trim_matches('"')] {
            let again = fetch(&world, tag).await;
            assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
        }
    }

    async fn caches_may_keep_it_as_long_as_the_schedule_allows(world) {
        assert_eq!(world.agent().get("/jwks.json").await.header("cache-control"), Some("public, max-age=300"));
        let other = Arc::new(World::with(engine(&world), |config| config.keys.jwks_max_age = Duration::from_secs(60)).await);
        assert_eq!(other.agent().get("/jwks.json").await.header("cache-control"), Some("public, max-age=60"));
    }

    async fn successor_is_published_a_day_before_it_signs_and_changes_the_tag(world) {
        let client = world.client("robot", |_| {}).await;
        let kid = async || Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await).header()["kid"].clone();
        let (before, signing) = (world.agent().get("/jwks.json").await, kid().await);
        world.advance(Duration::from_secs(29 * 24 * 60 * 60 + 1));
        rotation::plan(&world.app).await.unwrap();
        let after = fetch(&world, before.header("etag").unwrap()).await;
        assert_eq!(after.status, StatusCode::OK);
        assert_eq!(after.json()["keys"].as_array().unwrap().len(), 2);
        assert_eq!(kid().await, signing);
        world.advance(Duration::from_secs(24 * 60 * 60));
        assert_ne!(kid().await, signing);
        assert_eq!(after.json()["keys"][0]["kid"], kid().await, "the newest stands first");
    }

    async fn head_has_the_headers_and_no_body(world) {
        let got = world.agent().get("/jwks.json").await;
        let head = world.agent().send(Method::HEAD, "/jwks.json", &[], Body::empty()).await;
        assert_eq!((head.status, head.body.as_str(), head.header("etag")), (StatusCode::OK, "", got.header("etag")));
    }
}
