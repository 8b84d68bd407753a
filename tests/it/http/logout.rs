//! `POST /logout`.

use axum::body::Body;
use passant_tests::on_both_engines;

use super::*;

on_both_engines! {
    async fn logout_ends_the_session_and_takes_the_cookie(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let mut copy = world.agent().with_cookies(agent.cookies());
        let home = agent.get("/").await;
        let answer = agent.submit(&home, "/logout", &[]).await;
        assert_page(&answer, 200);
        assert!(answer.body.contains("signed out"));
        let cleared = format!("{SESSION}=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
        assert_eq!(set_cookie(&answer, SESSION), Some(cleared.as_str()));
        assert!(!signed_in(&mut agent).await && !signed_in(&mut copy).await);
        let again = agent.submit(&home, "/logout", &[]).await;
        assert_page(&again, 200);
    }

    async fn programs_are_told_the_tick_once(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let csrf = agent.get("/").await.field("csrf").unwrap();
        let json = [("origin", ISSUER), ("accept", "application/json")];
        let answer = post_with(&mut agent, "/logout", &json, &[("csrf", &csrf)]).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
        assert!(answer.json()["tick"].is_i64() && answer.json()["effective_within"] == 1);
        assert!(set_cookie(&answer, SESSION).unwrap().contains("Max-Age=0") && !signed_in(&mut agent).await);
        assert_eq!(post_with(&mut agent, "/logout", &json, &[("csrf", &csrf)]).await.body, "{}");
    }

    async fn only_the_sessions_own_form_ends_it(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let (mut agent, mut other) = (world.agent(), world.agent());
        agent.sign_in(ADA.0, ADA.1).await;
        other.sign_in(GRACE.0, GRACE.1).await;
        let others = other.get("/").await.field("csrf").unwrap();
        let pre_login = world.agent().get("/login").await.field("csrf").unwrap();
        for csrf in ["", "x", &others, &pre_login] {
            assert_page(&agent.post("/logout", &[("csrf", csrf)]).await, 403);
        }
        let own = agent.get("/").await.field("csrf").unwrap();
        for (origin, site) in [
            ("https://evil.example", "same-origin"), ("http://auth.example.com", "same-origin"), ("null", "cross-site"),
            ("null", "same-site"), ("https://auth.example.com.evil.example", "none"), ("", "same-origin"),
        ] {
            let headers = [("origin", origin), ("sec-fetch-site", site)];
            assert_page(&post_with(&mut agent, "/logout", &headers, &[("csrf", &own)]).await, 403);
        }
        assert_page(&post_with(&mut agent, "/logout", &[("sec-fetch-site", "cross-site")], &[("csrf", &own)]).await, 403);
        assert!(signed_in(&mut agent).await && signed_in(&mut other).await);
    }

    async fn own_form_is_taken_with_whatever_a_browser_says_truly(world) {
        world.user(ADA.0, ADA.1).await;
        for headers in [
            vec![], vec![("origin", ISSUER)], vec![("origin", "null")], vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
            vec![("sec-fetch-site", "none")],
        ] {
            let mut agent = world.agent();
            agent.sign_in(ADA.0, ADA.1).await;
            let csrf = agent.get("/").await.field("csrf").unwrap();
            assert_page(&post_with(&mut agent, "/logout", &headers, &[("csrf", &csrf)]).await, 200);
            assert!(!signed_in(&mut agent).await);
        }
    }

    async fn form_of_another_site_takes_no_cookie_away(world) {
        // SameSite=Lax keeps our cookie from that request, but the browser would obey a Set-Cookie in its answer.
        for headers in [
            vec![("origin", "https://evil.example")],
            vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
            vec![("origin", "null")],
            vec![],
        ] {
            let answer = post_with(&mut world.agent(), "/logout", &headers, &[("csrf", "x")]).await;
            assert!(answer.header("set-cookie").is_none(), "{headers:?}");
        }
    }

    async fn logout_by_get_is_a_page_that_says_so(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.send(Method::GET, "/logout", &[], Body::empty()).await;
        assert_page(&answer, 405);
        assert_eq!(answer.header("allow"), Some("POST"));
        assert!(signed_in(&mut agent).await);
    }
}
