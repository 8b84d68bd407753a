//! The ring as a whole: one key's life, what verifies and what does not, and what a key set may show.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, ManualClock, UnixTime};
use crate::domain::ids::KeyId;
use crate::domain::signing_key::{KeyPolicy, Rotation, SigningKey, after_revocation, plan, rotate_now};
use crate::secret::Secret;

pub(crate) const FIXTURES: [&str; 8] = [
    include_str!("../../../tests/fixtures/keys/0.json"),
    include_str!("../../../tests/fixtures/keys/1.json"),
    include_str!("../../../tests/fixtures/keys/2.json"),
    include_str!("../../../tests/fixtures/keys/3.json"),
    include_str!("../../../tests/fixtures/keys/4.json"),
    include_str!("../../../tests/fixtures/keys/5.json"),
    include_str!("../../../tests/fixtures/keys/6.json"),
    include_str!("../../../tests/fixtures/keys/7.json"),
];

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const TYP: &str = "at+jwt";

/// A key table, its planner and the ring above it.
struct Table {
    clock: ManualClock,
    rows: Vec<SigningKey>,
    source: FixtureKeys,
    master: MasterKey,
    ring: KeyRing,
}

impl Table {
    fn new() -> Self {
        let (clock, master) = (ManualClock::at(UnixTime::from_seconds(1_800_000_000)), MasterKey::random());
        let ring = KeyRing::new(Vec::new(), std::slice::from_ref(&master), KeyPolicy::default()).unwrap();
        let mut table = Self { clock, rows: Vec::new(), source: FixtureKeys::new(FIXTURES), master, ring };
        table.apply(plan);
        table
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn masters(&self) -> &[MasterKey] {
        std::slice::from_ref(&self.master)
    }

    fn apply(&mut self, rule: fn(&[SigningKey], UnixTime, &KeyPolicy) -> Rotation) {
        let rotation = rule(&self.rows, self.now(), self.ring.policy());
        for change in rotation.reschedules {
            let row = self.rows.iter_mut().find(|row| row.kid == change.kid && row.schedule == change.from).unwrap();
            row.schedule = change.to;
        }
        if let Some(new) = rotation.new_key {
            self.rows.push(self.source.generate().unwrap().into_row(new, &self.master).unwrap());
        }
        self.ring.replace(self.rows.clone(), self.masters()).unwrap();
    }

    fn revoke(&mut self, place: usize) {
        self.rows[place].revoked_at = Some(self.now());
        self.apply(after_revocation);
    }

    fn sign(&self) -> String {
        self.ring.sign(self.now(), TYP, &json!({ "sub": "alice" })).unwrap().0
    }

    /// The places in the table of the keys in the JWKS, and of the one that signs.
    fn shown(&self) -> (Vec<usize>, usize) {
        let place = |kid: &str| self.rows.iter().position(|row| row.kid.as_str() == kid).unwrap();
        let document: Value = serde_json::from_slice(&self.ring.jwks(self.now()).unwrap().bytes).unwrap();
        let kids = document["keys"].as_array().unwrap().iter().map(|key| place(key["kid"].as_str().unwrap())).collect();
        (kids, place(self.ring.sign(self.now(), TYP, &json!({})).unwrap().1.as_str()))
    }
}

#[test]
fn a_key_is_planned_published_signs_retires_and_goes() {
    let mut table = Table::new();
    assert_eq!(table.shown(), (vec![0], 0));
    table.clock.advance(DAY * 29 - MINUTE);
    table.apply(plan);
    assert_eq!((table.rows.len(), table.shown()), (1, (vec![0], 0)), "too early for a successor");

    table.clock.advance(MINUTE);
    table.apply(plan);
    assert_eq!(table.shown(), (vec![1, 0], 0), "published ahead");
    table.clock.advance(DAY - MINUTE);
    let last_of_the_first = table.sign();
    assert_eq!(table.shown(), (vec![1, 0], 0));

    table.clock.advance(MINUTE);
    assert_eq!(table.shown(), (vec![1, 0], 1), "signs; its predecessor's tokens still verify");
    table.clock.advance(MINUTE * 65 - Duration::from_millis(1));
    assert_eq!(table.shown(), (vec![1, 0], 1));
    table.clock.advance(Duration::from_millis(1));
    assert_eq!(table.shown(), (vec![1], 1), "the predecessor's last token has expired");
    assert!(table.ring.verify(&last_of_the_first, TYP).is_ok(), "as an old hint it still is ours");

    table.clock.advance(DAY * 29 - MINUTE * 65);
    table.apply(plan);
    assert_eq!(table.shown(), (vec![2, 1], 1), "its successor is published");
    table.clock.advance(DAY);
    assert_eq!(table.shown(), (vec![2, 1], 2), "its successor signs");
    table.clock.advance(MINUTE * 65);
    assert_eq!(table.shown(), (vec![2], 2), "gone");
    assert_eq!((table.ring.date_letter(table.now()), table.ring.overdue(table.now())), (Some('c'), None));
    table.clock.advance(DAY * 40);
    assert_eq!(
        (table.shown(), table.ring.overdue(table.now())),
        ((vec![2], 2), Some(DAY * 10 + MINUTE * 65)),
        "overdue, not silent"
    );
}

#[test]
fn a_revoked_key_verifies_nothing_and_its_successor_signs() {
    let mut table = Table::new();
    table.clock.advance(DAY * 29);
    table.apply(plan);
    let token = table.sign();
    table.revoke(0);
    assert_eq!(table.shown(), (vec![1], 1));
    assert_eq!(table.ring.verify(&token, TYP), Err(NotOurs::UnknownKey));
    table.revoke(1);
    assert_eq!(table.shown(), (vec![2], 2));
}

#[test]
fn a_token_has_a_header_of_exactly_alg_typ_kid_and_comes_back_as_it_was() {
    let table = Table::new();
    let claims = json!({ "sub": "alice", "exp": u64::MAX, "nested": { "list": [1, 2.5, null] } });
    let (token, kid) = table.ring.sign(table.now(), TYP, &claims).unwrap();
    let header = Base64UrlUnpadded::decode_vec(token.split('.').next().unwrap()).unwrap();
    assert_eq!(String::from_utf8(header).unwrap(), format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#));
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert_eq!(table.ring.verify(&token, typ).unwrap(), (claims.as_object().unwrap().clone(), kid.clone()));
    }
    assert_eq!(table.ring.verify(&token, "JWT"), Err(NotOurs::Type));
}

#[test]
fn any_other_header_is_not_ours_even_under_a_good_signature() {
    let table = Table::new();
    let key = opened::OpenedKey::open(&table.rows[0], table.masters()).unwrap();
    let kid = &key.kid;
    let verify = |header: String, payload: &str| {
        let mut token = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = key.sign(token.as_bytes()).unwrap();
        token = format!("{token}.{}", encode(&signature));
        table.ring.verify(&token, TYP).map(|_| ())
    };
    let cases = [
        (format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#), "{}", Ok(())),
        (format!(r#"{{"alg":"RS256","typ":"application/AT+jwt","kid":"{kid}"}}"#), "{}", Ok(())),
        (format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#), "[]", Err(NotOurs::Payload)),
        (format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#), "\"x\"", Err(NotOurs::Payload)),
        (format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#), "{}", Err(NotOurs::Algorithm)),
        (format!(r#"{{"alg":"rs256","typ":"at+jwt","kid":"{kid}"}}"#), "{}", Err(NotOurs::Algorithm)),
        (format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#), "{}", Err(NotOurs::Algorithm)),
        (format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#), "{}", Err(NotOurs::Type)),
        (format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), "{}", Err(NotOurs::Header)),
        (r#"{"alg":"RS256","typ":"at+jwt"}"#.to_owned(), "{}", Err(NotOurs::Header)),
        (r#"{"alg":"RS256","typ":"at+jwt","kid":"other"}"#.to_owned(), "{}", Err(NotOurs::UnknownKey)),
        (format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}","crit":["b64"],"b64":false}}"#), "{}", Err(NotOurs::Header)),
        (format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}","jwk":{{}}}}"#), "{}", Err(NotOurs::Header)),
        (format!(r#"{{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#), "{}", Err(NotOurs::Header)),
    ];
    for (header, payload, expected) in cases {
        assert_eq!(verify(header.clone(), payload), expected, "{header} {payload}");
    }
}

#[test]
fn no_altered_token_verifies() {
    let table = Table::new();
    let token = table.sign();
    for place in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        assert!(table.ring.verify(std::str::from_utf8(&altered).unwrap(), TYP).is_err(), "byte {place}");
    }
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for wrong in ["", ".", "..", "...", signed, &format!("{signed}."), &format!("{token}="), &format!("{token}.{signature}")] {
        assert!(table.ring.verify(wrong, TYP).is_err(), "{wrong}");
    }
    assert_eq!(table.ring.verify(&"A".repeat(8193), TYP), Err(NotOurs::TooLong));
}

#[test]
fn a_key_set_shows_only_public_members_wherever_rotation_leads() {
    let mut table = Table::new();
    let mut seed = 7_u64;
    for _ in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (seed >> 33) % 8 {
            0 if table.rows.len() < FIXTURES.len() => table.apply(rotate_now),
            1 if table.rows.len() < FIXTURES.len() => table.revoke(table.rows.len() - 1),
            _ if table.rows.len() < FIXTURES.len() => table.apply(plan),
            _ => {}
        }
        table.clock.advance(MINUTE * u32::try_from((seed >> 40) % 9_000).unwrap());
        let document: Value = serde_json::from_slice(&table.ring.jwks(table.now()).unwrap().bytes).unwrap();
        assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
        let keys = document["keys"].as_array().unwrap();
        assert!(!keys.is_empty());
        for key in keys {
            assert_eq!(key.as_object().unwrap().keys().collect::<Vec<_>>(), ["kty", "use", "alg", "kid", "n", "e"]);
        }
    }
    assert_eq!(table.rows.len(), FIXTURES.len(), "the walk rotated through all keys");
}

#[test]
fn the_key_set_is_rewritten_only_when_the_clock_or_the_table_changes_it() {
    let mut table = Table::new();
    let first = table.ring.jwks(table.now()).unwrap();
    assert_eq!((first.max_age, first.etag.clone()), (MINUTE * 5, format!("\"{}\"", table.ring.digest(table.now()).unwrap())));
    table.clock.advance(DAY * 29);
    assert!(std::sync::Arc::ptr_eq(&first, &table.ring.jwks(table.now()).unwrap()));
    table.apply(plan);
    assert_ne!(first.etag, table.ring.jwks(table.now()).unwrap().etag);
    table.clock.advance(DAY * 2);
    let last = table.ring.jwks(table.now()).unwrap();
    table.clock.set(table.now() - DAY * 2);
    assert_ne!(last.etag, table.ring.jwks(table.now()).unwrap().etag, "a clock set back shows what was shown then");
}

#[test]
fn rows_under_another_master_key_are_refused_by_its_name_unless_already_open() {
    let mut table = Table::new();
    let other = MasterKey::random();
    let resealed = vec![seal::reseal(&table.rows[0], &table.master, &other).unwrap()];
    let refusal = KeyRing::new(resealed.clone(), table.masters(), KeyPolicy::default()).unwrap_err().to_string();
    assert!(refusal.contains(other.id()) && refusal.contains(table.master.id()), "{refusal}");
    assert!(KeyRing::new(resealed.clone(), &[MasterKey::random(), other.clone()], KeyPolicy::default()).is_ok());
    assert!(!table.ring.is_current(&resealed) && table.ring.is_current(&table.rows));
    table.ring.replace(resealed, table.masters()).unwrap();

    let planned = plan(&[], table.now(), &KeyPolicy::default()).new_key.unwrap();
    table.rows.push(table.source.generate().unwrap().into_row(planned, &other).unwrap());
    let replace = |table: &Table| table.ring.replace(table.rows.clone(), table.masters());
    assert!(replace(&table).is_err() && !table.ring.is_current(&table.rows));
    assert!(table.ring.sign(table.now(), TYP, &json!({})).is_ok(), "what is open goes on");
    table.rows[0].revoked_at = Some(table.now());
    assert!(replace(&table).is_err());
    assert!(
        matches!(table.ring.sign(table.now(), TYP, &json!({})), Err(KeyError::NoSigner)),
        "but not what was revoked meanwhile"
    );
    table.ring.replace(table.rows.clone(), &[other]).unwrap();
    assert!(table.ring.is_current(&table.rows) && table.ring.sign(table.now(), TYP, &json!({})).is_ok());
}

#[test]
fn a_revoked_key_stays_revoked_when_an_older_read_of_the_table_comes_later() {
    let mut table = Table::new();
    let (stale, token) = (table.rows.clone(), table.sign());
    table.revoke(0);
    let revoked = table.rows[0].kid.clone();
    assert_ne!(table.ring.signing_kid(table.now()), Some(revoked));
    table.ring.replace(stale.clone(), table.masters()).unwrap();
    assert!(table.ring.verify(&token, TYP).is_err());
    assert!(matches!(table.ring.sign(table.now(), TYP, &json!({})), Err(KeyError::NoSigner)));
    assert!(!table.ring.is_current(&stale), "the next look at the table replaces it again");
    table.ring.replace(table.rows.clone(), table.masters()).unwrap();
    assert!(table.ring.is_current(&table.rows) && table.ring.sign(table.now(), TYP, &json!({})).is_ok());
}

#[test]
fn revoked_rows_need_no_master_key_and_without_others_nobody_signs() {
    let mut table = Table::new();
    table.rows[0].revoked_at = Some(table.now());
    let ring = KeyRing::new(table.rows.clone(), &[MasterKey::random()], KeyPolicy::default()).unwrap();
    assert!(matches!(ring.sign(table.now(), TYP, &json!({})), Err(KeyError::NoSigner)));
    assert_eq!(ring.jwks(table.now()).unwrap().bytes, br#"{"keys":[]}"#);
}

#[test]
fn a_row_whose_public_half_or_name_was_exchanged_does_not_open() {
    let table = Table::new();
    let other = FreshKey::from_private_jwk(&Secret::new(FIXTURES[5].to_owned())).unwrap();
    let open = |change: &dyn Fn(&mut SigningKey)| {
        let mut row = table.rows[0].clone();
        change(&mut row);
        KeyRing::new(vec![row], table.masters(), KeyPolicy::default()).unwrap_err()
    };
    assert!(matches!(open(&|row| row.public_jwk = other.public_jwk().to_owned()), KeyError::Mismatch { .. }));
    assert!(matches!(open(&|row| row.kid = KeyId::new("other")), KeyError::Sealed { .. }));
}

#[test]
#[ignore = "a measurement, to be run by hand"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn how_long_generating_signing_and_verifying_take() {
    let table = Table::new();
    let timed = |name: &str, times: u32, work: &dyn Fn()| {
        let start = std::time::Instant::now();
        (0..times).for_each(|_| work());
        println!("{name}: {:?}", start.elapsed() / times);
    };
    timed("generate 2048", 20, &|| drop(RsaGenerator::default().generate().unwrap()));
    timed("generate 3072", 10, &|| drop(RsaGenerator { size: RsaSize::Bits3072 }.generate().unwrap()));
    timed("sign", 2000, &|| drop(table.sign()));
    let token = table.sign();
    timed("verify", 5000, &|| drop(table.ring.verify(&token, TYP).unwrap()));
    timed("open a row", 50, &|| drop(opened::OpenedKey::open(&table.rows[0], table.masters()).unwrap()));
    timed("jwks", 100_000, &|| drop(table.ring.jwks(table.now()).unwrap()));
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
