//! The issuer's side of the revocation feed in miniature, written from `FEED.md` alone and sharing no code with the crate.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::{ISSUER, NOW, TestKey, b64, jwks};

/// A cut-off by its level and salted name.
pub(crate) type Named = (&'static str, String);

#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) issuer: String,
    pub(crate) id: String,
    pub(crate) salt: String,
    pub(crate) keys: String,
    pub(crate) life: u64,
    /// What the next message says about its time.
    pub(crate) iat: i64,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) tick: u64,
    pub(crate) cutoffs: Vec<Named>,
    pub(crate) link: String,
}

/// The tick of the first entry of a new feed.
pub(crate) const FIRST_TICK: u64 = 1_900_000_000_000;

impl Feed {
    /// A feed with its first, empty entry.
    pub(crate) fn new() -> Self {
        let keys = b64(digest(&SHA256, jwks(&[TestKey::first().jwk()]).as_bytes()).as_ref());
        let (issuer, id, salt) = (ISSUER.to_owned(), "feed-1".to_owned(), "c2FsdA".to_owned());
        let mut feed = Self { issuer, id, salt, keys, life: 3_600, iat: NOW, entries: Vec::new() };
        feed.append(FIRST_TICK, &[]);
        feed
    }

    pub(crate) fn name(&self, level: &str, identifiers: &[&str]) -> String {
        let mut text = Vec::new();
        for part in [self.salt.as_str(), level].iter().chain(identifiers) {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part.as_bytes());
        }
        b64(&digest(&SHA256, &text).as_ref()[..16])
    }

    /// Appends an entry.
    pub(crate) fn append(&mut self, tick: u64, cutoffs: &[(&'static str, &[&str])]) {
        let cutoffs: Vec<Named> = cutoffs.iter().map(|(level, ids)| (*level, self.name(level, ids))).collect();
        let before = self.entries.last().map_or("", |entry| &entry.link);
        let mut text = format!("passant-revocations-1\n{}\n{before}\n{tick}\n", self.id);
        let mut sorted = cutoffs.clone();
        sorted.sort();
        sorted.iter().for_each(|(level, name)| text.push_str(&format!("{level} {name}\n")));
        let link = b64(digest(&SHA256, text.as_bytes()).as_ref());
        self.entries.push(Entry { tick, cutoffs, link });
    }

    /// Revokes one target at the next tick, which it answers.
    pub(crate) fn revoke(&mut self, level: &'static str, identifiers: &[&str]) -> u64 {
        let tick = self.head().tick + 1;
        self.append(tick, &[(level, identifiers)]);
        tick
    }

    pub(crate) fn head(&self) -> &Entry {
        self.entries.last().unwrap()
    }

    pub(crate) fn position(&self) -> String {
        format!("{}.{}.{}", self.id, self.head().tick, self.head().link)
    }

    pub(crate) fn heartbeat(&self) -> Value {
        json!({
            "iss": self.issuer, "iat": self.iat, "feed": self.id, "salt": self.salt, "keys": self.keys, "life": self.life,
            "tick": self.head().tick, "chain": self.head().link,
        })
    }

    /// The entries from the one at this index on.
    pub(crate) fn delta(&self, from: usize) -> Value {
        let mut message = self.heartbeat();
        message["after"] = json!(self.entries[from - 1].tick);
        message["entries"] = self.entries[from..].iter().map(|entry| json!([entry.tick, by_level(entry, |_| None)])).collect();
        message
    }

    pub(crate) fn snapshot(&self) -> Value {
        let mut message = self.heartbeat();
        message["cutoffs"] = json!({});
        for entry in &self.entries {
            for (level, list) in by_level(entry, |tick| Some(self.head().tick - tick)).as_object().unwrap() {
                let all = message["cutoffs"].as_object_mut().unwrap().entry(level).or_insert_with(|| json!([]));
                all.as_array_mut().unwrap().extend(list.as_array().unwrap().iter().cloned());
            }
        }
        message
    }

    /// The feed as it stood so many entries ago.
    pub(crate) fn before(&self, entries: usize) -> Self {
        let mut before = self.clone();
        before.entries.truncate(self.entries.len() - entries);
        before
    }
}

/// The entry's names by their level, each followed by what stands behind it.
fn by_level(entry: &Entry, behind: impl Fn(u64) -> Option<u64>) -> Value {
    let mut levels = json!({});
    for (level, name) in &entry.cutoffs {
        let list = levels.as_object_mut().unwrap().entry(*level).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(json!(name));
        list.as_array_mut().unwrap().extend(behind(entry.tick).map(|behind| json!(behind)));
    }
    levels
}

pub(crate) fn header(key: &TestKey) -> Value {
    json!({ "alg": "RS256", "typ": "passant-revocations+jwt", "kid": key.kid })
}

/// Signs a message.
pub(crate) fn signed(key: &TestKey, message: &Value) -> String {
    key.sign_text(&header(key).to_string(), &message.to_string())
}
