//! `GET /revocations` and `GET /revocations/stream`: what they answer to whom. What followers make of it is in `feed/`.

use std::time::Duration;

use axum::body::Body;
use passant::config::FeedAccess;
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::feed::Position;
use passant::domain::ids::{FeedId, Tick, TokenId};
use passant::secret::TokenHash;
use passant::store::feed_head;
use passant_tests::on_both_engines;
use passant_tests::world::told_of;

use super::*;

const MESSAGE: &str = "application/passant-revocations+jwt";

async fn get(world: &Arc<World>, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.agent().send(Method::GET, path, headers, Body::empty()).await
}

/// The head of an answer of the stream, whose body has no end.
async fn stream(world: &Arc<World>, path: &str, headers: &[(&str, &str)]) -> axum::http::Response<Body> {
    world.agent().send_raw(Method::GET, path, headers).await
}

async fn revoke(world: &World) -> Position {
    let target = Target::Token(TokenId::random());
    let event = told_of(&target);
    feed_head::cut_off(world.db(), vec![target], event, world.app.now()).await.unwrap();
    world.app.feed.snapshot(&world.app.feed_sources()).await.unwrap().head.clone()
}

fn after(position: &Position) -> String {
    format!("/revocations?after={position}")
}

on_both_engines! {
    async fn unchanged_snapshot_is_not_sent_again(world) {
        let first = get(&world, "/revocations", &[]).await;
        assert_eq!((first.status, first.header("content-type")), (StatusCode::OK, Some(MESSAGE)));
        let tag = first.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{tag} is a strong tag");
        world.advance(Duration::from_secs(9));
        for names in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = get(&world, "/revocations", &[("if-none-match", &names)]).await;
            assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let whole = get(&world, "/revocations", &[("if-none-match", "\"other\"")]).await;
        assert_eq!((whole.status, &whole.body), (StatusCode::OK, &first.body));

        revoke(&world).await;
        let news = get(&world, "/revocations", &[("if-none-match", &tag)]).await;
        assert_eq!(news.status, StatusCode::OK);
        assert_ne!(news.header("etag"), Some(tag.as_str()));
        world.advance(Duration::from_secs(10));
        let later = get(&world, "/revocations", &[("if-none-match", news.header("etag").unwrap())]).await;
        assert_eq!(later.status, StatusCode::OK, "a snapshot vouches for ten seconds");
        assert_ne!((later.header("etag"), &later.body), (news.header("etag"), &news.body));
    }

    async fn each_process_answers_for_itself_and_a_tag_of_one_is_no_promise_of_another(world) {
        let (one, replica) = (get(&world, "/revocations", &[]).await, world.replica().await);
        let other = replica.feed.snapshot(&replica.feed_sources()).await.unwrap();
        assert_ne!(one.header("etag"), Some(other.etag.as_str()), "its start has raised the tick");
    }

    async fn stream_is_one_of_events_that_no_proxy_holds_back(world) {
        let answer = stream(&world, "/revocations/stream", &[]).await;
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status(), header("content-type")), (StatusCode::OK, Some("text/event-stream")));
        assert_eq!((header("cache-control"), header("x-accel-buffering")), (Some("no-store"), Some("no")));
        assert_eq!(header("access-control-allow-origin"), Some("*"));
    }

    async fn position_that_contradicts_the_history_is_409(world) {
        let one = revoke(&world).await;
        world.advance(Duration::from_secs(1));
        let other = revoke(&world).await;
        let link = "l".repeat(43);
        for (position, how) in [
            (Position { tick: Tick::new(other.tick.get() + 1), ..other.clone() }, "above the head"),
            (Position { tick: Tick::new(one.tick.get() + 1), ..one.clone() }, "between two neighbouring entries"),
            (Position { link: link.clone(), ..one.clone() }, "another link"),
            (Position { link, ..other.clone() }, "another link"),
        ] {
            let position_text = position.to_string();
            for answer in [
                get(&world, &after(&position), &[]).await,
                get(&world, &format!("{}&wait=25", after(&position)), &[]).await,
                get(&world, &format!("/revocations/stream?after={position}"), &[]).await,
                get(&world, "/revocations/stream", &[("last-event-id", &position_text)]).await,
            ] {
                assert_error(&answer, 409, "contradiction");
                assert!(answer.body.contains(how), "{how}: {}", answer.body);
            }
        }
        for position in [one, other] {
            assert_eq!(get(&world, &after(&position), &[]).await.status, StatusCode::OK);
        }
    }

    async fn contradiction_below_what_the_process_holds_is_found_in_the_database(world) {
        let one = revoke(&world).await;
        let many: Vec<Target> = (0..9000).map(|_| Target::Token(TokenId::random())).collect();
        feed_head::cut_off(world.db(), many, Event::done(Action::TokenRevoke), world.app.now()).await.unwrap();
        let last = revoke(&world).await;
        let forged = Position { link: "l".repeat(43), ..one.clone() };
        assert_error(&get(&world, &after(&forged), &[]).await, 409, "contradiction");
        let between = Position { tick: Tick::new(one.tick.get() - 1), ..one.clone() };
        let status = get(&world, &after(&between), &[]).await.status;
        assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&status), "{status}: whether there was one depends on the start");
        let answer = get(&world, &after(&one), &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.len() < 1000, "a heartbeat sends it to the snapshot: {}", answer.body.len());
        feed_head::prune_below(world.db(), last.tick).await.unwrap();
        for unknown in [forged, one] {
            assert_eq!(get(&world, &after(&unknown), &[]).await.status, StatusCode::OK, "nothing is known of it any more");
        }
    }

    async fn position_of_another_history_is_answered_with_a_heartbeat(world) {
        let head = revoke(&world).await;
        for tick in [0, head.tick.get(), head.tick.get() + 1_000_000] {
            let other = Position { feed: FeedId::random(), tick: Tick::new(tick), link: head.link.clone() };
            let answer = get(&world, &format!("{}&wait=25", after(&other)), &[]).await;
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some(MESSAGE)));
            assert!(answer.body.len() < 1000, "{}", answer.body.len());
        }
    }

    async fn last_event_id_stands_above_the_address_which_a_browser_never_changes(world) {
        let (old, head) = (revoke(&world).await, revoke(&world).await);
        let forged = Position { link: "l".repeat(43), ..old };
        let path = format!("/revocations/stream?after={forged}");
        assert_eq!(stream(&world, &path, &[("last-event-id", &head.to_string())]).await.status(), StatusCode::OK);
        assert_eq!(stream(&world, &path, &[]).await.status(), StatusCode::CONFLICT);
    }

    async fn what_cannot_be_understood_is_400(world) {
        let head = revoke(&world).await;
        let position = head.to_string();
        for query in [
            "after=x".to_owned(),
            format!("after={}.07.{}", head.feed, head.link),
            format!("after={position}&after={position}"),
            format!("after={position}&wait=26"),
            format!("after={position}&wait=-1"),
            format!("after={position}&wait=1.5"),
            format!("after={position}&wait=x"),
            "wait=5".to_owned(),
            "after=%ff".to_owned(),
        ] {
            assert_error(&get(&world, &format!("/revocations?{query}"), &[]).await, 400, "invalid_request");
        }
        for (query, id) in [("?after=x", None), ("", Some("x")), ("", Some(""))] {
            let headers: Vec<(&str, &str)> = id.into_iter().map(|id| ("last-event-id", id)).collect();
            assert_error(&get(&world, &format!("/revocations/stream{query}"), &headers).await, 400, "invalid_request");
        }
        let twice = [("last-event-id", position.as_str()), ("last-event-id", position.as_str())];
        assert_error(&get(&world, "/revocations/stream", &twice).await, 400, "invalid_request");
    }

    async fn feed_that_asks_for_a_secret_takes_either_of_its_two_and_no_other(world) {
        let (old, new) = ("o".repeat(43), "n".repeat(43));
        let hashes = vec![TokenHash::of(&old), TokenHash::of(&new)];
        let closed = World::with(engine(&world), |config| config.feed.access = FeedAccess::Bearer(hashes)).await;
        let closed = Arc::new(closed);
        let head = revoke(&closed).await;
        let poll = format!("{}&wait=0", after(&head));
        for path in ["/revocations", &poll, "/revocations/stream"] {
            for secret in [&old, &new] {
                let line = format!("Bearer {secret}");
                assert_eq!(stream(&closed, path, &[("authorization", &line)]).await.status(), StatusCode::OK, "{path}");
            }
            for (line, challenge) in [
                (None, r#"Bearer realm="passant""#),
                (Some("Basic eDp5"), r#"Bearer realm="passant""#),
                (Some("Bearer"), r#"Bearer realm="passant""#),
                (Some("Bearer x"), r#"Bearer realm="passant", error="invalid_token""#),
                (Some(TokenHash::of(&old).as_str()), r#"Bearer realm="passant""#),
            ] {
                let headers: Vec<(&str, &str)> = line.into_iter().map(|line| ("authorization", line)).collect();
                let answer = get(&closed, path, &headers).await;
                assert_error(&answer, 401, "invalid_token");
                assert!(answer.header("www-authenticate").unwrap().starts_with(challenge), "{path} {line:?}");
            }
            let hash = format!("Bearer {}", TokenHash::of(&old).as_str());
            assert_error(&get(&closed, path, &[("authorization", &hash)]).await, 401, "invalid_token");
        }
    }

    async fn followers_have_a_bound_of_their_own_and_of_each_address(world) {
        let narrow = World::with(engine(&world), |config| {
            (config.limits.streams, config.limits.streams_per_address) = (3, 2);
        });
        let narrow = Arc::new(narrow.await);
        let from = |address: &str| narrow.agent().coming_from(address);
        let follow = async |agent: &Agent| agent.send_raw(Method::GET, "/revocations/stream", &[]).await;
        let (one, other) = (from("203.0.113.1"), from("203.0.113.2"));
        let (first, _second) = (follow(&one).await, follow(&one).await);
        let refused = follow(&one).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "one address has all that one may have");
        assert!(refused.headers().contains_key("retry-after"));
        let _third = follow(&other).await;
        assert_eq!(follow(&other).await.status(), StatusCode::SERVICE_UNAVAILABLE, "all places are taken");
        assert_eq!(get(&narrow, "/revocations", &[]).await.status, StatusCode::OK, "who does not stay needs none");
        let head = revoke(&narrow).await;
        let waiting = from("203.0.113.2").get(&format!("{}&wait=25", after(&head))).await;
        assert_eq!(waiting.status, StatusCode::OK, "who would wait is told at once how things stand");
        drop(first);
        assert_eq!(follow(&one).await.status(), StatusCode::OK, "a place that was left is free");
    }

    async fn strangers_leave_the_places_that_a_public_feed_keeps_for_those_it_knows(world) {
        let secret = "s".repeat(43);
        let hashes = vec![TokenHash::of(&secret)];
        let kept = World::with(engine(&world), |config| {
            (config.limits.streams, config.limits.streams_per_address) = (6, 2);
            config.feed.access = FeedAccess::Public(hashes);
        });
        let kept = Arc::new(kept.await);
        let (right, wrong) = (format!("Bearer {secret}"), format!("Bearer {}", "w".repeat(43)));
        let follow = async |last: usize, line: Option<&str>| {
            let headers: Vec<(&str, &str)> = line.into_iter().map(|line| ("authorization", line)).collect();
            let agent = kept.agent().coming_from(&format!("203.0.113.{last}"));
            agent.send_raw(Method::GET, "/revocations/stream", &headers).await
        };
        let mut strangers = Vec::new();
        for last in 1..=4 {
            for line in [None, Some(wrong.as_str())] {
                strangers.push(follow(last, line).await);
            }
        }
        let taken = strangers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
        assert_eq!(taken, 3, "whatever they send, and from however many addresses");
        let head = revoke(&kept).await;
        let waiting = kept.agent().coming_from("203.0.113.9").get(&format!("{}&wait=25", after(&head))).await;
        assert_eq!(waiting.status, StatusCode::OK, "who finds no place can ask");
        let mut known = Vec::new();
        for _ in 0..3 {
            known.push(follow(1, Some(&right)).await);
        }
        assert!(known.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(follow(1, Some(&right)).await.status(), StatusCode::SERVICE_UNAVAILABLE, "all places are taken");
    }

    async fn nobody_follows_a_process_that_is_about_to_end(world) {
        let head = revoke(&world).await;
        let mut open = stream(&world, "/revocations/stream", &[]).await.into_body();
        let waiting = tokio::spawn({
            let (world, path) = (Arc::clone(&world), format!("{}&wait=25", after(&head)));
            async move { get(&world, &path, &[]).await }
        });
        while world.app.feed.followers() < 2 {
            tokio::task::yield_now().await;
        }
        world.app.feed.end();
        use http_body_util::BodyExt;
        assert!(open.frame().await.is_some_and(|frame| frame.is_ok()), "the first event was on its way");
        assert!(open.frame().await.is_none());
        assert_eq!(waiting.await.unwrap().status, StatusCode::OK, "who waits is answered with what there is");
        assert_error(&get(&world, "/revocations/stream", &[]).await, 503, "temporarily_unavailable");
    }
}
