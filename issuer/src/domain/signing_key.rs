//! Signing keys as schedules. Which key signs and which are published is computed from the clock and the rows alone, so that
//! all replicas switch at the same instant without talking to each other.

use std::fmt;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::domain::ids::KeyId;

pub mod policy;
pub mod rotation;

pub use policy::{KeyPolicy, KeyPolicyError, KeyTimes};
pub use rotation::{NewKey, Reschedule, Rotation, after_revocation, plan, rotate_now};

/// When a key is seen and when it signs. Each instant begins its part and is not in the part that it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// From here on the JWKS holds the key.
    pub published_from: UnixTime,
    /// From here on the key signs, unless a newer one does.
    pub signs_from: UnixTime,
    /// Here the successor takes over; a key that signs later than this is overdue.
    pub signs_until: UnixTime,
    /// Here the last token of the key has expired and the key leaves the JWKS.
    pub published_until: UnixTime,
}

/// A row of the key table.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The first 16 characters of the key's RFC 7638 thumbprint.
    pub kid: KeyId,
    /// The key's number, unique among all rows, so that concurrent planners add one key only.
    pub epoch: i64,
    /// When it is published and when it signs.
    pub schedule: Schedule,
    /// Since when it is dead, whatever its schedule says.
    pub revoked_at: Option<UnixTime>,
    /// Canonical JSON of `kty use alg kid n e`, in this order, and nothing else.
    pub public_jwk: String,
    /// The private JWK as a JWE (RFC 7516, compact) under the master key.
    pub sealed_private_key: String,
    /// Which master key seals it.
    pub master_key_id: String,
}

impl SigningKey {
    /// Whether the key has been revoked.
    pub fn is_revoked(&self) -> bool {
        self.revoked_at.is_some()
    }

    fn is_published(&self, now: UnixTime) -> bool {
        self.schedule.published_from <= now && now < self.schedule.published_until
    }

    /// Newer keys are greater. Two keys that begin to sign at one instant are told apart by their epochs.
    fn age(&self) -> (UnixTime, i64) {
        (self.schedule.signs_from, self.epoch)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("epoch", &self.epoch)
            .field("schedule", &self.schedule)
            .field("revoked_at", &self.revoked_at)
            .field("public_jwk", &self.public_jwk)
            .field("master_key_id", &self.master_key_id)
            .finish_non_exhaustive()
    }
}

/// The key that signs: the newest unrevoked one whose time has come, overdue or not. Where no time has come (the clock went
/// back), the unrevoked one that comes first. `None` only when every key is revoked or there is none.
pub fn signer(keys: &[SigningKey], now: UnixTime) -> Option<&SigningKey> {
    let begun = unrevoked(keys).filter(|key| key.schedule.signs_from <= now).max_by_key(|key| key.age());
    begun.or_else(|| unrevoked(keys).min_by_key(|key| key.age()))
}

/// The keys of the JWKS, newest first. The signer is always among them, even past its schedule.
pub fn published(keys: &[SigningKey], now: UnixTime) -> Vec<&SigningKey> {
    let signing = signer(keys, now).map(|key| &key.kid);
    let mut seen: Vec<_> = unrevoked(keys).filter(|key| key.is_published(now) || Some(&key.kid) == signing).collect();
    seen.sort_by_key(|key| std::cmp::Reverse(key.age()));
    seen
}

/// How long the signer has been signing past its schedule: a rotation that did not happen.
pub fn overdue(keys: &[SigningKey], now: UnixTime) -> Option<Duration> {
    let since = now.since(signer(keys, now)?.schedule.signs_until);
    (!since.is_zero()).then_some(since)
}

/// The next instant at which the signer or the published set changes by the clock alone.
pub fn next_change(keys: &[SigningKey], now: UnixTime) -> Option<UnixTime> {
    let shown =
        |at| (signer(keys, at).map(|key| &key.kid), published(keys, at).into_iter().map(|key| &key.kid).collect::<Vec<_>>());
    let mut instants: Vec<_> = unrevoked(keys)
        .flat_map(|key| [key.schedule.published_from, key.schedule.signs_from, key.schedule.published_until])
        .filter(|at| *at > now)
        .collect();
    instants.sort_unstable();
    let current = shown(now);
    instants.into_iter().find(|at| shown(*at) != current)
}

/// How long a JWKS that is served now may be cached: what the policy says, but no copy of it may outlive half the time until
/// a key signs that it does not hold (half, because a shared cache and a verifier may each keep it that long). Whole seconds.
pub fn jwks_max_age(keys: &[SigningKey], now: UnixTime, policy: &KeyPolicy) -> Duration {
    let surprise = unrevoked(keys)
        .filter(|key| key.schedule.signs_from > now && !key.is_published(now))
        .map(|key| key.schedule.signs_from.since(now) / 2)
        .min();
    let age = surprise.map_or(policy.jwks_max_age(), |half| half.min(policy.jwks_max_age()));
    Duration::from_secs(age.as_secs())
}

/// The hallmark's date letter: one a key, `a` for the first, round and round the alphabet.
pub fn date_letter(epoch: i64) -> char {
    let place = u8::try_from(epoch.saturating_sub(1).rem_euclid(26)).unwrap_or(0);
    char::from(b'a' + place)
}

fn unrevoked(keys: &[SigningKey]) -> impl Iterator<Item = &SigningKey> {
    keys.iter().filter(|key| !key.is_revoked())
}

#[cfg(test)]
mod tests;
