//! The whole path as one test: sign-in, consent, code, tokens, verification offline, refresh, replay, the grant's end.

use axum::http::StatusCode;
use passant_tests::on_both_engines;
use passant_tests::world::{Agent, ISSUER, Tokens};
use passant_verifier::{ManualClock, Verifier};

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

/// A service that was given the key set once and never talks to the issuer.
async fn offline(agent: &mut Agent, now: i64) -> Verifier {
    let jwks = agent.get("/jwks.json").await.body;
    Verifier::builder()
        .issuer(ISSUER)
        .audience("https://api.example.com")
        .static_jwks(jwks)
        .clock(ManualClock::at(now))
        .build()
        .expect("the verifier can be built")
}

on_both_engines! {
    async fn from_sign_in_to_a_replay_that_ends_the_grant(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |it| it.first_party = false).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        assert_eq!(tokens.id_claims()["nonce"], "n-0S6_WzA2Mj");
        assert_eq!(agent.userinfo(tokens.access()).await.json()["name"], "Ada Lovelace");

        let verifier = offline(&mut agent, world.app.now().seconds()).await;
        let verified = verifier.verify(tokens.access()).expect("a service accepts the token offline");
        assert_eq!((verified.subject(), verified.client_id()), (ada.as_str(), "shop-web"));
        assert!(verified.has_scope("orders:read") && !verified.has_scope("orders:write"));
        assert_eq!(verified.born().map(|born| born as i64), tokens.claims()["born"].as_i64());
        assert_eq!(verified.gid(), tokens.claims()["gid"].as_str());
        verifier.verify(tokens.0["id_token"].as_str().unwrap()).expect_err("an ID token is no access token");

        let second = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        let third = Tokens::of(&client.refresh(&agent, second.refresh()).await);
        verifier.verify(third.access()).expect("a refreshed token is as good");
        assert_eq!(agent.userinfo(third.access()).await.status, StatusCode::OK);

        let replay = client.refresh(&agent, tokens.refresh()).await;
        assert_eq!((replay.status, replay.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert_eq!(client.refresh(&agent, third.refresh()).await.error(), "invalid_grant");
        assert_eq!(agent.userinfo(third.access()).await.status, StatusCode::UNAUTHORIZED);
    }
}
