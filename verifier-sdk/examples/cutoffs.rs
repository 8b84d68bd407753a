//! What 100,000 cut-offs cost a verifier: memory, and time per look-up. `cargo run -p passant-verifier --release --example cutoffs`
//!
//! The look-up is measured on the crate's own table, compiled in here, since next to a signature it cannot be seen from outside.
//! Memory is measured in a process of its own that takes in a snapshot, as a service does.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use passant_verifier::{ManualClock, Verifier};
use serde_json::{Value, json};

use revocation::cutoffs::{Cutoff, Cutoffs};
use revocation::level::{Level, Name};

#[path = "../src/base64url.rs"]
mod base64url;

#[expect(dead_code, reason = "the crate's own modules, of which this needs a part")]
#[path = "../src/revocation"]
mod revocation {
    pub(crate) mod cutoffs;
    pub(crate) mod level;
}

mod signature {
    pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message).as_ref());
        bytes
    }
}

const ISSUER: &str = "https://id.example.com";
const SALT: &str = "c2FsdHNhbHRzYWx0c2FsdA";
const NOW: i64 = 1_900_000_000;
const MANY: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args_os().nth(1) {
        Some(message) => hold(&std::fs::read_to_string(message)?),
        None => {
            look_up();
            let at = std::env::temp_dir().join(format!("passant-cutoffs-{}", std::process::id()));
            std::fs::write(&at, snapshot()?)?;
            let status = Command::new(std::env::current_exe()?).arg(&at).status();
            std::fs::remove_file(&at)?;
            if status?.success() { Ok(()) } else { Err("the other process failed".into()) }
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "a check of the bounds would be measured too")]
fn look_up() {
    let ids: Vec<String> = (0..MANY).map(|id| id.to_string()).collect();
    let cutoff = |id: &String| Cutoff { level: Level::Session, name: Name::salted(SALT, Level::Session, &[id]), tick: 1 };
    let base = Cutoffs::default().united(SALT, ids.iter().map(cutoff), Duration::ZERO);
    let recent =
        |id: usize| Cutoff { level: Level::Session, name: Name::salted(SALT, Level::Session, &[&format!("r{id}")]), tick: 2 };
    let held = base.united(SALT, (0..1_000).map(recent), Duration::ZERO);
    let names: Vec<Name> = ids.iter().map(|id| Name::salted(SALT, Level::Session, &[id])).collect();
    // In an order in which no cache helps.
    let order = || (0..MANY).map(|turn| turn.wrapping_mul(38_201) % MANY);

    let found = best(|| order().filter_map(|at| held.find(Level::Session, |_| names[at])).count());
    // One after the other, each waiting for the one before, as a request that comes now and then has to.
    let chained = best(|| (0..MANY).fold(0, |at, _| step(at, held.find(Level::Session, |_| names[at]).unwrap_or(1))));
    let plain: Vec<[u64; 4]> = vec![[1; 4]; 1 << 17];
    let memory = best(|| (0..MANY).fold(0, |at, _| step(at, plain[black_box(at)][0])));
    let absent: Vec<Name> = ids.iter().map(|id| Name::salted("another", Level::Session, &[id])).collect();
    let missed = best(|| order().filter_map(|at| held.find(Level::Session, |_| absent[at])).count());
    let hash = best(|| ids.iter().filter_map(|id| black_box(Some(Name::salted(SALT, Level::Session, &[id])))).count());
    let whole = best(|| ids.iter().filter_map(|id| held.tick_of(Level::Session, &[id])).count());
    let empty = best(|| ids.iter().filter_map(|id| held.tick_of(Level::User, &[black_box(id)])).count());
    let delta = best_of(200, 1, || base.united(SALT, (0..1).map(recent), Duration::ZERO).len());
    println!("{MANY} cut-offs and 1000 more in the overlay:");
    println!("  look-up of a name that is there  {found:6.1} ns, {:5.2} of the SHA-256 that forms it", found / hash);
    println!("  look-up of a name that is not    {missed:6.1} ns, {:5.2}", missed / hash);
    println!("  one that waits for the one before {chained:5.1} ns, {:5.2} of a read of so much memory", chained / memory);
    println!("  forming a name                   {hash:6.1} ns");
    println!("  both                             {whole:6.1} ns, {:5.2}", whole / hash);
    println!("  a level without cut-offs         {empty:6.1} ns, {:5.2}", empty / hash);
    println!("  taking in one more cut-off       {delta:6.0} ns");
}

/// The next place to look at, which depends on what was found; every place has its turn.
fn step(at: usize, tick: u64) -> usize {
    (at + tick as usize).wrapping_mul(38_201) % MANY
}

/// Nanoseconds apiece in the best of several turns, since the machine has other work.
fn best(turn: impl FnMut() -> usize) -> f64 {
    best_of(15, MANY, turn)
}

#[expect(clippy::disallowed_methods, reason = "it measures the machine")]
fn best_of(turns: usize, pieces: usize, mut turn: impl FnMut() -> usize) -> f64 {
    let times = (0..turns).map(|_| {
        let began = Instant::now();
        black_box(turn());
        began.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min) * 1e9 / pieces as f64
}

/// Takes the snapshot in and says what that costs.
fn hold(message: &str) -> Result<(), Box<dyn Error>> {
    let (jwks, _) = key()?;
    let builder = Verifier::builder().issuer(ISSUER).audience("orders").clock(ManualClock::at(NOW)).revocations_handed_in();
    let verifier = builder.static_jwks(jwks).build()?;
    let before = status("VmRSS:")?;
    verifier.take_revocations(message)?;
    let (after, peak) = (status("VmRSS:")?, status("VmHWM:")?);
    let held: usize = verifier.health().revocations.map_or(0, |health| health.cutoffs.iter().map(|(_, count)| count).sum());
    let mb = |kilobytes: usize| kilobytes.saturating_sub(before) as f64 / 1_000.0;
    println!("a verifier that took in a snapshot of {held} cut-offs, {} bytes: {:.1} MB more", message.len(), mb(after));
    println!("  while it read it: {:.1} MB more", mb(peak));
    Ok(())
}

/// A key set, and the key that it publishes.
fn key() -> Result<(String, KeyPair), Box<dyn Error>> {
    let pem = include_str!("../tests/fixtures/first.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let standard: String = body
        .trim_end_matches('=')
        .chars()
        .map(|c| {
            if c == '+' {
                '-'
            } else if c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect();
    let key = KeyPair::from_pkcs8(&base64url::decode(&standard).ok_or("the key is no base64")?)?;
    let n = base64url::encode(key.public_key().modulus().big_endian_without_leading_zero());
    Ok((json!({ "keys": [{ "kty": "RSA", "kid": "first", "n": n, "e": "AQAB" }] }).to_string(), key))
}

/// A signed snapshot with many cut-offs over six levels.
fn snapshot() -> Result<String, Box<dyn Error>> {
    let levels = [Level::Client, Level::User, Level::Consent, Level::Session, Level::Grant, Level::Token];
    let names = |level: Level| -> Value {
        let count = MANY / levels.len() + usize::from(level == Level::Token) * (MANY % levels.len());
        (0..count).flat_map(|id| [json!(Name::salted(SALT, level, &[&id.to_string()]).to_string()), json!(id)]).collect()
    };
    let cutoffs: Value = levels.into_iter().map(|level| (level.name().to_owned(), names(level))).collect();
    let digest = "A".repeat(43);
    let payload = json!({
        "iss": ISSUER, "iat": NOW, "feed": "f", "salt": SALT, "keys": digest, "life": 3600, "tick": 1_900_000_000_000_u64,
        "chain": digest, "cutoffs": cutoffs,
    });
    let header = json!({ "alg": "RS256", "typ": "passant-revocations+jwt", "kid": "first" });
    let part = |json: &Value| base64url::encode(json.to_string().as_bytes());
    let input = format!("{}.{}", part(&header), part(&payload));
    let (_, key) = key()?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)?;
    Ok(format!("{input}.{}", base64url::encode(&signature)))
}

/// Kilobytes, from what the kernel says about this process.
fn status(field: &str) -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("this is measured on Linux only")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
