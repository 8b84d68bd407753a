//! The identifiers, each a type of its own, so that a session id cannot be passed as a client id; and the tick.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::random_id;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier that a row, a token or a request carries.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! drawn_at_random {
    ($($name:ident),*) => {
        $(impl $name {
            /// A new identifier of 96 random bits in 16 characters.
            pub fn random() -> Self {
                Self(random_id())
            }
        })*
    };
}

identifier!(
    /// `sub`: a person with an account. Random and never reused.
    UserId
);
identifier!(
    /// `client_id`: an application registered with the issuer.
    ClientId
);
identifier!(
    /// `sid`: the public name of a browser's sign-in; never its cookie nor the cookie's hash.
    SessionId
);
identifier!(
    /// `gid`: what one user allowed one client in one approved authorization request.
    GrantId
);
identifier!(
    /// `jti`: one access token.
    TokenId
);
identifier!(
    /// `kid`: the first 16 characters of a key's RFC 7638 thumbprint.
    KeyId
);
identifier!(
    /// The name of one history of the feed; a new one is drawn when the database has gone back in time.
    FeedId
);

identifier!(
    /// The last part of a Token Status List's address.
    StatusListId
);

drawn_at_random!(UserId, SessionId, GrantId, TokenId, FeedId, StatusListId);

/// The issuer's logical clock: one number in the database that only grows. Where an authority began (`born`) and where a
/// revocation stands (a cut-off) are ticks, never times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Tick(i64);

/// A number that no tick has: below zero, or above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tick lies between 0 and 2^53")]
pub struct NoTick;

impl TryFrom<i64> for Tick {
    type Error = NoTick;

    /// The tick that a token carries; what the database holds needs no such doubt.
    fn try_from(number: i64) -> Result<Self, NoTick> {
        if (0..=Self::MAX.0).contains(&number) { Ok(Self(number)) } else { Err(NoTick) }
    }
}

impl From<Tick> for i64 {
    fn from(tick: Tick) -> Self {
        tick.0
    }
}

impl Tick {
    /// Before everything: the cut-off of what was never cut off.
    pub const ZERO: Self = Self(0);

    /// The largest tick that survives a JSON number (2^53).
    pub const MAX: Self = Self(1 << 53);

    /// The tick that a row carries.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_a_token_is_a_whole_number_up_to_two_to_the_53() {
        let read = |json: &str| serde_json::from_str::<Tick>(json).ok();
        assert_eq!((read("0"), read("9007199254740992")), (Some(Tick::ZERO), Some(Tick::MAX)));
        for json in ["-1", "9007199254740993", "1.0", "\"7\"", "null", "1e3"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
