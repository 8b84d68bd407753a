//! A session: a browser's sign-in at the issuer, known to the browser by a random cookie and to the world by its `sid`.

use std::time::Duration;

use super::ids::{SessionId, Tick, UserId};
use super::text::named_values;
use crate::clock::UnixTime;

/// The prefix of the cookie's value.
pub const PREFIX: &str = "pss_";

/// A browser's sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `sid`.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// The tick that was read before the password was looked at.
    pub born: Tick,
    /// When the person last proved who they are (`auth_time`).
    pub auth_time: UnixTime,
    /// How (`amr`, RFC 8176).
    pub amr: Vec<String>,
    /// When it was last used; written at most once in [`TOUCH_AFTER`].
    pub last_seen_at: UnixTime,
    /// Its idle limit.
    pub idle_until: UnixTime,
    /// Its absolute limit.
    pub expires_at: UnixTime,
}

/// How stale `last_seen_at` may get before a use writes it anew.
pub const TOUCH_AFTER: Duration = Duration::from_secs(60);

impl Session {
    /// Whether its time has run out. Whether it was ended or cut off is for [`super::cutoff::revoked`] to say.
    pub fn expired(&self, now: UnixTime) -> bool {
        now >= self.idle_until || now >= self.expires_at
    }

    /// Whether the person's last proof is recent enough for a request with `max_age` or `prompt=login` that was made at
    /// `requested_at` (OpenID Connect Core, section 3.1.2.1).
    pub fn authenticated_since(&self, asked: Reauthentication, requested_at: UnixTime, now: UnixTime) -> bool {
        match asked {
            Reauthentication::None => true,
            Reauthentication::Always => self.auth_time >= requested_at,
            Reauthentication::OlderThan(max_age) => self.auth_time >= requested_at || now.since(self.auth_time) <= max_age,
        }
    }
}

named_values!(
    /// What a sign-in does when its user has as many sessions as there may be.
    WhenFull {
        /// It ends the session that began first.
        EvictOldest = "evict-oldest",
        /// It does not happen.
        Deny = "deny",
    }
);

/// How many live sessions a user may have at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// The most.
    pub most: u32,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// What an authorization request asks of the sign-in's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reauthentication {
    /// Nothing.
    None,
    /// `max_age`: not older than this when the request is answered, or newer than the request.
    OlderThan(Duration),
    /// `prompt=login`: after this request.
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(auth_time: i64) -> Session {
        Session {
            id: SessionId::new("s"),
            user_id: UserId::new("u"),
            born: Tick::new(1),
            auth_time: UnixTime::from_seconds(auth_time),
            amr: vec!["pwd".into()],
            last_seen_at: UnixTime::from_seconds(auth_time),
            idle_until: UnixTime::from_seconds(200),
            expires_at: UnixTime::from_seconds(300),
        }
    }

    #[test]
    fn the_nearer_limit_ends_a_session() {
        let at = UnixTime::from_seconds;
        assert!(!session(100).expired(at(199)) && session(100).expired(at(200)));
        let idle_later = Session { idle_until: at(400), ..session(100) };
        assert!(!idle_later.expired(at(299)) && idle_later.expired(at(300)));
    }

    #[test]
    fn reauthentication_is_satisfied_by_age_or_by_a_sign_in_after_the_request() {
        let at = UnixTime::from_seconds;
        let ten = Reauthentication::OlderThan(Duration::from_secs(10));
        let zero = Reauthentication::OlderThan(Duration::ZERO);
        for (what, asked, auth_time, requested, now, expect) in [
            ("nothing asked", Reauthentication::None, 0, 100, 100, true),
            ("prompt=login, old", Reauthentication::Always, 99, 100, 100, false),
            ("prompt=login, signed in since", Reauthentication::Always, 100, 100, 160, true),
            ("max_age held", ten, 90, 100, 100, true),
            ("max_age passed", ten, 89, 100, 100, false),
            ("max_age passed while consenting", ten, 101, 100, 160, true),
            ("max_age=0, old", zero, 99, 100, 100, false),
            ("max_age=0, signed in since", zero, 101, 100, 105, true),
        ] {
            assert_eq!(session(auth_time).authenticated_since(asked, at(requested), at(now)), expect, "{what}");
        }
    }
}
