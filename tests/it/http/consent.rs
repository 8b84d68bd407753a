//! `GET|POST /consent`.

use passant_tests::on_both_engines;
use passant_tests::world::{Callback, Tokens};

use super::*;

/// A browser that is signed in and sees the question of this client.
async fn asked(world: &Arc<World>, client: &Registered, change: &[(&str, &str)]) -> (Agent, Answer) {
    let mut agent = world.agent();
    agent.sign_in(ADA.0, ADA.1).await;
    let answer = agent.authorize(client, change).await;
    let page = agent.follow(answer).await;
    assert_page(&page, 200);
    assert!(page.body.contains("asks for access"), "{}", page.body);
    (agent, page)
}

async fn third_party(world: &World) -> Registered {
    world.client("third", |it| (it.first_party, it.name) = (false, "Photo & <b>Print".to_owned())).await
}

on_both_engines! {
    async fn question_names_client_scopes_resource_and_duration(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (_, page) = asked(&world, &client, &[("scope", "openid profile email orders:read")]).await;
        for part in [
            "Photo", "third.example.com", "Know who you are", "See your profile", "See your e-mail address", "Read your orders",
            "the orders service", "<bdi>ada</bdi>",
        ] {
            assert!(page.body.contains(part), "{part} is missing: {}", page.body);
        }
        assert!(!page.body.contains("<b>Print") && !page.body.contains("30 days"));
        let (_, page) = asked(&world, &client, &[("scope", "openid offline_access orders:write"), ("resource", "https://other.example.com")]).await;
        for part in ["Keep access while you are away", "Change your orders", "https://other.example.com", "30 days"] {
            assert!(page.body.contains(part), "{part} is missing: {}", page.body);
        }
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.ends_with("form-action 'self' https://third.example.com"), "{policy}");
    }

    async fn question_comes_every_time_and_never_for_the_first_party(world) {
        world.user(ADA.0, ADA.1).await;
        let (third, first) = (third_party(&world).await, world.client("first", |_| {}).await);
        for _ in 0..2 {
            let (mut agent, page) = asked(&world, &third, &[]).await;
            let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
            Callback::parse(answer.location(), third.redirect_uri()).code();
            let answer = agent.authorize(&first, &[]).await;
            Callback::parse(answer.location(), first.redirect_uri()).code();
        }
    }

    async fn no_is_access_denied_and_makes_no_grant(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        let answer = agent.submit(&page, "/consent", &[("answer", "deny")]).await;
        let callback = Callback::parse(answer.location(), client.redirect_uri());
        assert_eq!((callback.get("error"), callback.get("state"), callback.get("iss")), (Some("access_denied"), Some("xyz-state"), Some(ISSUER)));
        assert_plain(callback.get("error_description").unwrap());
        assert_eq!(count(&world, "grants").await, 0);
        for answer in ["allow", "deny"] {
            assert_page(&agent.submit(&page, "/consent", &[("answer", answer)]).await, 400);
        }
        assert_eq!(count(&world, "grants").await, 0);
    }

    async fn answer_counts_once(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        assert_page(&agent.submit(&page, "/consent", &[("answer", "allow")]).await, 400);
        assert_eq!(count(&world, "grants").await, 1);
    }

    async fn answer_needs_the_sessions_token_and_comes_from_us(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        let (own, request) = (page.field("csrf").unwrap(), page.field("request").unwrap());
        let (_, others) = asked(&world, &client, &[]).await;
        let pre_login = {
            let mut copy = world.agent().with_cookies(agent.cookies());
            copy.get(&format!("/login?request={request}")).await.field("csrf").unwrap()
        };
        for csrf in ["", "x", &others.field("csrf").unwrap(), &pre_login] {
            let fields = [("csrf", csrf), ("request", &request), ("answer", "allow")];
            assert_page(&agent.post("/consent", &fields).await, 403);
        }
        let fields = [("csrf", own.as_str()), ("request", request.as_str()), ("answer", "allow")];
        for headers in [
            vec![("origin", "https://third.example.com")], vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site")],
        ] {
            assert_page(&post_with(&mut agent, "/consent", &headers, &fields).await, 403);
        }
        // A signed-out copy of the browser has no session that the token could be bound to.
        assert_page(&world.agent().post("/consent", &fields).await, 400);
        assert_eq!(count(&world, "grants").await, 0);
        let answer = post_with(&mut agent, "/consent", &[("origin", "null")], &fields).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn answer_of_another_persons_session_is_none(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        let before = agent.cookies().clone();
        let login = agent.get(&format!("/login?request={}", page.field("request").unwrap())).await;
        agent.submit(&login, "/login", &[("username", GRACE.0), ("password", GRACE.1)]).await;
        assert_page(&agent.submit(&page, "/consent", &[("answer", "allow")]).await, 403);
        let mut old = world.agent().with_cookies(&before);
        assert_page(&old.submit(&page, "/consent", &[("answer", "allow")]).await, 400);
        assert_eq!(count(&world, "grants").await, 0);
    }

    async fn form_allows_what_the_page_showed_and_no_more(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[("scope", "openid")]).await;
        let more = [("answer", "allow"), ("scope", "openid orders:write offline_access"), ("redirect_uri", "https://evil.com"), ("resource", "https://other.example.com")];
        let answer = agent.submit(&page, "/consent", &more).await;
        let code = Callback::parse(answer.location(), client.redirect_uri()).code().to_owned();
        let tokens = Tokens::of(&client.redeem(&agent, &code).await);
        assert_eq!((&tokens.0["scope"], &tokens.claims()["aud"]), (&"openid".into(), &"https://api.example.com".into()));
    }

    async fn answer_that_is_neither_yes_nor_no_changes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        for fields in [vec![], vec![("answer", "")], vec![("answer", "Allow")], vec![("answer", "allow"), ("answer", "deny")]] {
            assert_page(&agent.submit(&page, "/consent", &fields).await, 400);
        }
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn question_without_a_sign_in_leads_to_it(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[]).await;
        let handle = agent.follow(answer).await.field("request").unwrap();
        let answer = agent.get(&format!("/consent?request={handle}")).await;
        assert!(agent.follow(answer).await.body.contains("name=\"password\""));
    }
}
