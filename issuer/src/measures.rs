//! What is counted and measured, for Prometheus. The recorder belongs to its owner and is asked directly, not through the macros of
//! the `metrics` crate: those write to a recorder of the process or of the thread, and two issuers of one process, as in tests, would
//! count together. The only place that names the exporter.

use metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

pub use metrics::{Counter, Gauge};

/// What the text's media type is.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where a series comes from; no level is filtered.
const METADATA: Metadata<'static> = Metadata::new("passant", Level::INFO, None);

/// The series of one process.
pub struct Measures {
    recorder: PrometheusRecorder,
    /// The tick of the head.
    pub feed_tick: Gauge,
    /// How long ago the head was last read.
    pub feed_age: Gauge,
    /// Who follows here and now.
    pub feed_followers: Gauge,
    /// Messages that went to a follower.
    pub feed_messages: Counter,
    /// Their bytes.
    pub feed_bytes: Counter,
    /// Those that led a follower from its position to the head.
    pub feed_catch_ups: Counter,
    /// Those that were snapshots.
    pub feed_snapshots: Counter,
    /// Positions that the history never had.
    pub feed_contradictions: Counter,
    /// Signed messages that the history contradicted.
    pub feed_proofs: Counter,
    /// Tails that broke off.
    pub feed_restarts: Counter,
    /// Alarms that stand.
    pub feed_alarms: Gauge,
    /// How long the signing key has been past its schedule.
    pub keys_overdue: Gauge,
    /// Passwords that were hashed.
    pub password_hashes: Counter,
    /// Passwords that wait to be hashed.
    pub password_queue: Gauge,
}

impl Default for Measures {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let gauge = |name: &'static str, unit: Option<Unit>, words: &'static str| {
            recorder.describe_gauge(name.into(), unit, words.into());
            recorder.register_gauge(&Key::from_static_name(name), &METADATA)
        };
        let counter = |name: &'static str, words: &'static str| {
            recorder.describe_counter(name.into(), None, words.into());
            recorder.register_counter(&Key::from_static_name(name), &METADATA)
        };
        recorder.describe_counter(REQUESTS.into(), None, "Answers, by route and status".into());
        let seconds = Some(Unit::Seconds);
        Self {
            feed_tick: gauge("passant_feed_tick", None, "The tick of the revocation feed's head"),
            feed_age: gauge("passant_feed_age_seconds", seconds, "How long ago this replica last read the head"),
            feed_followers: gauge("passant_feed_followers", None, "Followers that hold a place at this replica"),
            feed_messages: counter("passant_feed_messages_total", "Messages sent to followers"),
            feed_bytes: counter("passant_feed_sent_bytes_total", "Bytes of these messages"),
            feed_catch_ups: counter("passant_feed_catch_ups_total", "Messages that led a follower from its position to the head"),
            feed_snapshots: counter("passant_feed_snapshots_total", "Snapshots sent to followers"),
            feed_contradictions: counter(
                "passant_feed_contradictions_total",
                "Positions answered 409: claimed, by anybody, not proven",
            ),
            feed_proofs: counter(
                "passant_feed_proven_contradictions_total",
                "Messages that this issuer had signed and its history contradicted",
            ),
            feed_restarts: counter("passant_feed_restarts_total", "Times that what keeps the revocation feed going broke off"),
            feed_alarms: gauge("passant_feed_alarms", None, "Alarms that stand because the database was put back in time"),
            keys_overdue: gauge("passant_keys_overdue_seconds", seconds, "How long the signing key has been past its schedule"),
            password_hashes: counter("passant_password_hashes_total", "Passwords hashed"),
            password_queue: gauge("passant_password_queue", None, "Passwords that wait to be hashed"),
            recorder,
        }
    }
}

const REQUESTS: &str = "passant_http_requests_total";

impl Measures {
    /// Counts an answer. `route` is a pattern of the route table and never what a client wrote, or the series would have no end.
    pub fn answered(&self, route: &str, status: u16) {
        let labels = vec![Label::new("route", route.to_owned()), Label::new("status", status.to_string())];
        self.recorder.register_counter(&Key::from_parts(REQUESTS, labels), &METADATA).increment(1);
    }

    /// Counts a message that went to a follower.
    pub fn sent(&self, bytes: usize) {
        self.feed_messages.increment(1);
        self.feed_bytes.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Everything in Prometheus's text format.
    pub fn text(&self) -> String {
        self.recorder.handle().render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_count_apart() {
        let (one, other) = (Measures::default(), Measures::default());
        one.sent(7);
        one.answered("/token", 200);
        one.answered("/token", 200);
        one.feed_tick.set(1_800_000_000_000.0);
        let text = one.text();
        for line in [
            "passant_feed_messages_total 1",
            "passant_feed_sent_bytes_total 7",
            "passant_http_requests_total{route=\"/token\",status=\"200\"} 2",
            "passant_feed_tick 1800000000000",
            "# TYPE passant_feed_age_seconds gauge",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        assert!(other.text().lines().any(|it| it == "passant_feed_messages_total 0"), "{}", other.text());
    }
}
