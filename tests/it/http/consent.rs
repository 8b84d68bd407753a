//! `GET|POST /consent`.

use passant::domain::client::{ClientAuthentication, GrantType};
use passant::store::consents;
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

/// Lets the user allow what the client asks for.
async fn allow(world: &Arc<World>, client: &Registered, change: &[(&str, &str)]) {
    let (mut agent, page) = asked(world, client, change).await;
    let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
    Callback::parse(answer.location(), client.redirect_uri()).code();
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

    async fn i18_a_public_client_is_asked_about_every_time_and_the_first_party_never(world) {
        world.user(ADA.0, ADA.1).await;
        let public = |it: &mut Registration| {
            it.authentication = ClientAuthentication::None;
            it.grant_types.remove(&GrantType::ClientCredentials);
        };
        let third = world.client("spa", |it| (public(it), it.first_party = false).1).await;
        let (first, own_spa) = (world.client("first", |_| {}).await, world.client("own-spa", public).await);
        for _ in 0..2 {
            let (mut agent, page) = asked(&world, &third, &[]).await;
            let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
            Callback::parse(answer.location(), third.redirect_uri()).code();
            let silent = agent.authorize(&third, &[("prompt", "none")]).await;
            assert_eq!(Callback::parse(silent.location(), third.redirect_uri()).get("error"), Some("consent_required"));
            for client in [&first, &own_spa] {
                let answer = agent.authorize(client, &[]).await;
                Callback::parse(answer.location(), client.redirect_uri()).code();
            }
        }
        assert_eq!(count(&world, "consents").await, 0);
    }

    async fn an_answer_is_remembered_for_a_confidential_client_across_sessions(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let (client, other) = (third_party(&world).await, world.client("other", |it| it.first_party = false).await);
        allow(&world, &client, &[]).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        for change in [&[][..], &[("prompt", "none")], &[("scope", "openid")], &[("resource", "https://api.example.com")]] {
            let answer = agent.authorize(&client, change).await;
            let code = Callback::parse(answer.location(), client.redirect_uri()).code().to_owned();
            Tokens::of(&client.redeem(&agent, &code).await);
        }
        asked(&world, &other, &[]).await;
        let mut grace = world.agent();
        grace.sign_in(GRACE.0, GRACE.1).await;
        let answer = grace.authorize(&client, &[]).await;
        assert!(grace.follow(answer).await.body.contains("asks for access"), "another user's answer is not hers");
    }

    async fn i18_more_than_was_allowed_asks_again_and_the_page_shows_everything(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        allow(&world, &client, &[("scope", "openid profile")]).await;
        for change in [&[("scope", "openid profile email")][..], &[("scope", "openid"), ("resource", "https://other.example.com")]] {
            let (mut agent, page) = asked(&world, &client, change).await;
            assert!(page.body.contains("Know who you are"));
            assert_eq!(page.body.contains("See your profile"), change.len() == 1);
            let silent: Vec<(&str, &str)> = change.iter().copied().chain([("prompt", "none")]).collect();
            let answer = agent.authorize(&client, &silent).await;
            assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some("consent_required"));
        }
        allow(&world, &client, &[("scope", "openid email")]).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[("scope", "openid profile email"), ("prompt", "none")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn prompt_consent_asks_although_it_is_remembered(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        for _ in 0..2 {
            allow(&world, &client, &[("prompt", "consent")]).await;
        }
    }

    async fn a_no_is_not_remembered_and_takes_no_yes_back(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        agent.submit(&page, "/consent", &[("answer", "deny")]).await;
        allow(&world, &client, &[]).await;
        let (mut agent, page) = asked(&world, &client, &[("prompt", "consent")]).await;
        agent.submit(&page, "/consent", &[("answer", "deny")]).await;
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn i39_what_was_withdrawn_is_asked_again_and_its_tokens_are_dead(world) {
        let user = world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let tokens = world.agent().tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        consents::withdraw(world.db(), user, client.client.id.clone(), world.app.now()).await.unwrap();
        assert_eq!(world.agent().userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client.refresh(&world.agent(), tokens.refresh()).await.error(), "invalid_grant");
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some("consent_required"));
        allow(&world, &client, &[]).await;
    }

    async fn a_kept_request_is_judged_by_what_is_remembered_when_it_goes_on(world) {
        world.user(ADA.0, ADA.1).await;
        let client = third_party(&world).await;
        let (mut first, page) = asked(&world, &client, &[]).await;
        let (mut second, again) = asked(&world, &client, &[]).await;
        let answer = first.submit(&page, "/consent", &[("answer", "allow")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        let answer = second.submit(&again, "/consent", &[("answer", "allow")]).await;
        let answer = second.follow(answer).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn whoever_takes_the_link_to_another_account_answers_as_that_one(world) {
        world.user(ADA.0, ADA.1).await;
        let grace = world.user(GRACE.0, GRACE.1).await;
        let client = third_party(&world).await;
        let (mut agent, page) = asked(&world, &client, &[]).await;
        let (_, rest) = page.body.split_once("href=\"/login?").expect("there is a link");
        let page = agent.get(&format!("/login?{}", rest.split_once('"').unwrap().0)).await;
        let answer = agent.submit(&page, "/login", &[("username", GRACE.0), ("password", GRACE.1)]).await;
        let page = agent.follow(answer).await;
        assert!(page.body.contains("<bdi>grace</bdi>"));
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        let code = Callback::parse(answer.location(), client.redirect_uri()).code().to_owned();
        assert_eq!(Tokens::of(&client.redeem(&agent, &code).await).claims()["sub"], grace.as_str());
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
