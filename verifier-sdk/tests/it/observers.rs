//! What an observer hears: outcomes by their code and the issuer as configured, and nothing that came in a token.

use std::sync::{Arc, Mutex};

use passant_verifier::{AccessPolicy, Event, FeedMessage, ManualClock, Observer, Reason, Verifier};
use serde_json::json;

use crate::feed::{Feed, signed};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, jwks};

fn observed(observer: impl Observer) -> Verifier {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).clock(ManualClock::at(NOW)).observer(observer);
    builder.static_jwks(jwks(&[TestKey::first().jwk()])).revocations_handed_in().build().unwrap()
}

/// One of each event that needs no network.
fn use_it(verifier: &Verifier) {
    let key = TestKey::first();
    verifier.take_revocations(&signed(&key, &Feed::new().snapshot())).unwrap();
    verifier.take_revocations("x").unwrap_err();
    let caller = verifier.verify(&key.sign(&claims())).unwrap();
    verifier.verify(&key.sign(&claims_with("iss", json!("https://evil.example")))).unwrap_err();
    verifier.verify_authorization([]).unwrap_err();
    verifier.authorize(&caller, &AccessPolicy::new().scope("openid")).unwrap();
    verifier.authorize(&caller, &AccessPolicy::new().scope("x")).unwrap_err();
}

#[test]
fn each_event_is_told_once_and_under_the_configured_issuer() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearer = heard.clone();
    use_it(&observed(move |issuer: Option<&str>, event| {
        assert_eq!(issuer, Some(ISSUER));
        hearer.lock().unwrap().push(event);
    }));
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], Event::FeedMessage { outcome: FeedMessage::Counted });
    assert!(matches!(heard[1], Event::Feed { lag: 0, .. }), "{heard:?}");
    assert_eq!(
        heard[2..],
        [
            Event::FeedMessage { outcome: FeedMessage::Refused },
            Event::Verification { refused: None },
            Event::Verification { refused: Some(Reason::WrongIssuer) },
            Event::Verification { refused: Some(Reason::MissingToken) },
            Event::Denied { reason: Reason::InsufficientScope },
        ]
    );
}

#[cfg(feature = "metrics")]
#[test]
fn the_metrics_have_the_names_of_the_front_page_and_no_label_from_a_token() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::with_local_recorder(&recorder, || use_it(&observed(passant_verifier::Metrics::new())));
    let page = page.render();
    for line in [
        "verifications_total{issuer=\"https://id.example.com\",code=\"ok\"} 1",
        "verifications_total{issuer=\"https://id.example.com\",code=\"wrong_issuer\"} 1",
        "verifications_total{issuer=\"https://id.example.com\",code=\"missing_token\"} 1",
        "verifications_total{issuer=\"https://id.example.com\",code=\"expired\"} 0",
        "denials_total{issuer=\"https://id.example.com\",code=\"insufficient_scope\"} 1",
        "feed_messages_total{issuer=\"https://id.example.com\",outcome=\"counted\"} 1",
        "feed_messages_total{issuer=\"https://id.example.com\",outcome=\"refused\"} 1",
        "feed_lag_ticks{issuer=\"https://id.example.com\"} 0",
        "feed_complete{issuer=\"https://id.example.com\"} 1",
        "feed_as_of_timestamp_seconds{issuer=\"https://id.example.com\"} 1900000000",
    ] {
        assert!(page.contains(&format!("passant_verifier_{line}\n")), "{line} in\n{page}");
    }
    assert!(!page.contains("evil"), "{page}");
    let front_page = include_str!("../../README.md");
    for name in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(front_page.contains(&format!("`{name}`")), "{name} is not on the front page");
    }
}
