//! The events as metrics of the `metrics` facade. The handles of an issuer are made at its first event and kept, so that counting
//! a verification costs one addition.

use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, counter, gauge};

use super::{Event, FeedMessage, Observer};
use crate::error::Reason;

/// Counts by the `metrics` facade, under the names in the crate's front page. The recorder has to be installed before the verifier
/// is built. Every series of an issuer begins with its first event; `issuer` is as configured, and `-` where none is.
#[derive(Debug, Default)]
pub struct Metrics {
    series: ArcSwap<Vec<Arc<Series>>>,
}

#[derive(Debug)]
struct Series {
    issuer: Option<Box<str>>,
    passed: Counter,
    /// In the order of [`Reason::ALL`].
    refused: Vec<Counter>,
    denied: Vec<Counter>,
    refreshes: Outcomes,
    usable: Gauge,
    skipped: Gauge,
    suppressed: Counter,
    messages: [Counter; 4],
    tick: Gauge,
    lag: Gauge,
    as_of: Gauge,
    complete: Gauge,
    writes: Outcomes,
}

#[derive(Debug)]
struct Outcomes {
    succeeded: Counter,
    failed: Counter,
}

impl Metrics {
    /// Counts by the recorder that is installed.
    pub fn new() -> Self {
        Self::default()
    }

    fn of(&self, issuer: Option<&str>) -> Arc<Series> {
        let find = |all: &[Arc<Series>]| all.iter().find(|series| series.issuer.as_deref() == issuer).cloned();
        if let Some(known) = find(&self.series.load()) {
            return known;
        }
        let new = Arc::new(Series::new(issuer));
        self.series.rcu(|all| match find(all) {
            Some(_) => all.clone(),
            None => Arc::new(all.iter().cloned().chain([new.clone()]).collect()),
        });
        new
    }
}

impl Observer for Metrics {
    fn observe(&self, issuer: Option<&str>, event: Event) {
        let series = self.of(issuer);
        let counted = |counters: &[Counter], reason: Reason| {
            if let Some(counter) = counters.get(reason as usize) {
                counter.increment(1);
            }
        };
        match event {
            Event::Verification { refused: None } => series.passed.increment(1),
            Event::Verification { refused: Some(reason) } => counted(&series.refused, reason),
            Event::Denied { reason } => counted(&series.denied, reason),
            Event::KeyRefresh { succeeded } => series.refreshes.count(succeeded),
            Event::Keys { usable, skipped } => {
                series.usable.set(as_gauge(usable as u64));
                series.skipped.set(as_gauge(skipped as u64));
            }
            Event::UnknownKeySuppressed => series.suppressed.increment(1),
            Event::FeedMessage { outcome } => {
                let [well, old, apart, refused] = &series.messages;
                match outcome {
                    FeedMessage::Counted => well.increment(1),
                    FeedMessage::Old => old.increment(1),
                    FeedMessage::Apart => apart.increment(1),
                    FeedMessage::Refused => refused.increment(1),
                }
            }
            Event::Feed { tick, lag, as_of, complete } => {
                series.complete.set(as_gauge(complete.into()));
                series.tick.set(as_gauge(tick));
                series.lag.set(as_gauge(lag));
                series.as_of.set(as_gauge(u64::try_from(as_of).unwrap_or(0)) / 1000.0);
            }
            Event::LastKnownGoodWrite { succeeded } => series.writes.count(succeeded),
        }
    }
}

/// Exact below 2^53, where ticks and times stay.
fn as_gauge(value: u64) -> f64 {
    value as f64
}

impl Series {
    fn new(issuer: Option<&str>) -> Self {
        let label = issuer.unwrap_or("-").to_owned();
        let by_reason = |name: &'static str| -> Vec<Counter> {
            Reason::ALL.iter().map(|reason| counter!(name, "issuer" => label.clone(), "code" => reason.code())).collect()
        };
        let outcomes = |name: &'static str| Outcomes {
            succeeded: counter!(name, "issuer" => label.clone(), "outcome" => "ok"),
            failed: counter!(name, "issuer" => label.clone(), "outcome" => "failed"),
        };
        let keys = |state: &'static str| gauge!("passant_verifier_keys", "issuer" => label.clone(), "state" => state);
        let messages = ["counted", "old", "apart", "refused"]
            .map(|outcome| counter!("passant_verifier_feed_messages_total", "issuer" => label.clone(), "outcome" => outcome));
        Self {
            issuer: issuer.map(Into::into),
            passed: counter!("passant_verifier_verifications_total", "issuer" => label.clone(), "code" => "ok"),
            refused: by_reason("passant_verifier_verifications_total"),
            denied: by_reason("passant_verifier_denials_total"),
            refreshes: outcomes("passant_verifier_key_refreshes_total"),
            usable: keys("usable"),
            skipped: keys("skipped"),
            suppressed: counter!("passant_verifier_unknown_keys_suppressed_total", "issuer" => label.clone()),
            messages,
            tick: gauge!("passant_verifier_feed_tick", "issuer" => label.clone()),
            lag: gauge!("passant_verifier_feed_lag_ticks", "issuer" => label.clone()),
            as_of: gauge!("passant_verifier_feed_as_of_timestamp_seconds", "issuer" => label.clone()),
            complete: gauge!("passant_verifier_feed_complete", "issuer" => label.clone()),
            writes: outcomes("passant_verifier_last_known_good_writes_total"),
        }
    }
}

impl Outcomes {
    fn count(&self, succeeded: bool) {
        if succeeded { self.succeeded.increment(1) } else { self.failed.increment(1) }
    }
}
