//! The issuer's side of the revocation feed, as much of it as a test needs: every message is a snapshot.

use serde_json::{Map, Value, json};

use crate::revocation::chain::{Entry, link};
use crate::revocation::level::{Level, Name};

const ID: &str = "feed-of-a-test";
const SALT: &str = "salt-of-a-test";
const FIRST_TICK: u64 = 1_900_000_000_000;

/// What has been revoked.
pub(super) struct Feed {
    tick: u64,
    link: String,
    cutoffs: Vec<(Level, Name, u64)>,
}

impl Feed {
    /// With its first, empty entry.
    pub(super) fn new() -> Self {
        let first = Entry { tick: FIRST_TICK, cutoffs: Vec::new() };
        Self { tick: FIRST_TICK, link: link(ID, "", &first), cutoffs: Vec::new() }
    }

    pub(super) fn tick(&self) -> u64 {
        self.tick
    }

    pub(super) fn revoke(&mut self, level: &str, identifiers: &[&str]) {
        let Some(level) = Level::from_name(level) else { return };
        let name = Name::salted(SALT, level, identifiers);
        self.tick += 1;
        self.link = link(ID, &self.link, &Entry { tick: self.tick, cutoffs: vec![(level, name)] });
        self.cutoffs.retain(|(of, known, _)| (*of, *known) != (level, name));
        self.cutoffs.push((level, name, self.tick));
    }

    pub(super) fn snapshot(&self, issuer: &str, iat: i64, keys: &str) -> Value {
        let cutoffs = Level::ALL.map(|level| {
            let of_level = self.cutoffs.iter().filter(|(of, ..)| *of == level);
            let pairs: Vec<Value> =
                of_level.flat_map(|(_, name, tick)| [json!(name.to_string()), json!(self.tick - tick)]).collect();
            (level.name().to_owned(), json!(pairs))
        });
        json!({
            "iss": issuer, "iat": iat, "feed": ID, "salt": SALT, "keys": keys, "life": 3_600, "tick": self.tick, "chain": self.link,
            "cutoffs": Map::from_iter(cutoffs),
        })
    }
}
