//! C8: refresh tokens.

use std::time::Duration;

use passant_tests::on_both_engines;

use super::*;

const OFFLINE: [(&str, &str); 2] = [("scope", "openid profile offline_access orders:read"), ("prompt", "consent")];

async fn refresh_with(client: &Registered, world: &Arc<World>, token: &str, more: &[(&str, &str)]) -> Answer {
    let fields: Vec<(&str, &str)> =
        [("grant_type", "refresh_token"), ("refresh_token", token)].into_iter().chain(more.iter().copied()).collect();
    client.token(world, &fields).await
}

on_both_engines! {
    async fn c8_refresh_token_comes_with_offline_access_and_prompt_consent(world) {
        world.user(ADA.0, ADA.1).await;
        for first_party in [true, false] {
            let client = world.client(if first_party { "first" } else { "third" }, |it| it.first_party = first_party).await;
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, ADA, &OFFLINE).await;
            let home = agent.get("/").await;
            agent.submit(&home, "/logout", &[]).await;
            Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        }
    }

    async fn c8_new_id_token_has_the_same_iss_sub_aud_auth_time_and_azp_and_a_newer_iat(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let agent = world.agent();
        let mut tokens = world.agent().tokens(&client, ADA, &OFFLINE).await;
        for _ in 0..3 {
            world.advance(Duration::from_secs(1));
            let next = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
            let (before, after) = (tokens.id_claims(), next.id_claims());
            for same in ["iss", "sub", "aud", "auth_time", "azp", "acr", "amr", "sid"] {
                assert_eq!(before[same], after[same], "{same}");
            }
            assert!(after["iat"].as_i64() > before["iat"].as_i64() && after["exp"].as_i64() > before["exp"].as_i64());
            assert!(after.get("nonce").is_none());
            assert_eq!(world.agent().userinfo(next.access()).await.json()["sub"], after["sub"]);
            tokens = next;
        }
    }

    async fn c8_refresh_with_scope_is_accepted_and_narrows(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let first = world.agent().tokens(&client, ADA, &OFFLINE).await;
        let same = Tokens::of(&refresh_with(&client, &world, first.refresh(), &[OFFLINE[0]]).await);
        assert_eq!(same.0["scope"], first.0["scope"]);
        let narrow = Tokens::of(&refresh_with(&client, &world, same.refresh(), &[("scope", "openid")]).await);
        assert_eq!(narrow.0["scope"], "openid");
        assert_eq!(names(&world.agent().userinfo(narrow.access()).await.json()), ["sub"]);
        let wider = refresh_with(&client, &world, narrow.refresh(), &[("scope", "openid email")]).await;
        assert_error(&wider, 400, "invalid_scope");
        let again = Tokens::of(&client.refresh(&world.agent(), narrow.refresh()).await);
        assert_eq!(again.0["scope"], first.0["scope"]);
    }

    async fn c8_another_clients_refresh_token_is_invalid_grant_and_its_owner_goes_on(world) {
        world.user(ADA.0, ADA.1).await;
        let (first, second) = (world.client("client", |_| {}).await, world.client("client2", |_| {}).await);
        let mut agent = world.agent();
        let of_first = agent.tokens(&first, ADA, &OFFLINE).await;
        let of_second = agent.tokens(&second, ADA, &OFFLINE).await;
        assert_error(&first.refresh(&agent, of_second.refresh()).await, 400, "invalid_grant");
        let next = Tokens::of(&second.refresh(&agent, of_second.refresh()).await);
        assert_eq!(agent.userinfo(next.access()).await.status, StatusCode::OK);
        Tokens::of(&first.refresh(&agent, of_first.refresh()).await);
    }

    async fn c8_metadata_names_the_grant_type(world) {
        let grants = metadata(&world).await["grant_types_supported"].clone();
        assert!(grants.as_array().unwrap().contains(&json!("refresh_token")));
    }

    async fn c8_user_claims_are_those_of_the_moment(world) {
        world.user_with_every_claim(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| {
            it.mapped_claims = serde_json::from_value(json!({"roles": {"from": "roles"}})).unwrap();
        }).await;
        let mut agent = world.agent();
        let wish = ("claims", r#"{"id_token": {"email": null, "email_verified": null}}"#);
        let first = agent.tokens(&client, ADA, &[wish]).await;
        assert_eq!((&first.id_claims()["email"], &first.claims()["roles"]), (&json!("ada@example.com"), &json!(["admin", "clerk"])));
        let sql = "UPDATE users SET email = 'countess@example.com', email_verified = FALSE, roles = 'clerk'";
        assert_eq!(world.execute(sql).await, 1);
        let second = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        let claims = second.id_claims();
        assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("countess@example.com"), &json!(false)));
        assert_eq!(second.claims()["roles"], json!(["clerk"]));
    }
}
