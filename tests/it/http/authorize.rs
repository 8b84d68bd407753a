//! `GET|POST /authorize`.

use std::time::Duration;

use axum::body::Body;
use passant::domain::client::{ClientAuthentication, GrantType};
use passant_tests::on_both_engines;
use passant_tests::world::{Callback, authorize_path};

use super::*;

/// The parameters of an error that went back to the client.
#[track_caller]
fn sent_back(answer: &Answer, client: &Registered, code: &str) -> Callback {
    let callback = Callback::parse(answer.location(), client.redirect_uri());
    assert_eq!(callback.get("error"), Some(code), "{callback:?}");
    assert_eq!(callback.get("iss"), Some(ISSUER));
    assert_plain(callback.get("error_description").unwrap());
    let expected = ["error", "error_description", "state", "iss"];
    assert!(callback.0.iter().all(|(name, _)| expected.contains(&name.as_str())), "{callback:?}");
    callback
}

on_both_engines! {
    async fn answer_has_code_state_and_iss_and_nothing_else(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let state = format!("{}&=+%20 #?/\u{e9}\u{1f512}\r\nx: y", "s".repeat(140));
        let callback = world.agent().callback(&client, ADA, &[("state", &state)]).await;
        let names: Vec<&str> = callback.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["code", "state", "iss"]);
        assert_eq!(callback.get("state"), Some(state.as_str()));
        assert_eq!(callback.get("iss"), Some(ISSUER));
        assert!(callback.code().len() >= 43);
        let without = world.agent().callback(&client, ADA, &[("state", "")]).await;
        assert_eq!(without.get("state"), None);
    }

    async fn posted_request_of_another_site_is_kept_and_followed_by_get(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let path = authorize_path(&client, &[]);
        let body = path.split_once('?').unwrap().1.to_owned();
        for origin in ["https://shop-web.example.com", "null"] {
            let headers = [FORM, ("origin", origin), ("sec-fetch-site", "cross-site")];
            let posted = world.agent().send(Method::POST, "/authorize", &headers, Body::from(body.clone())).await;
            assert!(posted.location().starts_with("/authorize/resume?request="));
            assert!(posted.header("set-cookie").is_none(), "nothing of that site's making stays in the browser");
            let mut agent = world.agent();
            let page = agent.follow(posted).await;
            assert!(page.body.contains("Sign in"));
            let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
            let answer = agent.follow(answer).await;
            assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("state"), Some("xyz-state"));
        }
    }

    async fn unregistered_redirect_uri_gets_a_page_and_no_location(world) {
        let client = world.client("app", |it| {
            it.redirect_uris = vec!["https://app.example/cb".parse().unwrap(), "http://127.0.0.1:7000/cb".parse().unwrap()];
        }).await;
        let long = format!("https://app.example/cb?{}", "x".repeat(4096));
        for presented in [
            "https://app.example/cb/", "https://app.example/cb?x=1", "https://app.example/cb#f", "https://app.example/cb%2f..%2fevil",
            "https://app.example/cb/../evil", "https://app.example/cb/%2e%2e/evil", "https://app.example/cb;.evil",
            "https://app.example/CB", "https://APP.example/cb", "HTTPS://app.example/cb", "http://app.example/cb",
            "https://app.example:443/cb", "https://app.example:8443/cb", "https://app.example.evil.com/cb",
            "https://evil.com/app.example/cb", "https://app.example@evil.com/cb", "https://evil.com#@app.example/cb",
            "https://evil.com\\@app.example/cb", "https://app.example%2eevil.com/cb", "https://app.example\0.evil.com",
            "https://app.example\r\nSet-Cookie:x", "https://appxexample/cb", "//app.example/cb", "/\\evil.com", "https:/evil.com",
            "https:evil.com", "javascript:alert(1)//app.example/cb", "data:text/html,x", "vbscript:x", " https://app.example/cb",
            "https://app.example/cb ", "https://app.example/\tcb", "\nhttps://app.example/cb", "https://app.example./cb",
            "https://app\u{3002}example/cb", "https://xn--app-example/cb", "https://[::1]/cb", "https://0/cb", "https://2130706433/cb",
            "http://localhost:7000/cb", "http://[::1]:7000/cb", "http://127.0.0.1.evil.com", "http://127.0.0.1:80@evil.com",
            "http://127.0.0.1:7000/other", "http://127.0.0.1:7000/cb?x=1", "http://127.0.0.1:/cb", "http://127.0.0.1:070/cb",
            "http://127.0.0.1:65536/cb", "http://127.1:7000/cb", "app.example:/cb", "https%3A%2F%2Fapp.example%2Fcb", &long,
        ] {
            let answer = world.agent().authorize(&client, &[("redirect_uri", presented)]).await;
            assert_page(&answer, 400);
            let expected = if presented.contains('\0') { "invalid_request" } else { "redirect_uri" };
            assert!(answer.body.contains(expected), "{presented}: {}", answer.body);
        }
        let bare = authorize_path(&client, &[("redirect_uri", "")]);
        for path in [
            bare.clone(), format!("{bare}&redirect_uri="), format!("{bare}&redirect_uri[]=https://app.example/cb"),
            format!("{bare}&redirect_uri=https://app.example/cb&redirect_uri=https://app.example/cb"),
        ] {
            assert_page(&world.agent().get(&path).await, 400);
        }
        assert_eq!(count(&world, "authorization_requests").await, 0);
    }

    async fn loopback_literal_may_vary_in_its_port_alone(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("native", |it| {
            it.authentication = ClientAuthentication::None;
            it.grant_types.remove(&GrantType::ClientCredentials);
            it.redirect_uris = vec!["http://127.0.0.1/cb".parse().unwrap(), "http://localhost:7000/cb".parse().unwrap()];
        }).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        for port in ["1", "49152", "65535"] {
            let redirect_uri = format!("http://127.0.0.1:{port}/cb");
            let answer = agent.authorize(&client, &[("redirect_uri", &redirect_uri)]).await;
            Callback::parse(answer.location(), &redirect_uri).code();
        }
        let answer = agent.authorize(&client, &[("redirect_uri", "http://localhost:7001/cb")]).await;
        assert_page(&answer, 400);
    }

    async fn client_that_is_unknown_disabled_or_no_id_gets_a_page_and_no_location(world) {
        let client = world.client("shop-web", |_| {}).await;
        world.client("gone", |it| it.redirect_uris = vec!["https://shop-web.example.com/cb".parse().unwrap()]).await;
        disable(&world, "clients", "gone").await;
        let long = "x".repeat(65);
        for id in ["gone", "SHOP-WEB", "shop-web ", "shop_web", "shop-web\0", "", &long, "' OR 1=1 --", "\u{fffd}"] {
            let answer = world.agent().authorize(&client, &[("client_id", id)]).await;
            assert_page(&answer, 400);
            assert!(answer.body.contains("client_id") || answer.body.contains("invalid_request"), "{id}");
        }
    }

    async fn parameter_given_twice_is_refused(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        for name in [
            "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
            "prompt", "max_age", "login_hint", "response_mode", "unknown",
        ] {
            let path = authorize_path(&client, &[]);
            for more in [format!("&{name}=a&{name}=b"), format!("&{name}=&{name}=")] {
                let answer = agent.get(&format!("{path}{more}")).await;
                assert_page(&answer, 400);
                assert!(answer.body.contains("invalid_request") && answer.body.contains(name), "{name}: {}", answer.body);
            }
        }
    }

    async fn wrong_parameter_goes_back_to_the_client_with_the_standards_code(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let public = world.public_client("spa").await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let (long_nonce, long_scope) = ("n".repeat(1025), "s".repeat(129));
        let (short, long) = ("E".repeat(42), "E".repeat(44));
        let table: &[(&str, &[(&str, &str)])] = &[
            ("invalid_request", &[("response_type", "")]),
            ("unsupported_response_type", &[("response_type", "token")]),
            ("unsupported_response_type", &[("response_type", "id_token")]),
            ("unsupported_response_type", &[("response_type", "code id_token")]),
            ("unsupported_response_type", &[("response_type", "Code")]),
            ("unsupported_response_type", &[("response_type", "\"<b>\\\u{e9}\r\n")]),
            ("invalid_request", &[("response_mode", "fragment")]),
            ("invalid_request", &[("response_mode", "query fragment")]),
            ("invalid_request", &[("claims", "{")]),
            ("invalid_request", &[("claims", "[]")]),
            ("invalid_request", &[("claims", r#"{"id_token": {"sub": {"values": ["a", "b"]}}}"#)]),
            ("registration_not_supported", &[("registration", "{}")]),
            ("unmet_authentication_requirements", &[("claims", r#"{"id_token": {"acr": {"essential": true, "values": ["9"]}}}"#)]),
            ("invalid_scope", &[("scope", "")]),
            ("invalid_scope", &[("scope", " ")]),
            ("invalid_scope", &[("scope", "openid admin")]),
            ("invalid_scope", &[("scope", "openid \"x\"")]),
            ("invalid_scope", &[("scope", &long_scope)]),
            ("invalid_target", &[("resource", "https://elsewhere.example.com")]),
            ("invalid_target", &[("resource", "https://api.example.com/")]),
            ("invalid_target", &[("resource", "https://api.example.com#x")]),
            ("invalid_request", &[("code_challenge", ""), ("code_challenge_method", "")]),
            ("invalid_request", &[("code_challenge", "")]),
            ("invalid_request", &[("code_challenge_method", "")]),
            ("invalid_request", &[("code_challenge_method", "plain")]),
            ("invalid_request", &[("code_challenge_method", "s256")]),
            ("invalid_request", &[("code_challenge", &short)]),
            ("invalid_request", &[("code_challenge", &long)]),
            ("invalid_request", &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")]),
            ("invalid_request", &[("prompt", "create")]),
            ("invalid_request", &[("prompt", "none login")]),
            ("invalid_request", &[("prompt", "consent none")]),
            ("invalid_request", &[("max_age", "-1")]),
            ("invalid_request", &[("max_age", "+1")]),
            ("invalid_request", &[("max_age", "1.5")]),
            ("invalid_request", &[("max_age", "soon")]),
            ("invalid_request", &[("max_age", "99999999999999999999999")]),
            ("invalid_request", &[("nonce", &long_nonce)]),
            ("request_not_supported", &[("request", "eyJ")]),
            ("request_uri_not_supported", &[("request_uri", "https://shop-web.example.com/request.jwt")]),
        ];
        for (code, change) in table {
            for client in [&client, &public] {
                let answer = agent.authorize(client, change).await;
                assert_eq!(sent_back(&answer, client, code).get("state"), Some("xyz-state"), "{change:?}");
            }
        }
        let answer = agent.authorize(&client, &[("state", &"s".repeat(4097))]).await;
        assert_eq!(sent_back(&answer, &client, "invalid_request").get("state"), None);
        assert_eq!((count(&world, "authorization_requests").await, count(&world, "grants").await), (0, 0));
    }

    async fn client_without_the_code_grant_is_unauthorized(world) {
        let client = world.client("robot", |it| it.grant_types = [GrantType::ClientCredentials].into()).await;
        sent_back(&world.agent().authorize(&client, &[]).await, &client, "unauthorized_client");
    }

    async fn exempted_confidential_client_needs_no_pkce_but_no_weaker_one_either(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("old", |it| it.pkce_required = false).await;
        let mut agent = world.agent();
        let none = [("code_challenge", ""), ("code_challenge_method", "")];
        agent.callback(&client, ADA, &none).await.code();
        for change in [[("code_challenge_method", "plain"), ("nonce", "")], [("code_challenge_method", ""), ("nonce", "")]] {
            sent_back(&agent.authorize(&client, &change).await, &client, "invalid_request");
        }
        sent_back(&agent.authorize(&client, &[("code_challenge", "")]).await, &client, "invalid_request");
    }

    async fn unknown_and_empty_parameters_count_for_nothing(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let odd = "&display=popup&ui_locales=se&claims_locales=se&acr_values=9&foo=bar&claims=%7B%7D&login_hint=buffy@example.com";
        let empty = "&request=&request_uri=&prompt=&max_age=&response_mode=&resource=";
        for more in [odd, empty] {
            let answer = agent.get(&format!("{}{more}", authorize_path(&client, &[]))).await;
            Callback::parse(answer.location(), client.redirect_uri()).code();
        }
    }

    async fn login_hint_is_offered_and_not_forced(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[("login_hint", "buffy\"><script>@example.com")]).await;
        let page = agent.follow(answer).await;
        assert!(page.field("username").unwrap().starts_with("buffy") && !page.body.contains("<script"));
        let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = agent.follow(answer).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[("login_hint", &"x".repeat(255))]).await;
        assert_eq!(agent.follow(answer).await.field("username"), None, "a hint that is no name is no hint");
    }

    async fn prompt_none_shows_no_page_and_leaves_nothing_behind(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let third = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        sent_back(&answer, &client, "login_required");
        assert!(answer.header("set-cookie").is_none());
        assert_eq!((count(&world, "authorization_requests").await, count(&world, "sessions").await), (0, 0));

        agent.sign_in(ADA.0, ADA.1).await;
        world.advance(Duration::from_secs(5));
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        for change in [[("prompt", "none"), ("max_age", "0")], [("prompt", "none"), ("max_age", "4")]] {
            sent_back(&agent.authorize(&client, &change).await, &client, "login_required");
        }
        sent_back(&agent.authorize(&third, &[("prompt", "none")]).await, &third, "consent_required");
        assert_eq!((count(&world, "authorization_requests").await, count(&world, "sessions").await), (0, 1));
    }

    async fn page_that_asks_silently_without_end_gets_no_further_codes(world) {
        let world = Arc::new(World::with(engine(&world), |config| config.limits.codes_per_session = 2).await);
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let other = world.client("other", |_| {}).await;
        let third = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        for _ in 0..2 {
            let answer = agent.authorize(&client, &[("prompt", "none")]).await;
            Callback::parse(answer.location(), client.redirect_uri()).code();
        }
        let grants = count(&world, "grants").await;
        for client in [&client, &other] {
            sent_back(&agent.authorize(client, &[("prompt", "none")]).await, client, "temporarily_unavailable");
        }
        // A click is no way around it, and the page can be answered later.
        let answer = agent.authorize(&third, &[]).await;
        let page = agent.follow(answer).await;
        sent_back(&agent.submit(&page, "/consent", &[("answer", "allow")]).await, &third, "temporarily_unavailable");
        assert_eq!(count(&world, "grants").await, grants);

        let mut elsewhere = world.agent();
        elsewhere.sign_in(ADA.0, ADA.1).await;
        let answer = elsewhere.authorize(&client, &[("prompt", "none")]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        world.advance(Duration::from_secs(60));
        let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
        Callback::parse(answer.location(), third.redirect_uri()).code();
    }

    async fn id_token_hint_lets_nobody_else_answer(world) {
        world.user(ADA.0, ADA.1).await;
        world.user(GRACE.0, GRACE.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let graces = world.agent().tokens(&client, GRACE, &[]).await.0["id_token"].as_str().unwrap().to_owned();
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let adas = tokens.0["id_token"].as_str().unwrap();
        world.advance(Duration::from_secs(60 * 60));

        let answer = agent.authorize(&client, &[("prompt", "none"), ("id_token_hint", adas)]).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
        let answer = agent.authorize(&client, &[("prompt", "none"), ("id_token_hint", &graces)]).await;
        sent_back(&answer, &client, "login_required");
        for (who, error) in [(ADA, Some("login_required")), (GRACE, None)] {
            let answer = agent.authorize(&client, &[("id_token_hint", &graces)]).await;
            let page = agent.follow(answer).await;
            assert!(page.body.contains("name=\"password\""), "somebody else is signed in");
            world.advance(Duration::from_secs(1));
            let answer = agent.submit(&page, "/login", &[("username", who.0), ("password", who.1)]).await;
            let answer = agent.follow(answer).await;
            assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), error);
            world.advance(Duration::from_secs(1));
        }
        for odd in ["x", tokens.access(), &format!("{adas}x")] {
            sent_back(&agent.authorize(&client, &[("id_token_hint", odd)]).await, &client, "invalid_request");
        }
    }

    async fn offline_access_means_nothing_without_refresh_tokens(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| { it.grant_types.remove(&GrantType::RefreshToken); }).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[("scope", "openid offline_access")]).await;
        assert_eq!(tokens.claims()["scope"], "openid");
        assert!(tokens.claims()["sid"].is_string(), "it dies with the session");
        sent_back(&agent.authorize(&client, &[("scope", "offline_access")]).await, &client, "invalid_scope");
        let page = agent.get("/").await;
        agent.submit(&page, "/logout", &[]).await;
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED);
    }

    async fn prompt_login_asks_again_however_often_the_flow_is_started_over(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await.id_claims()["auth_time"].as_i64().unwrap();
        for prompt in ["login", "select_account", "login consent"] {
            world.advance(Duration::from_secs(2));
            for _ in 0..2 {
                let answer = agent.authorize(&client, &[("prompt", prompt)]).await;
                let page = agent.follow(answer).await;
                assert!(page.body.contains("name=\"password\""), "{prompt}");
                let handle = page.field("request").unwrap();
                let again = agent.get(&format!("/authorize/resume?request={handle}")).await;
                assert!(again.location().starts_with("/login?"), "going on without a sign-in leads back to it");
            }
            let later = agent.tokens(&client, ADA, &[("prompt", prompt)]).await.id_claims()["auth_time"].as_i64().unwrap();
            assert_eq!(later, world.app.now().seconds());
            assert!(later > first);
        }
    }

    async fn max_age_is_obeyed(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let signed_in_at = world.app.now().seconds();
        world.advance(Duration::from_secs(10));
        let answer = agent.authorize(&client, &[("max_age", "10")]).await;
        let code = Callback::parse(answer.location(), client.redirect_uri()).code().to_owned();
        let tokens = passant_tests::world::Tokens::of(&client.redeem(&agent, &code).await);
        assert_eq!(tokens.id_claims()["auth_time"], signed_in_at);
        for max_age in ["0", "9"] {
            let answer = agent.authorize(&client, &[("max_age", max_age)]).await;
            assert!(agent.follow(answer).await.body.contains("name=\"password\""), "max_age={max_age}");
        }
        let tokens = agent.tokens(&client, ADA, &[("max_age", "0")]).await;
        assert_eq!(tokens.id_claims()["auth_time"], signed_in_at + 10);
    }

    async fn prompt_consent_asks_for_a_first_party_client_too(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[("prompt", "consent")]).await;
        assert!(agent.follow(answer).await.body.contains("asks for access"));
    }

    async fn head_gives_no_code(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.send(Method::HEAD, &authorize_path(&client, &[]), &[], Body::empty()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some("GET, POST"));
        assert_eq!((count(&world, "grants").await, count(&world, "authorization_requests").await), (0, 0));
    }

    async fn posted_request_carries_its_parameters_as_a_form_and_in_the_body_alone(world) {
        let client = world.client("shop-web", |_| {}).await;
        let path = authorize_path(&client, &[]);
        let body = path.split_once('?').unwrap().1.to_owned();
        let mut agent = world.agent();
        for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencodedx"] {
            let answer = agent.send(Method::POST, "/authorize", &[("content-type", kind)], Body::from(body.clone())).await;
            assert_page(&answer, 400);
        }
        assert_page(&agent.send(Method::POST, "/authorize", &[], Body::from(body.clone())).await, 400);
        assert_page(&agent.send(Method::POST, &path, &[FORM], Body::from(body.clone())).await, 400);
        assert_page(&agent.send(Method::POST, &path, &[FORM], Body::empty()).await, 400);
        assert_page(&agent.send(Method::POST, "/authorize", &[FORM], Body::from("client_id=%ff")).await, 400);
        let many = "a=&".repeat(101);
        assert_page(&agent.send(Method::POST, "/authorize", &[FORM], Body::from(many)).await, 400);
        let kind = [("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")];
        let answer = agent.send(Method::POST, "/authorize", &kind, Body::from(body)).await;
        assert!(answer.location().starts_with("/authorize/resume?"));
    }

    async fn redirect_uri_with_a_query_keeps_it(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.redirect_uris = vec!["https://app.example/cb?tenant=7".parse().unwrap()]).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[]).await;
        assert!(answer.location().starts_with("https://app.example/cb?tenant=7&code="));
    }

    async fn resources_become_the_audience(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let bare = world.client("bare", |it| it.default_resource = None).await;
        let mut agent = world.agent();
        let (api, other) = (("resource", "https://api.example.com"), ("resource", "https://other.example.com"));
        assert_eq!(agent.tokens(&client, ADA, &[other]).await.claims()["aud"], other.1);
        assert_eq!(agent.tokens(&client, ADA, &[api, other, api]).await.claims()["aud"], serde_json::json!([api.1, other.1]));
        assert_eq!(agent.tokens(&client, ADA, &[]).await.claims()["aud"], api.1);
        assert_eq!(agent.tokens(&bare, ADA, &[]).await.claims()["aud"], ISSUER);
    }
}
