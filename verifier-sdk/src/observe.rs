//! What happens in a verifier, told to whoever counts it. Every value is bounded by the configuration and by this crate: an
//! [`Event`] holds no text, and the issuer is the one that the builder was given, so nothing that came in a token becomes a label.

#[cfg(feature = "metrics")]
mod metrics;

use std::fmt;
use std::sync::Arc;

use crate::error::Reason;
#[cfg(feature = "metrics")]
pub use metrics::Metrics;

/// Hears of what happens. It is called where it happens, on the path of requests too, so it should neither wait nor allocate.
/// A function does.
pub trait Observer: Send + Sync + 'static {
    /// `issuer`: as the builder was given it; `None` where none is. In a verifier of [several](crate::Verifier::any_of) a refused token
    /// belongs to none, and the observer of the first hears of it.
    fn observe(&self, issuer: Option<&str>, event: Event);
}

impl<F: Fn(Option<&str>, Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, issuer: Option<&str>, event: Event) {
        self(issuer, event);
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request's token was judged, or it had none to judge.
    Verification {
        /// Why it was refused; `None` where it passed.
        refused: Option<Reason>,
    },
    /// A caller whose token is good did not satisfy an [`AccessPolicy`](crate::AccessPolicy).
    Denied {
        /// What was lacking.
        reason: Reason,
    },
    /// The key set was fetched, or could not be.
    KeyRefresh {
        /// Whether it was confirmed or renewed.
        succeeded: bool,
    },
    /// A key set came into use.
    Keys {
        /// How many of its keys can be used.
        usable: usize,
        /// How many cannot.
        skipped: usize,
    },
    /// A token named an unknown key, and no fetch was spent on it: its name was looked for just now, or too many were.
    UnknownKeySuppressed,
    /// A message of the revocation feed was judged.
    FeedMessage {
        /// What became of it.
        outcome: FeedMessage,
    },
    /// What is held of the revocation feed moved or was confirmed.
    Feed {
        /// The issuer's tick up to which every revocation is known.
        tick: u64,
        /// By how many ticks that lies behind the highest head that was heard of.
        lag: u64,
        /// As of when that is, in Unix milliseconds by the issuer's stamp. Its age now is the distance to the current time: it
        /// grows while nothing is heard, and nothing happens then.
        as_of: i64,
        /// Whether all of it is held: see [`RevocationHealth::complete`](crate::RevocationHealth::complete).
        complete: bool,
    },
    /// The last-known-good file was written, or could not be.
    LastKnownGoodWrite {
        /// Whether it was.
        succeeded: bool,
    },
}

/// What became of a message of the revocation feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedMessage {
    /// It counted.
    Counted,
    /// It was older than what is held.
    Old,
    /// It did not join what is held, and a snapshot is needed.
    Apart,
    /// It was refused.
    Refused,
}

/// The observer of one issuer's events, if there is one. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    observer: Option<Arc<dyn Observer>>,
    issuer: Option<Arc<str>>,
}

impl Watch {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>, issuer: Option<&str>) -> Self {
        Self { observer, issuer: issuer.map(Into::into) }
    }

    /// The same observer, told of no issuer in particular.
    pub(crate) fn unnamed(&self) -> Self {
        Self { observer: self.observer.clone(), issuer: None }
    }

    /// Without an observer the event is not even made.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.observer {
            observer.observe(self.issuer.as_deref(), event());
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}
