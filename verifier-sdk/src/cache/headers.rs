//! The headers of the last tokens that were good. An issuer writes the same header into every token until its key changes, so
//! it is read once; only a token whose signature was good can bring one in.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// An issuer has two keys in use at a time, and a verifier few issuers.
const MOST: usize = 8;

/// What was read in headers, by their base64url.
pub(crate) struct Headers<H> {
    known: ArcSwap<Vec<(Box<str>, Arc<H>)>>,
}

impl<H> Headers<H> {
    pub(crate) fn new() -> Self {
        Self { known: ArcSwap::default() }
    }

    /// What was read in this very header, and found acceptable.
    pub(crate) fn get(&self, encoded: &str) -> Option<Arc<H>> {
        self.known.load().iter().find(|(known, _)| **known == *encoded).map(|(_, header)| header.clone())
    }

    /// Remembers a header, and forgets the oldest where there are too many. Of two at the same moment one may get lost.
    pub(crate) fn insert(&self, encoded: &str, header: &Arc<H>) {
        let known = self.known.load();
        if known.iter().any(|(known, _)| **known == *encoded) {
            return;
        }
        let newest = [(Box::from(encoded), header.clone())];
        self.known.store(Arc::new(newest.into_iter().chain(known.iter().take(MOST - 1).cloned()).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_headers_are_known_by_all_their_characters() {
        let headers = Headers::new();
        assert_eq!(headers.get("a"), None);
        for id in 0..MOST + 2 {
            headers.insert(&format!("header {id}"), &Arc::new(id));
            headers.insert(&format!("header {id}"), &Arc::new(1_000));
        }
        for id in 0..MOST + 2 {
            assert_eq!(headers.get(&format!("header {id}")).as_deref(), (id >= 2).then_some(&id), "the oldest two are gone");
        }
        assert_eq!((headers.get("header"), headers.get("header 9 ")), (None, None));
    }
}
