//! `GET /healthz` and `GET /readyz`.

use std::time::Duration;

use passant_tests::on_both_engines;
use serde_json::{Value, json};

use super::*;

on_both_engines! {
    async fn sound_replica_lives_and_is_ready(world) {
        assert_eq!(world.agent().get("/healthz").await.body, "ok\n");
        let ready = world.agent().get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        let all = ["database", "keys", "master_key", "rotation", "clock", "feed", "history"].map(|check| (check.to_owned(), json!("ok")));
        assert_eq!(ready.json(), Value::Object(all.into_iter().collect()));
    }

    async fn overdue_rotation_shows_while_the_old_key_goes_on_signing(world) {
        let client = world.client("robot", |_| {}).await;
        world.advance(Duration::from_secs(40 * 24 * 60 * 60));
        let ready = world.agent().get("/readyz").await;
        assert_eq!((ready.status, &ready.json()["rotation"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("failing")));
        assert_eq!(client.token(&world, &[("grant_type", "client_credentials")]).await.status, StatusCode::OK);
    }

    async fn replica_without_its_database_is_alive_and_not_ready(world) {
        world.db().close().await;
        assert_eq!(world.agent().get("/healthz").await.status, StatusCode::OK);
        let ready = world.agent().get("/readyz").await;
        assert_eq!((ready.status, &ready.json()["database"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("failing")));
        assert_eq!(world.agent().get("/jwks.json").await.status, StatusCode::OK, "the keys are still published");
        let login = world.agent().get("/login?request=psa_x").await;
        assert_page(&login, 503);
        let token = token_request(&world, &[], "grant_type=client_credentials&client_id=x&client_secret=y").await;
        assert_error(&token, 503, "temporarily_unavailable");
        for answer in [login, token] {
            assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        }
    }
}
