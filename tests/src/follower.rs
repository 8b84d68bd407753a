//! A follower of the revocation feed, written after `verifier-sdk/FEED.md` and nothing else: what it cannot follow, nobody who reads
//! that document could.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a message was to a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// News: the head is the new position.
    Adopted,
    /// The head is the position.
    Current,
    /// Older than what is known.
    Old,
    /// A snapshot has to be taken.
    Mismatch,
}

/// A follower.
#[derive(Debug, Clone)]
pub struct Follower {
    issuer: String,
    keys: Value,
    /// Feed, tick and link.
    position: Option<(String, i64, String)>,
    salt: String,
    /// The last tick of each level and name.
    pub cutoffs: BTreeMap<(String, String), i64>,
}

impl Follower {
    /// A follower that knows nothing but its issuer and the JWKS.
    pub fn new(issuer: &str, keys: Value) -> Self {
        Self { issuer: issuer.to_owned(), keys, position: None, salt: String::new(), cutoffs: BTreeMap::new() }
    }

    /// How far it has come, as `FEED.TICK.LINK`.
    pub fn position(&self) -> String {
        let (feed, tick, link) = self.position.as_ref().expect("it has taken a snapshot");
        format!("{feed}.{tick}.{link}")
    }

    /// The tick at which a target was cut off.
    pub fn cut_off(&self, level: &str, identifiers: &[&str]) -> Option<i64> {
        self.cutoffs.get(&(level.to_owned(), salted(&self.salt, level, identifiers))).copied()
    }

    /// Takes a message of the stream or of a long poll (rules 2 to 5).
    pub fn take(&mut self, message: &str) -> Took {
        let payload = self.checked(message);
        assert!(payload.get("cutoffs").is_none(), "a snapshot is asked for");
        let head = head(&payload);
        let (feed, tick, link) = self.position.clone().expect("it began with a snapshot");
        let entries: Vec<&Value> = payload.get("entries").and_then(Value::as_array).into_iter().flatten().collect();
        for entry in &entries {
            self.adopt(entry[0].as_i64().unwrap(), &entry[1]);
        }
        if head.0 != feed {
            return Took::Mismatch;
        }
        if head == (feed.clone(), tick, link.clone()) {
            return Took::Current;
        }
        if head.1 <= tick {
            return if head.1 < tick { Took::Old } else { Took::Mismatch };
        }
        let (mut before, mut own, mut at_own) = (payload["after"].as_i64(), link, false);
        at_own |= before == Some(tick);
        for entry in entries {
            let at = entry[0].as_i64().unwrap();
            assert!(before.is_some_and(|before| before < at), "entries come in order, behind one that is named");
            if at > tick {
                if before == Some(tick) {
                    at_own = true;
                }
                own = next_link(&feed, &own, at, &entry[1]);
            }
            before = Some(at);
        }
        if !at_own || before != Some(head.1) || own != head.2 {
            return Took::Mismatch;
        }
        self.position = Some(head);
        Took::Adopted
    }

    /// Takes a snapshot (rules 1 and 5): what it holds is united with it.
    pub fn take_snapshot(&mut self, message: &str) {
        let payload = self.checked(message);
        self.salt = payload["salt"].as_str().unwrap().to_owned();
        let head = head(&payload);
        for (level, list) in payload["cutoffs"].as_object().expect("a snapshot has cut-offs") {
            for pair in list.as_array().unwrap().chunks(2) {
                let behind = pair[1].as_i64().unwrap();
                assert!(behind >= 0, "a cut-off is not ahead of the head");
                self.cut(level, pair[0].as_str().unwrap(), head.1 - behind);
            }
        }
        self.position = Some(head);
    }

    /// The payload of a message, after all that must be checked.
    pub fn checked(&self, message: &str) -> Value {
        let parts: Vec<&str> = message.split('.').collect();
        assert_eq!(parts.len(), 3, "a message is a compact JWS");
        let decoded = |part: &str| Base64UrlUnpadded::decode_vec(part).expect("parts are base64url");
        let header: Value = serde_json::from_slice(&decoded(parts[0])).unwrap();
        assert_eq!(header.as_object().unwrap().len(), 3);
        assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some("RS256"), Some("passant-revocations+jwt")));
        let key =
            self.keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).expect("a key of the JWKS");
        let number = |name: &str| decoded(key[name].as_str().unwrap());
        let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
        let (signed, signature) = message.rsplit_once('.').unwrap();
        key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decoded(signature)).expect("the issuer signed it");
        let payload: Value = serde_json::from_slice(&decoded(parts[1])).unwrap();
        assert_eq!(payload["iss"].as_str(), Some(self.issuer.as_str()));
        assert!(payload["iat"].is_i64() && payload["life"] == 3600, "{payload}");
        for text in ["feed", "salt", "keys", "chain"] {
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            assert!(payload[text].as_str().is_some_and(plain), "{text} in {payload}");
        }
        assert!(payload.get("entries").is_some() == payload.get("after").is_some(), "{payload}");
        payload
    }

    fn adopt(&mut self, tick: i64, levels: &Value) {
        for (level, names) in levels.as_object().unwrap() {
            for name in names.as_array().unwrap() {
                self.cut(level, name.as_str().unwrap(), tick);
            }
        }
    }

    fn cut(&mut self, level: &str, name: &str, tick: i64) {
        assert_eq!(name.len(), 22, "a name is 16 bytes");
        let known = self.cutoffs.entry((level.to_owned(), name.to_owned())).or_insert(tick);
        *known = tick.max(*known);
    }
}

fn head(payload: &Value) -> (String, i64, String) {
    let text = |name: &str| payload[name].as_str().unwrap().to_owned();
    (text("feed"), payload["tick"].as_i64().unwrap(), text("chain"))
}

/// The link of an entry.
fn next_link(feed: &str, before: &str, tick: i64, levels: &Value) -> String {
    let mut lines = Vec::new();
    for (level, names) in levels.as_object().unwrap() {
        lines.extend(names.as_array().unwrap().iter().map(|name| (level.clone(), name.as_str().unwrap().to_owned())));
    }
    lines.sort();
    let mut text = format!("passant-revocations-1\n{feed}\n{before}\n{tick}\n");
    for (level, name) in lines {
        text = text + &level + " " + &name + "\n";
    }
    Base64UrlUnpadded::encode_string(&Sha256::digest(text))
}

/// The name of a target.
fn salted(salt: &str, level: &str, identifiers: &[&str]) -> String {
    let mut bytes = Vec::new();
    for text in [salt, level].iter().chain(identifiers) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    Base64UrlUnpadded::encode_string(&Sha256::digest(bytes)[..16])
}
