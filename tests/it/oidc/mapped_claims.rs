//! Roles and attributes of this installation's own, in the tokens of the clients whose registration asks for them.

use passant::domain::client::Registration;
use passant_tests::on_both_engines;

use super::*;

fn mapping(it: &mut Registration) {
    it.mapped_claims = serde_json::from_value(json!({
        "roles": {"from": "roles", "carried_by": ["access_token", "userinfo"]},
        "https://example.com/floor": {"from": "attributes.floor", "carried_by": ["id_token"]},
        "department": {"from": "attributes.department", "carried_by": ["access_token", "id_token", "userinfo"]},
        "missing": {"from": "attributes.missing", "carried_by": ["access_token", "id_token", "userinfo"]},
    }))
    .unwrap();
}

on_both_engines! {
    async fn mapped_claims_are_carried_where_the_registration_says(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let (mapping, plain) = (world.client("mapping", mapping).await, world.client("plain", |_| {}).await);
        let mut agent = world.agent();
        let tokens = agent.tokens(&mapping, ADA, &[("scope", "openid")]).await;
        let (access, id) = (tokens.claims(), tokens.id_claims());
        let told = agent.userinfo(tokens.access()).await.json();
        assert_eq!((&access["roles"], &access["department"]), (&json!(["admin", "clerk"]), &json!("engines")));
        assert_eq!((&id["https://example.com/floor"], &id["department"]), (&json!(3), &json!("engines")));
        assert_eq!(names(&told), ["department", "roles", "sub"]);
        assert!(id.get("roles").is_none() && access.get("https://example.com/floor").is_none());
        for said in [&access, &id, &told] {
            assert!(said.get("missing").is_none());
        }
        let tokens = agent.tokens(&plain, ADA, &[("scope", "openid")]).await;
        assert_eq!(names(&tokens.claims()), ["aud", "born", "client_id", "exp", "gid", "iat", "iss", "jti", "scope", "sid", "sub"]);
    }

    async fn mapped_claims_say_nothing_where_there_is_no_user(world) {
        let client = world.client("mapping", mapping).await;
        let tokens = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        assert!(tokens.claims().get("roles").is_none() && tokens.claims().get("department").is_none());
    }

    async fn mapped_claims_are_on_the_consent_page(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| (it.first_party = false, mapping(it)).1).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[]).await;
        let page = agent.follow(answer).await;
        assert!(page.body.contains("your roles, department, floor and missing"), "{}", page.body);
    }

    async fn mapped_claims_that_came_after_a_yes_are_asked_about(world) {
        world.user(ADA.0, ADA.1).await;
        let (third, own) = (world.client("third", |it| it.first_party = false).await, world.client("own", |_| {}).await);
        let mut agent = world.agent();
        let silent = [("prompt", "none")];
        for client in [&third, &own] {
            agent.tokens(client, ADA, &[]).await;
            register_anew(&world, client, mapping).await;
        }
        let answer = agent.authorize(&third, &silent).await;
        assert_eq!(Callback::parse(answer.location(), third.redirect_uri()).get("error"), Some("consent_required"));
        agent.tokens(&third, ADA, &[]).await;
        for client in [&third, &own] {
            let answer = agent.authorize(client, &silent).await;
            Callback::parse(answer.location(), client.redirect_uri()).code();
        }
    }

    async fn mapped_claims_of_a_user_who_is_gone_are_no_tokens(world) {
        let id = world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("mapping", mapping).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        crate::http::disable(&world, "users", id.as_str()).await;
        assert_error(&client.refresh(&agent, tokens.refresh()).await, 400, "invalid_grant");
        assert_error(&agent.userinfo(tokens.access()).await, 401, "invalid_token");
    }
}
