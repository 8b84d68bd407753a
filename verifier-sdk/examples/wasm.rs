//! The verifier where there is neither an operating system nor a clock: in pure Rust, with fixed keys, and the time handed in.
//!
//! `cargo build -p passant-verifier --no-default-features --features rust-crypto --target wasm32-unknown-unknown --example wasm`
//!
//! The module imports nothing. Its export `main` answers 0 when every token was judged as it should be; the crate's tests run it
//! under Node.js. Elsewhere it is a program like any other, and says what went wrong.

#![expect(clippy::indexing_slicing, reason = "a JSON value without a member of that name answers null")]

use std::error::Error;
use std::time::Duration;

use passant_verifier::{Algorithm, ManualClock, Reason, Verifier};
use serde_json::Value;

/// A key and a token of each algorithm, made by OpenSSL. The tokens live from 1,900,000,000 for ten minutes.
const MADE_ELSEWHERE: &str = include_str!("../tests/fixtures/openssl.json");

fn main() -> Result<(), Box<dyn Error>> {
    let made: Value = serde_json::from_str(MADE_ELSEWHERE)?;
    let builder = || {
        Verifier::builder()
            .issuer("https://id.example.com")
            .audience("orders-api")
            .algorithms(Algorithm::ALL.iter().copied())
            .static_jwks(made["jwks"].to_string())
    };
    let clock = ManualClock::at(1_900_000_100);
    let verifier = builder().clock(clock.clone()).build()?;

    for algorithm in Algorithm::ALL {
        let token = made["tokens"][algorithm.name()].as_str().ok_or("a token is missing")?;
        let caller = verifier.verify(token).map_err(|error| format!("{algorithm}: {error:?}"))?;
        expect(caller.subject() == "u-1", "the token's subject")?;

        let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let spoiled = format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default());
        expect(refused(&verifier, &spoiled) == Some(Reason::BadSignature), "a spoiled signature")?;
    }

    clock.advance(Duration::from_secs(1_000));
    let token = made["tokens"]["ES256"].as_str().unwrap_or_default();
    expect(refused(&verifier, token) == Some(Reason::Expired), "a token after its time")?;
    // Where the machine has no clock, leaving it out is an error and no panic.
    let has_clock = !cfg!(all(target_family = "wasm", target_os = "unknown"));
    expect(builder().build().is_ok() == has_clock, "a verifier without a clock")
}

fn refused(verifier: &Verifier, token: &str) -> Option<Reason> {
    verifier.verify(token).err().map(|error| error.reason())
}

fn expect(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(format!("{what} was not judged as it should be").into()) }
}
