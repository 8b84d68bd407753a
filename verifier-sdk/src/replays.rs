//! The ids of tokens that may be heard once, for as long as each could be shown again. Bounded: what would not fit is not heard, since
//! forgetting another one early would let it be heard twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{Reason, VerifyError};
use crate::signature::sha256;

/// So many ids are remembered. Only tokens that the issuer signed get here.
const MOST: usize = 65_536;

/// How often what has expired is looked for, in milliseconds.
const SWEEP_EVERY: i64 = 10_000;

/// What was heard of one issuer.
#[derive(Default)]
pub(crate) struct Replays {
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// The hash of an id, and when its token ends, in Unix milliseconds.
    until: HashMap<[u8; 32], i64>,
    sweep_at: i64,
}

impl Replays {
    /// Remembers an id until its token ends, unless it was heard before; both are one step, however many ask at once.
    pub(crate) fn hear(&self, id: &str, ends: i64, now: i64) -> Result<(), VerifyError> {
        let id = sha256(id.as_bytes());
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.until.get(&id).is_some_and(|ends| now < *ends) {
            return Err(VerifyError::about(Reason::Replayed, "jti"));
        }
        if now >= heard.sweep_at || heard.until.len() >= MOST {
            heard.until.retain(|_, ends| now < *ends);
            heard.sweep_at = now.saturating_add(SWEEP_EVERY);
        }
        if heard.until.len() >= MOST {
            return Err(VerifyError::new(Reason::TooManyHeard));
        }
        heard.until.insert(id, ends);
        Ok(())
    }

    pub(crate) fn forget(&self, id: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).until.remove(&sha256(id.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(replays: &Replays, id: &str, ends: i64, now: i64) -> Option<Reason> {
        replays.hear(id, ends, now).err().map(|error| error.reason())
    }

    #[test]
    fn an_id_is_heard_once_until_its_token_has_ended() {
        let replays = Replays::default();
        assert_eq!(refused(&replays, "a", 100_000, 0), None);
        assert_eq!(refused(&replays, "b", 100_000, 0), None);
        for now in [0, 50_000, 99_999] {
            assert_eq!(refused(&replays, "a", 100_000, now), Some(Reason::Replayed), "{now}");
        }
        assert_eq!(refused(&replays, "a", 200_000, 100_000), None);
        replays.forget("a");
        assert_eq!(refused(&replays, "a", 200_000, 100_000), None);
    }

    #[test]
    fn v75_of_many_who_show_one_id_at_once_one_is_heard() {
        let replays = Replays::default();
        let heard = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| replays.hear("a", 100, 0).is_ok())).collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|heard| *heard).count()
        });
        assert_eq!(heard, 1);
    }

    #[test]
    fn a_full_memory_forgets_nothing_that_lives_and_hears_nothing_new() {
        let replays = Replays::default();
        for id in 0..MOST {
            assert_eq!(refused(&replays, &id.to_string(), 100_000, 0), None);
        }
        assert_eq!(refused(&replays, "one more", 100_000, 1), Some(Reason::TooManyHeard));
        assert_eq!(refused(&replays, "0", 100_000, 1), Some(Reason::Replayed));
        assert_eq!(refused(&replays, "one more", 200_000, 100_000), None);
    }
}
