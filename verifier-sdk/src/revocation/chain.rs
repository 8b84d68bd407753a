//! The chain of the feed: each entry's link is a hash over the one before it, so that a follower notices what was left out, put
//! in or put elsewhere, whoever carried the messages.

use std::fmt;
use std::sync::Arc;

use crate::base64url;
use crate::revocation::level::{Level, Name};
use crate::signature::sha256;

/// How far a follower has come: the feed's id, the tick and the link of the last entry that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) feed: Arc<str>,
    pub(crate) tick: u64,
    pub(crate) link: Arc<str>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.feed, self.tick, self.link)
    }
}

/// One committed change of the tick, with the cut-offs that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tick: u64,
    pub(crate) cutoffs: Vec<(Level, Name)>,
}

/// The link of `entry`, given the one before it.
pub(crate) fn link(feed: &str, before: &str, entry: &Entry) -> String {
    let mut lines: Vec<String> = entry.cutoffs.iter().map(|(level, name)| format!("{} {name}\n", level.name())).collect();
    lines.sort();
    let tick = entry.tick;
    base64url::encode(&sha256(format!("passant-revocations-1\n{feed}\n{before}\n{tick}\n{}", lines.concat()).as_bytes()))
}

/// The link of the last of `entries`, where `before` is the link that the first of them stands on.
pub(crate) fn last_link<'e>(feed: &str, before: &str, entries: impl IntoIterator<Item = &'e Entry>) -> String {
    entries.into_iter().fold(before.to_owned(), |before, entry| link(feed, &before, entry))
}

/// Whether a text consists of the characters that feed ids, links and names are made of.
pub(crate) fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
