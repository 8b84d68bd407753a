//! The revocation feed as values: a follower's position, the entries of the chain, and the judgement of where in this issuer's
//! history a position stands, if anywhere.

use std::fmt;
use std::str::FromStr;

use super::cutoff::{NamedCutoff, chain};
use super::ids::{FeedId, Tick};

/// The longest name of a feed.
const LONGEST_FEED: usize = 64;
/// The length of a link: SHA-256 in unpadded base64url.
const LINK: usize = 43;

/// A place in the history: what a follower has reached, or the head. Written `FEED.TICK.LINK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name of the history.
    pub feed: FeedId,
    /// The tick of the entry.
    pub tick: Tick,
    /// The link of the entry.
    pub link: String,
}

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a position is written FEED.TICK.LINK, as the feed's own events are named")]
pub struct NoPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.feed, self.tick, self.link)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    /// Reads a position in the one way in which it is written.
    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut parts = text.split('.');
        let (Some(feed), Some(tick), Some(link), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NoPosition);
        };
        let named = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let canonical = tick == "0" || !tick.starts_with('0');
        let digits = !tick.is_empty() && tick.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=LONGEST_FEED).contains(&feed.len())
            || !named(feed)
            || link.len() != LINK
            || !named(link)
            || !canonical
            || !digits
        {
            return Err(NoPosition);
        }
        let tick = tick.parse::<i64>().ok().and_then(|tick| Tick::try_from(tick).ok()).ok_or(NoPosition)?;
        Ok(Self { feed: FeedId::new(feed), tick, link: link.to_owned() })
    }
}

/// One committed change of the tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its tick.
    pub tick: Tick,
    /// The tick of the entry before it.
    pub previous: Tick,
    /// Its link.
    pub link: String,
    /// What was cut off with it, sorted by level and name.
    pub cutoffs: Vec<NamedCutoff>,
}

/// Where a position stands in the history.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing<'e> {
    /// It is the head.
    Current,
    /// It was the head, and these entries lead from there to the head.
    Behind(&'e [Entry]),
    /// It is another history's, or older than what is held: nothing can be said about it.
    Unknown,
    /// This history never had it: a database was put back in time.
    Contradicted(Contradiction),
}

/// How a position contradicts the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It lies above the head.
    #[error("it lies above the head")]
    AboveHead,
    /// It lies between an entry and the one before it.
    #[error("it lies between two neighbouring entries")]
    BetweenEntries,
    /// Another link stands at its tick.
    #[error("the entry at its tick has another link")]
    OtherLink,
}

/// Finds a position in the history of this head. `held` are entries of that history in order, all that there are from the first
/// on; a head above the position must have been read after the position came.
pub fn locate<'e>(position: &Position, head: &Position, held: &'e [Entry]) -> Standing<'e> {
    if position.feed != head.feed {
        return Standing::Unknown;
    }
    if position.tick > head.tick {
        return Standing::Contradicted(Contradiction::AboveHead);
    }
    if position.tick == head.tick {
        let same = position.link == head.link;
        return if same { Standing::Current } else { Standing::Contradicted(Contradiction::OtherLink) };
    }
    let (_, from) = held.split_at(held.partition_point(|entry| entry.tick < position.tick));
    let Some((first, rest)) = from.split_first() else { return Standing::Unknown };
    let (news, same) = if first.tick == position.tick {
        (rest, first.link == position.link)
    } else if first.previous == position.tick {
        // The entry itself is no longer held, but the one after it was formed from its link.
        (from, chain(&head.feed, &position.link, first.tick, &first.cutoffs) == first.link)
    } else if first.previous < position.tick {
        return Standing::Contradicted(Contradiction::BetweenEntries);
    } else {
        return Standing::Unknown;
    };
    match (same, leads(position.tick, news) == Some(head.tick)) {
        (false, _) => Standing::Contradicted(Contradiction::OtherLink),
        (true, true) => Standing::Behind(news),
        (true, false) => Standing::Unknown,
    }
}

/// The tick to which these entries lead from this one, unless one is missing between them.
fn leads(from: Tick, entries: &[Entry]) -> Option<Tick> {
    entries.iter().try_fold(from, |before, entry| (entry.previous == before).then_some(entry.tick))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = "feed";

    /// A history with entries at these ticks, each with a cut-off of its own.
    fn history(ticks: &[i64]) -> Vec<Entry> {
        let (mut before, mut link) = (Tick::ZERO, String::new());
        ticks
            .iter()
            .map(|tick| {
                let cutoffs = vec![NamedCutoff { level: "jti".to_owned(), identifier: format!("{tick:022}") }];
                link = chain(&FeedId::new(FEED), &link, Tick::new(*tick), &cutoffs);
                let entry = Entry { tick: Tick::new(*tick), previous: before, link: link.clone(), cutoffs };
                before = entry.tick;
                entry
            })
            .collect()
    }

    fn at(entry: &Entry) -> Position {
        Position { feed: FeedId::new(FEED), tick: entry.tick, link: entry.link.clone() }
    }

    fn moved(entry: &Entry, tick: i64) -> Position {
        Position { tick: Tick::new(tick), ..at(entry) }
    }

    #[test]
    fn position_is_read_as_it_is_written_and_in_no_other_way() {
        let link = "l".repeat(43);
        for feed in ["a", "Az0-_9", &"f".repeat(64)] {
            for tick in ["0", "7", "1800000000000", "9007199254740992"] {
                let text = format!("{feed}.{tick}.{link}");
                assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
            }
        }
        let (long, short, wide) = ("l".repeat(44), "l".repeat(42), "f".repeat(65));
        for (feed, tick, link) in [
            ("", "7", link.as_str()),
            (&wide, "7", &link),
            ("f f", "7", &link),
            ("f\n", "7", &link),
            ("é", "7", &link),
            ("f", "", &link),
            ("f", "07", &link),
            ("f", "+7", &link),
            ("f", "-7", &link),
            ("f", "7 ", &link),
            ("f", "9007199254740993", &link),
            ("f", "99999999999999999999", &link),
            ("f", "7", ""),
            ("f", "7", &long),
            ("f", "7", &short),
            ("f", "7", &format!("{short}=")),
        ] {
            assert_eq!(format!("{feed}.{tick}.{link}").parse::<Position>(), Err(NoPosition), "{feed}.{tick}.{link}");
        }
        for text in ["", ".", "..", "f.7", &format!("f.7.{link}."), &format!("f.7.{link}.x"), &format!(".f.7.{link}")] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }

    #[test]
    fn every_entry_that_is_held_and_the_one_before_leads_to_the_head() {
        let all = history(&[10, 20, 30, 40]);
        let head = at(&all[3]);
        for first in 0..all.len() {
            let held = &all[first..];
            for (index, entry) in all.iter().enumerate() {
                let found = locate(&at(entry), &head, held);
                match index {
                    3 => assert_eq!(found, Standing::Current),
                    _ if index + 1 >= first => assert_eq!(found, Standing::Behind(&all[index + 1..]), "{index} of {first}"),
                    _ => assert_eq!(found, Standing::Unknown, "{index} of {first}"),
                }
            }
        }
    }

    #[test]
    fn what_the_history_never_had_contradicts_it() {
        use Contradiction::{AboveHead, BetweenEntries, OtherLink};
        let all = history(&[10, 20, 30, 40]);
        let head = at(&all[3]);
        for (held, position, how) in [
            (&all[..], moved(&all[3], 41), AboveHead),
            (&all[..], moved(&all[3], i64::MAX), AboveHead),
            (&[], moved(&all[3], 41), AboveHead),
            (&all[..], moved(&all[2], 40), OtherLink),
            (&[], moved(&all[2], 40), OtherLink),
            (&all[..], moved(&all[0], 20), OtherLink),
            (&all[2..], moved(&all[0], 20), OtherLink),
            (&all[..], moved(&all[0], 35), BetweenEntries),
            (&all[..], moved(&all[0], 11), BetweenEntries),
            (&all[..], moved(&all[0], 5), BetweenEntries),
            (&all[2..], moved(&all[0], 29), BetweenEntries),
            (&all[1..2], moved(&all[0], 15), BetweenEntries),
            (&all[1..2], moved(&all[0], 20), OtherLink),
        ] {
            assert_eq!(locate(&position, &head, held), Standing::Contradicted(how), "{position} in {held:?}");
        }
    }

    #[test]
    fn nothing_is_said_about_another_history_or_about_what_is_no_longer_held() {
        let all = history(&[10, 20, 30, 40, 50]);
        let head = at(&all[4]);
        let with_a_gap = [&all[..2], &all[3..]].concat();
        let other = |position: Position| Position { feed: FeedId::new("other"), ..position };
        for (held, position) in [
            (&all[..], other(at(&all[4]))),
            (&all[..], other(moved(&all[4], 99))),
            (&all[..], other(moved(&all[0], 15))),
            (&[], at(&all[3])),
            (&all[3..], at(&all[0])),
            (&all[3..], moved(&all[0], 25)),
            (&all[3..4], at(&all[3])),
            // A dead key's entry is kept longer than those around it.
            (&with_a_gap, at(&all[0])),
            (&with_a_gap, at(&all[1])),
        ] {
            assert_eq!(locate(&position, &head, held), Standing::Unknown, "{position} in {held:?}");
        }
        assert_eq!(locate(&at(&all[2]), &head, &with_a_gap), Standing::Behind(&all[3..]));
    }
}
