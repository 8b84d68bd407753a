//! The signed-in page and its forms under `/account`.

use std::time::Duration;

use passant::app::checkpoint::Checkpoint;
use passant::domain::password::{Cost, Password, PasswordHash, Workspace};
use passant::domain::session::WhenFull;
use passant::store::users;
use passant_tests::on_both_engines;
use passant_tests::world::{Callback, Tokens, authorize_path};

use super::*;

const NEW: &str = "a loom that weaves flowers";
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn signed_in_agent(world: &Arc<World>) -> Agent {
    let mut agent = world.agent();
    assert_eq!(agent.sign_in(ADA.0, ADA.1).await.location(), "/");
    agent
}

/// Sends a form of the page at `/`.
async fn press(agent: &mut Agent, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = agent.get("/").await;
    let csrf = page.field("csrf").unwrap_or_default();
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    agent.post(path, &fields).await
}

async fn change(agent: &mut Agent, current: &str, new: &str) -> Answer {
    agent.world().secrets.collect("password", new);
    press(agent, "/account/password", &[("current", current), ("new", new)]).await
}

/// The session ids that the page would end.
fn others(page: &Answer) -> Vec<String> {
    let ends = page.body.split("name=\"session\" value=\"").skip(1);
    ends.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Not to be seen by those who sign in, but by those who set it up: a hash at the world's cost.
fn hashed(password: &str) -> PasswordHash {
    let cost = Cost { memory_kib: 8, iterations: 2, parallelism: 1 };
    PasswordHash::compute(&Password::typed(password).unwrap(), cost, &mut Workspace::default()).unwrap()
}

async fn refreshes(agent: &Agent, client: &Registered, tokens: &Tokens) -> bool {
    client.refresh(agent, tokens.refresh()).await.status == StatusCode::OK
}

const FORMS: [&str; 5] = [
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/sessions/end-all",
    "/account/applications/withdraw",
    "/account/password",
];

on_both_engines! {
    async fn page_shows_who_i_am_and_where_and_ends_one_session(world) {
        world.user(ADA.0, ADA.1).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let page = here.get("/").await;
        assert_page(&page, 200);
        assert!(page.body.contains("Ada Lovelace") && page.body.contains("ada@example.com") && page.body.contains("this browser"));
        let [other] = &others(&page)[..] else { panic!("one other session: {}", page.body) };
        let answer = press(&mut here, "/account/sessions/end", &[("session", other)]).await;
        assert_eq!(answer.location(), "/");
        assert!(signed_in(&mut here).await && !signed_in(&mut there).await);
        assert!(others(&here.get("/").await).is_empty());
    }

    async fn confirmation_is_said_once_and_no_link_or_other_browser_can_say_it(world) {
        world.user(ADA.0, ADA.1).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        press(&mut here, "/account/sessions/end-others", &[]).await;
        let taken = here.cookies()["__Host-passant-said"].clone();
        assert!(here.get("/").await.body.contains("You are signed out everywhere else. Services learn of it within a second."));
        assert!(!here.get("/").await.body.contains("You are signed out everywhere else."));
        for said in [taken.as_str(), "psf_password", "psf_password.AAAAAAAAAAAAAAAAAAAAAA"] {
            let mut cookies = there.cookies().clone();
            cookies.insert("__Host-passant-said".to_owned(), said.to_owned());
            there = world.agent().with_cookies(&cookies);
            assert!(!there.get("/?done=password").await.body.contains("role=\"status\""), "{said}");
        }
    }

    async fn nothing_of_another_user_can_be_reached(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut ada = signed_in_agent(&world).await;
        let adas = ada.tokens(&client, ADA, &[]).await;
        let session = adas.id_claims()["sid"].as_str().unwrap().to_owned();
        let mut grace = world.agent();
        grace.sign_in(GRACE.0, GRACE.1).await;
        assert_eq!(press(&mut grace, "/account/sessions/end", &[("session", &session)]).await.location(), "/");
        assert_eq!(press(&mut grace, "/account/applications/withdraw", &[("client", client.id())]).await.location(), "/");
        assert!(signed_in(&mut ada).await && refreshes(&ada, &client, &adas).await);
        assert_eq!(count(&world, "consents").await, 0, "nothing is withdrawn that was never allowed");
    }

    async fn forms_need_a_session_its_own_token_and_our_own_page(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = signed_in_agent(&world).await;
        let foreign = signed_in_agent(&world).await.get("/").await.field("csrf").unwrap();
        let own = agent.get("/").await.field("csrf").unwrap();
        for path in FORMS {
            assert_page(&agent.post(path, &[("csrf", &foreign)]).await, 403);
            assert_page(&agent.post(path, &[]).await, 403);
            assert_page(&post_with(&mut agent, path, &[("origin", "https://evil.example")], &[("csrf", &own)]).await, 403);
            assert_page(&world.agent().post(path, &[("csrf", &own)]).await, 409);
        }
        assert!(signed_in(&mut agent).await);
        assert_eq!(world.agent().get("/account/password").await.location(), "/login");
    }

    async fn ending_all_others_keeps_this_browsers_applications_and_kills_the_rest_at_once(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let (kept, lost) = (here.tokens(&client, ADA, &[]).await, there.tokens(&client, ADA, &[]).await);
        let offline = here.tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        assert_eq!(press(&mut here, "/account/sessions/end-others", &[]).await.location(), "/");
        assert!(signed_in(&mut here).await && !signed_in(&mut there).await);
        for dead in [&kept, &lost, &offline] {
            assert_error(&here.userinfo(dead.access()).await, 401, "invalid_token");
        }
        let again = Tokens::of(&client.refresh(&here, kept.refresh()).await);
        assert_eq!(here.userinfo(again.access()).await.status, StatusCode::OK, "its applications refresh once and go on");
        assert!(!refreshes(&here, &client, &lost).await && !refreshes(&here, &client, &offline).await);
    }

    async fn code_of_this_browser_survives_ending_all_others_and_another_browsers_does_not(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let (mine, theirs) = (here.callback(&client, ADA, &[]).await, there.callback(&client, ADA, &[]).await);
        press(&mut here, "/account/sessions/end-others", &[]).await;
        let tokens = Tokens::of(&client.redeem(&here, mine.code()).await);
        assert_eq!(here.userinfo(tokens.access()).await.status, StatusCode::OK);
        assert_error(&client.redeem(&here, theirs.code()).await, 400, "invalid_grant");
    }

    async fn logging_out_everywhere_leaves_nothing_and_takes_the_cookie(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let offline = here.tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        let answer = press(&mut here, "/account/sessions/end-all", &[]).await;
        assert!(set_cookie(&answer, SESSION).unwrap().contains("Max-Age=0"));
        assert!(here.get("/").await.body.contains("You are signed out everywhere."));
        assert!(!signed_in(&mut here).await && !signed_in(&mut there).await);
        assert!(!refreshes(&here, &client, &offline).await);
        assert_error(&here.userinfo(offline.access()).await, 401, "invalid_token");
    }

    async fn programs_are_told_the_tick_where_something_was_cut_off_and_nothing_where_it_was_not(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let json = [("origin", ISSUER), ("accept", "application/json")];
        let mut here = signed_in_agent(&world).await;
        here.tokens(&client, ADA, &[]).await;
        let csrf = here.get("/").await.field("csrf").unwrap();
        for (path, field, tells) in [
            ("/account/sessions/end", ("session", "unknown"), false),
            ("/account/applications/withdraw", ("client", "unknown"), false),
            ("/account/applications/withdraw", ("client", "shop-web"), true),
            ("/account/sessions/end-others", ("", ""), true),
            ("/account/sessions/end-all", ("", ""), true),
        ] {
            let answer = post_with(&mut here, path, &json, &[field, ("csrf", &csrf)]).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")), "{path}");
            assert!(set_cookie(&answer, "__Host-passant-said").is_none(), "no page is to say it");
            match tells {
                true => assert!(answer.json()["tick"].is_i64() && answer.json()["effective_within"] == 1, "{path}: {}", answer.body),
                false => assert_eq!(answer.body, "{}", "{path}"),
            }
        }
        assert!(!signed_in(&mut here).await, "everything has ended, and the cookie is gone");
        assert_error(&post_with(&mut here, "/account/sessions/end-all", &json, &[("csrf", &csrf)]).await, 409, "login_required");

        let mut here = signed_in_agent(&world).await;
        let evil = [("origin", "https://evil.example"), ("accept", "application/json")];
        assert_error(&post_with(&mut here, "/account/sessions/end-all", &evil, &[("csrf", &csrf)]).await, 403, "access_denied");
        let csrf = here.get("/").await.field("csrf").unwrap();
        let wrong = [("csrf", csrf.as_str()), ("current", "a guess of mine"), ("new", NEW)];
        assert_error(&post_with(&mut here, "/account/password", &json, &wrong).await, 422, "invalid_request");
        world.secrets.collect("password", NEW);
        let right = [("csrf", csrf.as_str()), ("current", ADA.1), ("new", NEW)];
        let answer = post_with(&mut here, "/account/password", &json, &right).await;
        assert!(answer.json()["tick"].is_i64() && signed_in(&mut here).await, "{}", answer.body);
    }

    async fn applications_are_listed_in_words_and_withdrawn(world) {
        world.user(ADA.0, ADA.1).await;
        let shop = world.client("shop-web", |it| it.name = "The <shop>".to_owned()).await;
        let other = world.client("other", |_| {}).await;
        let mut agent = signed_in_agent(&world).await;
        assert!(agent.get("/").await.body.contains("No application may do anything"));
        let tokens = agent.tokens(&shop, ADA, &[("scope", "openid profile email offline_access orders:read")]).await;
        let others_tokens = agent.tokens(&other, ADA, &[]).await;
        let page = agent.get("/").await;
        for words in ["The &#60;shop&#62;", "Who you are, your name, your e-mail address, read your orders", "also while you are away", "15 January 2027"] {
            assert!(page.body.contains(words), "{words}: {}", page.body);
        }
        assert_eq!(press(&mut agent, "/account/applications/withdraw", &[("client", "shop-web")]).await.location(), "/");
        assert!(!agent.get("/").await.body.contains("The &#60;shop&#62;"));
        assert!(!refreshes(&agent, &shop, &tokens).await && refreshes(&agent, &other, &others_tokens).await);
        assert_error(&agent.userinfo(tokens.access()).await, 401, "invalid_token");
    }

    async fn changed_password_signs_in_alone_and_ends_everything_but_this_browser(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let (mut here, mut there) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let tokens = here.tokens(&client, ADA, &[]).await;
        let mut old = world.agent().with_cookies(here.cookies());
        assert_page(&here.get("/account/password").await, 200);
        assert_eq!(change(&mut here, ADA.1, NEW).await.location(), "/");
        assert!(here.get("/").await.body.contains("Your password is changed"));
        assert!(signed_in(&mut here).await && !signed_in(&mut there).await && !signed_in(&mut old).await);
        assert!(!refreshes(&here, &client, &tokens).await);
        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(world.agent().sign_in(ADA.0, NEW).await.location(), "/");
        Callback::parse(here.get(&authorize_path(&client, &[])).await.location(), client.redirect_uri()).code();
    }

    async fn password_is_not_changed_without_the_current_one_or_to_a_poor_one(world) {
        world.user(ADA.0, ADA.1).await;
        let mut agent = signed_in_agent(&world).await;
        for (current, new, says) in [
            ("", NEW, "Enter your current password."),
            ("a guess of mine", NEW, "This is not your current password."),
            (ADA.1, "short", "at least 15 characters"),
            (ADA.1, "", "at least 15 characters"),
            (ADA.1, &"x".repeat(1025), "longer than we can take"),
            (ADA.1, ADA.1, "This is the password you have."),
        ] {
            let answer = press(&mut agent, "/account/password", &[("current", current), ("new", new)]).await;
            assert_page(&answer, 422);
            assert!(answer.body.contains(says) && !answer.body.contains(NEW), "{says}: {}", answer.body);
        }
        assert!(signed_in(&mut agent).await);
        assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.location(), "/");
    }

    async fn password_change_that_was_judged_before_everything_ended_is_answered_sign_in_again(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        for how in ["log out everywhere", "operator", "disable"] {
            let mut here = signed_in_agent(&world).await;
            let mut there = signed_in_agent(&world).await;
            let mut hold = world.held.next(Checkpoint::AccountChangeJudged);
            let changing = tokio::spawn(async move {
                let answer = change(&mut here, ADA.1, NEW).await;
                (here, answer)
            });
            hold.arrived().await;
            match how {
                "operator" => drop(users::set_password(world.db(), ada.clone(), hashed(ADA.1), world.app.now()).await.unwrap()),
                "disable" => disable(&world, "users", ada.as_str()).await,
                _ => drop(press(&mut there, "/account/sessions/end-all", &[]).await),
            }
            hold.release();
            let (mut here, answer) = changing.await.unwrap();
            assert_page(&answer, 409);
            assert!(answer.header("set-cookie").is_none() && !signed_in(&mut here).await, "{how}");
            execute(&world, "UPDATE users SET disabled_at = NULL").await;
            assert_eq!(world.agent().sign_in(ADA.0, ADA.1).await.location(), "/", "{how}: the old password stays");
        }
    }

    async fn of_two_password_changes_at_once_one_wins(world) {
        world.user(ADA.0, ADA.1).await;
        let (mut one, mut other) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        let mut hold = world.held.next(Checkpoint::AccountChangeJudged);
        let late = tokio::spawn(async move {
            let answer = change(&mut one, ADA.1, "the one that comes too late").await;
            (one, answer)
        });
        hold.arrived().await;
        assert_eq!(change(&mut other, ADA.1, NEW).await.location(), "/");
        hold.release();
        let (mut one, answer) = late.await.unwrap();
        assert_page(&answer, 409);
        assert!(!signed_in(&mut one).await && signed_in(&mut other).await);
        assert_eq!(world.agent().sign_in(ADA.0, NEW).await.location(), "/");
    }

    async fn ending_all_others_never_brings_back_what_ended_while_it_was_judged(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for withdraw in [true, false] {
            let mut here = signed_in_agent(&world).await;
            let tokens = here.tokens(&client, ADA, &[]).await;
            let session = tokens.id_claims()["sid"].as_str().unwrap().to_owned();
            let mut there = signed_in_agent(&world).await;
            let mut hold = world.held.next(Checkpoint::AccountChangeJudged);
            let ending = tokio::spawn(async move {
                let answer = press(&mut here, "/account/sessions/end-others", &[]).await;
                (here, answer)
            });
            hold.arrived().await;
            match withdraw {
                true => press(&mut there, "/account/applications/withdraw", &[("client", client.id())]).await,
                false => press(&mut there, "/account/sessions/end", &[("session", &session)]).await,
            };
            hold.release();
            let (mut here, answer) = ending.await.unwrap();
            assert_eq!((answer.status == StatusCode::SEE_OTHER, signed_in(&mut here).await), (withdraw, withdraw));
            assert!(!refreshes(&here, &client, &tokens).await);
        }
    }

    async fn oldest_session_makes_room_where_the_policy_says_so(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.sessions.most = 2).await);
        world.user(ADA.0, ADA.1).await;
        let mut first = signed_in_agent(&world).await;
        world.advance(HOUR);
        let (mut second, mut third) = (signed_in_agent(&world).await, signed_in_agent(&world).await);
        assert!(!signed_in(&mut first).await && signed_in(&mut second).await && signed_in(&mut third).await);
    }

    async fn sign_in_into_a_full_house_says_what_to_do_and_lists_nothing(world) {
        let world = Arc::new(World::with(engine(&world), |config| {
            (config.sessions.most, config.sessions.when_full) = (1, WhenFull::Deny);
        }).await);
        world.user(ADA.0, ADA.1).await;
        let mut first = signed_in_agent(&world).await;
        let answer = world.agent().sign_in(ADA.0, ADA.1).await;
        assert_page(&answer, 403);
        assert!(answer.body.contains("Sign out in a browser") && set_cookie(&answer, SESSION).is_none());
        assert!(signed_in(&mut first).await);
        let client = world.client("shop-web", |_| {}).await;
        first.tokens(&client, ADA, &[("prompt", "login")]).await;
        assert!(signed_in(&mut first).await, "the same browser goes on");
    }
}
