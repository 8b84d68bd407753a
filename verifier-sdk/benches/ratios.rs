//! The promises about speed, as ratios within one run. `cargo bench -p passant-verifier --bench ratios`
//!
//! Two ways to check the same tokens take short turns; each pair of turns gives one ratio, and the median of all is printed. So
//! other work on the machine, which slows both alike, hardly changes it. With `-- --check` the run fails if a promise is not kept.

mod support;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use passant_verifier::{CacheKey, TokenCache, Verifier};
use support::{Issuer, Outcome, Token};

const TOKENS: usize = 400;
const ROUNDS: usize = 41;

const TURNS: usize = 1_001;

/// So many tokens a turn checks, and a verifier remembers that is to check each as if it were the first.
const FEW: usize = 16;

/// How often a turn goes through the tokens where each takes next to nothing.
const PASSES: usize = 25;

fn main() -> Outcome<()> {
    let issuer = Issuer::new()?;
    let tokens = issuer.tokens(TOKENS)?;
    let bare_check = issuer.bare()?;
    let jsonwebtoken = issuer.jsonwebtoken()?;
    let new = |cutoffs| issuer.verifier(TokenCache::default(), cutoffs);
    // Room for so few that each token has gone before it comes again: each verification is a first one, and is remembered.
    let forgetful = |cutoffs| issuer.verifier(TokenCache::default().entries(FEW), cutoffs);
    let sha256 = || issuer.verifier(TokenCache::default().key(CacheKey::Sha256), Some(0));
    let mut report = Report { missed: 0 };

    println!("{:68} {:>9}   goal", "", "measured");
    for (name, cutoffs, most) in
        [("no feed", None, 1.10), ("a feed with 0 cut-offs", Some(0), 1.10), ("a feed with 10,000 cut-offs", Some(10_000), 1.25)]
    {
        let verifier = forgetful(cutoffs)?;
        let ratio = turns(&tokens, |few| first(&verifier, few), |few| check(few, &bare_check))?;
        report.at_most(&format!("first verification / the bare RSA check, {name}"), ratio, most);
    }
    let verifier = forgetful(Some(0))?;
    let ratio = turns(&tokens, |few| check(few, &jsonwebtoken), |few| first(&verifier, few))?;
    report.at_least("jsonwebtoken / first verification", ratio, 1.3);

    let (warm, warm_10_000, warm_sha256) = (new(Some(0))?, new(Some(10_000))?, sha256()?);
    for verifier in [&warm, &warm_10_000, &warm_sha256] {
        first(verifier, &tokens)?;
    }
    for (name, verifier, least) in [
        ("0 cut-offs", &warm, Some(40.0)),
        ("10,000 cut-offs", &warm_10_000, Some(40.0)),
        ("0 cut-offs, tokens known by SHA-256", &warm_sha256, None),
    ] {
        let ratio = turns(&tokens, |few| check(few, &jsonwebtoken), |few| repeat(verifier, few))?;
        match least {
            Some(least) => report.at_least(&format!("jsonwebtoken / repeat verification, {name}"), ratio, least),
            None => report.print(&format!("jsonwebtoken / repeat verification, {name}"), ratio, ""),
        }
    }
    report.at_most("repeat verification, ns in the best round", best(|| repeat(&warm, &tokens))?, 1_000.0);

    let halves: Vec<_> = tokens.chunks(TOKENS / 2).collect();
    let half = |at: usize| halves.get(at).copied().unwrap_or_default();
    // Two threads of one core share its multiplier, so the bare check shows what two threads can gain on this machine.
    let check_half = |at: usize| check(half(at), &bare_check);
    let possible = rounds(|| Ok((2.0 * check_half(0)?, together(check_half)?)))?;
    report.print("two threads / one thread, the bare RSA check", possible, "");
    let ratio = rounds(|| Ok((2.0 * first(&verifier, half(0))?, together(|at| first(&verifier, half(at)))?)))?;
    report.print("two threads / one thread, first verifications", ratio, "");
    report.at_least("  of what the bare RSA check gains", ratio / possible, 0.9);
    let ratio = rounds(|| Ok((2.0 * repeat(&warm, half(0))?, together(|at| repeat(&warm, half(at)))?)))?;
    report.at_least("two threads / one thread, repeat, different tokens", ratio, 1.8);
    let ratio = rounds(|| Ok((2.0 * repeat(&warm, &tokens)?, together(|_| repeat(&warm, &tokens))?)))?;
    report.print("two threads / one thread, repeat, the same tokens", ratio, "");

    let garbage = "A".repeat(1 << 20);
    let refusal = || timed(1_000, || warm.verify(black_box(&garbage)).is_err());
    report.at_most("refusal of 1 MiB of garbage, ns in the best round", best(refusal)?, 5_000.0);
    let first_token = tokens.first().ok_or("there are no tokens")?;
    let flood: Vec<_> = (0..TOKENS).map(|id| issuer.forged(first_token, id)).collect();
    let mut flood = flood.iter().cycle();
    let mut refused = |few: &[Token]| timed(few.len(), || flood.next().is_some_and(|token| warm.verify(token).is_err()));
    let ratio = turns(&tokens, |few| check(few, &bare_check), &mut refused)?;
    report.print("the bare RSA check / refusal of an unknown key", ratio, "");
    report.end()
}

/// The median ratio of one way to another over many short turns: each takes a few of the tokens, and the other way the same ones
/// at once, every other time in reverse order.
fn turns(
    tokens: &[Token],
    mut one: impl FnMut(&[Token]) -> Outcome<f64>,
    mut other: impl FnMut(&[Token]) -> Outcome<f64>,
) -> Outcome<f64> {
    let mut few = tokens.chunks(FEW).cycle().zip([true, false].into_iter().cycle());
    let turn = |_| {
        let (few, in_order) = few.next().unwrap_or_default();
        let (begun, then) = if in_order {
            (one(few)?, other(few)?)
        } else {
            let then = other(few)?;
            (one(few)?, then)
        };
        Ok(begun / then)
    };
    median((0..TURNS).map(turn).collect::<Outcome<Vec<_>>>()?)
}

/// The median over rounds of one measurement's ratio to another's.
fn rounds(mut round: impl FnMut() -> Outcome<(f64, f64)>) -> Outcome<f64> {
    let ratio = |(one, other): (f64, f64)| one / other;
    median((0..ROUNDS).map(|_| round().map(ratio)).collect::<Outcome<Vec<_>>>()?)
}

fn median(mut ratios: Vec<f64>) -> Outcome<f64> {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().ok_or_else(|| "there were no rounds".into())
}

/// Nanoseconds apiece in the round that other work disturbed least.
fn best(mut round: impl FnMut() -> Outcome<f64>) -> Outcome<f64> {
    let times = (0..ROUNDS).map(|_| round()).collect::<Outcome<Vec<_>>>()?;
    Ok(times.into_iter().fold(f64::INFINITY, f64::min) * 1e9)
}

/// Seconds apiece.
#[expect(clippy::disallowed_methods, reason = "it measures the machine")]
fn timed(pieces: usize, mut piece: impl FnMut() -> bool) -> Outcome<f64> {
    let began = Instant::now();
    let done = (0..pieces).filter(|_| black_box(piece())).count();
    let took = began.elapsed();
    if done == pieces && took > Duration::ZERO { Ok(took.as_secs_f64() / pieces as f64) } else { Err("a check failed".into()) }
}

fn check(tokens: &[Token], accepts: &impl Fn(&Token) -> bool) -> Outcome<f64> {
    let mut tokens = tokens.iter();
    timed(tokens.len(), || tokens.next().is_some_and(|token| accepts(black_box(token))))
}

/// By a verifier that has not seen the tokens.
fn first(verifier: &Verifier, tokens: &[Token]) -> Outcome<f64> {
    check(tokens, &|token| verifier.verify(&token.text).is_ok())
}

/// By one that has.
fn repeat(verifier: &Verifier, tokens: &[Token]) -> Outcome<f64> {
    let mut turns = tokens.iter().cycle();
    timed(tokens.len() * PASSES, || turns.next().is_some_and(|token| verifier.verify(black_box(&token.text)).is_ok()))
}

/// Seconds apiece of two threads that begin at the same moment, the slower's.
fn together(turn: impl Fn(usize) -> Outcome<f64> + Sync) -> Outcome<f64> {
    let (start, turn) = (Barrier::new(2), &turn);
    let run = |at| {
        start.wait();
        turn(at).map_err(|error| error.to_string())
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        (run(0), other.join())
    });
    let other = other.map_err(|_| "the other thread failed")?;
    Ok(one?.max(other?))
}

struct Report {
    missed: usize,
}

impl Report {
    fn at_most(&mut self, what: &str, measured: f64, goal: f64) {
        self.judge(what, measured, &format!("<= {goal}"), measured <= goal);
    }

    fn at_least(&mut self, what: &str, measured: f64, goal: f64) {
        self.judge(what, measured, &format!(">= {goal}"), measured >= goal);
    }

    fn judge(&mut self, what: &str, measured: f64, goal: &str, is_kept: bool) {
        self.missed += usize::from(!is_kept);
        self.print(what, measured, &format!("{goal}{}", if is_kept { "" } else { "   MISSED" }));
    }

    fn print(&self, what: &str, measured: f64, goal: &str) {
        println!("{what:68} {measured:9.2}   {goal}");
    }

    fn end(self) -> Outcome<()> {
        let must_be_kept = std::env::args().any(|argument| argument == "--check");
        if self.missed > 0 && must_be_kept { Err(format!("{} promises are not kept", self.missed).into()) } else { Ok(()) }
    }
}
