//! How long keys live. The durations lean on each other, so they are checked together, once.

use std::time::Duration;

use super::Schedule;
use crate::clock::UnixTime;

/// The durations as an operator sets them; the default is what Passant recommends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyTimes {
    /// How long a key signs. Default: 30 days.
    pub period: Duration,
    /// How long before its first use a key is published. Default: 24 hours.
    pub lead: Duration,
    /// How long the JWKS may be cached. Default: 5 minutes.
    pub jwks_max_age: Duration,
    /// The longest life of any token, whatever client asks. Default: 1 hour.
    pub longest_token_life: Duration,
    /// By how much a verifier's clock may lag. Default: 5 minutes.
    pub leeway: Duration,
}

impl Default for KeyTimes {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(30 * 24 * 3600),
            lead: Duration::from_secs(24 * 3600),
            jwks_max_age: Duration::from_secs(5 * 60),
            longest_token_life: Duration::from_secs(3600),
            leeway: Duration::from_secs(5 * 60),
        }
    }
}

/// Durations that agree with each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyPolicy(KeyTimes);

/// Why durations do not make a policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyPolicyError {
    /// A JWKS that may not be cached for a second would be fetched for every token.
    #[error("the key set's max-age must be at least 1 second")]
    MaxAgeTooShort,
    /// A key would sign before every cache has seen it.
    #[error("keys must be published at least {} s before they sign (twice the key set's max-age), not {} s", least.as_secs(), lead.as_secs())]
    LeadTooShort {
        /// The lead that was asked for.
        lead: Duration,
        /// Twice the JWKS max-age.
        least: Duration,
    },
    /// A key's successor would be due before the key itself signs.
    #[error("a key must sign for longer than its successor is published ahead ({} s), not for {} s", lead.as_secs(), period.as_secs())]
    PeriodTooShort {
        /// The period that was asked for.
        period: Duration,
        /// The lead that it must exceed.
        lead: Duration,
    },
    /// A retired key would leave the JWKS while its tokens live.
    #[error("the longest token life must be at least 1 second")]
    NoTokenLife,
    /// Beyond any use, and arithmetic would saturate.
    #[error("no key duration may exceed ten years")]
    TooLong,
}

impl KeyPolicy {
    /// Checks that the durations agree.
    pub fn new(times: KeyTimes) -> Result<Self, KeyPolicyError> {
        const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
        let KeyTimes { period, lead, jwks_max_age, longest_token_life, leeway } = times;
        if [period, lead, jwks_max_age, longest_token_life, leeway].into_iter().any(|span| span > TEN_YEARS) {
            return Err(KeyPolicyError::TooLong);
        }
        if jwks_max_age < Duration::from_secs(1) {
            return Err(KeyPolicyError::MaxAgeTooShort);
        }
        if longest_token_life < Duration::from_secs(1) {
            return Err(KeyPolicyError::NoTokenLife);
        }
        if lead < jwks_max_age * 2 {
            return Err(KeyPolicyError::LeadTooShort { lead, least: jwks_max_age * 2 });
        }
        if period <= lead {
            return Err(KeyPolicyError::PeriodTooShort { period, lead });
        }
        Ok(Self(times))
    }

    /// How long before a key's planned end its successor is published.
    pub fn lead(&self) -> Duration {
        self.0.lead
    }

    /// How long the JWKS may be cached.
    pub fn jwks_max_age(&self) -> Duration {
        self.0.jwks_max_age
    }

    /// The least time between a key's publication and its first use: a shared cache and the verifier behind it have both
    /// dropped every JWKS without the key.
    pub fn notice(&self) -> Duration {
        self.0.jwks_max_age * 2
    }

    /// How long a key stays published after its last signature.
    pub fn retirement(&self) -> Duration {
        self.0.longest_token_life + self.0.leeway
    }

    /// The schedule of a key that signs for one period.
    pub fn schedule(&self, published_from: UnixTime, signs_from: UnixTime) -> Schedule {
        let signs_until = signs_from + self.0.period;
        Schedule { published_from, signs_from, signs_until, published_until: signs_until + self.retirement() }
    }

    /// The same schedule with another end.
    pub fn ending(&self, schedule: Schedule, signs_until: UnixTime) -> Schedule {
        Schedule { signs_until, published_until: signs_until + self.retirement(), ..schedule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_each_other() {
        assert_eq!(KeyPolicy::new(KeyTimes::default()), Ok(KeyPolicy::default()));
    }

    #[test]
    fn durations_that_would_surprise_a_verifier_are_refused() {
        let second = Duration::from_secs(1);
        let hour = Duration::from_secs(3600);
        let with = |change: fn(&mut KeyTimes)| {
            let mut times = KeyTimes::default();
            change(&mut times);
            KeyPolicy::new(times).unwrap_err()
        };
        let lead = hour * 24 - second;
        assert_eq!(
            with(|t| (t.jwks_max_age, t.lead) = (Duration::from_secs(12 * 3600), Duration::from_secs(24 * 3600 - 1))),
            KeyPolicyError::LeadTooShort { lead, least: hour * 24 }
        );
        assert_eq!(with(|t| t.period = t.lead), KeyPolicyError::PeriodTooShort { period: hour * 24, lead: hour * 24 });
        assert_eq!(with(|t| t.jwks_max_age = Duration::ZERO), KeyPolicyError::MaxAgeTooShort);
        assert_eq!(with(|t| t.longest_token_life = Duration::ZERO), KeyPolicyError::NoTokenLife);
        assert_eq!(with(|t| t.leeway = Duration::MAX), KeyPolicyError::TooLong);
    }
}
