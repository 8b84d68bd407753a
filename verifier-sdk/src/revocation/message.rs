//! A message of the feed, read strictly: a JWS of the issuer's, bounded in size, with nothing in it that this version does not
//! understand how to judge. What comes out here was said by the issuer, and nothing else was.

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::compact::UnverifiedToken;
use crate::error::{Reason, VerifyError};
use crate::escape::escaped;
use crate::header::{Header, Typ};
use crate::json::tree::{Object, Value, parse_object};
use crate::keys::UsableKeys;
use crate::revocation::chain::{Entry, is_plain};
use crate::revocation::cutoffs::{Cutoff, Cutoffs};
use crate::revocation::level::{Level, Name};
use crate::signature::SignatureFault;

/// Longer messages are refused unread.
pub(crate) const MAX_MESSAGE_LEN: usize = 16 * 1024 * 1024;

/// No tick, time or other number is larger.
const MAX_INTEGER: u64 = 1 << 53;

/// A cut-off counts for 70 minutes, so no token may live longer than an hour.
const LONGEST_LIFE: u64 = 60 * 60;

const NOT_AN_OBJECT: &str = "it is not a JSON object with each member once";
const MAX_FEED_LEN: usize = 64;
const MAX_SALT_LEN: usize = 128;

/// A message that its issuer signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Seconds since 1970; all that was committed before is part of the head.
    pub(crate) iat: i64,
    pub(crate) feed: String,
    pub(crate) salt: String,
    /// The digest of the key set that is published.
    pub(crate) keys: String,
    pub(crate) life: Duration,
    pub(crate) tick: u64,
    pub(crate) chain: String,
    pub(crate) body: Body,
}

/// What a message tells besides its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Heartbeat,
    Delta { after: u64, entries: Vec<Entry> },
    Snapshot(Vec<Cutoff>),
}

/// Why a message of the feed was refused. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// This verifier follows no feed.
    #[error("no feed is followed")]
    NotFollowed,
    /// The message is larger than 16 MiB.
    #[error("the message is too large")]
    TooLarge,
    /// The message is not a JWS of the feed's type; the code of what is wrong is given.
    #[error("the message is not a JWS of the feed: {0}")]
    NotAMessage(&'static str),
    /// There are no keys to verify it with, or they are too old.
    #[error("there are no keys to verify the message with")]
    NoKeys,
    /// A key signed it that is not known, given escaped and cut.
    #[error("the message names an unknown key, {0}")]
    UnknownKey(String),
    /// A key signed it that was revoked.
    #[error("the message is signed by a revoked key")]
    DeadKey,
    /// The signature is wrong.
    #[error("the message's signature is wrong")]
    BadSignature,
    /// Another issuer's feed.
    #[error("the message is of another issuer")]
    OtherIssuer,
    /// A member of the payload is missing, odd or contradicts another one.
    #[error("the message is malformed: {0}")]
    Malformed(&'static str),
    /// Its `iat` lies ahead of our clock by more than the leeway.
    #[error("the message comes from the future")]
    FromTheFuture,
}

/// Whose messages are taken.
pub(crate) struct Signer<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) keys: &'a UsableKeys,
}

/// Verifies a message's signature and reads it. `held`: the cut-offs that may have killed its key.
pub(crate) fn read(text: &str, signer: &Signer<'_>, held: Option<&Cutoffs>) -> Result<Message, FeedError> {
    let message = UnverifiedToken::parse_within(text, MAX_MESSAGE_LEN).map_err(not_a_message)?;
    let header = Header::parse(message.header).map_err(not_a_message)?;
    header.require_typ(&[Typ::Revocations]).map_err(not_a_message)?;
    header.require_algorithm(signer.algorithms).map_err(not_a_message)?;
    let kid = header.kid().map_err(not_a_message)?;
    if held.is_some_and(|held| held.tick_of(Level::Key, &[kid]).is_some()) {
        return Err(FeedError::DeadKey);
    }
    let key = signer.keys.get(kid).ok_or_else(|| FeedError::UnknownKey(escaped(kid)))?;
    key.verify(header.algorithm(), message.signing_input, message.signature()).map_err(|fault| match fault {
        SignatureFault::OtherAlgorithm => FeedError::NotAMessage(Reason::AlgMismatch.code()),
        SignatureFault::Wrong => FeedError::BadSignature,
    })?;
    payload(message.payload(), signer.issuer)
}

/// Whom a message claims to come from, before anything of it was verified.
pub(crate) fn claimed_issuer(jws: &str) -> Result<String, FeedError> {
    let message = UnverifiedToken::parse_within(jws, MAX_MESSAGE_LEN).map_err(not_a_message)?;
    let payload = parse_object(message.payload()).map_err(|_| FeedError::Malformed(NOT_AN_OBJECT))?;
    text(&payload, "iss").map(str::to_owned)
}

fn not_a_message(error: VerifyError) -> FeedError {
    match error.reason() {
        Reason::TooLarge => FeedError::TooLarge,
        reason => FeedError::NotAMessage(reason.code()),
    }
}

/// Reads a payload whose signature was verified.
pub(crate) fn payload(payload: &[u8], issuer: &str) -> Result<Message, FeedError> {
    let payload = parse_object(payload).map_err(|_| FeedError::Malformed(NOT_AN_OBJECT))?;
    if text(&payload, "iss")? != issuer {
        return Err(FeedError::OtherIssuer);
    }
    let tick = integer(&payload, "tick")?;
    let plain = |member, longest| text(&payload, member).ok().filter(|text| is_plain(text, longest)).map(str::to_owned);
    let salt = text(&payload, "salt")?;
    if salt.is_empty() || salt.len() > MAX_SALT_LEN {
        return Err(FeedError::Malformed("salt"));
    }
    let life = integer(&payload, "life")?;
    if !(1..=LONGEST_LIFE).contains(&life) {
        return Err(FeedError::Malformed("life"));
    }
    Ok(Message {
        iat: i64::try_from(integer(&payload, "iat")?).unwrap_or(i64::MAX),
        feed: plain("feed", MAX_FEED_LEN).ok_or(FeedError::Malformed("feed"))?,
        salt: salt.to_owned(),
        keys: plain("keys", 43).filter(|keys| keys.len() == 43).ok_or(FeedError::Malformed("keys"))?,
        life: Duration::from_secs(life),
        tick,
        chain: plain("chain", 43).filter(|chain| chain.len() == 43).ok_or(FeedError::Malformed("chain"))?,
        body: body(&payload, tick)?,
    })
}

fn body(payload: &Object<'_>, tick: u64) -> Result<Body, FeedError> {
    match (payload.get("cutoffs"), payload.get("after"), payload.get("entries")) {
        (None, None, None) => Ok(Body::Heartbeat),
        (Some(Value::Object(levels)), None, None) => Ok(Body::Snapshot(snapshot(levels, tick)?)),
        (None, Some(Value::Integer(after)), Some(Value::Array(items))) => {
            let entries = items.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            let ticks = || [*after].into_iter().chain(entries.iter().map(|entry| entry.tick));
            if entries.is_empty() || !ticks().is_sorted_by(|one, next| one < next) || ticks().last() != Some(tick) {
                return Err(FeedError::Malformed("entries"));
            }
            Ok(Body::Delta { after: *after, entries })
        }
        _ => Err(FeedError::Malformed("cutoffs, after and entries")),
    }
}

/// `{level: [name, behind, …], …}`
fn snapshot(levels: &Object<'_>, head: u64) -> Result<Vec<Cutoff>, FeedError> {
    let odd = || FeedError::Malformed("cutoffs");
    let mut cutoffs = Vec::new();
    for (level, list) in levels.members() {
        let (level, Value::Array(list)) = (Level::from_name(level).ok_or_else(odd)?, list) else {
            return Err(odd());
        };
        let (pairs, rest) = list.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(odd());
        }
        for [name, behind] in pairs {
            let Value::Integer(behind) = behind else {
                return Err(odd());
            };
            let name = name.as_str().and_then(Name::parse).ok_or_else(odd)?;
            cutoffs.push(Cutoff { level, name, tick: head.checked_sub(*behind).ok_or_else(odd)? });
        }
    }
    Ok(cutoffs)
}

/// `[tick, {level: [name, …], …}]`
fn entry(item: &Value<'_>) -> Result<Entry, FeedError> {
    let odd = || FeedError::Malformed("entries");
    let Value::Array(pair) = item else {
        return Err(odd());
    };
    let [Value::Integer(tick @ ..=MAX_INTEGER), Value::Object(levels)] = pair.as_slice() else {
        return Err(odd());
    };
    let mut cutoffs = Vec::new();
    for (level, names) in levels.members() {
        let (level, Value::Array(names)) = (Level::from_name(level).ok_or_else(odd)?, names) else {
            return Err(odd());
        };
        for name in names {
            cutoffs.push((level, name.as_str().and_then(Name::parse).ok_or_else(odd)?));
        }
    }
    Ok(Entry { tick: *tick, cutoffs })
}

fn text<'p>(payload: &'p Object<'_>, member: &'static str) -> Result<&'p str, FeedError> {
    payload.get(member).and_then(Value::as_str).ok_or(FeedError::Malformed(member))
}

fn integer(payload: &Object<'_>, member: &'static str) -> Result<u64, FeedError> {
    match payload.get(member) {
        Some(Value::Integer(value)) if *value <= MAX_INTEGER => Ok(*value),
        _ => Err(FeedError::Malformed(member)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::revocation::cutoffs::MOST_IN_ALL;

    const ISSUER: &str = "https://id.example.com";

    fn heartbeat() -> Json {
        let chain = "A".repeat(43);
        json!({ "iss": ISSUER, "iat": 1, "feed": "f-1", "salt": "s", "keys": chain, "life": 600, "tick": 9, "chain": chain })
    }

    fn judged(change: impl FnOnce(&mut Json)) -> Result<Message, FeedError> {
        let mut message = heartbeat();
        change(&mut message);
        payload(message.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn the_three_kinds_are_told_apart_and_unknown_members_are_ignored() {
        assert_eq!(judged(|m| m["future"] = json!([{}])).unwrap().body, Body::Heartbeat);
        let name = "AAAAAAAAAAAAAAAAAAAAAA";
        let delta = judged(|m| (m["after"], m["entries"]) = (json!(7), json!([[8, {}], [9, { "sub": [name] }]])));
        let cutoffs = vec![(Level::User, Name::parse(name).unwrap())];
        let entries = vec![Entry { tick: 8, cutoffs: Vec::new() }, Entry { tick: 9, cutoffs }];
        assert_eq!(delta.unwrap().body, Body::Delta { after: 7, entries });
        let snapshot = judged(|m| m["cutoffs"] = json!({ "kid": [name, 9], "sid": [] })).unwrap().body;
        assert_eq!(snapshot, Body::Snapshot(vec![Cutoff { level: Level::Key, name: Name::parse(name).unwrap(), tick: 0 }]));
    }

    #[test]
    fn a_snapshot_of_all_that_is_held_is_no_longer_than_a_message_may_be() {
        // 70 minutes are 4,200,000 ticks, and some; base64url writes three bytes in four characters.
        let pair = r#""AAAAAAAAAAAAAAAAAAAAAA",99999999,"#.len();
        assert!((MOST_IN_ALL * pair + 4096).div_ceil(3) * 4 <= MAX_MESSAGE_LEN);
    }

    #[test]
    fn every_member_is_demanded_in_its_own_type_and_range() {
        for member in ["iss", "iat", "feed", "salt", "keys", "life", "tick", "chain"] {
            let odd =
                [Json::Null, json!(-1), json!(1.5), json!((1_u64 << 53) + 1), json!(""), json!("a b\n"), json!([1]), json!({})];
            for odd in odd.into_iter().filter(|odd| !(member == "salt" && odd == "a b\n")) {
                let refused = judged(|m| m[member] = odd.clone()).unwrap_err();
                assert!(
                    refused == FeedError::Malformed(member) || refused == FeedError::OtherIssuer,
                    "{member} {odd}: {refused}"
                );
            }
            assert!(judged(|m| drop(m.as_object_mut().unwrap().remove(member))).is_err(), "{member}");
        }
        for (member, odd) in [
            ("iss", json!("https://id.example.com/")),
            ("feed", json!("x".repeat(65))),
            ("salt", json!("x".repeat(129))),
            ("keys", json!("A".repeat(42))),
            ("chain", json!("A".repeat(44))),
            ("chain", json!(format!("{}.", "A".repeat(42)))),
            ("life", json!(0)),
            ("life", json!(3_601)),
        ] {
            assert!(judged(|m| m[member] = odd.clone()).is_err(), "{member} {odd}");
        }
    }

    #[test]
    fn entries_are_in_order_end_at_the_head_and_name_known_levels_and_whole_names() {
        let name = "AAAAAAAAAAAAAAAAAAAAAA";
        for (after, entries) in [
            (json!(8), json!([])),
            (json!(8), json!([[8, {}]])),
            (json!(9), json!([[9, {}]])),
            (json!(7), json!([[9, {}], [8, {}]])),
            (json!(7), json!([[8, {}]])),
            (json!(7), json!([[8, {}], [8, {}], [9, {}]])),
            (json!(7), json!([[10, {}]])),
            (json!(8), json!([[9, {}, 1]])),
            (json!(8), json!([[9]])),
            (json!(8), json!([9])),
            (json!(8), json!({ "9": {} })),
            (json!(8), json!([[9, { "device": [name] }]])),
            (json!(8), json!([[9, { "sub": name }]])),
            (json!(8), json!([[9, { "sub": ["AAAA"] }]])),
            (json!(8), json!([[9, { "sub": [7] }]])),
            (json!("8"), json!([[9, {}]])),
            (Json::Null, json!([[9, {}]])),
            (json!(8), Json::Null),
        ] {
            assert!(judged(|m| (m["after"], m["entries"]) = (after.clone(), entries.clone())).is_err(), "{after} {entries}");
        }
        assert!(judged(|m| m["after"] = json!(8)).is_err());
        assert!(judged(|m| m["entries"] = json!([[9, {}]])).is_err());
        let both = judged(|m| (m["after"], m["entries"], m["cutoffs"]) = (json!(8), json!([[9, {}]]), json!({})));
        assert!(both.is_err());
        for odd in [
            json!([]),
            json!({ "device": [] }),
            json!({ "sub": [name] }),
            json!({ "sub": [name, 10] }),
            json!({ "sub": [name, -1] }),
            json!({ "sub": [7, name] }),
        ] {
            assert!(judged(|m| m["cutoffs"] = odd.clone()).is_err(), "{odd}");
        }
    }
}
