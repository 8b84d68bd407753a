//! `GET /`.

use std::time::Duration;

use passant_tests::on_both_engines;

use super::*;

on_both_engines! {
    async fn home_shows_who_is_signed_in(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        let out = agent.get("/").await;
        assert!(out.body.contains("You are not signed in") && out.body.contains("href=\"/login\""));
        assert!(out.header("set-cookie").is_none(), "nobody needs a cookie to look");
        agent.sign_in(ADA.0, ADA.1).await;
        let home = agent.get("/").await;
        assert!(home.body.contains("Ada Lovelace") && home.body.contains("ada") && home.field("csrf").is_some());
        assert_page(&home, 200);
    }

    async fn session_ends_by_idleness_and_by_age(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let hour = Duration::from_secs(60 * 60);
        world.advance(12 * hour - Duration::from_millis(1));
        assert!(signed_in(&mut agent).await, "a look keeps it awake");
        world.advance(12 * hour);
        assert!(!signed_in(&mut agent).await);

        agent.sign_in(ADA.0, ADA.1).await;
        for _ in 0..16 {
            world.advance(10 * hour);
            assert!(signed_in(&mut agent).await);
        }
        world.advance(8 * hour);
        assert!(!signed_in(&mut agent).await, "seven days are enough however much it is used");
    }

    async fn session_of_a_disabled_user_is_nobodys(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        disable(&world, "users", ada.as_str()).await;
        assert!(!signed_in(&mut agent).await);
    }

    async fn two_session_cookies_are_nobodys(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let line = format!("{SESSION}={}; {SESSION}=pss_planted", agent.cookies()[SESSION]);
        let home = world.agent().send(Method::GET, "/", &[("cookie", &line)], axum::body::Body::empty()).await;
        assert!(home.body.contains("You are not signed in"));
        let line = format!("a=b;{SESSION}={};c", agent.cookies()[SESSION]);
        let home = world.agent().send(Method::GET, "/", &[("cookie", &line)], axum::body::Body::empty()).await;
        assert!(home.body.contains("Ada Lovelace"));
    }
}
