//! Guessing is slowed down on every path that takes a secret, and nobody is locked out of their own account.

use std::net::SocketAddr;
use std::time::Duration;

use passant_tests::on_both_engines;
use tokio::task::JoinSet;

use super::*;

const WRONG: &str = "a wrong password of mine";
const SECOND: Duration = Duration::from_secs(1);

async fn fail(world: &Arc<World>, name: &str, times: usize) {
    for _ in 0..times {
        assert_eq!(world.agent().sign_in(name, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

/// What may differ between two answers is taken out.
fn shown(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let body = answer.body.replace(&answer.field("csrf").expect("the form is there again"), "");
    (answer.status, comparable(&answer.headers), body)
}

async fn throttled_entries(world: &World) -> i64 {
    count(world, "audit WHERE outcome = 'throttled'").await
}

on_both_engines! {
    async fn a_thousand_wrong_passwords_at_once_cost_five_hashes_and_the_owner_still_signs_in(world) {
        world.user(ADA.0, ADA.1).await;
        let mut owner = world.agent();
        assert_eq!(owner.sign_in(ADA.0, ADA.1).await.location(), "/");
        let page = owner.get("/").await;
        owner.submit(&page, "/logout", &[]).await;
        let mut attacker = world.agent();
        let csrf = attacker.get("/login").await.field("csrf").unwrap();
        let before = world.app.passwords.evaluated();
        let mut all = JoinSet::new();
        for _ in 0..1_000 {
            let mut agent = world.agent().with_cookies(attacker.cookies());
            let csrf = csrf.clone();
            all.spawn(async move { agent.post("/login", &[("csrf", &csrf), ("username", ADA.0), ("password", WRONG)]).await.status });
        }
        let answers = all.join_all().await;
        let number = |status| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!(number(StatusCode::UNPROCESSABLE_ENTITY), 5);
        assert_eq!(world.app.passwords.evaluated() - before, 5);
        assert_eq!(number(StatusCode::TOO_MANY_REQUESTS) + number(StatusCode::SERVICE_UNAVAILABLE), 995);
        assert!(number(StatusCode::TOO_MANY_REQUESTS) > 900, "{}", number(StatusCode::SERVICE_UNAVAILABLE));
        assert!(throttled_entries(&world).await <= 1, "told once a block");

        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.status, StatusCode::TOO_MANY_REQUESTS, "an unknown device waits");
        assert_eq!(owner.sign_in(ADA.0, ADA.1).await.location(), "/", "a device that signed in before does not");
    }

    async fn one_who_waits_reads_how_long_and_an_unknown_name_reads_the_same(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.get("/login").await;
        for name in [ADA.0, "nil", "a b"] {
            fail(&world, name, 5).await;
        }
        let answers = [agent.sign_in(ADA.0, ADA.1).await, agent.sign_in("nil", WRONG).await, agent.sign_in("a b", WRONG).await];
        for (answer, name) in answers.iter().zip([ADA.0, "nil", "a b"]) {
            assert_page(answer, 429);
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(answer.body.contains("Too many attempts. Try again in 1 second."), "{}", answer.body);
            let (status, headers, body) = shown(answer);
            let (first_status, first_headers, first_body) = shown(&answers[0]);
            assert_eq!((status, headers, body.replace(name, "")), (first_status, first_headers, first_body.replace(ADA.0, "")));
        }
        assert_eq!(throttled_entries(&world).await, 3);
        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(throttled_entries(&world).await, 3, "once a lane and block");
        world.advance(SECOND);
        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.location(), "/");
        fail(&world, ADA.0, 5).await;
    }

    async fn delay_doubles_and_is_forgotten_after_a_day(world) {
        world.user(ADA.0, ADA.1).await;
        fail(&world, ADA.0, 5).await;
        for seconds in ["1", "2", "4", "8"] {
            let answer = world.agent().sign_in(ADA.0, WRONG).await;
            assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some(seconds)));
            world.advance(SECOND * seconds.parse().unwrap());
            fail(&world, ADA.0, 1).await;
        }
        world.advance(SECOND * 86_400);
        fail(&world, ADA.0, 5).await;
    }

    async fn any_spelling_of_a_name_is_one_account(world) {
        world.user(ADA.0, ADA.1).await;
        for name in ["ada", "ADA", " ada ", "\u{ff21}da", "Ada"] {
            fail(&world, name, 1).await;
        }
        assert_eq!(world.agent().sign_in("ada", WRONG).await.status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn device_cookie_is_its_users_alone_and_lasts(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let mut graces = world.agent();
        let answer = graces.sign_in(GRACE.0, GRACE.1).await;
        let line = set_cookie(&answer, "__Host-passant-device").unwrap();
        assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=34560000"), "{line}");
        fail(&world, ADA.0, 5).await;
        let page = graces.get("/").await;
        graces.submit(&page, "/logout", &[]).await;
        assert_eq!(graces.sign_in(ADA.0, ADA.1).await.status, StatusCode::TOO_MANY_REQUESTS);
        let mut forged = graces.cookies().clone();
        forged.insert("__Host-passant-device".to_owned(), format!("psd_{}", "A".repeat(44)));
        assert_eq!(world.agent().with_cookies(&forged).sign_in(ADA.0, ADA.1).await.status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn device_is_known_until_the_users_cut_off_and_the_browser_that_changed_the_password_anew(world) {
        world.user(ADA.0, ADA.1).await;
        let (new, mut owner, mut thief) = ("a loom that weaves flowers", world.agent(), world.agent());
        for agent in [&mut thief, &mut owner] {
            assert_eq!(agent.sign_in(ADA.0, ADA.1).await.location(), "/");
        }
        let only_device = |agent: &Agent| {
            let device = agent.cookies().iter().filter(|(name, _)| name.contains("device"));
            let device = device.map(|(name, value)| (name.clone(), value.clone())).collect();
            world.agent().with_cookies(&device)
        };
        let before = only_device(&owner);
        fail(&world, ADA.0, 5).await;
        assert_eq!(only_device(&thief).sign_in(ADA.0, ADA.1).await.location(), "/");

        let csrf = owner.get("/").await.field("csrf").unwrap();
        let answer = owner.post("/account/password", &[("csrf", &csrf), ("current", ADA.1), ("new", new)]).await;
        assert!(set_cookie(&answer, "__Host-passant-device").is_some());
        for mut dead in [only_device(&thief), before] {
            assert_eq!(dead.sign_in(ADA.0, WRONG).await.status, StatusCode::TOO_MANY_REQUESTS, "the account's lane waits");
        }
        assert_eq!(only_device(&owner).sign_in(ADA.0, new).await.location(), "/");

        let csrf = owner.get("/").await.field("csrf").unwrap();
        let answer = owner.post("/account/sessions/end-others", &[("csrf", &csrf)]).await;
        assert!(set_cookie(&answer, "__Host-passant-device").is_some());
        assert_eq!(only_device(&owner).sign_in(ADA.0, new).await.location(), "/");
    }

    async fn known_device_is_slowed_down_in_its_own_lane(world) {
        world.user(ADA.0, ADA.1).await;
        let mut thief = world.agent();
        thief.sign_in(ADA.0, ADA.1).await;
        let device = thief.cookies().iter().filter(|(name, _)| name.contains("device")).map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut thief = world.agent().with_cookies(&device);
        for _ in 0..5 {
            assert_eq!(thief.sign_in(ADA.0, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(thief.sign_in(ADA.0, WRONG).await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.location(), "/", "the account's lane is another");
    }

    async fn current_password_is_guessed_no_faster_than_at_sign_in(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let csrf = agent.get("/").await.field("csrf").unwrap();
        let mut guess = async |current: &str| {
            agent.post("/account/password", &[("csrf", &csrf), ("current", current), ("new", "a loom that weaves flowers")]).await
        };
        for _ in 0..5 {
            assert_eq!(guess(WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let answer = guess(ADA.1).await;
        assert_page(&answer, 429);
        assert!(answer.header("retry-after") == Some("1") && answer.body.contains("Try again in 1 second."));
        assert_eq!(count(&world, "audit WHERE action = 'password_change' AND outcome = 'refused' AND actor_kind = 'user'").await, 5);
    }

    async fn refused_sign_in_is_told_of_with_the_user_and_never_with_an_unknown_name(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        fail(&world, ADA.0, 1).await;
        world.secrets.collect("typed name", "my-password-typed-into-the-wrong-field");
        fail(&world, "my-password-typed-into-the-wrong-field", 1).await;
        let refused = "audit WHERE action = 'sign_in' AND outcome = 'refused' AND actor_kind = 'anonymous' AND request_id IS NOT NULL";
        assert_eq!(count(&world, &format!("{refused} AND user_id = '{ada}'")).await, 1);
        assert_eq!(count(&world, &format!("{refused} AND user_id IS NULL")).await, 1);
    }

    async fn address_is_slowed_down_over_all_accounts_and_other_addresses_are_not(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 7).await);
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let from = |peer: &str| SocketAddr::new(peer.parse().unwrap(), 1);
        for number in 0..7 {
            let peer = format!("2001:db8:0:1::{number}");
            assert_eq!(sign_in_from(&world, from(&peer), &format!("name{number}"), WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(sign_in_from(&world, from("2001:db8:0:1::99"), ADA.0, ADA.1).await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(sign_in_from(&world, from("2001:db8:0:2::1"), ADA.0, ADA.1).await.location(), "/");
        assert_eq!(client.token(&world, &[("grant_type", "client_credentials")]).await.status, StatusCode::OK);
        assert_eq!(count(&world, "attempts WHERE failures = 7").await, 1, "a success takes its own count back");
    }

    async fn right_password_costs_nobody_else_behind_that_address_a_wait(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 3).await);
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let here = SocketAddr::from(([192, 0, 2, 1], 1));
        for number in 0..3 {
            assert_eq!(sign_in_from(&world, here, &format!("name{number}"), WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        world.advance(SECOND);
        for (name, password) in [ADA, GRACE, ADA] {
            assert_eq!(sign_in_from(&world, here, name, password).await.location(), "/");
        }
    }

    async fn client_that_fails_is_slowed_down_at_that_address_alone(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 3).await);
        let client = world.client("shop-web", |_| {}).await;
        let secret = client.secret.clone().unwrap();
        let (here, elsewhere) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 2], 1)));
        for id in ["shop-web", "nobody"] {
            for _ in 0..3 {
                assert_error(&token_from(&world, here, id, "wrong").await, 401, "invalid_client");
            }
            let answer = token_from(&world, here, id, "wrong").await;
            assert_error(&answer, 429, "temporarily_unavailable");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let written = count(&world, "attempts").await;
        for peer in [here, elsewhere] {
            assert_eq!(token_from(&world, peer, "shop-web", &secret).await.status, StatusCode::OK, "a right secret never waits");
        }
        assert_eq!(count(&world, "attempts").await, written, "a right secret costs no write");
        assert_error(&token_from(&world, elsewhere, "shop-web", "wrong").await, 401, "invalid_client");
        world.advance(SECOND);
        assert_error(&token_from(&world, here, "nobody", "wrong").await, 401, "invalid_client");
        assert_eq!(count(&world, "audit WHERE action = 'client_authentication' AND outcome = 'refused' AND client_id = 'shop-web'").await, 4);
    }

    async fn public_client_has_no_secret_to_guess_and_never_waits(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 3).await);
        let public = world.public_client("demo").await;
        let before = (count(&world, "attempts").await, count(&world, "audit").await);
        let posted = encoded(&[("grant_type", "authorization_code"), ("client_id", "demo"), ("client_secret", "x")]);
        for _ in 0..5 {
            assert_error(&token_request(&world, &[], &posted).await, 401, "invalid_client");
        }
        assert_error(&public.token(&world, &[("grant_type", "client_credentials")]).await, 400, "unauthorized_client");
        assert_eq!((count(&world, "attempts").await, count(&world, "audit").await), before);
    }

    async fn set_up_links_are_guessed_no_faster(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 3).await);
        let here = SocketAddr::from(([192, 0, 2, 1], 1));
        for _ in 0..3 {
            assert_page(&get_from(&world, here, "/set-up?token=pst_guess").await, 410);
        }
        let answer = get_from(&world, here, "/set-up?token=pst_guess").await;
        assert_page(&answer, 429);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }

    async fn dead_set_up_links_keep_nobody_from_signing_in(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.throttle.address_free = 3).await);
        world.user(ADA.0, ADA.1).await;
        let here = SocketAddr::from(([192, 0, 2, 1], 1));
        let dead = "/set-up?token=psu_guess";
        for _ in 0..4 {
            let answer = world.agent().coming_from("192.0.2.1").send(Method::HEAD, dead, &[], String::new().into()).await;
            assert_eq!(answer.status, StatusCode::GONE);
        }
        assert_eq!(count(&world, "attempts").await, 0, "HEAD is not counted");
        for _ in 0..3 {
            assert_page(&get_from(&world, here, dead).await, 410);
        }
        assert_page(&get_from(&world, here, dead).await, 429);
        assert_eq!(sign_in_from(&world, here, ADA.0, ADA.1).await.location(), "/", "links have a lane of their own");

        assert_eq!(execute(&world, "UPDATE users SET administrator = true").await, 1);
        let written = (count(&world, "attempts").await, count(&world, "audit").await);
        for _ in 0..5 {
            assert_page(&get_from(&world, here, dead).await, 410);
        }
        assert_eq!((count(&world, "attempts").await, count(&world, "audit").await), written, "there is nothing to find any more");
    }
}

async fn get_from(world: &Arc<World>, peer: SocketAddr, path: &str) -> Answer {
    world.agent().coming_from(&peer.ip().to_string()).get(path).await
}

async fn sign_in_from(world: &Arc<World>, peer: SocketAddr, name: &str, password: &str) -> Answer {
    world.agent().coming_from(&peer.ip().to_string()).sign_in(name, password).await
}

async fn token_from(world: &Arc<World>, peer: SocketAddr, id: &str, secret: &str) -> Answer {
    let (authorization, body) = (basic(id, secret), encoded(&[("grant_type", "client_credentials")]));
    let headers = [FORM, ("authorization", authorization.as_str())];
    world.agent().coming_from(&peer.ip().to_string()).send(Method::POST, "/token", &headers, body.into()).await
}
