//! The last-known-good file: keys and revocations as of when they were last good, for a start while the issuer is down. It is a
//! trust root, so it is bound to its issuer and read as strictly as anything that comes from elsewhere; all its times are
//! absolute, so that no restart makes anything younger.

pub(crate) mod file;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::algorithm::Algorithm;
use crate::json::tree::{Object, Value, parse_object};
use crate::keys::jwks::KeySet;
use crate::revocation::chain::{Position, is_plain};
use crate::revocation::cutoffs::{Cutoff, Cutoffs};
use crate::revocation::follower::{Held, News, Now};
use crate::revocation::level::{Level, Name};

/// The form of the file that is written, and that of earlier versions, which is read as well. In it cut-offs have no age, and count as
/// if they had just come.
const FORM: u64 = 2;
const WITHOUT_AGES: u64 = 1;

/// What is kept, and read back.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) keys: Option<KeptKeys>,
    /// Where the issuer announced its feed.
    pub(crate) feed_uri: Option<String>,
    pub(crate) revocations: Option<Arc<Held>>,
}

/// A key set and how long ago the issuer confirmed it.
#[derive(Debug, Clone)]
pub(crate) struct KeptKeys {
    pub(crate) set: Arc<KeySet>,
    pub(crate) age: Duration,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Untrusted(&'static str),
    #[error("it is of another issuer")]
    OtherIssuer,
    #[error("{0} is not as this version writes it")]
    Malformed(&'static str),
}

impl Kept {
    pub(crate) fn to_text(&self, issuer: &str, now: Now) -> String {
        let mut text = String::from("{");
        let _ = write!(
            text,
            "\"passant_last_known_good\":{FORM},\"issuer\":{},\"saved_at\":{}",
            quoted(issuer),
            millis(now.unix_millis)
        );
        if let Some(uri) = &self.feed_uri {
            let _ = write!(text, ",\"feed_uri\":{}", quoted(uri));
        }
        if let Some(keys) = &self.keys {
            let jwks = String::from_utf8_lossy(keys.set.document());
            let _ = write!(text, ",\"keys\":{{\"confirmed_at\":{},\"jwks\":{}}}", stamp(now, keys.age), quoted(&jwks));
        }
        if let Some(held) = &self.revocations {
            let Position { feed, tick, link } = &held.position;
            // The issuer's own stamp, unless our clocks say that it is older still.
            let as_of = held.news.as_of.min(now.unix_millis.saturating_sub(span(held.news.age(now))));
            let (life, keys, as_of) = (held.life.as_secs(), &held.keys, millis(as_of));
            let _ = write!(
                text,
                ",\"feed\":{{\"position\":[\"{feed}\",{tick},\"{link}\"],\"life\":{life},\"keys\":\"{keys}\",\"as_of\":{as_of}"
            );
            if let Some(proof) = &held.proof {
                let _ = write!(text, ",\"proof\":{}", quoted(proof));
            }
            text.push_str(",\"cutoffs\":[");
            let mut between = "";
            for (salt, cutoffs) in held.cutoffs.tables(now.monotonic) {
                let _ = write!(text, "{between}[{}", quoted(salt));
                for (Cutoff { level, name, tick }, age) in cutoffs {
                    let _ = write!(text, ",\"{}\",\"{name}\",{tick},{}", level.name(), age.as_secs());
                }
                text.push(']');
                between = ",";
            }
            text.push(']');
            if let Some(ago) = held.cutoffs.left_out_since(now.monotonic) {
                let _ = write!(text, ",\"left_out\":{}", ago.as_secs());
            }
            text.push('}');
        }
        text.push_str("}\n");
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote. A clock that has gone back since is taken to stand at least where it stood then.
    /// The time that has passed since then counts against what was kept and for no cut-off: that it has expired is for our own clocks to say.
    ///
    /// `fixed_keys`: whether the issuer's keys were given for good, so that dead ones never expire.
    pub(crate) fn read(
        text: &[u8],
        issuer: &str,
        algorithms: &[Algorithm],
        fixed_keys: bool,
        now: Now,
    ) -> Result<Self, Unusable> {
        let file = parse_object(text).map_err(|_| Unusable::Malformed("the file"))?;
        let with_ages = match integer(&file, "passant_last_known_good")? {
            FORM => true,
            WITHOUT_AGES => false,
            _ => return Err(Unusable::Malformed("passant_last_known_good")),
        };
        if string(&file, "issuer")? != issuer {
            return Err(Unusable::OtherIssuer);
        }
        let saved_at = integer(&file, "saved_at")?;
        let clock = saved_at.max(u64::try_from(now.unix_millis).unwrap_or(0));
        let age = |stamp: u64, member| {
            // Nothing in it happened after it was written.
            let since = saved_at.checked_sub(stamp).and(clock.checked_sub(stamp));
            since.map(Duration::from_millis).ok_or(Unusable::Malformed(member))
        };
        let keys = match file.get("keys") {
            None => None,
            Some(Value::Object(keys)) => {
                let set = KeySet::parse(string(keys, "jwks")?.as_bytes(), algorithms).map_err(|_| Unusable::Malformed("jwks"))?;
                Some(KeptKeys { set: Arc::new(set), age: age(integer(keys, "confirmed_at")?, "confirmed_at")? })
            }
            Some(_) => return Err(Unusable::Malformed("keys")),
        };
        let revocations = match file.get("feed") {
            None => None,
            Some(Value::Object(feed)) => {
                let as_of = integer(feed, "as_of")?;
                let as_of_millis = i64::try_from(as_of).map_err(|_| Unusable::Malformed("as_of"))?;
                let news = News { as_of: as_of_millis, arrived: now.monotonic, age_then: age(as_of, "as_of")? };
                Some(Arc::new(revocations(feed, news, now, (with_ages, fixed_keys))?))
            }
            Some(_) => return Err(Unusable::Malformed("feed")),
        };
        let feed_uri = file.get("feed_uri").map(|_| string(&file, "feed_uri").map(str::to_owned)).transpose()?;
        Ok(Self { keys, feed_uri, revocations })
    }
}

fn revocations(feed: &Object<'_>, news: News, now: Now, (with_ages, fixed_keys): (bool, bool)) -> Result<Held, Unusable> {
    let position = match feed.get("position") {
        Some(Value::Array(parts)) => match parts.as_slice() {
            [Value::String(feed), Value::Integer(tick), Value::String(link)] if is_plain(feed, 64) && is_plain(link, 43) => {
                Position { feed: (**feed).into(), tick: *tick, link: (**link).into() }
            }
            _ => return Err(Unusable::Malformed("position")),
        },
        _ => return Err(Unusable::Malformed("position")),
    };
    let Some(Value::Array(tables)) = feed.get("cutoffs") else {
        return Err(Unusable::Malformed("cutoffs"));
    };
    let mut held = Cutoffs::none(fixed_keys);
    if feed.get("left_out").is_some() {
        held.note_left_out(Duration::from_secs(integer(feed, "left_out")?), now.monotonic);
    }
    // The current salt was written first, and what is united last is the current one.
    for table in tables.iter().rev() {
        let Value::Array(table) = table else {
            return Err(Unusable::Malformed("cutoffs"));
        };
        let cutoffs = if with_ages { cutoffs::<4>(table) } else { cutoffs::<3>(table) };
        let (salt, cutoffs) = cutoffs.ok_or(Unusable::Malformed("cutoffs"))?;
        held = held.united_with_ages(salt, cutoffs, now.monotonic);
    }
    Ok(Held {
        heard_tick: position.tick,
        position,
        cutoffs: held,
        life: Duration::from_secs(integer(feed, "life")?),
        keys: string(feed, "keys")?.into(),
        news,
        proof: feed.get("proof").map(|_| string(feed, "proof").map(Arc::from)).transpose()?,
    })
}

/// `[salt, level, name, tick, age, level, name, tick, age, …]`, or without the ages, in seconds when the file was written.
fn cutoffs<'t, const PARTS: usize>(table: &'t [Value<'_>]) -> Option<(&'t str, Vec<(Cutoff, Duration)>)> {
    let (salt, rest) = table.split_first()?;
    let (all, []) = rest.as_chunks::<PARTS>() else { return None };
    let cutoffs = all.iter().map(|parts| {
        let (level, name, tick, age) = match parts.as_slice() {
            [level, name, Value::Integer(tick)] => (level, name, *tick, 0),
            [level, name, Value::Integer(tick), Value::Integer(age)] => (level, name, *tick, *age),
            _ => return None,
        };
        let cutoff = Cutoff { level: Level::from_name(level.as_str()?)?, name: Name::parse(name.as_str()?)?, tick };
        Some((cutoff, Duration::from_secs(age)))
    });
    Some((salt.as_str()?, cutoffs.collect::<Option<_>>()?))
}

/// A moment so long before now, in Unix milliseconds.
fn stamp(now: Now, age: Duration) -> u64 {
    millis(now.unix_millis.saturating_sub(span(age)))
}

fn span(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// A time before 1970 is as old as it gets.
fn millis(unix: i64) -> u64 {
    u64::try_from(unix).unwrap_or(0)
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

fn string<'f>(object: &'f Object<'_>, member: &'static str) -> Result<&'f str, Unusable> {
    object.get(member).and_then(Value::as_str).ok_or(Unusable::Malformed(member))
}

fn integer(object: &Object<'_>, member: &'static str) -> Result<u64, Unusable> {
    match object.get(member) {
        Some(Value::Integer(value)) => Ok(*value),
        _ => Err(Unusable::Malformed(member)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example.com";
    const RS256: &[Algorithm] = &[Algorithm::Rs256];
    const HOUR: i64 = 3_600_000;

    fn at(unix_millis: i64, monotonic_hours: u64) -> Now {
        Now { unix_millis, monotonic: Duration::from_secs(3_600 * monotonic_hours) }
    }

    /// What was heard at `at(1_000 * HOUR, 0)`, under two salts.
    fn kept() -> Kept {
        let cutoff = |salt, tick| Cutoff { level: Level::Key, name: Name::salted(salt, Level::Key, &["k\u{e4}\"\n"]), tick };
        let old = Cutoffs::default().united("old \"salt\"", [cutoff("old \"salt\"", 3)], Duration::ZERO);
        let held = Held {
            position: Position { feed: "f".into(), tick: 7, link: "l".into() },
            cutoffs: old.united("new", [cutoff("new", 7)], Duration::ZERO),
            life: Duration::from_secs(600),
            keys: "digest".into(),
            news: News { as_of: 1_000 * HOUR, arrived: Duration::ZERO, age_then: Duration::ZERO },
            heard_tick: 9,
            proof: Some("a.b.c".into()),
        };
        Kept { keys: None, feed_uri: Some("https://id.example.com/r?a=\"".to_owned()), revocations: Some(Arc::new(held)) }
    }

    #[test]
    fn all_that_is_kept_comes_back_whatever_characters_it_has() {
        let now = at(1_000 * HOUR, 0);
        let back = Kept::read(kept().to_text(ISSUER, now).as_bytes(), ISSUER, RS256, false, now).unwrap();
        let (before, after) = (kept().revocations.unwrap(), back.revocations.unwrap());
        assert_eq!((back.feed_uri, &after.position, after.life), (kept().feed_uri, &before.position, before.life));
        assert_eq!((&after.keys, &after.proof, after.news.as_of), (&before.keys, &before.proof, before.news.as_of));
        let listed = |held: &Held| -> Vec<_> {
            let tables = held.cutoffs.tables(now.monotonic);
            tables.map(|(salt, cutoffs)| (salt.to_owned(), cutoffs.map(|(cutoff, _)| cutoff).collect::<Vec<_>>())).collect()
        };
        assert_eq!(listed(&after), listed(&before));
        assert!(after.cutoffs.is_salted("new"));
    }

    #[test]
    fn a_clock_put_back_before_writing_or_after_makes_nothing_younger() {
        for (written, read, hours) in [
            (at(1_001 * HOUR, 1), at(1_001 * HOUR, 50), 1),
            (at(1_001 * HOUR, 1), at(1_005 * HOUR, 50), 5),
            (at(1_000 * HOUR, 3), at(1_000 * HOUR, 50), 3),
            (at(990 * HOUR, 3), at(990 * HOUR, 50), 3),
            (at(1_002 * HOUR, 2), at(900 * HOUR, 50), 2),
            (at(1_002 * HOUR, 2), at(-1, 50), 2),
        ] {
            let back = Kept::read(kept().to_text(ISSUER, written).as_bytes(), ISSUER, RS256, false, read).unwrap();
            let age = back.revocations.unwrap().news.age(read);
            assert_eq!(age, Duration::from_secs(3_600 * hours), "{written:?} {read:?}");
        }
    }

    /// The cut-off under the new salt, as of `hours` after a start of another process from this text.
    fn remains(text: &str, hours: u64) -> bool {
        let start = at(1_000 * HOUR, 0);
        let held = Kept::read(text.as_bytes(), ISSUER, RS256, false, start).unwrap().revocations.unwrap();
        let mut cutoffs = held.cutoffs.clone();
        cutoffs.sweep(Duration::from_secs(3_600 * hours));
        cutoffs.tick_of(Level::User, &["ada"]).is_some()
    }

    #[test]
    fn no_restart_makes_a_cut_off_younger_and_none_makes_it_older_than_our_own_clocks_know() {
        let cutoff = Cutoff { level: Level::User, name: Name::salted("new", Level::User, &["ada"]), tick: 7 };
        let mut kept = kept();
        let held = Arc::make_mut(kept.revocations.as_mut().unwrap());
        held.cutoffs = held.cutoffs.united("new", [cutoff], Duration::ZERO);
        for (written, hours, expected) in [
            (at(1_000 * HOUR, 0), 1, true),
            (at(1_000 * HOUR, 0), 2, false),
            (at(1_001 * HOUR, 1), 1, false),
            // The wall clock alone jumps by a day: what it says may be wrong, and so nothing is forgotten sooner.
            (at(1_024 * HOUR, 0), 1, true),
        ] {
            assert_eq!(remains(&kept.to_text(ISSUER, written), hours), expected, "{written:?}");
        }
        let text = kept.to_text(ISSUER, at(1_001 * HOUR, 1));
        let without_ages = text
            .replace("\"passant_last_known_good\":2", "\"passant_last_known_good\":1")
            .replace(",3599,", ",")
            .replace(",3599]", "]");
        assert!(remains(&without_ages, 1) && !remains(&without_ages, 2), "{without_ages}");
    }

    #[test]
    fn that_something_found_no_room_outlives_a_restart() {
        let mut kept = kept();
        Arc::make_mut(kept.revocations.as_mut().unwrap()).cutoffs.note_left_out(Duration::ZERO, Duration::ZERO);
        let text = kept.to_text(ISSUER, at(1_001 * HOUR, 1));
        let back = Kept::read(text.as_bytes(), ISSUER, RS256, false, at(1_001 * HOUR, 0)).unwrap().revocations.unwrap();
        assert!(!back.cutoffs.are_whole(Duration::from_secs(9 * 60)) && back.cutoffs.are_whole(Duration::from_secs(12 * 60)));
    }
}
