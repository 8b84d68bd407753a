//! Writes and checks `vectors/feed.json`, for implementers in other languages. Everything in it comes from the miniature of the
//! issuer in `feed.rs`, which knows only `FEED.md`; what a follower makes of it is stated here and held against the crate.
//!
//! `PASSANT_WRITE_VECTORS=1 cargo test -p passant-verifier --test it vectors` writes it anew.

use std::path::Path;

use passant_verifier::{FeedOutcome, ManualClock, Verifier};
use serde_json::{Value, json};

use crate::feed::{FIRST_TICK, Feed, header};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, jwks, reason};

/// JSON with sorted members, so that the text does not depend on how the writer was compiled.
pub(crate) fn canonical(value: &Value, indent: usize, pretty: bool) -> String {
    let (open, between, close) = if pretty {
        let pad = |depth: usize| format!("\n{}", "  ".repeat(depth));
        (pad(indent + 1), format!(",{}", pad(indent + 1)), pad(indent))
    } else {
        (String::new(), ",".to_owned(), String::new())
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<_> = items.iter().map(|item| canonical(item, indent + 1, pretty)).collect();
            format!("[{open}{}{close}]", items.join(&between))
        }
        Value::Object(members) if !members.is_empty() => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let member = |(name, value): (&String, &Value)| {
                format!("{}:{}{}", json!(name), if pretty { " " } else { "" }, canonical(value, indent + 1, pretty))
            };
            format!("{{{open}{}{close}}}", members.into_iter().map(member).collect::<Vec<_>>().join(&between))
        }
        other => other.to_string(),
    }
}

fn signed(key: &TestKey, message: &Value) -> String {
    key.sign_text(&canonical(&header(key), 0, false), &canonical(message, 0, false))
}

fn names(feed: &Feed) -> Vec<Value> {
    let targets: [(&str, &[&str]); 9] = [
        ("iss", &[]),
        ("client_id", &["shop-web"]),
        ("sub", &["u-1"]),
        ("sub+client_id", &["u-1", "shop-web"]),
        ("sub+client_id", &["u-1s", "hop-web"]),
        ("sid", &["s-1"]),
        ("gid", &["g-1"]),
        ("jti", &["t\u{e4}\u{1f511}"]),
        ("kid", &["first"]),
    ];
    let name = |(level, ids): (&str, &[&str])| json!({ "salt": feed.salt, "level": level, "identifiers": ids, "name": feed.name(level, ids) });
    targets.into_iter().map(name).collect()
}

fn links(feed: &Feed) -> Vec<Value> {
    let mut before = String::new();
    let mut links = Vec::new();
    for entry in &feed.entries {
        let mut cutoffs = json!({});
        for (level, name) in &entry.cutoffs {
            let names = cutoffs.as_object_mut().unwrap().entry(*level).or_insert_with(|| json!([]));
            names.as_array_mut().unwrap().push(json!(name));
        }
        links.push(json!({ "feed": feed.id, "before": before, "tick": entry.tick, "cutoffs": cutoffs, "link": entry.link }));
        before = entry.link.clone();
    }
    links
}

/// Messages in the order in which one follower takes them, with what it makes of each.
fn messages(feed: &Feed) -> Vec<(&'static str, String, &'static str)> {
    let key = TestKey::first();
    let good = |message: &Value| signed(&key, message);
    let [early, later] = [feed.before(3), feed.before(1)];
    let with = |mut message: Value, name: &str, value: Value| {
        message[name] = value;
        message
    };
    let mut gap = feed.delta(4);
    gap["after"] = json!(FIRST_TICK + 1);
    let mut restored = Feed { id: "feed-2".into(), entries: Vec::new(), ..feed.clone() };
    restored.append(feed.head().tick + 1, &[("iss", &[])]);
    let forged = TestKey::second().sign_text(&canonical(&header(&key), 0, false), &canonical(&later.delta(3), 0, false));
    vec![
        ("a heartbeat before there is any snapshot", good(&early.heartbeat()), "needs_snapshot"),
        ("a snapshot to begin with", good(&early.snapshot()), "moved"),
        ("its head once more", good(&early.heartbeat()), "confirmed"),
        ("a forged signature", forged, "refused"),
        ("another issuer", good(&with(early.heartbeat(), "iss", json!("https://other.example"))), "refused"),
        ("61 s ahead of the clock", good(&with(early.heartbeat(), "iat", json!(NOW + 61))), "refused"),
        ("a life of more than an hour", good(&with(early.heartbeat(), "life", json!(3601))), "refused"),
        ("a delta that overlaps what is held and joins", good(&later.delta(1)), "moved"),
        ("an older head of the same feed", good(&early.heartbeat()), "old"),
        ("a delta that does not join", good(&gap), "needs_snapshot"),
        ("a head above without the entries between", good(&feed.heartbeat()), "needs_snapshot"),
        ("another link at the own tick", good(&with(later.heartbeat(), "chain", json!("A".repeat(43)))), "needs_snapshot"),
        ("a delta that joins after all", good(&feed.delta(4)), "moved"),
        ("an older snapshot: united, and the position stays", good(&early.snapshot()), "old"),
        ("another feed, after a restore", good(&restored.heartbeat()), "needs_snapshot"),
        ("its snapshot, united with what is held", good(&restored.snapshot()), "moved"),
    ]
}

fn generated() -> (Value, Vec<(&'static str, String, &'static str)>) {
    let mut feed = Feed::new();
    feed.append(FIRST_TICK + 1, &[]);
    feed.append(FIRST_TICK + 5, &[("sid", &["s-1"]), ("gid", &["g-2"]), ("gid", &["g-1"])]);
    feed.append(FIRST_TICK + 6, &[("sub+client_id", &["u-1", "shop-web"]), ("sub", &["u-1"]), ("kid", &["third"])]);
    feed.append(FIRST_TICK + 9, &[("client_id", &["shop-web"]), ("jti", &["t-1"])]);
    let messages = messages(&feed);
    let shown: Vec<_> =
        messages.iter().map(|(what, message, outcome)| json!({ "what": what, "message": message, "outcome": outcome })).collect();
    let vectors = json!({
        "issuer": ISSUER, "clock": NOW, "leeway": 60, "jwks": { "keys": [TestKey::first().jwk()] },
        "names": names(&feed), "links": links(&feed), "messages": shown,
    });
    (vectors, messages)
}

#[test]
fn the_test_vectors_are_what_the_generator_writes() {
    let text = canonical(&generated().0, 0, true) + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/feed.json");
    if std::env::var_os("PASSANT_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "write them anew as the head of this file says");
}

#[test]
fn the_crate_makes_of_the_test_vectors_what_they_say() {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW)).revocations_handed_in();
    let verifier = builder.static_jwks(jwks(&[TestKey::first().jwk()])).build().unwrap();
    for (what, message, expected) in generated().1 {
        let outcome = match verifier.take_revocations(&message) {
            Ok(FeedOutcome::Moved) => "moved",
            Ok(FeedOutcome::Confirmed) => "confirmed",
            Ok(FeedOutcome::Old) => "old",
            Ok(FeedOutcome::NeedsSnapshot) => "needs_snapshot",
            Err(_) => "refused",
        };
        assert_eq!(outcome, expected, "{what}");
    }
    // The names, by their effect: the last cut-off is the issuer's, so only what was born after it is asked at the other levels.
    assert_eq!(reason(&verifier, &TestKey::first().sign(&claims())), Some(passant_verifier::Reason::Revoked));
    assert_eq!(reason(&verifier, &TestKey::first().sign(&claims_with("born", json!(FIRST_TICK + 10)))), None);
}
