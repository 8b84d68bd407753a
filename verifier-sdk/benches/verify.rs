//! Verification by itself and by others, for criterion's statistics. `cargo bench -p passant-verifier --bench verify`
//!
//! The promises are held by `ratios`, whose contenders take turns; here each is measured on its own.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use passant_verifier::{CacheKey, TokenCache};
use support::{Issuer, Outcome, Token};

const TOKENS: usize = 256;

fn main() -> Outcome<()> {
    let issuer = Issuer::new()?;
    let tokens = issuer.tokens(TOKENS)?;
    let mut criterion = Criterion::default().configure_from_args();
    first(&mut criterion, &issuer, &tokens)?;
    repeat(&mut criterion, &issuer, &tokens)?;
    refusals(&mut criterion, &issuer, &tokens)?;
    criterion.final_summary();
    Ok(())
}

fn first(criterion: &mut Criterion, issuer: &Issuer, tokens: &[Token]) -> Outcome<()> {
    let mut group = criterion.benchmark_group("first verification");
    group.throughput(Throughput::Elements(TOKENS as u64));
    let (bare, jsonwebtoken) = (issuer.bare()?, issuer.jsonwebtoken()?);
    group.bench_function("the bare RSA check", |b| b.iter(|| tokens.iter().filter(|token| bare(black_box(token))).count()));
    group.bench_function("jsonwebtoken", |b| b.iter(|| tokens.iter().filter(|token| jsonwebtoken(black_box(token))).count()));
    for (name, cutoffs) in [("passant-verifier, 0 cut-offs", 0), ("passant-verifier, 10,000 cut-offs", 10_000)] {
        let forgetful = issuer.verifier(TokenCache::OFF, Some(cutoffs))?;
        let verify = || tokens.iter().filter(|token| forgetful.verify(black_box(&token.text)).is_ok()).count();
        group.bench_function(name, |b| b.iter(verify));
    }
    group.finish();
    Ok(())
}

fn repeat(criterion: &mut Criterion, issuer: &Issuer, tokens: &[Token]) -> Outcome<()> {
    let mut group = criterion.benchmark_group("repeat verification");
    group.throughput(Throughput::Elements(TOKENS as u64));
    for (name, key, cutoffs) in [
        ("0 cut-offs", CacheKey::WholeToken, 0),
        ("10,000 cut-offs", CacheKey::WholeToken, 10_000),
        ("0 cut-offs, by SHA-256", CacheKey::Sha256, 0),
    ] {
        let verifier = issuer.verifier(TokenCache::default().key(key), Some(cutoffs))?;
        let verify = || tokens.iter().filter(|token| verifier.verify(black_box(&token.text)).is_ok()).count();
        verify();
        group.bench_function(name, |b| b.iter(verify));
    }
    group.finish();
    Ok(())
}

fn refusals(criterion: &mut Criterion, issuer: &Issuer, tokens: &[Token]) -> Outcome<()> {
    let mut group = criterion.benchmark_group("refusal");
    let verifier = issuer.verifier(TokenCache::default(), Some(0))?;
    let garbage = "A".repeat(1 << 20);
    group.bench_function("1 MiB of garbage", |b| b.iter(|| verifier.verify(black_box(&garbage)).is_err()));
    let unknown = tokens.first().map(|token| issuer.forged(token, 0)).unwrap_or_default();
    group.bench_function("an unknown key", |b| b.iter(|| verifier.verify(black_box(&unknown)).is_err()));
    let parts = |at: usize| tokens.get(at).and_then(|token| token.text.rsplit_once('.')).unwrap_or_default();
    let mixed = format!("{}.{}", parts(0).0, parts(1).1);
    group.bench_function("another token's signature", |b| b.iter(|| verifier.verify(black_box(&mixed)).is_err()));
    group.finish();
    Ok(())
}
