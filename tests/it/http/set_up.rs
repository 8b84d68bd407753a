//! `GET|POST /set-up`: the first administrator.

use std::time::Duration;

use passant::app::checkpoint::Checkpoint;
use passant::domain::ids::UserId;
use passant::domain::password::Password;
use passant::secret::OpaqueToken;
use passant::store::{set_up_tokens, users};
use passant_tests::on_both_engines;

use super::*;

/// What a start prints while there is no administrator.
pub(super) async fn link(world: &World) -> String {
    let token = OpaqueToken::random("psu_");
    world.secrets.collect("set-up token", token.expose());
    let tick = {
        let mut reader = world.db().reader().await.unwrap();
        set_up_tokens::needed(&mut reader.conn()).await.unwrap().expect("there is no administrator")
    };
    let expires_at = world.app.now() + Duration::from_secs(15 * 60);
    set_up_tokens::create(world.db(), token.hash(), tick, expires_at).await.unwrap();
    format!("/set-up?token={}", token.expose())
}

const GOOD: [(&str, &str); 4] =
    [("username", "Ada"), ("name", "Ada Lovelace"), ("email", "ada@example.com"), ("password", "an engine that weaves algebra")];

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    GOOD.iter().map(|field| if field.0 == name { (name, value) } else { *field }).collect()
}

on_both_engines! {
    async fn link_makes_the_first_administrator_and_signs_them_in(world) {
        world.secrets.collect("password", ADA.1);
        let link = link(&world).await;
        let mut agent = world.agent();
        let page = agent.get(&link).await;
        assert_page(&page, 200);
        let answer = agent.submit(&page, "/set-up", &GOOD).await;
        assert_eq!(answer.location(), "/");
        assert!(set_cookie(&answer, SESSION).unwrap().ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
        assert!(agent.get("/").await.body.contains("Ada Lovelace"));
        assert_eq!(execute(&world, "UPDATE users SET email_verified = email_verified WHERE administrator AND NOT email_verified").await, 1);
        let mut other = world.agent();
        assert_eq!(other.sign_in(ADA.0, ADA.1).await.location(), "/");
        assert_page(&world.agent().get(&link).await, 410);
        assert_page(&agent.submit(&page, "/set-up", &with("username", "eve")).await, 410);
        assert_eq!(count(&world, "users").await, 1);
    }

    async fn there_is_no_default_account_and_no_way_without_a_link(world) {
        assert_eq!(count(&world, "users").await, 0);
        let long = format!("/set-up?token={}", "x".repeat(100));
        for path in ["/set-up", "/set-up?token=", "/set-up?token=psu_guess", &long] {
            assert_page(&world.agent().get(path).await, 410);
        }
        for (name, password) in [("admin", "admin"), ("root", "root"), ("administrator", "password")] {
            assert_eq!(world.agent().sign_in(name, password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
    }

    async fn link_works_for_fifteen_minutes(world) {
        let link = link(&world).await;
        let mut agent = world.agent();
        let page = agent.get(&link).await;
        world.advance(Duration::from_millis(15 * 60 * 1000 - 1));
        assert_page(&world.agent().get(&link).await, 200);
        world.advance(Duration::from_millis(1));
        assert_page(&world.agent().get(&link).await, 410);
        assert_page(&agent.submit(&page, "/set-up", &GOOD).await, 410);
        assert_eq!(count(&world, "users").await, 0);
    }

    async fn every_link_dies_with_the_first_administrator(world) {
        let (first, second) = (link(&world).await, link(&world).await);
        let mut agent = world.agent();
        let page = agent.get(&first).await;
        assert_eq!(agent.submit(&page, "/set-up", &GOOD).await.location(), "/");
        assert_page(&world.agent().get(&second).await, 410);
    }

    async fn mistakes_are_named_and_leave_the_link_alive(world) {
        world.user("taken", GRACE.1).await;
        let link = link(&world).await;
        let mut agent = world.agent();
        let page = agent.get(&link).await;
        let long = "x".repeat(2000);
        for (name, value, says) in [
            ("username", "", "Enter a user name."), ("username", "a b", "has no spaces"), ("username", "TAKEN", "Somebody has this"),
            ("name", " ", "Enter a name."), ("email", "nonsense", "Enter an e-mail address"), ("password", "short", "at least 15"),
            ("password", "fourteen chars", "at least 15"), ("password", &long, "longer than we can take"),
        ] {
            let answer = agent.submit(&page, "/set-up", &with(name, value)).await;
            assert_page(&answer, 422);
            assert!(answer.body.contains(says), "{name}={value}: {}", answer.body);
            assert!(!answer.body.contains(ADA.1), "a password is never shown again");
        }
        let answer = agent.submit(&page, "/set-up", &[]).await;
        assert!(answer.body.contains("3 things need another look"));
        assert_eq!(agent.submit(&page, "/set-up", &with("email", "")).await.location(), "/");
    }

    async fn form_is_checked_like_every_other(world) {
        let link = link(&world).await;
        let mut agent = world.agent();
        let page = agent.get(&link).await;
        let (csrf, token) = (page.field("csrf").unwrap(), page.field("token").unwrap());
        let others = world.agent().get(&link).await.field("csrf").unwrap();
        let all = |csrf: &str| -> Vec<(String, String)> {
            let hidden = [("csrf", csrf), ("token", token.as_str())];
            hidden.into_iter().chain(GOOD).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        fn lent(fields: &[(String, String)]) -> Vec<(&str, &str)> {
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        for forged in ["", "x", &others] {
            assert_page(&agent.post("/set-up", &lent(&all(forged))).await, 403);
        }
        let cross = [("origin", "https://evil.example")];
        assert_page(&post_with(&mut agent, "/set-up", &cross, &lent(&all(&csrf))).await, 403);
        assert_page(&post_with(&mut agent, "/set-up", &[("origin", "null"), ("sec-fetch-site", "cross-site")], &lent(&all(&csrf))).await, 403);
        assert_eq!(count(&world, "users").await, 0);
    }

    async fn session_that_was_in_the_browser_ends(world) {
        world.user(GRACE.0, GRACE.1).await;
        let link = link(&world).await;
        let mut agent = world.agent();
        agent.sign_in(GRACE.0, GRACE.1).await;
        let mut old = world.agent().with_cookies(agent.cookies());
        let page = agent.get(&link).await;
        assert_eq!(agent.submit(&page, "/set-up", &GOOD).await.location(), "/");
        assert!(agent.get("/").await.body.contains("Ada Lovelace"));
        assert!(!signed_in(&mut old).await);
    }

    async fn past_the_gates_queue_the_answer_is_503_and_the_link_lives(world) {
        let busy = Arc::new(World::with(engine(&world), |config| (config.passwords.permits, config.passwords.queue) = (0, 0)).await);
        let link = link(&busy).await;
        let mut agent = busy.agent();
        let page = agent.get(&link).await;
        let answer = agent.submit(&page, "/set-up", &GOOD).await;
        assert_page(&answer, 503);
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert_page(&agent.get(&link).await, 200);
    }

    async fn session_of_a_link_does_not_begin_where_the_password_was_replaced_before_it(world) {
        let link = link(&world).await;
        let mut agent = world.agent();
        let page = agent.get(&link).await;
        let mut hold = world.held.next(Checkpoint::LinkSpent);
        let setting_up = tokio::spawn(async move {
            let answer = agent.submit(&page, "/set-up", &GOOD).await;
            (agent, answer)
        });
        hold.arrived().await;
        world.secrets.collect("password", GRACE.1);
        let (ada,) = world.rows::<(String,)>("SELECT id FROM users").await.remove(0);
        let another = world.app.passwords.hash(Password::typed(GRACE.1).unwrap()).await.unwrap();
        users::set_password(world.db(), UserId::new(ada), another, world.app.now()).await.unwrap().unwrap();
        hold.release();
        let (mut agent, answer) = setting_up.await.unwrap();
        assert_eq!(answer.location(), "/login");
        assert!(set_cookie(&answer, SESSION).is_none() && !signed_in(&mut agent).await);
        assert_eq!(agent.sign_in(ADA.0, GRACE.1).await.location(), "/");
    }
}
