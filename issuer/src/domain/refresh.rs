//! Refresh-token rotation as a pure decision. A token is used once and names its successor; its honest holder may ask again
//! within a short window, as long as the successor is unused; anything later is theft.

use std::time::Duration;

use super::ids::{ClientId, GrantId};
use crate::clock::UnixTime;
use crate::secret::{DerivedKey, OpaqueToken};

/// The prefix by which a refresh token is recognised, in a log or a secret scanner.
pub const PREFIX: &str = "psr_";

/// A refresh token as the database shows it while its grant is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it belongs to.
    pub grant_id: GrantId,
    /// The client that the grant belongs to.
    pub client_id: ClientId,
    /// How many rotations led to it. This decides the order within a grant, never a timestamp.
    pub generation: i64,
    /// When it can no longer be used: the nearer of its idle and its absolute limit.
    pub expires_at: UnixTime,
    /// What its first use left behind.
    pub consumed: Option<Consumed>,
}

impl RefreshToken {
    /// Whether it can be used for the first time now. What it hangs on is for [`super::cutoff::revoked`] to judge.
    pub fn unused(&self, now: UnixTime) -> bool {
        self.consumed.is_none() && now < self.expires_at
    }
}

/// A used token's memory of its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Until when the same successor is handed out again.
    pub retry_until: UnixTime,
    /// What the successor is derived from, beside the token and the server's key; gone once the window has closed.
    pub seed: Option<SuccessorSeed>,
    /// How the successor stands.
    pub successor: Option<Successor>,
}

/// The leaf that a used token led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    /// Its own limit.
    pub expires_at: UnixTime,
    /// Whether it has been used itself.
    pub used: bool,
}

/// What derives a successor from its parent: a random salt and the server key by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessorSeed {
    /// 128 random bits in base64url, kept in the parent's row.
    pub salt: String,
    /// The master key under which it is derived.
    pub key_id: String,
}

/// What to do with a presented token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Another client's token: nothing changes.
    WrongClient,
    /// Too late, honestly: nothing changes.
    Expired,
    /// Consume it and insert its successor.
    FirstUse,
    /// Hand out the same successor again.
    Retry(SuccessorSeed),
    /// Somebody else holds this family: end the grant.
    Replay,
}

/// Judges a presented token. The client has been authenticated and the grant found alive before.
pub fn decide(token: &RefreshToken, client: &ClientId, now: UnixTime) -> Decision {
    if token.client_id != *client {
        return Decision::WrongClient;
    }
    let Some(consumed) = &token.consumed else {
        return if token.unused(now) { Decision::FirstUse } else { Decision::Expired };
    };
    match (&consumed.seed, &consumed.successor) {
        (Some(seed), Some(successor)) if !successor.used && now < consumed.retry_until => {
            if now < successor.expires_at {
                Decision::Retry(seed.clone())
            } else {
                Decision::Expired
            }
        }
        _ => Decision::Replay,
    }
}

/// When a token that is made now can no longer be used.
pub fn expiry(now: UnixTime, idle: Duration, absolute_end: UnixTime) -> UnixTime {
    (now + idle).min(absolute_end)
}

/// The successor of a token: the same for the same parent, salt and key, and underivable without any of the three.
pub fn successor(key: &DerivedKey, parent: &OpaqueToken, salt: &str) -> OpaqueToken {
    OpaqueToken::from_bytes(PREFIX, &key.mac(&[b"refresh successor", parent.expose().as_bytes(), salt.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime::from_seconds(1_000);

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn seed() -> SuccessorSeed {
        SuccessorSeed { salt: "salt".into(), key_id: "key".into() }
    }

    fn token(consumed: Option<Consumed>) -> RefreshToken {
        RefreshToken {
            grant_id: GrantId::new("g"),
            client_id: ClientId::new("c"),
            generation: 3,
            expires_at: at(2_000),
            consumed,
        }
    }

    fn consumed(retry_until: i64, used: bool, expires_at: i64) -> Option<Consumed> {
        let successor = Some(Successor { expires_at: at(expires_at), used });
        Some(Consumed { retry_until: at(retry_until), seed: Some(seed()), successor })
    }

    #[test]
    fn each_state_of_a_token_has_its_one_answer() {
        let forgotten = Some(Consumed { retry_until: at(1_010), seed: None, successor: None });
        let swept = Some(Consumed { retry_until: at(1_010), seed: Some(seed()), successor: None });
        for (what, state, expect) in [
            ("fresh", None, Decision::FirstUse),
            ("retried in the window", consumed(1_010, false, 3_000), Decision::Retry(seed())),
            ("the window's last moment", consumed(1_001, false, 3_000), Decision::Retry(seed())),
            ("the window has closed with its time", consumed(1_000, false, 3_000), Decision::Replay),
            ("the window has closed with the successor's use", consumed(1_010, true, 3_000), Decision::Replay),
            ("the successor has expired", consumed(1_010, false, 1_000), Decision::Expired),
            ("the seed is gone", forgotten, Decision::Replay),
            ("the successor is gone", swept, Decision::Replay),
        ] {
            assert_eq!(decide(&token(state), &ClientId::new("c"), NOW), expect, "{what}");
        }
    }

    #[test]
    fn an_expired_token_is_no_theft_until_it_was_used() {
        assert_eq!(decide(&token(None), &ClientId::new("c"), at(2_000)), Decision::Expired);
        assert_eq!(decide(&token(consumed(1_010, true, 9_000)), &ClientId::new("c"), at(2_000)), Decision::Replay);
    }

    #[test]
    fn another_clients_token_changes_nothing_even_when_replayed() {
        for state in [None, consumed(1_010, true, 3_000), consumed(1_010, false, 3_000)] {
            assert_eq!(decide(&token(state), &ClientId::new("other"), NOW), Decision::WrongClient);
        }
    }

    #[test]
    fn the_successor_needs_parent_salt_and_key() {
        let key = |byte| DerivedKey::derive(&Secret::new([byte; 32]), "refresh");
        let parent = OpaqueToken::presented("psr_parent");
        let base = successor(&key(1), &parent, "salt");
        assert_eq!(base.expose(), successor(&key(1), &parent, "salt").expose());
        for other in [
            successor(&key(2), &parent, "salt"),
            successor(&key(1), &OpaqueToken::presented("psr_other"), "salt"),
            successor(&key(1), &parent, "pepper"),
        ] {
            assert_ne!(base.expose(), other.expose());
        }
    }
}
