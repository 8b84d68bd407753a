//! Whatever revokes, a verifier that follows refuses, and names the level; what it does not concern stays good.

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::{ClientId, SessionId, UserId};
use passant::store::{consents, feed_head, registrations, sessions, users};

use super::*;

on_each_engine! {
    async fn a_token_is_refused_after_each_cause_at_the_level_that_was_cut_off(engine) {
        let site = Site::new(engine, |_| {}).await;
        let world = &site.served.world;
        let (db, now) = (world.db(), world.app.now());
        world.user("grace", ADA.1).await;
        let other = world.client("other", |_| {}).await;
        let bystander = world.agent().tokens(&other, ("grace", ADA.1), &[]).await;
        let verifier = site.verifier().await;
        for level in ["jti", "gid", "sub+client_id", "sid", "sub", "client_id", "iss"] {
            let tokens = site.tokens().await;
            assert_eq!(reason(&verifier, &tokens), None, "{level}: good before");
            let claims = tokens.claims();
            let claim = |name: &str| claims[name].as_str().unwrap().to_owned();
            let (user, client) = (UserId::new(claim("sub")), ClientId::new(claim("client_id")));
            match level {
                "jti" => drop(site.client.post(world, "/revoke", &[("token", tokens.access())]).await),
                "gid" => drop(site.client.post(world, "/revoke", &[("token", tokens.refresh())]).await),
                "sub+client_id" => drop(consents::withdraw(db, user, client, now).await.unwrap()),
                "sid" => drop(sessions::end(db, SessionId::new(claim("sid")), now).await.unwrap().unwrap()),
                "sub" => drop(users::log_out_everywhere(db, user, now).await.unwrap().unwrap()),
                "client_id" => {
                    registrations::disable(db, client.clone(), now).await.unwrap().unwrap();
                    assert!(registrations::enable(db, client, now).await.unwrap());
                }
                _ => {
                    assert_eq!(reason(&verifier, &bystander), None, "nothing so far was about the other one");
                    let event = Event::done(Action::IssuerCutOff);
                    feed_head::cut_off(db, vec![Target::Issuer], event, now).await.unwrap();
                }
            }
            site.pass();
            eventually(level, || reason(&verifier, &tokens) == Some(Reason::Revoked)).await;
            assert_eq!(verifier.verify(tokens.access()).unwrap_err().detail(), Some(level));
        }
        assert_eq!(reason(&verifier, &bystander), Some(Reason::Revoked));
        assert_eq!(health(&verifier).refused_messages, 0);
        world.search_for_leaks().await;
    }

    async fn what_a_revoked_key_signed_is_refused_and_its_successor_is_known_by_the_feed_alone(engine) {
        let site = Site::new(engine, |_| {}).await;
        let world = &site.served.world;
        let verifier = site.verifier().await;
        let before = site.own_token().await;
        assert_eq!(reason(&verifier, &before), None);
        let dead = world.app.keys.signing_kid(world.app.now()).unwrap();
        passant::app::rotation::revoke(&world.app, &dead).await.unwrap().expect("it lived");
        site.pass();
        eventually("the key is dead", || reason(&verifier, &before) == Some(Reason::Revoked)).await;
        // Nobody has shown a token of the new key: only the digest in the feed tells of it.
        eventually("the new set", || verifier.health().skipped_keys.is_empty() && verifier.health().usable_keys > 0).await;
        assert_eq!(reason(&verifier, &site.own_token().await), None);
        assert_eq!(reason(&verifier, &before), Some(Reason::Revoked));
    }
}
