//! C3.4: `response_mode=form_post`, for the one flow that there is.

use passant_tests::on_both_engines;

use super::*;

const FORM_POST: (&str, &str) = ("response_mode", "form_post");

on_both_engines! {
    async fn c3_04_form_post_posts_the_answer_and_adds_nothing_to_the_address(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.redirect_uris = vec!["https://app.example/cb?tenant=7&shop=1".parse().unwrap()]).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let state = "\"><script>alert('1')</script>&amp;";
        let page = agent.authorize(&client, &[FORM_POST, ("state", state)]).await;
        assert_page(&page, 200);
        let callback = Callback::posted(&page, client.redirect_uri());
        let names: Vec<&str> = callback.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["code", "state", "iss"]);
        assert_eq!((callback.get("state"), callback.get("iss")), (Some(state), Some(ISSUER)));
        let tokens = Tokens::of(&client.redeem(&agent, callback.code()).await);
        assert_eq!(tokens.id_claims()["nonce"], "n-0S6_WzA2Mj");
        assert!(page.body.contains("<script src=\"/assets/form_post.js\" defer></script>") && page.body.contains("<button"));
        assert_eq!(page.body.matches("<script").count(), 1);
        let script = agent.get("/assets/form_post.js").await;
        assert_eq!((script.status, script.header("content-type")), (StatusCode::OK, Some("text/javascript; charset=utf-8")));
        assert_eq!(
            page.header("content-security-policy"),
            Some("default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
                  form-action 'self' https://app.example; script-src 'self'")
        );
    }

    async fn c3_04_form_post_carries_errors_too(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        for (change, error) in [
            (("prompt", "none"), "login_required"),
            (("scope", "admin"), "invalid_scope"),
            (("response_type", "token"), "unsupported_response_type"),
            (("request", "x"), "request_not_supported"),
        ] {
            let page = agent.authorize(&client, &[FORM_POST, change]).await;
            assert_page(&page, 200);
            let callback = Callback::posted(&page, client.redirect_uri());
            assert_eq!((callback.get("error"), callback.get("state"), callback.get("iss")), (Some(error), Some("xyz-state"), Some(ISSUER)));
        }
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[FORM_POST]).await;
        let question = agent.follow(answer).await;
        let page = agent.submit(&question, "/consent", &[("answer", "deny")]).await;
        assert_eq!(Callback::posted(&page, client.redirect_uri()).get("error"), Some("access_denied"));
    }

    async fn c3_04_form_post_survives_sign_in_consent_and_a_posted_request(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let body = authorize_path(&client, &[FORM_POST]).split_once('?').unwrap().1.to_owned();
        let mut agent = world.agent();
        let posted = send(&mut agent, Method::POST, "/authorize", &[FORM], body).await;
        let page = agent.follow(posted).await;
        let answer = agent.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let question = agent.follow(answer).await;
        let page = agent.submit(&question, "/consent", &[("answer", "allow")]).await;
        let callback = Callback::posted(&page, client.redirect_uri());
        Tokens::of(&client.redeem(&agent, callback.code()).await);
    }

    async fn c3_04_other_modes_are_refused_and_the_metadata_offers_no_other(world) {
        let client = world.client("shop-web", |_| {}).await;
        for mode in ["fragment", "jwt", "query.jwt", "web_message", "Form_Post"] {
            let answer = world.agent().authorize(&client, &[("response_mode", mode)]).await;
            assert_eq!(sent_back(&answer, &client), "invalid_request", "{mode}");
        }
        assert_eq!(metadata(&world).await["response_modes_supported"], json!(["query", "form_post"]));
    }

    async fn c3_04_form_is_not_posted_to_an_address_that_takes_no_forms(world) {
        let client = world.public_client("native").await;
        register_anew(&world, &client, |it| it.redirect_uris = vec!["com.example.app:/cb".parse().unwrap()]).await;
        let answer = world.agent().authorize(&client, &[FORM_POST, ("redirect_uri", "com.example.app:/cb")]).await;
        assert_eq!(Callback::parse(answer.location(), "com.example.app:/cb").get("error"), Some("invalid_request"));
    }
}
