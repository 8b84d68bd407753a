//! Authorization requests that wait for somebody to sign in: whoever sends thousands takes room from nobody who has the page open.

use passant_tests::on_both_engines;
use passant_tests::world::{Callback, Tokens, authorize_path};

use super::*;

/// An issuer with room for three requests of an address.
async fn narrow(world: &World) -> Arc<World> {
    let narrow = World::with(engine(world), |config| config.limits.waiting_requests_per_address = 3).await;
    narrow.user(ADA.0, ADA.1).await;
    Arc::new(narrow)
}

/// Requests that nobody follows: half by link, half by form.
async fn flood(world: &Arc<World>, client: &Registered, address: &str) {
    let path = authorize_path(client, &[]);
    let (authorize, fields) = path.split_once('?').unwrap();
    for _ in 0..5 {
        let linked = world.agent().coming_from(address).get(&path).await;
        assert!(linked.location().starts_with("/login?request="));
        let mut sender = world.agent().coming_from(address);
        let posted = sender.send(Method::POST, authorize, &[FORM], fields.to_owned().into()).await;
        assert!(posted.location().starts_with("/authorize/resume?request="));
    }
}

const HERE: &str = "198.51.100.7";

on_both_engines! {
    async fn flood_takes_no_place_of_somebody_who_has_the_page_open_and_keeps_nobody_out(world) {
        let world = narrow(&world).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut ada = world.agent().coming_from(HERE);
        let answer = ada.authorize(&client, &[]).await;
        let page = ada.follow(answer).await;
        world.advance(std::time::Duration::from_secs(60));
        flood(&world, &client, HERE).await;
        assert_eq!(count(&world, "authorization_requests").await, 3);

        let answer = ada.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = ada.follow(answer).await;
        let code = Callback::parse(answer.location(), client.redirect_uri());
        Tokens::of(&client.redeem(&ada, code.code()).await);

        flood(&world, &client, HERE).await;
        let mut next = world.agent().coming_from(HERE);
        next.tokens(&client, ADA, &[]).await;
    }

    async fn request_that_came_by_form_and_was_followed_stays_too(world) {
        let world = narrow(&world).await;
        let client = world.client("shop-web", |_| {}).await;
        let path = authorize_path(&client, &[]);
        let (authorize, fields) = path.split_once('?').unwrap();
        let mut ada = world.agent().coming_from(HERE);
        let answer = ada.send(Method::POST, authorize, &[FORM], fields.to_owned().into()).await;
        let page = ada.follow(answer).await;
        flood(&world, &client, HERE).await;
        let answer = ada.submit(&page, "/login", &[("username", ADA.0), ("password", ADA.1)]).await;
        let answer = ada.follow(answer).await;
        Callback::parse(answer.location(), client.redirect_uri()).code();
    }

    async fn flood_from_one_address_takes_nothing_from_another(world) {
        let world = narrow(&world).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut ada = world.agent().coming_from("2001:db8:1:2::1");
        let waiting = ada.authorize(&client, &[]).await;
        flood(&world, &client, "2001:db8:1:3::1").await;
        assert_eq!(count(&world, "authorization_requests").await, 4);
        assert!(ada.follow(waiting.clone()).await.field("csrf").is_some(), "it was followed by nobody, and still is there");
        // The other addresses of one /64 are the same party.
        flood(&world, &client, "2001:db8:1:3:ffff::1").await;
        assert_eq!(count(&world, "authorization_requests").await, 4);
    }

    async fn address_of_whoever_sent_a_request_is_in_the_database_under_a_hash_alone(world) {
        let world = narrow(&world).await;
        let client = world.client("shop-web", |_| {}).await;
        flood(&world, &client, HERE).await;
        assert_eq!(count(&world, &format!("authorization_requests WHERE lane LIKE '%{HERE}%' OR request LIKE '%{HERE}%'")).await, 0);
        assert_eq!(count(&world, "authorization_requests WHERE LENGTH(lane) = 43 AND LENGTH(part) = 1").await, 3);
    }

    async fn request_that_was_displaced_is_no_longer_current(world) {
        let world = narrow(&world).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut ada = world.agent().coming_from(HERE);
        let waiting = ada.authorize(&client, &[]).await;
        world.advance(std::time::Duration::from_secs(1));
        flood(&world, &client, HERE).await;
        assert_page(&ada.get(waiting.location()).await, 400);
    }
}
