//! The whole path as one test: sign-in, code, tokens, verify offline, refresh, replay, the grant's end.

use axum::http::StatusCode;
use passant_tests::on_both_engines;
use passant_tests::world::Tokens;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

on_both_engines! {
    async fn from_sign_in_to_a_replay_that_ends_the_grant(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.first_party = false).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        assert_eq!(tokens.claims()["aud"], "https://api.example.com");
        assert_eq!(tokens.id_claims()["nonce"], "n-0S6_WzA2Mj");
        assert_eq!(agent.userinfo(tokens.access()).await.json()["name"], "Ada Lovelace");

        let second = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        let third = Tokens::of(&client.refresh(&agent, second.refresh()).await);
        assert_eq!(agent.userinfo(third.access()).await.status, StatusCode::OK);

        let replay = client.refresh(&agent, tokens.refresh()).await;
        assert_eq!((replay.status, replay.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert_eq!(client.refresh(&agent, third.refresh()).await.error(), "invalid_grant");
        assert_eq!(agent.userinfo(third.access()).await.status, StatusCode::UNAUTHORIZED);
    }
}
