//! How long a revocation takes from its acknowledgement to the refusal at each of many verifiers, and what following costs. Run by
//! `cargo run --release -p passant-tests --example revocation -- --help`; a test runs a short form of it.
//!
//! Issuer and verifiers are one process, on runtimes of their own, and speak HTTP over loopback. Revocations come at random (Poisson).
//! A thread looks at every verifier again and again: where its tick has changed, it verifies all tokens that are being revoked.
//!
//! Every cause of the table is measured. What takes the keys, the issuer or all of the file's clients happens while nothing else does,
//! and so less often than was asked for: a hundred times at most, keys as often as there are fixtures.

mod acts;
mod place;
mod victims;
mod watch;
mod wire;

use std::time::Duration;

use passant::domain::causes::Cause;

use self::place::Place;
use self::victims::Victim;
use self::watch::Watch;
use crate::world::Engine;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The database. With Postgres there are two replicas: one revokes, the other is followed.
    pub engine: Engine,
    /// How many verifiers.
    pub verifiers: usize,
    /// How many revocations by each cause.
    pub times: usize,
    /// Revocations a second, on average.
    pub rate: f64,
    /// The causes; none: all of them.
    pub causes: Vec<Cause>,
    /// For how long bytes are counted; zero leaves that out, and the snapshot too.
    pub counting: Duration,
}

/// The times from an acknowledgement to a refusal, in order.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// The time that so many of a thousand do not exceed.
    pub fn permille(&self, share: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * share).div_ceil(1000).saturating_sub(1).min(last)).copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn line(&self, name: &str) -> String {
        let millis = |share| self.permille(share).as_secs_f64() * 1000.0;
        let (p50, p90, p99, max) = (millis(500), millis(900), millis(990), millis(1000));
        format!("{name:32} {:>8} {p50:>8.1} {p90:>8.1} {p99:>8.1} {max:>8.1}", self.count())
    }
}

/// Measures, prints each line as it comes, and returns the times of all causes together.
pub fn run(plan: &Plan) -> Times {
    let place = Place::open(plan);
    println!(
        "{:?}, {} verifiers, {} revocations by each cause at {} a second",
        plan.engine, plan.verifiers, plan.times, plan.rate
    );
    println!("{:32} {:>8} {:>8} {:>8} {:>8} {:>8}", "milliseconds", "refusals", "p50", "p90", "p99", "max");
    let (mut all, mut apart) = (Vec::new(), Duration::ZERO);
    for cause in Cause::ALL.iter().filter(|cause| plan.causes.is_empty() || plan.causes.contains(cause)) {
        let (times, longest) = by_cause(&place, plan, *cause, plan.times.min(acts::how_often(*cause)));
        println!("{}", Times::of(times.clone()).line(cause.as_str()));
        all.extend(times);
        apart = apart.max(longest);
    }
    let all = Times::of(all);
    println!("{}", all.line("all"));
    println!("each verifier is looked at every {:.1} ms at the latest (p99)", apart.as_secs_f64() * 1000.0);
    if !plan.counting.is_zero() {
        wire::count(&place, plan.counting);
    }
    println!(
        "CPU: issuer {:.1} s, its Postgres not counted; verifiers {:.1} s; the thread that looks {:.1} s",
        place::cpu(&["issuer", "sqlx-"]),
        place::cpu(&["verifiers"]),
        place::cpu(&["watch"])
    );
    all
}

fn by_cause(place: &Place, plan: &Plan, cause: Cause, times: usize) -> (Vec<Duration>, Duration) {
    let watch = Watch::start(place.verifiers.clone());
    if acts::alone(cause) {
        for number in 0..times {
            let victim = place.issuer(Victim::new(place.scene(), cause, number));
            watch.all_accept(&victim.token);
            revoke(place, &watch, victim);
            watch.all_refused();
        }
    } else {
        let victims = place.issuer(victims::all(place.scene(), cause, times));
        let last = victims.last().expect("there is a revocation");
        watch.all_accept(&last.token);
        let mut due = watch::now();
        for victim in victims {
            // Exponentially distributed gaps make a Poisson process.
            due += Duration::from_secs_f64(-place::fraction().ln() / plan.rate);
            std::thread::sleep(due.saturating_duration_since(watch::now()));
            revoke(place, &watch, victim);
        }
        watch.all_refused();
    }
    watch.end()
}

/// Begins it; acknowledgements are noted as they come.
fn revoke(place: &Place, watch: &Watch, victim: Victim) {
    let begun = watch.begin(&victim.token);
    let scene = place.scene();
    place.spawn(async move {
        victim.revoke(&scene).await;
        begun.acknowledged();
    });
}
