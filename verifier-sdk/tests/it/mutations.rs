//! Tokens that nobody signed, in great number: random ones, good ones that were changed in some place, and parts of good ones put
//! together anew. Whatever differs from a good token by a single character is refused, and nothing makes the verifier panic.

use std::collections::HashSet;

use passant_verifier::{Reason, Verifier};
use serde_json::json;

use crate::support::{TestKey, b64, claims, claims_with, fixed};

#[test]
fn a_hundred_thousand_changed_tokens_are_refused() {
    refuse(100_000, 1);
}

#[test]
#[ignore = "takes a while: cargo test -p passant-verifier --release -- --ignored a_million"]
fn a_million_changed_tokens_are_refused() {
    refuse(1_000_000, 2);
}

fn refuse(count: usize, seed: u64) {
    let (verifier, _) = fixed();
    let good = good_tokens();
    let known: HashSet<_> = good.iter().map(String::as_str).collect();
    let pass_again = |verifier: &Verifier| good.iter().for_each(|token| drop(verifier.verify(token).unwrap()));
    pass_again(&verifier);
    let (mut dice, mut reasons, mut changed) = (Dice(seed), HashSet::new(), 0);
    for turn in 0..count {
        let token = changed_token(&good, &mut dice);
        let answer = verifier.verify(&token);
        if !known.contains(token.as_str()) {
            changed += 1;
            reasons.insert(answer.expect_err(&token).reason());
        }
        if turn % 10_000 == 0 {
            pass_again(&verifier);
        }
    }
    pass_again(&verifier);
    assert!(changed > count / 5 * 4, "{changed}");
    for reason in [
        Reason::NotCompact,
        Reason::TooLarge,
        Reason::BadBase64,
        Reason::BadJson,
        Reason::DuplicateMember,
        Reason::Encrypted,
        Reason::AlgNotAllowed,
        Reason::TypNotAllowed,
        Reason::UnknownKey,
        Reason::BadSignature,
        Reason::ClaimMissing,
        Reason::ClaimMalformed,
        Reason::WrongIssuer,
        Reason::WrongAudience,
        Reason::Expired,
    ] {
        assert!(reasons.contains(&reason), "{reason:?} never came up");
    }
}

fn good_tokens() -> Vec<String> {
    let key = TestKey::first();
    let mut tokens: Vec<_> = (0..5).map(|id| key.sign(&claims_with("jti", json!(format!("t-{id}"))))).collect();
    tokens.push(key.sign(&claims_with("aud", json!(["other", "orders-api"]))));
    tokens.push(key.sign(&claims_with("nested", json!({ "a": [1, { "b": null }], "c": -1.5 }))));
    let escaped = claims().to_string().replace("orders-api", "orders\\u002dapi");
    tokens.push(key.sign_text(&format!(" {} ", key.header()), &escaped));
    tokens
}

fn changed_token(good: &[String], dice: &mut Dice) -> String {
    let mut token = good[dice.roll(good.len())].clone();
    let other = &good[dice.roll(good.len())];
    match dice.roll(8) {
        0 => return random_text(dice),
        1 => {
            let (mine, theirs): (Vec<_>, Vec<_>) = (token.split('.').collect(), other.split('.').collect());
            let parts: Vec<_> = (0..1 + dice.roll(6)).map(|_| [&mine, &theirs][dice.roll(2)][dice.roll(3)]).collect();
            token = parts.join(".");
        }
        2 | 3 => {
            let part = dice.roll(2);
            let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
            let json = String::from_utf8(decoded(&parts[part])).unwrap();
            parts[part] = b64(changed_json(json, dice).as_bytes());
            token = parts.join(".");
        }
        _ => {}
    }
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(token.len());
        match dice.roll(5) {
            0 => token.replace_range(at..=at, &dice.character().to_string()),
            1 => token.insert(at, dice.character()),
            2 if token.len() > 1 => drop(token.remove(at)),
            3 if dice.roll(8) == 0 => token.truncate(at.max(1)),
            _ => {}
        }
        if !token.is_ascii() {
            break;
        }
    }
    token
}

/// Exchanges some words of a header or a payload for others of the kind, or a character for any other.
fn changed_json(json: String, dice: &mut Dice) -> String {
    let words = [
        ("RS256", "none"),
        ("at+jwt", "JWT"),
        ("first", "second"),
        ("\"kid\"", "\"alg\""),
        ("\"sub\"", "\"iss\""),
        ("https://", "http://"),
        ("orders-api", "orders-apis"),
        ("1900000", "1800000"),
        ("\"jti\"", "\"jtj\""),
        ("\"u-1\"", "1"),
        ("}", ",\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}"),
    ];
    let (from, to) = words[dice.roll(words.len())];
    match dice.roll(3) {
        0 => json.replacen(from, to, 1),
        1 => json.replace(from, to),
        _ => {
            let mut bytes = json.into_bytes();
            let at = dice.roll(bytes.len());
            bytes[at] = b"{}[]\",:\\ 0a"[dice.roll(11)];
            String::from_utf8(bytes).unwrap()
        }
    }
}

fn random_text(dice: &mut Dice) -> String {
    let len = if dice.roll(50) == 0 { 8_000 + dice.roll(400) } else { dice.roll(60) };
    (0..len).map(|_| if dice.roll(20) == 0 { '.' } else { dice.character() }).collect()
}

fn decoded(part: &str) -> Vec<u8> {
    use base64ct::Encoding as _;
    base64ct::Base64UrlUnpadded::decode_vec(part).unwrap()
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// Mostly of the alphabet of base64url.
    fn character(&mut self) -> char {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const OTHERS: [char; 12] = ['.', '.', '.', '=', '+', '/', ' ', '\n', '\0', '"', 'é', '\u{2028}'];
        match self.roll(4) {
            0 => OTHERS[self.roll(OTHERS.len())],
            _ => char::from(ALPHABET[self.roll(64)]),
        }
    }
}
