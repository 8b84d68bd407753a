//! Times as people read them. Pages run no script and cannot know the reader's zone, so a time of day says that it is UTC.

use time::OffsetDateTime;
use time::macros::format_description;

use crate::clock::UnixTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `21 November 2026, 09:14 UTC`.
pub(crate) fn moment(at: UnixTime) -> String {
    let words = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    written(at).and_then(|at| at.format(words).ok()).unwrap_or_else(|| at.to_string())
}

/// `21 November 2026`.
pub(crate) fn day(at: UnixTime) -> String {
    let words = format_description!("[day padding:none] [month repr:long] [year]");
    written(at).and_then(|at| at.format(words).ok()).unwrap_or_else(|| at.to_string())
}

/// `2 hours ago`; what is less than a few minutes old is `just now`, for nobody looks more often.
pub(crate) fn ago(at: UnixTime, now: UnixTime) -> String {
    match now.since(at).as_secs() {
        seconds if seconds < 3 * MINUTE => "just now".to_owned(),
        seconds if seconds < HOUR => format!("{} ago", counted(seconds / MINUTE, "minute")),
        seconds if seconds < DAY => format!("{} ago", counted(seconds / HOUR, "hour")),
        seconds => format!("{} ago", counted(seconds / DAY, "day")),
    }
}

/// `30 seconds` or `15 minutes`: rounded up, so that nobody comes too early.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        few if few <= 90 => counted(few.max(1), "second"),
        many => counted(many.div_ceil(MINUTE), "minute"),
    }
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn written(at: UnixTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.seconds()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let at = UnixTime::from_seconds(1_795_252_440);
        assert_eq!((moment(at).as_str(), day(at).as_str()), ("21 November 2026, 09:14 UTC", "21 November 2026"));
        let since = |seconds| ago(at, at + std::time::Duration::from_secs(seconds));
        for (seconds, words) in [
            (0, "just now"),
            (179, "just now"),
            (180, "3 minutes ago"),
            (3_600, "1 hour ago"),
            (7_300, "2 hours ago"),
            (86_400, "1 day ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(since(seconds), words);
        }
        assert_eq!(
            (span(0), span(1), span(90), span(91)),
            ("1 second".into(), "1 second".into(), "90 seconds".into(), "2 minutes".into())
        );
    }
}
