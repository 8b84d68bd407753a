//! How long things last. A length of time that must lie between two bounds is a type, so that no other length gets far.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::text::deserialize_parsed;

/// A length of time from `MIN` to `MAX` seconds; as text, `10m` or `1h 30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct DurationIn<const MIN: u64, const MAX: u64>(Duration);

/// How long an access token lives: 1 minute to 1 hour.
pub type AccessTokenLife = DurationIn<60, 3_600>;
/// How long a refresh token may lie unused, or a grant be refreshed at all: 1 minute to 365 days.
pub type RefreshLife = DurationIn<60, 31_536_000>;
/// How long a used refresh token may be retried: up to 60 seconds.
pub type RetryWindow = DurationIn<0, 60>;

impl<const MIN: u64, const MAX: u64> DurationIn<MIN, MAX> {
    /// The longest of them.
    pub const LONGEST: Duration = Duration::from_secs(MAX);

    /// A whole number of seconds that the compiler has checked.
    pub const fn seconds<const SECONDS: u64>() -> Self {
        const { assert!(MIN <= SECONDS && SECONDS <= MAX) };
        Self(Duration::from_secs(SECONDS))
    }

    /// The length of time.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<Duration> for DurationIn<MIN, MAX> {
    type Error = InvalidDuration;

    fn try_from(length: Duration) -> Result<Self, InvalidDuration> {
        let (min, max) = (Duration::from_secs(MIN), Duration::from_secs(MAX));
        if (min..=max).contains(&length) { Ok(Self(length)) } else { Err(InvalidDuration::OutOfRange { length, min, max }) }
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for DurationIn<MIN, MAX> {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        humantime::parse_duration(text).map_err(|_| InvalidDuration::Unreadable)?.try_into()
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for DurationIn<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_parsed(deserializer, "a length of time such as \"10m\"")
    }
}

impl<const MIN: u64, const MAX: u64> From<DurationIn<MIN, MAX>> for String {
    fn from(length: DurationIn<MIN, MAX>) -> Self {
        length.to_string()
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for DurationIn<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Spelled(self.0).fmt(f)
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Debug for DurationIn<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A length of time in the spelling that the configuration file takes: `14d`, or `1h 30m`.
#[derive(Debug, Clone, Copy)]
pub struct Spelled(pub Duration);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
        let (mut rest, mut separator) = (millis, "");
        for (unit, letter) in units {
            let (whole, left) = (rest / unit, rest % unit);
            if whole > 0 {
                write!(f, "{separator}{whole}{letter}")?;
                separator = " ";
            }
            rest = left;
        }
        if millis == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

/// Why a text or a length of time is not one that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// The text has no number with a unit.
    #[error("a length of time is a number with a unit, such as 30s, 10m, 12h or 30d")]
    Unreadable,
    /// It is shorter or longer than is allowed.
    #[error("{} is out of range: the shortest is {}, the longest {}", Spelled(*length), Spelled(*min), Spelled(*max))]
    OutOfRange {
        /// What was given.
        length: Duration,
        /// The shortest allowed.
        min: Duration,
        /// The longest allowed.
        max: Duration,
    },
}

/// How long the tokens of one client live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct ClientLifetimes {
    /// An access token, from its issue.
    pub access_token: AccessTokenLife,
    /// A refresh token, from its issue or the last refresh.
    pub refresh_idle: RefreshLife,
    /// All refresh tokens of a grant, from the approval.
    pub refresh_absolute: RefreshLife,
    /// The time in which a refresh token may be used again and brings the same successor.
    pub refresh_retry_window: RetryWindow,
}

impl Default for ClientLifetimes {
    /// 10 minutes; 14 days and 30 days; 10 seconds.
    fn default() -> Self {
        Self {
            access_token: AccessTokenLife::seconds::<600>(),
            refresh_idle: RefreshLife::seconds::<{ 14 * 86_400 }>(),
            refresh_absolute: RefreshLife::seconds::<{ 30 * 86_400 }>(),
            refresh_retry_window: RetryWindow::seconds::<10>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_outside_its_bounds_is_no_value() {
        assert_eq!("1m".parse::<AccessTokenLife>().unwrap().get(), Duration::from_secs(60));
        assert_eq!("1h".parse::<AccessTokenLife>().unwrap().get(), Duration::from_secs(3_600));
        assert_eq!("0s".parse::<RetryWindow>().unwrap().get(), Duration::ZERO);
        for bad in ["59s", "59999ms", "1h 1s", "0s"] {
            assert!(matches!(bad.parse::<AccessTokenLife>(), Err(InvalidDuration::OutOfRange { .. })), "{bad}");
        }
        for bad in ["", "10", "-1m", "ten minutes", "1x", "99999999999999999999d"] {
            assert_eq!(bad.parse::<AccessTokenLife>(), Err(InvalidDuration::Unreadable), "{bad}");
        }
    }

    #[test]
    fn a_length_is_shown_as_the_file_takes_it() {
        for text in ["14d", "365d", "1h 30m", "1d 1s", "10m", "90d", "61d 2h"] {
            assert_eq!(text.parse::<RefreshLife>().unwrap().to_string(), text);
        }
        assert_eq!(
            ("0s".parse::<RetryWindow>().unwrap().to_string(), Spelled(Duration::from_millis(61_005)).to_string()),
            ("0s".into(), "1m 1s 5ms".into())
        );
    }

    #[test]
    fn the_refusal_names_the_bounds() {
        let sentence = "2h".parse::<AccessTokenLife>().unwrap_err().to_string();
        assert_eq!(sentence, "2h is out of range: the shortest is 1m, the longest 1h");
    }
}
