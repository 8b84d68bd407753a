//! `passant keys`: what the signing keys are doing, and the two orders that can be given to them. A running server notices within a
//! second.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, table};
use super::master_keys;
use super::moment::short;
use super::open::{self, Seen};
use super::settings::Settings;
use crate::app::{App, rotation};
use crate::clock::UnixTime;
use crate::domain::cutoff::Target;
use crate::domain::ids::KeyId;
use crate::domain::signing_key::{self, SigningKey};
use crate::store::{feed_head, signing_keys};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show every key with its schedule
    List,
    /// Let the next key sign as soon as every verifier can know it
    Rotate,
    /// Take a key out of the key set at once and for good; the next one signs from now
    Revoke(Revoke),
    /// Seal every key under a new master key; nothing that was signed is lost
    RotateMaster,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The key's id, as `passant keys list` shows it
    #[arg(allow_hyphen_values = true, required_unless_present = "all")]
    kid: Option<String>,
    /// Every key: the answer to a stolen master key or machine. A new master key, and a new key that signs at once
    #[arg(long, conflicts_with = "kid")]
    all: bool,
    /// The first of several master keys in the file is new and was not stolen: use it instead of a fresh one
    #[arg(long, requires = "all")]
    prepared: bool,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::List => open::to_read(settings, list).await,
        Command::Rotate => open::to(settings, rotate).await,
        Command::Revoke(Revoke { kid: Some(kid), .. }) => {
            open::to(settings, async |app| revoke(app, KeyId::new(kid)).await).await
        }
        Command::Revoke(Revoke { prepared, .. }) => {
            open::to(settings, async |app| master_keys::replace(app, *prepared).await).await
        }
        Command::RotateMaster => open::to(settings, master_keys::rotate).await,
    }
}

/// Read from the rows alone: no key is opened, so the master key need not be there.
async fn list(seen: &Seen) -> Result<Answer, Failure> {
    let rows = signing_keys::all(&mut seen.db.reader().await?.conn()).await?;
    let (now, signing) = (seen.now, signing_key::signer(&rows, seen.now).map(|key| key.kid.clone()));
    let line = |key: &SigningKey| {
        let schedule = &key.schedule;
        let instants = [schedule.published_from, schedule.signs_from, schedule.signs_until, schedule.published_until];
        let [a, b, c, d] = instants.map(|at| short(at, now));
        [key.kid.to_string(), key.epoch.to_string(), state(key, signing.as_ref(), now).to_owned(), a, b, c, d]
    };
    let headings = ["KID", "EPOCH", "STATE", "PUBLISHED (UTC)", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL"];
    let text = table(headings, rows.iter().map(line).collect());
    let keys: Vec<Value> = rows.iter().map(|key| document(key, signing.as_ref(), now)).collect();
    Ok(Answer { document: json!({ "keys": keys }), text })
}

async fn rotate(app: &App) -> Result<Answer, Failure> {
    let changed = rotation::rotate_now(app).await?;
    let now = app.now();
    let (rows, signing) = (app.keys.rows(), app.keys.signing_kid(now));
    let next =
        rows.iter().filter(|key| !key.is_revoked() && key.schedule.signs_from > now).min_by_key(|key| key.schedule.signs_from);
    let text = match (changed, next) {
        (true, Some(next)) => {
            format!("The key {} takes over at {}, when every verifier can know it.", next.kid, next.schedule.signs_from)
        }
        (true, None) => format!("The key {} signs now.", named(signing.as_ref())),
        (false, Some(next)) => {
            format!("This is the plan already: the key {} takes over at {}.", next.kid, next.schedule.signs_from)
        }
        (false, None) => format!("Nothing has changed: the key {} signs.", named(signing.as_ref())),
    };
    let next = next.map(|key| json!({ "kid": key.kid, "signs_from": key.schedule.signs_from.to_string() }));
    Ok(Answer { document: json!({ "changed": changed, "signing": signing, "next": next }), text })
}

async fn revoke(app: &App, kid: KeyId) -> Result<Answer, Failure> {
    let revoked = rotation::revoke(app, &kid).await?;
    rotation::reload(app).await?;
    if !app.keys.rows().iter().any(|key| key.kid == kid) {
        return Err(Failure::new(format_args!("there is no key {kid}; `passant keys list` shows them all")));
    }
    let before = feed_head::last_of(&mut app.db.reader().await?.conn(), &Target::Key(kid.clone())).await?;
    let signing = app.keys.signing_kid(app.now());
    let done = match revoked {
        Some(tick) => format!("is revoked (tick {tick})"),
        None => "was revoked already".to_owned(),
    };
    let text = format!("The key {kid} {done}. The key {} signs now.", named(signing.as_ref()));
    let document = json!({ "revoked": kid, "changed": revoked.is_some(), "signing": signing });
    Ok(Answer { document, text }.effective(revoked.or(before)))
}

fn named(kid: Option<&KeyId>) -> &str {
    kid.map_or("(none)", KeyId::as_str)
}

fn document(key: &SigningKey, signing: Option<&KeyId>, now: UnixTime) -> Value {
    json!({
        "kid": key.kid,
        "epoch": key.epoch,
        "state": state(key, signing, now),
        "published_from": key.schedule.published_from.to_string(),
        "signs_from": key.schedule.signs_from.to_string(),
        "signs_until": key.schedule.signs_until.to_string(),
        "published_until": key.schedule.published_until.to_string(),
        "revoked_at": key.revoked_at.map(|at| at.to_string()),
    })
}

/// What a key is doing, in one word.
fn state(key: &SigningKey, signing: Option<&KeyId>, now: UnixTime) -> &'static str {
    let schedule = &key.schedule;
    match now {
        _ if key.is_revoked() => "revoked",
        _ if signing == Some(&key.kid) => "signing",
        now if now < schedule.published_from => "planned",
        now if now >= schedule.published_until => "gone",
        now if now < schedule.signs_from => "published",
        _ => "retired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signing_key::Schedule;

    #[test]
    fn the_clock_alone_tells_what_a_key_is_doing() {
        let at = UnixTime::from_seconds;
        let mut key = SigningKey {
            kid: KeyId::new("one"),
            epoch: 1,
            schedule: Schedule { published_from: at(10), signs_from: at(20), signs_until: at(30), published_until: at(40) },
            revoked_at: None,
            public_jwk: String::new(),
            sealed_private_key: String::new(),
            master_key_id: String::new(),
        };
        let other = KeyId::new("other");
        for (second, word) in
            [(9, "planned"), (10, "published"), (19, "published"), (30, "retired"), (39, "retired"), (40, "gone")]
        {
            assert_eq!(state(&key, Some(&other), at(second)), word, "second {second}");
        }
        assert_eq!(state(&key, Some(&key.kid), at(50)), "signing", "overdue, but signing");
        key.revoked_at = Some(at(25));
        assert_eq!(state(&key, None, at(25)), "revoked");
    }
}
