//! `GET /status-lists/{id}` and `GET /status-lists`, read by a relying party that knows the draft alone.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use passant::app::checkpoint::Checkpoint;
use passant::app::{rotation, status_lists as published};
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, StatusListId, UserId};
use passant::domain::mapped_claim::ClaimName;
use passant::domain::status_list::{SERVED_AFTER_END, SPAN};
use passant::store::{consents, feed_head, grants, registrations, sessions, users};
use passant_tests::on_both_engines;
use passant_tests::status_list::{Fetched, INVALID, StatusList, VALID, reference, validate};
use passant_tests::world::Tokens;
use serde_json::{Value, json};

use super::*;

/// A client whose tokens have a place in a list.
async fn listed(world: &World, id: &str) -> Registered {
    world.client(id, |it| it.status_list = true).await
}

async fn robot(world: &Arc<World>, client: &Registered) -> Tokens {
    Tokens::of(&client.token(world, &[("grant_type", "client_credentials")]).await)
}

/// The path of the list that a token names, and its place there.
fn place(tokens: &Tokens) -> (String, u64) {
    let (uri, idx) = reference(&tokens.claims()).unwrap();
    (uri.strip_prefix(ISSUER).expect("it is ours").to_owned(), idx)
}

async fn ask(world: &Arc<World>, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.agent().send(Method::GET, path, headers, Body::empty()).await
}

/// What a relying party makes of the answer to its question.
async fn validated(world: &Arc<World>, path: &str, answer: &Answer) -> Result<StatusList, String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let jwks = world.agent().get("/jwks.json").await.json();
    let fetched = Fetched { content_type: answer.header("content-type").unwrap().to_owned(), body: answer.body.clone() };
    validate(&format!("{ISSUER}{path}"), &fetched, &jwks, world.app.now().seconds())
}

async fn list(world: &Arc<World>, path: &str) -> StatusList {
    let answer = ask(world, path, &[("accept", "application/statuslist+jwt")]).await;
    validated(world, path, &answer).await.unwrap()
}

/// How a token stands, by its list.
async fn status(world: &Arc<World>, tokens: &Tokens) -> u8 {
    let (path, idx) = place(tokens);
    list(world, &path).await.status(idx).unwrap()
}

async fn revoke(world: &Arc<World>, client: &Registered, token: &str) {
    assert_eq!(client.post(world, "/revoke", &[("token", token)]).await.status, StatusCode::OK);
}

on_both_engines! {
    async fn a_list_is_published_as_the_draft_says(world) {
        world.user(ADA.0, ADA.1).await;
        let client = listed(&world, "shop-web").await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let claims = tokens.claims();
        let (path, idx) = place(&tokens);
        assert_eq!(claims["status"], json!({ "status_list": { "idx": idx, "uri": format!("{ISSUER}{path}") } }));

        let answer = ask(&world, &path, &[]).await;
        for (name, value) in [
            ("content-type", "application/statuslist+jwt"), ("cache-control", "public, max-age=60"), ("vary", "accept"),
            ("access-control-allow-origin", "*"),
        ] {
            assert!(answer.headers.get_all(name).iter().any(|line| line.to_str().unwrap().contains(value)), "{name}: {:?}", answer.headers);
        }
        let list = validated(&world, &path, &answer).await.unwrap();
        let now = world.app.now().seconds();
        let mut said = list.claims.clone();
        assert!(said.as_object_mut().unwrap().remove("status_list").is_some_and(|list| list["bits"] == 1 && list.get("aggregation_uri").is_none()));
        let expected = json!({ "iss": ISSUER, "sub": format!("{ISSUER}{path}"), "iat": now, "exp": now + 120, "ttl": 60 });
        assert_eq!(said, expected);
        assert_eq!((list.places(), list.not_valid(), list.status(idx)), (8192, 0, Ok(VALID)), "as many places as would serve many more");
        assert!(list.status(8192).is_err());

        let small = world.agent().send_raw(Method::GET, &path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(small.headers()["content-encoding"], "gzip");
    }

    async fn an_unchanged_list_is_the_same_to_the_byte_until_its_ttl_has_passed(world) {
        let client = listed(&world, "batch").await;
        let tokens = robot(&world, &client).await;
        let (path, _) = place(&tokens);
        let first = ask(&world, &path, &[]).await;
        let etag = first.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.len() == 45, "{etag} is a strong tag");
        world.advance(Duration::from_secs(59));
        assert_eq!(ask(&world, &path, &[]).await.body, first.body);
        for tag in [etag.clone(), format!("W/{etag}"), "*".to_owned()] {
            let again = ask(&world, &path, &[("if-none-match", &tag)]).await;
            assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!((again.header("etag"), again.header("cache-control")), (Some(etag.as_str()), first.header("cache-control")));
        }
        world.advance(Duration::from_secs(1));
        let renewed = ask(&world, &path, &[("if-none-match", &etag)]).await;
        let (old, new) = (validated(&world, &path, &first).await.unwrap(), validated(&world, &path, &renewed).await.unwrap());
        assert_eq!(new.claims["iat"].as_i64().unwrap(), old.claims["iat"].as_i64().unwrap() + 60);
        assert_eq!(new.claims["status_list"], old.claims["status_list"]);
        // Whatever cache kept the first one for as long as it may: nobody leans on it after its own end.
        world.advance(Duration::from_secs(60));
        assert_eq!(validated(&world, &path, &first).await.unwrap_err(), "it has expired");
    }

    async fn a_revocation_is_in_the_next_answer_of_every_replica(world) {
        let client = listed(&world, "batch").await;
        let (dead, other) = (robot(&world, &client).await, robot(&world, &client).await);
        let replica = world.replica().await;
        let (path, idx) = place(&dead);
        let id = StatusListId::new(path.rsplit('/').next().unwrap());
        assert_eq!((status(&world, &dead).await, status(&world, &other).await), (VALID, VALID));
        let there = async || published::publish(&replica, &id).await.unwrap().unwrap();
        let before = there().await;
        assert_eq!(there().await.etag, before.etag);
        revoke(&world, &client, dead.access()).await;
        assert_eq!((status(&world, &dead).await, status(&world, &other).await), (INVALID, VALID));
        let after = there().await;
        assert_ne!(after.etag, before.etag);
        let fetched = Fetched { content_type: "application/statuslist+jwt".to_owned(), body: after.jwt.clone() };
        let jwks = world.agent().get("/jwks.json").await.json();
        let list = validate(&format!("{ISSUER}{path}"), &fetched, &jwks, world.app.now().seconds()).unwrap();
        assert_eq!((list.status(idx), list.not_valid()), (Ok(INVALID), 1));
    }

    async fn a_revocation_while_a_list_is_signed_is_in_the_next_answer(world) {
        let client = listed(&world, "batch").await;
        let token = robot(&world, &client).await;
        let mut hold = world.held.next(Checkpoint::ListJudged);
        let making = tokio::spawn({
            let (world, token) = (Arc::clone(&world), token.clone());
            async move { status(&world, &token).await }
        });
        hold.arrived().await;
        revoke(&world, &client, token.access()).await;
        hold.release();
        assert_eq!(making.await.unwrap(), VALID, "it was judged before");
        assert_eq!(status(&world, &token).await, INVALID);
    }

    async fn a_list_that_takes_long_holds_up_no_other_and_those_who_wait_for_it_share_one(world) {
        let client = listed(&world, "batch").await;
        let first = robot(&world, &client).await;
        world.advance(SPAN * 2);
        let second = robot(&world, &client).await;
        let ((slow, _), (other, _)) = (place(&first), place(&second));
        assert_ne!(slow, other);
        let id = StatusListId::new(slow.rsplit('/').next().unwrap());
        let publish = || {
            let (app, id) = (Arc::clone(&world.app), id.clone());
            tokio::spawn(async move { published::publish(&app, &id).await.unwrap().unwrap() })
        };
        let mut hold = world.held.next(Checkpoint::ListJudged);
        let making = publish();
        hold.arrived().await;
        let answer = tokio::time::timeout(Duration::from_secs(20), ask(&world, &other, &[])).await;
        assert_eq!(answer.expect("it waits for no other list").status, StatusCode::OK);
        // What is being made has not seen it.
        revoke(&world, &client, first.access()).await;
        let waiting: Vec<_> = (0..20).map(|_| publish()).collect();
        hold.release();
        let before = making.await.unwrap();
        let mut after = Vec::new();
        for waiting in waiting {
            after.push(waiting.await.unwrap());
        }
        assert!(after.iter().all(|list| Arc::ptr_eq(list, &after[0]) && list.etag != before.etag));
        assert_eq!(status(&world, &first).await, INVALID);
    }

    async fn each_cause_that_kills_a_token_here_kills_it_in_its_list_and_no_other(world) {
        let bystander = robot(&world, &listed(&world, "bystander").await).await;
        let now = world.app.now();
        for cause in ["token", "refresh token", "session", "grant", "consent", "user", "client", "key", "issuer"] {
            let name = cause.replace(' ', "-");
            let user = world.user(&format!("user-{name}"), ADA.1).await;
            let who = (format!("user-{name}"), ADA.1);
            let who = (who.0.as_str(), who.1);
            let client = listed(&world, &format!("client-{name}")).await;
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, who, &[]).await;
            let offline = agent.tokens(&client, who, &[("scope", "openid offline_access")]).await;
            assert_eq!((status(&world, &tokens).await, status(&world, &offline).await), (VALID, VALID), "before {cause}");
            let claims = tokens.claims();
            let text = |name: &str| claims[name].as_str().unwrap();
            match cause {
                "token" => revoke(&world, &client, tokens.access()).await,
                "refresh token" => revoke(&world, &client, tokens.refresh()).await,
                "session" => drop(sessions::end(world.db(), SessionId::new(text("sid")), now).await.unwrap().unwrap()),
                "grant" => drop(grants::revoke(world.db(), GrantId::new(text("gid")), now).await.unwrap().unwrap()),
                "consent" => drop(consents::withdraw(world.db(), user.clone(), ClientId::new(client.id()), now).await.unwrap()),
                "user" => drop(users::log_out_everywhere(world.db(), user.clone(), now).await.unwrap().unwrap()),
                "client" => drop(registrations::disable(world.db(), ClientId::new(client.id()), now).await.unwrap().unwrap()),
                "key" => {
                    let kid = KeyId::new(tokens.header()["kid"].as_str().unwrap());
                    rotation::revoke(&world.app, &kid).await.unwrap().expect("it lived");
                }
                _ => drop(feed_head::cut_off(world.db(), vec![Target::Issuer], Event::done(Action::IssuerCutOff), now).await.unwrap()),
            }
            let whole = ["key", "issuer"].contains(&cause);
            let spared = ["token", "refresh token", "session", "grant"].contains(&cause);
            for (which, tokens, dead) in [("its own", &tokens, true), ("offline", &offline, !spared), ("a bystander's", &bystander, whole)] {
                assert_eq!(status(&world, tokens).await, if dead { INVALID } else { VALID }, "{cause}: {which}");
                let live = agent.userinfo(tokens.access()).await.status != StatusCode::UNAUTHORIZED;
                assert_eq!(live, !dead, "{cause}: {which}: /userinfo says the same");
            }
        }
    }

    async fn after_an_issuer_wide_cut_off_new_tokens_go_to_new_lists(world) {
        let client = listed(&world, "batch").await;
        let before = robot(&world, &client).await;
        feed_head::cut_off(world.db(), vec![Target::Issuer], Event::done(Action::IssuerCutOff), world.app.now()).await.unwrap();
        let after = robot(&world, &client).await;
        let ((old, _), (new, _)) = (place(&before), place(&after));
        assert_ne!(old, new);
        assert_eq!((list(&world, &old).await.not_valid(), list(&world, &new).await.not_valid()), (8192, 0));
    }

    async fn a_token_that_was_cut_off_before_it_was_signed_is_not_given_out(world) {
        world.user(ADA.0, ADA.1).await;
        let client = listed(&world, "shop-web").await;
        let beside = robot(&world, &client).await;
        for checkpoint in [Checkpoint::GrantSpent, Checkpoint::PlaceTaken] {
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, ADA, &[]).await;
            let mut hold = world.held.next(checkpoint);
            let (refreshing, with) = (client.clone(), tokens.clone());
            let task = tokio::spawn(async move { refreshing.refresh(&agent, with.refresh()).await });
            hold.arrived().await;
            let gid = GrantId::new(tokens.claims()["gid"].as_str().unwrap());
            grants::revoke(world.db(), gid, world.app.now()).await.unwrap().unwrap();
            // Made while the token has no place yet, or has it and is not signed.
            let not_valid = list(&world, &place(&beside).0).await.not_valid();
            hold.release();
            assert_error(&task.await.unwrap(), 400, "invalid_grant");
            assert_eq!(status(&world, &tokens).await, INVALID);
            assert!(not_valid > 0, "{checkpoint:?}");
        }
        assert_eq!(status(&world, &beside).await, VALID);
    }

    async fn every_token_has_a_place_of_its_own(world) {
        world.user(ADA.0, ADA.1).await;
        let client = Arc::new(listed(&world, "shop-web").await);
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let again = Tokens::of(&client.refresh(&world.agent(), tokens.refresh()).await);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (world, client) = (Arc::clone(&world), Arc::clone(&client));
            all.spawn(async move { robot(&world, &client).await });
        }
        let mut places: BTreeSet<(String, u64)> = all.join_all().await.iter().map(place).collect();
        places.extend([place(&tokens), place(&again)]);
        assert_eq!(places.len(), 42);
        assert_eq!(places.iter().map(|(path, _)| path).collect::<BTreeSet<_>>().len(), 1, "and a list for all that end together");
    }

    async fn a_client_that_asks_for_none_leaves_no_row_and_its_tokens_stay_small(world) {
        world.user(ADA.0, ADA.1).await;
        let (plain, with) = (world.client("shop-web", |_| {}).await, listed(&world, "shop-wob").await);
        let scope = [("scope", "openid profile orders:read")];
        let bare = world.agent().tokens(&plain, ADA, &scope).await;
        robot(&world, &plain).await;
        assert_eq!((bare.claims().get("status"), count(&world, "status_entries").await), (None, 0));
        assert_eq!(count(&world, "status_lists").await, 0);
        let tokens = world.agent().tokens(&with, ADA, &scope).await;
        let (small, large) = (bare.access().len(), tokens.access().len());
        println!("an access token has {small} bytes, and with its place in a status list {large}");
        assert!(small <= 800 && (100..=150).contains(&(large - small)), "{small} and {large} bytes");
        assert!(tokens.id_claims().get("status").is_none());
        assert!("status".parse::<ClaimName>().is_err(), "no mapped claim takes its name");
    }

    async fn introspection_tells_a_listed_token_as_it_is(world) {
        world.user(ADA.0, ADA.1).await;
        let client = listed(&world, "shop-web").await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let said = client.post(&world, "/introspect", &[("token", tokens.access())]).await.json();
        assert_eq!((&said["active"], &said["status"]), (&json!(true), &tokens.claims()["status"]));
        revoke(&world, &client, tokens.access()).await;
        let said = client.post(&world, "/introspect", &[("token", tokens.access())]).await;
        assert_eq!(said.json(), json!({ "active": false }));
    }

    async fn a_list_is_gone_when_the_last_of_its_tokens_is_over_for_everybody(world) {
        let client = listed(&world, "batch").await;
        let tokens = robot(&world, &client).await;
        let (path, _) = place(&tokens);
        world.advance(Duration::from_secs(600 + 299));
        assert_eq!(status(&world, &tokens).await, VALID, "five minutes of leeway");
        world.advance(Duration::from_secs(900) + SERVED_AFTER_END);
        assert_error(&ask(&world, &path, &[]).await, 404, "not_found");
    }

    async fn what_is_not_served_is_said_so(world) {
        let client = listed(&world, "batch").await;
        let (path, _) = place(&robot(&world, &client).await);
        for (path, status, error) in [
            ("/status-lists/unknown", 404, "not_found"), ("/status-lists/%00", 404, "not_found"), ("/status-lists/%ff", 404, "not_found"),
            (&*format!("{path}?time=1686925000"), 501, "not_implemented"), (&format!("{path}?x=1&time="), 501, "not_implemented"),
        ] {
            assert_error(&ask(&world, path, &[]).await, status, error);
        }
        for unwanted in ["application/statuslist+cwt", "application/json", "application/statuslist+jwt;q=0"] {
            assert_error(&ask(&world, &path, &[("accept", unwanted)]).await, 406, "invalid_request");
        }
        for wanted in ["*/*", "application/statuslist+cwt, application/statuslist+jwt;q=0.9"] {
            assert_eq!(ask(&world, &path, &[("accept", wanted)]).await.status, StatusCode::OK);
        }
        assert_eq!(ask(&world, &format!("{path}?anything=1"), &[]).await.status, StatusCode::OK);
    }

    async fn where_all_lists_are_is_told_where_the_operator_wants_it(world) {
        assert_error(&ask(&world, "/status-lists", &[]).await, 404, "not_found");
        let metadata = world.agent().get("/.well-known/oauth-authorization-server").await.json();
        assert!(metadata.get("status_list_aggregation_endpoint").is_none());
        let open = Arc::new(World::with(engine(&world), |config| {
            config.status_lists.aggregation = true;
            config.status_lists.ttl = Duration::from_secs(30);
        }).await);
        let metadata = open.agent().get("/.well-known/oauth-authorization-server").await.json();
        assert_eq!(metadata["status_list_aggregation_endpoint"], format!("{ISSUER}/status-lists"));
        assert_eq!(ask(&open, "/status-lists", &[]).await.json(), json!({ "status_lists": [] }));
        let (one, other) = (listed(&open, "one").await, open.client("other", |it| {
            it.status_list = true;
            it.lifetimes.access_token = "1h".parse().unwrap();
        }).await);
        let (early, late) = (robot(&open, &one).await, robot(&open, &other).await);
        let answer = ask(&open, "/status-lists", &[]).await;
        assert_eq!((answer.header("content-type"), answer.header("cache-control")), (Some("application/json"), Some("public, max-age=30")));
        let uri = |tokens: &Tokens| Value::from(reference(&tokens.claims()).unwrap().0);
        assert_eq!(answer.json(), json!({ "status_lists": [uri(&early), uri(&late)] }));
        let list = list(&open, &place(&early).0).await;
        assert_eq!(list.claims["status_list"]["aggregation_uri"], format!("{ISSUER}/status-lists"));
        assert_eq!((&list.claims["ttl"], list.claims["exp"].as_i64()), (&json!(30), list.claims["iat"].as_i64().map(|iat| iat + 60)));
    }

    async fn a_replica_whose_clock_is_off_vouches_for_nothing(world) {
        let client = listed(&world, "batch").await;
        let (path, _) = place(&robot(&world, &client).await);
        list(&world, &path).await;
        world.clock.set_database_ahead(61_000);
        world.app.compare_clocks().await.unwrap();
        let expected = if engine(&world) == Engine::Postgres { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        assert_eq!(ask(&world, &path, &[]).await.status, expected, "SQLite has no clock of its own");
    }

    async fn a_list_names_nobody(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = listed(&world, "shop-web").await;
        let tokens = world.agent().tokens(&client, ADA, &[]).await;
        let (path, _) = place(&tokens);
        let list = ask(&world, &path, &[]).await;
        let claims = validated(&world, &path, &list).await.unwrap().claims.to_string();
        let jti = tokens.claims()["jti"].as_str().unwrap().to_owned();
        for named in [UserId::as_str(&ada), client.id(), &jti] {
            assert!(!claims.contains(named) && !path.contains(named), "a list names nobody: {claims}");
        }
    }
}
