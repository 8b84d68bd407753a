//! `GET|POST /end_session` (OpenID Connect RP-Initiated Logout 1.0).

use std::time::Duration;

use axum::body::Body;
use passant::domain::ids::KeyId;
use passant_tests::on_both_engines;
use passant_tests::world::{Callback, Tokens};

use super::*;

const BYE: &str = "https://shop-web.example.com/bye";

async fn shop(world: &World) -> Registered {
    world.client("shop-web", |it| it.post_logout_redirect_uris = vec![BYE.parse().unwrap()]).await
}

fn id_token(tokens: &Tokens) -> &str {
    tokens.0["id_token"].as_str().unwrap()
}

async fn end_session(agent: &mut Agent, fields: &[(&str, &str)]) -> Answer {
    agent.get(&format!("/end_session?{}", encoded(fields))).await
}

/// The question before a sign-out.
#[track_caller]
fn assert_asked(answer: &Answer) {
    assert_page(answer, 200);
    assert!(answer.body.contains("Sign out?") && answer.header("set-cookie").is_none(), "{}", answer.body);
}

/// Our own page at the end.
#[track_caller]
fn assert_signed_out(answer: &Answer) {
    assert_page(answer, 200);
    assert!(answer.body.contains("You are signed out"), "{}", answer.body);
}

async fn confirmed(agent: &mut Agent, page: &Answer) -> Answer {
    agent.submit(page, "/end_session/confirm", &[]).await
}

on_both_engines! {
    async fn c6_1_the_metadata_names_an_https_endpoint_for_get_and_post(world) {
        let metadata = world.agent().get("/.well-known/openid-configuration").await.json();
        assert_eq!(metadata["end_session_endpoint"], format!("{ISSUER}/end_session"));
        assert_signed_out(&world.agent().get("/end_session").await);
        let posted = world.agent().send(Method::POST, "/end_session", &[FORM], Body::empty()).await;
        assert_signed_out(&world.agent().follow(posted).await);
    }

    async fn c6_2_a_hint_that_fits_ends_the_session_and_returns_with_exactly_the_state(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let state = format!("{}&=+%20 #?/\u{e9}\u{1f512}\r\nx: y", "s".repeat(140));
        for (state, expected) in [(state.as_str(), vec![("state".to_owned(), state.clone())]), ("", vec![])] {
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, ADA, &[]).await;
            let mut copy = world.agent().with_cookies(agent.cookies());
            let fields = [("id_token_hint", id_token(&tokens)), ("post_logout_redirect_uri", BYE), ("state", state)];
            let answer = end_session(&mut agent, &fields).await;
            let query = answer.location().strip_prefix(BYE).unwrap().trim_start_matches('?');
            let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            assert_eq!(pairs, expected);
            assert!(set_cookie(&answer, SESSION).unwrap().ends_with("; Max-Age=0"));
            assert!(!signed_in(&mut agent).await && !signed_in(&mut copy).await);
            let silent = copy.authorize(&client, &[("prompt", "none")]).await;
            assert_eq!(Callback::parse(silent.location(), client.redirect_uri()).get("error"), Some("login_required"));
            assert_eq!(copy.userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED);
            assert_eq!(client.refresh(&copy, tokens.refresh()).await.error(), "invalid_grant");
        }
    }

    async fn c6_2_an_address_with_a_query_keeps_it(world) {
        world.user(ADA.0, ADA.1).await;
        let with_query = format!("{BYE}?tenant=7");
        let client = world.client("shop-web", |it| it.post_logout_redirect_uris = vec![with_query.parse().unwrap()]).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let fields = [("id_token_hint", id_token(&tokens)), ("post_logout_redirect_uri", &with_query), ("state", "x y")];
        assert_eq!(end_session(&mut agent, &fields).await.location(), format!("{with_query}&state=x+y"));
    }

    async fn c6_3_nobody_is_sent_anywhere_without_a_good_hint_and_a_registered_address(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let good = id_token(&tokens);
        let (head, signature) = good.rsplit_once('.').unwrap();
        let (_, claims) = head.split_once('.').unwrap();
        let turned = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
        let elsewhere = |config: &mut passant::config::Config| config.issuer = "https://elsewhere.example.com".parse().unwrap();
        let elsewhere = Arc::new(World::with(engine(&world), elsewhere).await);
        elsewhere.user(ADA.0, ADA.1).await;
        let other_client = shop(&elsewhere).await;
        let path = passant_tests::world::authorize_path(&other_client, &[]);
        let mut there = elsewhere.agent();
        let page = there.get(&path).await;
        let page = there.follow(page).await;
        let answer = post_with(&mut there, "/login", &[("origin", "https://elsewhere.example.com")], &[
            ("csrf", &page.field("csrf").unwrap()), ("request", &page.field("request").unwrap()), ("username", ADA.0), ("password", ADA.1),
        ]).await;
        let answer = there.follow(answer).await;
        let code = Callback::parse(answer.location(), other_client.redirect_uri()).code().to_owned();
        let foreign = Tokens::of(&other_client.redeem(&there, &code).await);

        // A hint that is none makes its bearer a stranger: the user is asked, and stays with us.
        for hint in [&none, &turned, tokens.access(), id_token(&foreign), "x", &good[1..]] {
            for client_id in ["", client.id()] {
                let fields = [("id_token_hint", hint), ("client_id", client_id), ("post_logout_redirect_uri", BYE), ("state", "s")];
                assert_asked(&end_session(&mut agent, &fields).await);
            }
        }
        for uri in [&format!("{BYE}?x=1"), &format!("{BYE}/"), client.redirect_uri(), "https://evil.example/bye"] {
            let answer = end_session(&mut agent, &[("id_token_hint", good), ("post_logout_redirect_uri", uri), ("state", "s")]).await;
            assert_page(&answer, 400);
            assert!(answer.body.contains("post_logout_redirect_uri"));
        }
        let page = end_session(&mut agent, &[("post_logout_redirect_uri", BYE), ("state", "s")]).await;
        assert_asked(&page);
        assert!(signed_in(&mut agent).await, "nothing of this signed anybody out");
        assert_signed_out(&confirmed(&mut agent, &page).await);
        assert!(!signed_in(&mut agent).await);
    }

    async fn c6_3_a_bad_hint_sends_nobody_on_after_a_yes_either(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let fields = [("id_token_hint", "x"), ("client_id", client.id()), ("post_logout_redirect_uri", BYE)];
        let page = end_session(&mut agent, &fields).await;
        assert_signed_out(&confirmed(&mut agent, &page).await);
    }

    async fn c6_4_without_an_address_the_user_is_asked_and_ends_on_our_page(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        for fields in [vec![], vec![("state", "s")], vec![("client_id", client.id())], vec![("logout_hint", "ada"), ("ui_locales", "se")]] {
            let mut agent = world.agent();
            agent.sign_in(ADA.0, ADA.1).await;
            let page = end_session(&mut agent, &fields).await;
            assert_asked(&page);
            assert!(page.body.contains("<bdi>ada</bdi>") && signed_in(&mut agent).await);
            assert_signed_out(&confirmed(&mut agent, &page).await);
            assert!(!signed_in(&mut agent).await);
        }
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        assert_signed_out(&end_session(&mut agent, &[("id_token_hint", id_token(&tokens)), ("state", "s")]).await);
        assert!(!signed_in(&mut agent).await);
    }

    async fn c6_8_an_expired_hint_is_as_good(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        world.advance(Duration::from_secs(11 * 60 * 60));
        assert!(tokens.id_claims()["exp"].as_i64().unwrap() < world.app.now().seconds());
        let fields = [("id_token_hint", id_token(&tokens)), ("post_logout_redirect_uri", BYE)];
        assert_eq!(end_session(&mut agent, &fields).await.location(), BYE);
        assert!(!signed_in(&mut agent).await);
    }

    async fn hint_of_an_earlier_session_of_the_same_user_fits_and_of_another_user_does_not(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = shop(&world).await;
        let (earlier, graces) = (world.agent().tokens(&client, ADA, &[]).await, world.agent().tokens(&client, GRACE, &[]).await);
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let fields = |hint| [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "s")];
        let page = end_session(&mut agent, &fields(id_token(&graces))).await;
        assert_asked(&page);
        assert!(signed_in(&mut agent).await, "another user's hint never ends a session without a question");
        assert_eq!(end_session(&mut agent, &fields(id_token(&earlier))).await.location(), format!("{BYE}?state=s"));
        assert!(!signed_in(&mut agent).await);

        agent.sign_in(ADA.0, ADA.1).await;
        let page = end_session(&mut agent, &fields(id_token(&graces))).await;
        assert_eq!(confirmed(&mut agent, &page).await.location(), format!("{BYE}?state=s"));
        assert!(!signed_in(&mut agent).await);
        assert_eq!(agent.userinfo(graces.access()).await.status, StatusCode::OK, "her own sign-in is none of this browser's");
    }

    async fn i90_a_client_id_alone_is_put_to_the_user_and_returns_only_after_a_yes(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let fields = [("client_id", client.id()), ("post_logout_redirect_uri", BYE), ("state", "s")];
        assert_signed_out(&end_session(&mut agent, &fields).await);
        agent.sign_in(ADA.0, ADA.1).await;
        let page = end_session(&mut agent, &fields).await;
        assert_asked(&page);
        assert!(page.body.contains("<bdi>Orders</bdi>") && page.body.contains("shop-web.example.com"));
        assert!(page.header("content-security-policy").unwrap().ends_with("form-action 'self' https://shop-web.example.com"));
        assert!(signed_in(&mut agent).await);
        assert_eq!(confirmed(&mut agent, &page).await.location(), format!("{BYE}?state=s"));
        assert!(!signed_in(&mut agent).await);
    }

    async fn whoever_is_signed_out_already_returns_at_once_with_a_good_hint(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let fields = [("id_token_hint", id_token(&tokens)), ("client_id", client.id()), ("post_logout_redirect_uri", BYE)];
        let answer = end_session(&mut world.agent(), &fields).await;
        assert_eq!((answer.location(), answer.header("set-cookie")), (BYE, None));
        assert_eq!(world.agent().userinfo(tokens.access()).await.status, StatusCode::OK, "a hint proves nothing to other browsers' sessions");
    }

    async fn request_that_contradicts_itself_or_names_nobody_changes_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let other = world.client("other", |_| {}).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let (hint, long) = (("id_token_hint", id_token(&tokens)), "s".repeat(2049));
        for fields in [
            vec![hint, ("client_id", other.id())], vec![hint, ("client_id", "nobody")], vec![("client_id", "nobody")],
            vec![("client_id", "a b")], vec![hint, ("state", &long)], vec![hint, hint], vec![("state", "a"), ("state", "b")],
        ] {
            assert_page(&end_session(&mut agent, &fields).await, 400);
            let body = Body::from(encoded(&fields));
            assert_page(&agent.send(Method::POST, "/end_session", &[FORM], body).await, 400);
        }
        disable(&world, "clients", other.id()).await;
        assert_page(&end_session(&mut agent, &[("client_id", other.id())]).await, 400);
        assert!(signed_in(&mut agent).await);
    }

    async fn post_of_another_site_is_followed_by_get_with_nothing_of_the_hint_in_the_address(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let fields = encoded(&[("id_token_hint", id_token(&tokens)), ("post_logout_redirect_uri", BYE), ("state", "s")]);
        let headers = [FORM, ("origin", "https://shop-web.example.com"), ("sec-fetch-site", "cross-site")];
        // SameSite=Lax keeps our cookie from that request.
        let posted = world.agent().send(Method::POST, "/end_session", &headers, Body::from(fields)).await;
        assert!(posted.location().starts_with("/end_session?request=") && posted.header("set-cookie").is_none());
        for part in id_token(&tokens).split('.') {
            assert!(!posted.location().contains(part));
        }
        assert!(signed_in(&mut agent).await, "it is the GET that ends it");
        assert_eq!(agent.get(posted.location()).await.location(), format!("{BYE}?state=s"));
        assert!(!signed_in(&mut agent).await);
        let both = agent.send(Method::POST, "/end_session?state=s", &[FORM], Body::empty()).await;
        assert_page(&both, 400);
    }

    async fn sealed_request_cannot_be_changed_and_waits_an_hour(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let page = end_session(&mut agent, &[("client_id", client.id()), ("post_logout_redirect_uri", BYE)]).await;
        let sealed = page.field("request").unwrap();
        let (payload, seal) = sealed.split_once('.').unwrap();
        let own = "eyJyZXF1ZXN0Ijp7fSwidW50aWwiOjk5OTk5OTk5OTk5OTl9";
        for odd in ["", "x", ".", payload, &format!("{own}.{seal}"), &format!("{payload}.{}", &seal[1..])] {
            let fields = [("csrf", page.field("csrf").unwrap()), ("request", odd.to_owned())];
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_page(&agent.post("/end_session/confirm", &fields).await, 400);
            if !odd.is_empty() {
                assert_page(&agent.get(&format!("/end_session?request={odd}")).await, 400);
            }
        }
        // What stands beside the seal says nothing.
        let more = [("post_logout_redirect_uri", "https://evil.example"), ("state", "other"), ("client_id", "nobody")];
        let mut late = world.agent().with_cookies(agent.cookies());
        assert_eq!(agent.submit(&page, "/end_session/confirm", &more).await.location(), BYE);
        late.sign_in(ADA.0, ADA.1).await;
        let page = end_session(&mut late, &[]).await;
        world.advance(Duration::from_secs(60 * 60));
        assert_page(&confirmed(&mut late, &page).await, 400);
        assert!(signed_in(&mut late).await);
    }

    async fn only_the_sessions_own_form_confirms(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = shop(&world).await;
        let (mut agent, mut other) = (world.agent(), world.agent());
        agent.sign_in(ADA.0, ADA.1).await;
        other.sign_in(GRACE.0, GRACE.1).await;
        let fields = [("client_id", client.id()), ("post_logout_redirect_uri", BYE)];
        let (page, others) = (end_session(&mut agent, &fields).await, end_session(&mut other, &fields).await);
        let (own, request) = (page.field("csrf").unwrap(), page.field("request").unwrap());
        for csrf in ["", "x", &others.field("csrf").unwrap()] {
            assert_page(&agent.post("/end_session/confirm", &[("csrf", csrf), ("request", &request)]).await, 403);
        }
        let form = [("csrf", own.as_str()), ("request", request.as_str())];
        for headers in [
            vec![("origin", "https://shop-web.example.com")], vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site")],
        ] {
            assert_page(&post_with(&mut agent, "/end_session/confirm", &headers, &form).await, 403);
        }
        assert!(signed_in(&mut agent).await && signed_in(&mut other).await);
        assert_signed_out(&world.agent().post("/end_session/confirm", &form).await);
        assert_eq!(agent.post("/end_session/confirm", &form).await.location(), BYE);
    }

    async fn address_that_was_taken_back_meanwhile_is_not_returned_to(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let page = end_session(&mut agent, &[("client_id", client.id()), ("post_logout_redirect_uri", BYE)]).await;
        register_anew(&world, &client, |it| it.post_logout_redirect_uris = vec![]).await;
        assert_signed_out(&confirmed(&mut agent, &page).await);
        assert!(!signed_in(&mut agent).await);
    }

    async fn hint_whose_key_was_revoked_is_none(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let kid = KeyId::new(tokens.header()["kid"].as_str().unwrap());
        passant::app::rotation::revoke(&world.app, &kid).await.unwrap().expect("it lived");
        assert_asked(&end_session(&mut agent, &[("id_token_hint", id_token(&tokens)), ("post_logout_redirect_uri", BYE)]).await);
    }

    async fn what_was_allowed_for_longer_outlives_the_session(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        end_session(&mut agent, &[("id_token_hint", id_token(&tokens))]).await;
        assert!(!signed_in(&mut agent).await);
        let next = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!(agent.userinfo(next.access()).await.status, StatusCode::OK);
    }

    async fn head_ends_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = shop(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let path = format!("/end_session?{}", encoded(&[("id_token_hint", id_token(&tokens))]));
        let answer = agent.send(Method::HEAD, &path, &[], Body::empty()).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, POST")));
        assert!(signed_in(&mut agent).await);
        assert_page(&agent.get("/end_session/confirm").await, 405);
    }
}
