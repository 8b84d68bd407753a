//! What one token's judgement leaves behind for the next: its salted names, which never change, and as of which cut-offs it was
//! found clear of all. Nothing here decides anything; a cut-off that came since is looked at before the token passes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::revocation::level::{Level, Name};

/// Written by whoever judges the token, without a lock: all that is ever written to a place is one and the same value.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The salt of the names.
    salt: Option<Arc<str>>,
    names: [Known; Level::ALL.len()],
    clear_at: AtomicU64,
}

/// Both halves of a name; zero stands for one that is not known yet.
#[derive(Debug, Default)]
struct Known([AtomicU64; 2]);

/// No cut-offs were ever judged by.
const NEVER: u64 = u64::MAX;

impl Memory {
    /// For names under this salt; others are formed each time.
    pub(crate) fn under(salt: Option<Arc<str>>) -> Self {
        Self { salt, names: Default::default(), clear_at: AtomicU64::new(NEVER) }
    }

    /// The token's name at a level, which is formed at most once.
    pub(crate) fn name(&self, salt: &str, level: Level, form: impl FnOnce() -> Name) -> Name {
        let known = self.names.get(level as usize).filter(|_| self.salt.as_deref() == Some(salt));
        let Some(Known(halves)) = known else { return form() };
        let [high, low] = halves.each_ref().map(|half| half.load(Ordering::Relaxed));
        if high != 0 && low != 0 {
            return Name::from_halves([high, low]);
        }
        let name = form();
        halves.iter().zip(name.halves()).for_each(|(half, value)| half.store(value, Ordering::Relaxed));
        name
    }

    /// Whether the token was clear of the cut-offs of this generation.
    pub(crate) fn is_clear_at(&self, generation: u64) -> bool {
        self.clear_at.load(Ordering::Relaxed) == generation
    }

    /// Notes that it was. Of two threads that judge by different generations either may be the last to say so: the other's
    /// cut-offs are then looked at once more.
    pub(crate) fn note_clear(&self, generation: u64) {
        self.clear_at.store(generation, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_name_is_formed_once_for_its_salt_and_each_time_for_another() {
        let (memory, formed) = (Memory::under(Some("s".into())), Cell::new(0));
        let name = |salt: &str, level| {
            memory.name(salt, level, || {
                formed.set(formed.get() + 1);
                Name::salted(salt, level, &["x"])
            })
        };
        for _ in 0..3 {
            for level in Level::ALL {
                assert_eq!(name("s", level), Name::salted("s", level, &["x"]));
            }
        }
        assert_eq!(formed.replace(0), Level::ALL.len());
        for _ in 0..3 {
            assert_eq!(name("t", Level::User), Name::salted("t", Level::User, &["x"]));
        }
        assert_eq!((formed.get(), name("s", Level::User)), (3, Name::salted("s", Level::User, &["x"])));
    }

    #[test]
    fn being_clear_is_of_one_generation_and_of_none_at_first() {
        let memory = Memory::under(None);
        assert!(!memory.is_clear_at(0));
        memory.note_clear(5);
        assert_eq!([4, 5, 6].map(|generation| memory.is_clear_at(generation)), [false, true, false]);
    }
}
