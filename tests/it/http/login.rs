//! `GET|POST /login`.

use std::time::Duration;

use axum::body::Body;
use passant::domain::client::ClientAuthentication;
use passant_tests::on_both_engines;
use passant_tests::world::{Callback, Tokens};

use super::*;

async fn attempt(agent: &mut Agent, name: &str, password: &str) -> Answer {
    agent.sign_in(name, password).await
}

fn without_csrf(answer: &Answer) -> String {
    answer.body.replace(&answer.field("csrf").expect("the form is there again"), "")
}

on_both_engines! {
    async fn right_password_signs_in_with_a_303_and_a_host_cookie(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        let page = agent.get("/login").await;
        assert_page(&page, 200);
        let line = set_cookie(&page, BROWSER).unwrap();
        assert!(line.starts_with("__Host-passant-browser=psb_") && line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
        let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        assert_eq!(answer.location(), "/");
        let line = set_cookie(&answer, SESSION).unwrap();
        let value = agent.cookies()[SESSION].clone();
        assert_eq!(line, format!("{SESSION}={value}; Path=/; HttpOnly; SameSite=Lax; Secure"));
        assert!(value.starts_with("pss_") && value.len() >= 47);
        assert_eq!(agent.get("/login").await.location(), "/", "there is nothing to do here any more");
    }

    async fn name_is_found_however_it_is_typed(world) {
        world.user(ADA.0, ADA.1).await;
        for name in ["ADA", " ada ", "\u{ff21}da"] {
            assert_eq!(attempt(&mut world.agent(), name, ADA.1).await.location(), "/", "{name}");
        }
        for password in [ADA.1.to_uppercase(), format!(" {}", ADA.1), format!("{} ", ADA.1), ADA.1[..10].to_owned()] {
            assert_eq!(attempt(&mut world.agent(), "ada", &password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
    }

    async fn unknown_user_wrong_password_and_disabled_user_look_the_same(world) {
        world.user("known", ADA.1).await;
        let gone = world.user("gone!", GRACE.1).await;
        disable(&world, "users", gone.as_str()).await;
        let mut answers = Vec::new();
        for (name, password) in [("known", "guess no. 1"), ("other", "guess no. 1"), ("gone!", GRACE.1), ("gone!", "guess no. 1"), ("known", &"x".repeat(2000))] {
            let mut agent = world.agent();
            let answer = attempt(&mut agent, name, password).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains("do not match") && set_cookie(&answer, SESSION).is_none());
            assert!(!answer.body.contains(password), "a password is never shown again");
            answers.push((without_csrf(&answer).replace(&format!("value=\"{name}\""), ""), comparable(&answer.headers)));
        }
        for answer in &answers {
            assert_eq!(answer, &answers[0]);
        }
    }

    async fn empty_fields_are_named(world) {
        for (name, password, says) in [
            ("", "", "and your password"), ("ada", "", "Enter your password"), (" ", "x", "Enter your user name."),
        ] {
            let answer = attempt(&mut world.agent(), name, password).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains(says), "{}", answer.body);
        }
        for name in ["a b", "a\u{7}b", &"x".repeat(300), "'; DROP TABLE users; --", "<script>alert(1)</script>"] {
            let answer = attempt(&mut world.agent(), name, "x").await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(!answer.body.contains("<script"));
        }
    }

    async fn form_needs_the_token_of_its_own_browser_and_comes_from_us(world) {
        world.user(ADA.0, ADA.1).await;
        let fields = |csrf: &str| vec![("csrf".to_owned(), csrf.to_owned()), ("username".to_owned(), ADA.0.to_owned()), ("password".to_owned(), ADA.1.to_owned())];
        let others = world.agent().get("/login").await.field("csrf").unwrap();
        let mut agent = world.agent();
        let own = agent.get("/login").await.field("csrf").unwrap();
        for csrf in ["", "x", &others] {
            let fields = fields(csrf);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = agent.post("/login", &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert!(answer.field("csrf").is_some(), "the person can try again at once");
        }
        let own_fields = fields(&own);
        let own_fields: Vec<(&str, &str)> = own_fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for headers in [
            vec![("origin", "https://evil.example")], vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
            vec![("origin", "null"), ("sec-fetch-site", "same-site")], vec![("sec-fetch-site", "cross-site")],
        ] {
            let answer = post_with(&mut agent, "/login", &headers, &own_fields).await;
            assert_page(&answer, 403);
            assert!(answer.header("set-cookie").is_none());
        }
        // Without the browser's cookie its token is worth nothing.
        assert_eq!(world.agent().post("/login", &own_fields).await.status, StatusCode::FORBIDDEN);
        assert_eq!(count(&world, "sessions").await, 0);
        assert_eq!(post_with(&mut agent, "/login", &[("origin", "null")], &own_fields).await.location(), "/");
    }

    async fn sign_in_brings_a_new_cookie_and_kills_the_old_one(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let mut old = world.agent().with_cookies(agent.cookies());
        world.advance(Duration::from_secs(1));
        let again = agent.tokens(&client, ADA, &[("prompt", "login")]).await;
        assert_ne!(old.cookies()[SESSION], agent.cookies()[SESSION]);
        assert!(signed_in(&mut agent).await && !signed_in(&mut old).await);
        assert_eq!(tokens.id_claims()["sid"], again.id_claims()["sid"], "it is the same session, proved anew");
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK);
        Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
    }

    async fn sign_in_of_somebody_else_ends_the_first_session(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let adas = agent.tokens(&client, ADA, &[]).await;
        let mut old = world.agent().with_cookies(agent.cookies());
        world.advance(Duration::from_secs(1));
        let graces = agent.tokens(&client, GRACE, &[("prompt", "login")]).await;
        assert!(!signed_in(&mut old).await);
        assert_ne!(adas.id_claims()["sid"], graces.id_claims()["sid"]);
        assert_ne!(adas.id_claims()["sub"], graces.id_claims()["sub"]);
        assert_error(&agent.userinfo(adas.access()).await, 401, "invalid_token");
        assert_error(&client.refresh(&agent, adas.refresh()).await, 400, "invalid_grant");
        assert_eq!(agent.userinfo(graces.access()).await.status, StatusCode::OK);
    }

    async fn waiting_request_survives_wrong_passwords_and_names_its_client(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.name = "Orders & <Co>".to_owned()).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[]).await;
        let mut page = agent.follow(answer).await;
        for _ in 0..3 {
            assert!(page.body.contains("shop-web.example.com") && !page.body.contains("<Co>"));
            page = agent.submit(&page, "/login", &[("username", ADA.0), ("password", "wrong")]).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = agent.follow(answer).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn form_may_lead_to_the_waiting_client_and_nowhere_else(world) {
        let client = world.client("shop-web", |_| {}).await;
        let native = world.client("native", |it| {
            it.authentication = ClientAuthentication::None;
            it.grant_types = ["authorization_code".parse().unwrap()].into();
            it.redirect_uris = vec!["com.example.app:/cb".parse().unwrap()];
        }).await;
        let policy = |answer: &Answer| answer.header("content-security-policy").unwrap().to_owned();
        let mut agent = world.agent();
        assert!(policy(&agent.get("/login").await).ends_with("form-action 'self'"));
        let answer = agent.authorize(&client, &[]).await;
        assert!(policy(&agent.follow(answer).await).ends_with("form-action 'self' https://shop-web.example.com"));
        let answer = agent.authorize(&native, &[]).await;
        let page = agent.follow(answer).await;
        assert!(policy(&page).ends_with("form-action 'self' com.example.app:"));
        let wrong = agent.submit(&page, "/login", &[("username", "x"), ("password", "y")]).await;
        assert!(policy(&wrong).ends_with("form-action 'self' com.example.app:"));
    }

    async fn past_the_gates_queue_the_answer_is_503_with_retry_after(world) {
        let busy = Arc::new(World::with(engine(&world), |config| (config.passwords.permits, config.passwords.queue) = (0, 0)).await);
        let answer = attempt(&mut busy.agent(), "ada", "some password").await;
        assert_page(&answer, 503);
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert!(answer.field("csrf").is_some() && answer.body.contains("5 seconds"), "{}", answer.body);
        let client = busy.client("robot", |_| {}).await;
        assert_eq!(client.token(&busy, &[("grant_type", "client_credentials")]).await.status, StatusCode::OK, "tokens go on");
    }

    async fn body_that_is_no_form_of_ours_gets_a_page(world) {
        let mut agent = world.agent();
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
            assert_page(&agent.send(Method::POST, "/login", &[("content-type", kind)], Body::from("csrf=x")).await, 400);
        }
        for body in ["csrf=a&csrf=b", "username=%ff"] {
            assert_page(&agent.send(Method::POST, "/login", &[FORM], Body::from(body)).await, 400);
        }
        assert_page(&agent.send(Method::POST, "/login", &[FORM], Body::from("x".repeat((64 << 10) + 1))).await, 413);
        assert_page(&agent.get("/login?request=a&request=b").await, 400);
    }

    async fn form_that_was_open_too_long_keeps_the_request_of_its_own_browser(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[]).await;
        let page = agent.follow(answer).await;
        let handle = page.field("request").unwrap();
        let expired = [("csrf", "of another key"), ("request", handle.as_str()), ("username", ADA.0), ("password", ADA.1)];
        let again = agent.post("/login", &expired).await;
        assert_page(&again, 403);
        assert!(again.body.contains("open too long") && again.body.contains("shop-web.example.com"));
        let mut other = world.agent();
        other.get("/login").await;
        let others = other.post("/login", &expired).await;
        assert!(others.field("request").is_none() && !others.body.contains("shop-web"), "another browser's stays unknown");
        let answer = agent.submit(&again, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = agent.follow(answer).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }
}
