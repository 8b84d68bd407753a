//! Followers of the revocation feed that say who they are: what they say, read strictly, and what the operator is told of it.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::feed::Position;
use super::ids::{FeedId, Tick};
use super::life::Spelled;
use crate::clock::UnixTime;

/// How long after it was last heard a follower is still told of; ten times as long as it may be silent.
pub const FOLLOWERS_KEPT: Duration = Duration::from_secs(5 * 60);

/// The most characters of a name.
const LONGEST_NAME: usize = 64;
/// The length of a digest: SHA-256 in unpadded base64url.
const DIGEST: usize = 43;
/// Nobody has a key set that is older, and no row an age that is no time.
const LONGEST_AGE: u64 = 10 * 365 * 86_400;

/// What a follower says about itself. It decides nothing: whoever may follow the feed may say anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The service.
    pub name: String,
    /// Which of its instances.
    pub instance: String,
    /// How far it has come.
    pub position: Position,
    /// The digest of the key set that it holds.
    pub keys: String,
    /// How long ago it fetched that.
    pub keys_age: Duration,
}

/// A report that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a follower says name, instance, position, keys and keys_age, as the feed's format has them")]
pub struct NoReport;

impl Report {
    /// Reads a report in JSON. Members that are not known are ignored.
    pub fn parse(json: &[u8]) -> Result<Self, NoReport> {
        #[derive(Deserialize)]
        struct Written {
            name: String,
            instance: String,
            position: String,
            keys: String,
            keys_age: u64,
        }
        let Written { name, instance, position, keys, keys_age } = serde_json::from_slice(json).map_err(|_| NoReport)?;
        let is_name = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
            (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(plain)
        };
        let is_digest = keys.len() == DIGEST && keys.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name(&name) || !is_name(&instance) || !is_digest || keys_age > LONGEST_AGE {
            return Err(NoReport);
        }
        let position = position.parse().map_err(|_| NoReport)?;
        Ok(Self { name, instance, position, keys, keys_age: Duration::from_secs(keys_age) })
    }
}

/// A follower as it was last heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The address that it came from; of IPv6 the /64.
    pub address: String,
    /// The service.
    pub name: String,
    /// Which of its instances.
    pub instance: String,
    /// The history that it follows.
    pub feed: FeedId,
    /// How far it had come.
    pub tick: Tick,
    /// How far the history had come by then, as far as the replica knew that heard it.
    pub head: Tick,
    /// The digest of the key set that it held.
    pub keys: String,
    /// When it had fetched that.
    pub keys_at: UnixTime,
    /// When it was heard.
    pub seen_at: UnixTime,
}

/// How far a follower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// As far as the history.
    Head,
    /// Not as far: so many ticks, which are milliseconds unless clocks were wrong.
    Behind(u64),
    /// It follows a history that has another name, or has ended.
    OtherHistory,
}

impl Heard {
    /// How far it was when it was heard.
    pub fn reached(&self, feed: &FeedId) -> Reached {
        match u64::try_from(self.head.get().saturating_sub(self.tick.get())) {
            _ if self.feed != *feed => Reached::OtherHistory,
            Ok(behind @ 1..) => Reached::Behind(behind),
            Ok(_) | Err(_) => Reached::Head,
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("at the head"),
            Self::Behind(ticks) => write!(f, "{} behind", Spelled(Duration::from_millis(*ticks))),
            Self::OtherHistory => f.write_str("in another history"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, position: &str, keys: &str, age: &str) -> Result<Report, NoReport> {
        let json =
            format!(r#"{{"name":{name},"instance":"i","position":"{position}","keys":"{keys}","keys_age":{age},"more":[]}}"#);
        Report::parse(json.as_bytes())
    }

    #[test]
    fn report_is_read_as_the_format_has_it_and_in_no_other_way() {
        let (position, keys) = (format!("feed.7.{}", "l".repeat(43)), "k".repeat(43));
        let report = said("\"orders-api.v2:eu_1\"", &position, &keys, "35").unwrap();
        assert_eq!((report.name.as_str(), report.keys_age.as_secs()), ("orders-api.v2:eu_1", 35));
        assert_eq!(report.position.to_string(), position);
        let (long, wide) = (format!("\"{}\"", "n".repeat(65)), "k".repeat(44));
        for (name, position, keys, age) in [
            ("\"\"", position.as_str(), keys.as_str(), "35"),
            (&long, &position, &keys, "35"),
            ("\"a b\"", &position, &keys, "35"),
            ("\"a\\u001b[2J\"", &position, &keys, "35"),
            ("\"é\"", &position, &keys, "35"),
            ("7", &position, &keys, "35"),
            ("\"n\"", "feed.7", &keys, "35"),
            ("\"n\"", &position, "", "35"),
            ("\"n\"", &position, &wide, "35"),
            ("\"n\"", &position, &keys, "-1"),
            ("\"n\"", &position, &keys, "1.5"),
            ("\"n\"", &position, &keys, "315360001"),
            ("\"n\"", &position, &keys, "99999999999999999999"),
        ] {
            assert_eq!(said(name, position, keys, age), Err(NoReport), "{name} {position} {keys} {age}");
        }
        for text in ["", "[]", "{}", "null", "{\"name\":\"n\"}", "\u{0}"] {
            assert_eq!(Report::parse(text.as_bytes()), Err(NoReport), "{text}");
        }
    }

    #[test]
    fn how_far_it_is_compares_with_the_head_of_the_moment_in_which_it_was_heard() {
        let heard = |tick, head| Heard {
            address: "203.0.113.1".to_owned(),
            name: "n".to_owned(),
            instance: "i".to_owned(),
            feed: FeedId::new("feed"),
            tick: Tick::new(tick),
            head: Tick::new(head),
            keys: String::new(),
            keys_at: UnixTime::from_millis(0),
            seen_at: UnixTime::from_millis(0),
        };
        let words = |heard: Heard, feed: &str| heard.reached(&FeedId::new(feed)).to_string();
        assert_eq!(words(heard(7, 7), "feed"), "at the head");
        assert_eq!(words(heard(8, 7), "feed"), "at the head", "another replica told it sooner");
        assert_eq!(words(heard(7, 2_507), "feed"), "2s 500ms behind");
        assert_eq!(words(heard(7, 7), "other"), "in another history");
    }
}
