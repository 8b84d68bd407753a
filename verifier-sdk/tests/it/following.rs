//! The rules of `FEED.md` under "Following", one by one, on a verifier that is handed the messages.

use std::time::Duration;

use passant_verifier::{FeedError, FeedOutcome, ManualClock, Reason, RevocationState, Verifier};
use serde_json::{Value, json};

use crate::feed::{FIRST_TICK, Feed, header, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, jwks, reason};

use FeedOutcome::{Confirmed, Moved, NeedsSnapshot, Old};

const MINUTE: Duration = Duration::from_secs(60);

struct Follower {
    verifier: Verifier,
    clock: ManualClock,
}

impl Follower {
    fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone()).revocations_handed_in();
        let keys = jwks(&[TestKey::first().jwk(), TestKey::second().jwk()]);
        Self { verifier: builder.static_jwks(keys).build().unwrap(), clock }
    }

    /// A follower that holds this feed's snapshot.
    fn holding(feed: &Feed) -> Self {
        let follower = Self::new();
        assert_eq!(follower.take(&feed.snapshot()), Ok(Moved));
        follower
    }

    fn take(&self, message: &Value) -> Result<FeedOutcome, FeedError> {
        self.verifier.take_revocations(&signed(&TestKey::first(), message))
    }

    fn position(&self) -> String {
        self.verifier.health().revocations.unwrap().position.unwrap()
    }

    fn refuses(&self, claims: &Value) -> Option<Reason> {
        reason(&self.verifier, &TestKey::first().sign(claims))
    }

    /// Whether the token with this `sid` is revoked, and nothing else is the matter.
    fn revoked(&self, sid: &str) -> bool {
        match self.refuses(&claims_with("sid", json!(sid))) {
            None => false,
            Some(Reason::Revoked) => true,
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// A feed with a revoked session for each name.
fn feed_of(sessions: &[&str]) -> Feed {
    let mut feed = Feed::new();
    for sid in sessions {
        feed.revoke("sid", &[sid]);
    }
    feed
}

#[test]
fn a_token_is_judged_at_every_level_by_whether_it_was_born_before_the_cutoff() {
    let born = FIRST_TICK;
    for (level, identifiers) in [
        ("iss", &[][..]),
        ("client_id", &["shop-web"]),
        ("sub", &["u-1"]),
        ("sub+client_id", &["u-1", "shop-web"]),
        ("sid", &["s-1"]),
        ("gid", &["g-1"]),
        ("jti", &["t-1"]),
    ] {
        let mut feed = Feed::new();
        let tick = feed.revoke(level, identifiers);
        assert_eq!(tick, born + 1);
        let follower = Follower::holding(&feed);
        let error = follower.verifier.verify(&TestKey::first().sign(&claims())).unwrap_err();
        assert_eq!((error.code(), error.http_status(), error.oauth_error()), ("revoked", 401, Some("invalid_token")), "{level}");
        assert_eq!(error.detail(), Some(level));
        assert_eq!(follower.refuses(&claims_with("born", json!(tick))), None, "{level}: born at the cut-off's own tick");
        let mut other = Feed::new();
        other.revoke(level, &identifiers.iter().map(|_| "another").chain(["odd"]).collect::<Vec<_>>());
        assert_eq!(Follower::holding(&other).refuses(&claims()), None, "{level}: of another target");
    }
}

#[test]
fn a_level_whose_claim_is_missing_is_not_judged() {
    let mut feed = feed_of(&["s-1"]);
    feed.revoke("gid", &["g-1"]);
    let mut claims = claims();
    assert_eq!(Follower::holding(&feed).refuses(&claims), Some(Reason::Revoked));
    claims.as_object_mut().unwrap().retain(|name, _| name != "sid" && name != "gid");
    assert_eq!(Follower::holding(&feed).refuses(&claims), None);
}

#[test]
fn what_a_dead_key_signed_is_dead_whenever_it_was_born_whether_tokens_or_messages() {
    let mut feed = Feed::new();
    let follower = Follower::holding(&feed);
    feed.revoke("kid", &["first"]);
    assert_eq!(follower.verifier.take_revocations(&signed(&TestKey::second(), &feed.delta(1))), Ok(Moved));
    let token = claims_with("born", json!(1_u64 << 53));
    assert_eq!(follower.refuses(&token), Some(Reason::Revoked));
    assert_eq!(reason(&follower.verifier, &TestKey::second().sign(&token)), None);
    assert_eq!(follower.take(&feed.heartbeat()), Err(FeedError::DeadKey));
    let health = follower.verifier.health();
    assert_eq!((health.usable_keys, health.skipped_keys[0].kid.as_deref()), (1, Some("first")));
    assert!(health.revocations.unwrap().cutoffs.contains(&("kid", 1)));
}

#[test]
fn once_a_feed_is_followed_born_is_demanded_and_life_is_what_the_feed_says() {
    let mut feed = Feed::new();
    feed.life = 600;
    let follower = Follower::holding(&feed);
    let mut unborn = claims();
    unborn.as_object_mut().unwrap().remove("born");
    assert_eq!(follower.refuses(&unborn), Some(Reason::ClaimMissing));
    assert_eq!(follower.refuses(&claims_with("born", json!(1.5))), Some(Reason::ClaimMalformed));
    assert_eq!(follower.refuses(&claims_with("exp", json!(NOW + 601))), Some(Reason::LivesTooLong));
    assert_eq!(follower.refuses(&claims_with("iat", json!(NOW + 61))), Some(Reason::IssuedInFuture));
    assert_eq!(follower.refuses(&claims()), None);
    assert_eq!(Follower::new().refuses(&unborn), Some(Reason::ClaimMissing));
}

#[test]
fn rule_1_it_begins_with_a_snapshot_and_with_nothing_else() {
    let feed = feed_of(&["a"]);
    let follower = Follower::new();
    assert_eq!(follower.refuses(&claims()), Some(Reason::RevocationsMissing));
    assert_eq!((follower.take(&feed.heartbeat()), follower.take(&feed.delta(1))), (Ok(NeedsSnapshot), Ok(NeedsSnapshot)));
    assert_eq!(follower.refuses(&claims()), Some(Reason::RevocationsMissing));
    assert_eq!(follower.take(&feed.snapshot()), Ok(Moved));
    assert_eq!((follower.position(), follower.revoked("a"), follower.revoked("b")), (feed.position(), true, false));
}

#[test]
fn rule_2_a_delta_that_joins_moves_the_position_wherever_it_begins() {
    let feed = feed_of(&["a", "b", "c", "d"]);
    for held in 0..4 {
        for from in 1..=5 - 1 {
            let follower = Follower::holding(&feed.before(4 - held));
            let joins = from <= held + 1;
            let outcome = follower.take(&feed.delta(from));
            assert_eq!(outcome, Ok(if joins { Moved } else { NeedsSnapshot }), "held {held}, from {from}");
            assert!(follower.revoked("d"), "what a message tells counts, joined or not");
            assert_eq!(follower.position() == feed.position(), joins);
        }
    }
    let follower = Follower::holding(&feed);
    for from in 1..=4 {
        assert_eq!(follower.take(&feed.delta(from)), Ok(Confirmed), "an overlap up to the own position: {from}");
    }
}

#[test]
fn rule_2_an_entry_left_out_put_in_exchanged_or_altered_is_a_mismatch() {
    let mut feed = Feed::new();
    for (sid, tick) in ["a", "b", "c", "d"].iter().zip(1..) {
        feed.append(FIRST_TICK + 10 * tick, &[("sid", &[sid])]);
    }
    type Spoil = fn(&mut Value);
    let spoils: [(&str, Spoil); 7] = [
        ("left out", |m| drop(m["entries"].as_array_mut().unwrap().remove(1))),
        ("put in", |m| m["entries"].as_array_mut().unwrap().insert(0, json!([FIRST_TICK + 15, { "sid": [] }]))),
        ("a cut-off left out", |m| m["entries"][1][1] = json!({})),
        ("a cut-off put in", |m| m["entries"][1][1]["gid"] = json!(["AAAAAAAAAAAAAAAAAAAAAA"])),
        ("another level", |m| m["entries"][1][1] = json!({ "gid": m["entries"][1][1]["sid"] })),
        ("another entry before it", |m| m["after"] = json!(FIRST_TICK + 5)),
        ("another link", |m| m["chain"] = json!("A".repeat(43))),
    ];
    for (what, spoil) in spoils {
        let held = feed.before(3);
        let follower = Follower::holding(&held);
        let mut message = feed.delta(2);
        spoil(&mut message);
        assert_eq!(follower.take(&message), Ok(NeedsSnapshot), "{what}");
        assert_eq!((follower.position(), follower.revoked("a")), (held.position(), true), "{what}");
        let health = follower.verifier.health().revocations.unwrap();
        assert_eq!((health.lag, health.last_failure.is_some()), (30, true), "{what}");
        assert_eq!((follower.take(&feed.snapshot()), follower.position()), (Ok(Moved), feed.position()), "{what}");
        assert_eq!(follower.verifier.health().revocations.unwrap().last_failure, None);
    }
    let mut exchanged = feed.delta(2);
    let entries = exchanged["entries"].as_array_mut().unwrap();
    let (one, other) = (entries[0][1].clone(), entries[1][1].clone());
    (entries[0][1], entries[1][1]) = (other, one);
    assert_eq!(Follower::holding(&feed.before(3)).take(&exchanged), Ok(NeedsSnapshot));
}

#[test]
fn rule_3_a_heartbeat_with_the_own_head_is_news_and_nothing_more() {
    let mut feed = feed_of(&["a"]);
    let follower = Follower::holding(&feed);
    follower.clock.advance(MINUTE);
    assert_eq!(follower.verifier.health().revocations.unwrap().age, Some(MINUTE));
    feed.iat += 60;
    assert_eq!(follower.take(&feed.heartbeat()), Ok(Confirmed));
    let health = follower.verifier.health().revocations.unwrap();
    assert_eq!((health.age, health.tick, health.lag), (Some(Duration::ZERO), Some(FIRST_TICK + 1), 0));
    assert!(follower.revoked("a"));
}

#[test]
fn rule_4_what_lies_below_the_position_is_old_but_an_old_snapshot_still_tells() {
    let feed = feed_of(&["a", "b", "c"]);
    let follower = Follower::holding(&feed);
    let mut fork = feed.before(2);
    fork.append(FIRST_TICK + 2, &[("sid", &["forked"])]);
    assert_eq!((follower.take(&feed.before(2).heartbeat()), follower.take(&feed.before(1).delta(1))), (Ok(Old), Ok(Old)));
    assert_eq!((follower.take(&fork.delta(2)), follower.revoked("forked")), (Ok(Old), false));
    assert_eq!((follower.take(&fork.snapshot()), follower.revoked("forked")), (Ok(Old), true));
    assert_eq!((follower.position(), follower.take(&feed.heartbeat())), (feed.position(), Ok(Confirmed)));
}

#[test]
fn rule_5_a_gap_another_link_or_another_feed_asks_for_a_snapshot_which_is_united() {
    let feed = feed_of(&["a", "b"]);
    let mut ahead = feed.clone();
    ahead.revoke("sid", &["c"]);
    let mut fork = feed.before(1);
    fork.append(feed.head().tick, &[("sid", &["forked"])]);
    let mut restored = Feed { id: "feed-2".into(), entries: Vec::new(), ..feed.clone() };
    restored.append(FIRST_TICK - 9, &[]);
    restored.append(FIRST_TICK - 8, &[("sid", &["restored"])]);
    for (other, told) in [(ahead, "c"), (fork, "forked"), (restored, "restored")] {
        let follower = Follower::holding(&feed);
        assert_eq!(follower.take(&other.heartbeat()), Ok(NeedsSnapshot), "{told}");
        assert_eq!((follower.position(), follower.revoked(told)), (feed.position(), false));
        assert_eq!((follower.take(&other.snapshot()), follower.position()), (Ok(Moved), other.position()), "{told}");
        let born_later = claims_with("born", json!(FIRST_TICK));
        assert!(follower.revoked("a") && follower.revoked("b"), "{told}: nothing is forgotten");
        assert_eq!((follower.refuses(&born_later), follower.verifier.health().revocations.unwrap().lag), (None, 0));
        assert_eq!(follower.take(&other.heartbeat()), Ok(Confirmed), "{told}");
    }
}

#[test]
fn rule_5_of_two_ticks_for_one_name_the_larger_wins_whichever_came_first() {
    let mut feed = Feed::new();
    feed.append(FIRST_TICK + 10, &[("sid", &["s"])]);
    feed.append(FIRST_TICK + 20, &[("sid", &["s"])]);
    let later = claims_with("born", json!(FIRST_TICK + 15));
    let later = |sid: &str| (later.clone(), sid.to_owned());
    for messages in [[feed.snapshot(), feed.before(1).snapshot()], [feed.before(1).snapshot(), feed.snapshot()]] {
        let follower = Follower::new();
        messages.iter().for_each(|message| assert!(follower.take(message).is_ok()));
        let (mut claims, sid) = later("s");
        claims["sid"] = json!(sid);
        assert_eq!(follower.refuses(&claims), Some(Reason::Revoked));
    }
}

#[test]
fn rule_5_a_new_database_with_another_salt_takes_nothing_back() {
    let feed = feed_of(&["a"]);
    let follower = Follower::holding(&feed);
    let mut other = Feed { id: "feed-2".into(), salt: "b3RoZXI".into(), entries: Vec::new(), ..feed };
    other.append(FIRST_TICK, &[]);
    other.revoke("sid", &["z"]);
    assert_eq!(follower.take(&other.snapshot()), Ok(Moved));
    assert_eq!((follower.revoked("a"), follower.revoked("z"), follower.revoked("b")), (true, true, false));
}

#[test]
fn rule_5_an_older_snapshot_of_another_feed_is_united_but_does_not_move_the_position() {
    let mut feed = feed_of(&["a"]);
    let mut past = Feed { id: "feed-0".into(), entries: Vec::new(), iat: NOW - 30, ..feed.clone() };
    past.append(FIRST_TICK + 100, &[("sid", &["z"])]);
    feed.iat = NOW;
    let follower = Follower::holding(&feed);
    assert_eq!((follower.take(&past.snapshot()), follower.position()), (Ok(Old), feed.position()));
    assert!(follower.revoked("z"));
    assert_eq!(follower.take(&feed.heartbeat()), Ok(Confirmed));
}

#[test]
fn rule_6_cutoffs_are_forgotten_seventy_minutes_after_they_came_and_dead_keys_never_where_nobody_exchanges_them() {
    let mut feed = feed_of(&["a"]);
    feed.revoke("kid", &["elsewhere"]);
    let follower = Follower::holding(&feed);
    let counts = |after: Duration| {
        follower.clock.advance(after);
        let mut now = feed.clone();
        now.iat = NOW + 100 * 24 * 3_600;
        follower.clock.set(now.iat);
        now.iat += i64::from(follower.verifier.health().revocations.unwrap().refused_messages == 0);
        assert!(matches!(follower.take(&now.heartbeat()), Ok(Confirmed)));
        let counts = follower.verifier.health().revocations.unwrap().cutoffs;
        ["sid", "kid"].map(|level| counts.iter().find(|(of, _)| *of == level).unwrap().1)
    };
    assert_eq!(counts(70 * MINUTE), [1, 1]);
    assert_eq!(counts(2 * MINUTE), [0, 1]);
    assert_eq!(counts(90 * 24 * 60 * MINUTE - 72 * MINUTE), [0, 1]);
    assert_eq!(counts(2 * MINUTE), [0, 1], "ninety days are for keys that are fetched");
}

#[test]
fn age_is_the_larger_of_what_the_stamp_and_what_our_clock_says() {
    let mut feed = Feed::new();
    feed.iat = NOW - 100;
    let follower = Follower::holding(&feed);
    let age = || follower.verifier.health().revocations.unwrap().age.unwrap();
    assert_eq!(age(), Duration::from_secs(100), "it was held back on its way");
    follower.clock.set(NOW - 1_000);
    assert_eq!(age(), Duration::ZERO);
    follower.clock.advance(5 * MINUTE);
    assert_eq!(age(), 5 * MINUTE, "a wall clock put back makes nothing younger than the time since it came");
    follower.clock.set(NOW);
    for iat in [NOW - 100, NOW - 200] {
        feed.iat = iat;
        assert_eq!((follower.take(&feed.heartbeat()), age()), (Ok(Confirmed), 5 * MINUTE), "shown again is not news");
    }
}

#[test]
fn a_wall_clock_that_a_signed_stamp_proves_wrong_lets_no_token_pass() {
    let mut feed = feed_of(&["a"]);
    let follower = Follower::holding(&feed);
    follower.clock.advance(71 * MINUTE);
    feed.iat = NOW + 71 * 60;
    assert_eq!(follower.take(&feed.heartbeat()), Ok(Confirmed));
    let state = || follower.verifier.health().revocations.unwrap().state;
    assert!(follower.verifier.health().revocations.unwrap().cutoffs.contains(&("sid", 0)), "its cut-off is forgotten");
    let revoked = claims_with("sid", json!("a"));
    assert_eq!(follower.refuses(&revoked), Some(Reason::Expired));
    for (back_by, current) in [(0, true), (60, true), (61, false), (71 * 60, false)] {
        follower.clock.set(feed.iat - back_by);
        let expected = if current { RevocationState::Current } else { RevocationState::Stale };
        assert_eq!((state(), follower.verifier.is_ready()), (expected, current), "{back_by}");
    }
    assert_eq!(follower.refuses(&revoked), Some(Reason::RevocationsStale), "it would pass by the clock that was put back");
    follower.clock.set(feed.iat);
    assert_eq!(state(), RevocationState::Current);
}

#[test]
fn a_jump_of_both_clocks_and_its_correction_heal_with_the_next_message() {
    let day = 24 * 3_600;
    let mut feed = feed_of(&["a"]);
    let another = Feed { id: "feed-2".to_owned(), ..Feed::new() };
    for (message, outcome) in [(feed.heartbeat(), Confirmed), (feed.snapshot(), Confirmed), (another.snapshot(), Moved)] {
        let follower = Follower::new();
        follower.clock.set(NOW + day);
        feed.iat = NOW + day;
        assert_eq!(follower.take(&feed.snapshot()), Ok(Moved));
        follower.clock.set(NOW);
        assert_eq!(follower.refuses(&claims()), Some(Reason::RevocationsStale));
        assert_eq!(follower.take(&message), Ok(outcome));
        assert_eq!(follower.refuses(&claims()), None);
        assert!(follower.revoked("a"), "and nothing is forgotten");
        follower.clock.advance(Duration::from_secs(5));
        assert_eq!(follower.verifier.health().revocations.unwrap().age, Some(Duration::from_secs(5)));
    }
}

#[cfg(feature = "http")]
#[tokio::test]
async fn who_waits_is_woken_by_a_message_handed_in() {
    let follower = Follower::new();
    let soon = Duration::from_secs(20);
    let (ready, ()) = tokio::join!(follower.verifier.ready(soon), async {
        assert_eq!(follower.take(&Feed::new().snapshot()), Ok(Moved));
    });
    assert!(ready.is_ok());
}

#[test]
fn past_the_limit_the_answer_is_unavailable_and_what_is_known_to_be_revoked_stays_revoked() {
    let feed = feed_of(&["a"]);
    for (limit, life, last_good) in [(None, 600, 600), (None, 3_600, 3_600), (Some(MINUTE), 3_600, 60)] {
        let mut feed = feed.clone();
        feed.life = life;
        let clock = ManualClock::at(NOW);
        let mut builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone()).revocations_handed_in();
        if let Some(limit) = limit {
            builder = builder.revocations_max_age(limit);
        }
        let verifier = builder.static_jwks(jwks(&[TestKey::first().jwk()])).build().unwrap();
        verifier.take_revocations(&signed(&TestKey::first(), &feed.snapshot())).unwrap();
        clock.advance(Duration::from_secs(last_good));
        let token = |sid: &str| {
            let mut claims = claims_with("sid", json!(sid));
            (claims["iat"], claims["exp"]) = (json!(NOW + last_good as i64), json!(NOW + last_good as i64 + 600));
            TestKey::first().sign(&claims)
        };
        assert_eq!((reason(&verifier, &token("b")), verifier.is_ready()), (None, true));
        clock.advance(Duration::from_millis(1));
        let error = verifier.verify(&token("b")).unwrap_err();
        assert_eq!((error.code(), error.http_status(), error.is_token_fault()), ("revocations_stale", 503, false));
        assert!(error.retry_after().is_some() && error.challenge().is_none() && !verifier.is_ready());
        assert_eq!(reason(&verifier, &token("a")), Some(Reason::Revoked));
        assert_eq!(verifier.health().revocations.unwrap().state, RevocationState::Stale);
    }
}

#[test]
fn who_ignores_a_stale_feed_by_name_goes_on_by_what_is_known() {
    let clock = ManualClock::at(NOW);
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone()).revocations_handed_in();
    let keys = jwks(&[TestKey::first().jwk()]);
    let verifier = builder.dangerous_ignore_stale_feed().static_jwks(keys).build().unwrap();
    let token = TestKey::first().sign(&claims());
    let verified = verifier.verify(&token).unwrap();
    assert_eq!(verified.require_fresh(MINUTE).unwrap_err().reason(), Reason::RevocationsMissing);
    verifier.take_revocations(&signed(&TestKey::first(), &feed_of(&["a"]).snapshot())).unwrap();
    clock.advance(24 * 60 * MINUTE);
    clock.set(NOW);
    let verified = verifier.verify(&token).unwrap();
    assert_eq!(verified.revocations_age(), Some(24 * 60 * MINUTE));
    assert_eq!(verified.require_fresh(MINUTE).unwrap_err().reason(), Reason::RevocationsStale);
    assert_eq!(reason(&verifier, &TestKey::first().sign(&claims_with("sid", json!("a")))), Some(Reason::Revoked));
}

#[test]
fn freshness_can_be_demanded_of_what_was_verified() {
    let follower = Follower::holding(&Feed::new());
    follower.clock.advance(Duration::from_secs(30));
    let verified = follower.verifier.verify(&TestKey::first().sign(&claims())).unwrap();
    assert!(verified.require_fresh(Duration::from_secs(30)).is_ok());
    let error = verified.require_fresh(Duration::from_secs(29)).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("revocations_stale", 503));
    let unfollowed = crate::support::fixed().0.verify(&TestKey::first().sign(&claims())).unwrap();
    assert_eq!(unfollowed.require_fresh(MINUTE).unwrap_err().reason(), Reason::RevocationsMissing);
}

#[test]
fn forged_foreign_and_odd_messages_are_refused_and_change_nothing() {
    let mut feed = feed_of(&["a"]);
    let follower = Follower::holding(&feed);
    feed.revoke("sid", &["b"]);
    let (first, second) = (TestKey::first(), TestKey::second());
    let good = feed.delta(2);
    let text = signed(&first, &good);
    let (head, signature) = text.rsplit_once('.').unwrap();
    let with = |name: &str, value: Value| {
        let mut message = good.clone();
        message[name] = value;
        signed(&first, &message)
    };
    let header_with = |name: &str, value: Value| {
        let mut header = header(&first);
        header[name] = value;
        first.sign_text(&header.to_string(), &good.to_string())
    };
    let twice = good.to_string().replacen('{', "{\"tick\":1,", 1);
    for (message, refused) in [
        (first.sign(&good), FeedError::NotAMessage("typ_not_allowed")),
        (header_with("typ", json!("JWT")), FeedError::NotAMessage("typ_not_allowed")),
        (header_with("alg", json!("none")), FeedError::NotAMessage("alg_not_allowed")),
        (header_with("alg", json!("HS256")), FeedError::NotAMessage("alg_not_allowed")),
        (header_with("crit", json!(["exp"])), FeedError::NotAMessage("critical_header")),
        (header_with("kid", json!("third")), FeedError::UnknownKey("third".into())),
        (header_with("kid", json!("second")), FeedError::BadSignature),
        (signed(&second, &good).rsplit_once('.').unwrap().0.to_owned() + "." + signature, FeedError::BadSignature),
        (format!("{head}.AAAA"), FeedError::BadSignature),
        (head.to_owned(), FeedError::NotAMessage("not_compact")),
        (format!("{text}="), FeedError::NotAMessage("bad_base64")),
        (String::new(), FeedError::NotAMessage("not_compact")),
        ("x".repeat(16 * 1024 * 1024 + 1), FeedError::TooLarge),
        (with("iss", json!("https://other.example")), FeedError::OtherIssuer),
        (with("iat", json!(NOW + 61)), FeedError::FromTheFuture),
        (with("iat", json!(1_u64 << 53)), FeedError::FromTheFuture),
        (with("tick", json!((1_u64 << 53) + 1)), FeedError::Malformed("tick")),
        (with("life", json!(3_601)), FeedError::Malformed("life")),
        (
            first.sign_text(&header(&first).to_string(), &twice),
            FeedError::Malformed("it is not a JSON object with each member once"),
        ),
    ] {
        let before = follower.verifier.health().revocations.unwrap();
        assert_eq!(follower.verifier.take_revocations(&message), Err(refused.clone()), "{refused}");
        let after = follower.verifier.health().revocations.unwrap();
        assert_eq!((after.position, after.age), (before.position, before.age));
        assert_eq!((after.refused_messages, after.last_failure), (before.refused_messages + 1, Some(refused.to_string())));
        assert!(follower.revoked("a") && !follower.revoked("b"), "{refused}");
    }
    assert_eq!(follower.verifier.take_revocations(&text), Ok(Moved));
    assert_eq!(crate::support::fixed().0.take_revocations(&text), Err(FeedError::NotFollowed));
    assert_eq!(follower.verifier.health().revocations.unwrap().last_failure, None);
}

#[test]
fn a_message_may_be_ahead_by_the_leeway() {
    let mut feed = Feed::new();
    feed.iat = NOW + 60;
    let follower = Follower::holding(&feed);
    assert_eq!(follower.verifier.health().revocations.unwrap().age, Some(Duration::ZERO));
}
