//! Moments on the command line: a length of time from now, or a moment by name.

use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::clock::{NoTime, UnixTime};

/// `24h`, or `2026-05-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long ago, or from now.
    Away(Duration),
    /// Then.
    At(UnixTime),
}

impl Moment {
    /// In the past.
    pub(super) fn before(self, now: UnixTime) -> UnixTime {
        match self {
            Self::Away(length) => now - length,
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        length(text).map(Self::Away).or_else(|_| text.parse().map(Self::At)).map_err(|NoTime| NoMoment)
    }
}

/// A moment in a table, in UTC: `21 Nov 09:14:00`, and in another year than this `21 Nov 2025 09:14`.
pub(super) fn short(at: UnixTime, now: UnixTime) -> String {
    let written = |at: UnixTime| OffsetDateTime::from_unix_timestamp(at.seconds()).ok();
    let this_year = written(now).map(OffsetDateTime::year);
    let words = |at: OffsetDateTime| match Some(at.year()) == this_year {
        true => at.format(format_description!("[day padding:space] [month repr:short] [hour]:[minute]:[second]")).ok(),
        false => at.format(format_description!("[day padding:space] [month repr:short] [year] [hour]:[minute]")).ok(),
    };
    written(at).and_then(words).unwrap_or_else(|| at.to_string())
}

/// The text is neither.
#[derive(Debug, thiserror::Error)]
#[error("write a length of time such as 24h or 30d, or a moment in UTC such as 2026-05-01 or 2026-05-01T12:00:00Z")]
pub(super) struct NoMoment;

/// A length of time: more than none, and at most ten years.
pub(super) fn length(text: &str) -> Result<Duration, &'static str> {
    let most = Duration::from_secs(3650 * 86_400);
    let length = humantime::parse_duration(text).ok().filter(|length| !length.is_zero() && *length <= most);
    length.ok_or("a length of time is a number with a unit, such as 10m, 12h or 90d, and at most 3650d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_leaves_out_the_year_of_today() {
        let at = UnixTime::from_seconds(1_795_252_440);
        assert_eq!(short(at, at), "21 Nov 09:14:00");
        assert_eq!(short(at, at + Duration::from_secs(60 * 86_400)), "21 Nov 2026 09:14");
        assert_eq!(short(UnixTime::from_seconds(1_793_000_000), at), "26 Oct 07:33:20");
    }

    #[test]
    fn a_moment_is_a_distance_or_a_day() {
        let now = UnixTime::from_seconds(1_000_000);
        let before = |text: &str| text.parse::<Moment>().map(|moment| moment.before(now).seconds()).ok();
        assert_eq!((before("1h"), before("1970-01-02")), (Some(1_000_000 - 3_600), Some(86_400)));
        assert_eq!((before("soon"), before("0s"), before("4000d"), before("")), (None, None, None, None));
    }
}
