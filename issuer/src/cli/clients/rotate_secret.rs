//! `passant clients rotate-secret`

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::super::answer::{Answer, Failure};
use super::super::moment::length;
use super::super::open;
use super::super::settings::Settings;
use crate::app::App;
use crate::clock::{Clock, SystemClock, UnixTime};
use crate::domain::ids::{ClientId, Tick};
use crate::store::client_secrets::{self, Committed, OldSecrets, Rotated, Rotation};

/// How long the old secret works on where nothing is said: a day, in which the new one can be rolled out.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// `client_id`
    id: ClientId,
    /// The new secret stops working after this time, such as 90d
    #[arg(long, value_name = "TIME", value_parser = length)]
    expires_in: Option<Duration>,
    /// How long the old secret works on [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = length, conflicts_with_all = ["old_until", "leaked"])]
    old_for: Option<Duration>,
    /// Until when the old secret works on, such as 2026-05-01T12:00:00Z
    #[arg(long, value_name = "MOMENT", conflicts_with = "leaked")]
    old_until: Option<UnixTime>,
    /// The old secrets are stolen: they stop working now, and all that the client had is dead. Works for every client
    #[arg(long)]
    leaked: bool,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    if arguments.old_until.is_some_and(|until| until <= SystemClock::new().now()) {
        return Err(Failure::wrong("--old-until lies in the past; --leaked is for secrets that must not work any more"));
    }
    let app = open::existing(config).await?;
    let answer = rotate(&app, arguments).await;
    app.db.close().await;
    answer.map(Some)
}

async fn rotate(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let (id, now, secret) = (&arguments.id, app.now(), super::new_secret());
    let wished = arguments.old_until.unwrap_or_else(|| now + arguments.old_for.unwrap_or(OVERLAP));
    let old = if arguments.leaked { OldSecrets::Leaked } else { OldSecrets::Until(wished) };
    let expires_at = arguments.expires_in.map(|length| now + length);
    let rotation = Rotation { client: id.clone(), secret: secret.hash(), expires_at, old, now };
    match client_secrets::rotate(&app.db, rotation).await? {
        Rotated::Done(committed) => {
            let text = match committed.tick {
                Some(tick) => format!("{} {}", died(id, committed.ended), cut_off(id, tick)),
                None => format!("The client {id} has a new secret. {}", overlap(&committed, wished)),
            };
            let mut answer = Answer { document: document(id, &committed), text }.effective(committed.tick);
            super::show_secret(&mut answer, &secret, expires_at);
            Ok(answer)
        }
        Rotated::DeadInTheFile(committed) => {
            let cut_off = committed.tick.map(|tick| cut_off(id, tick)).unwrap_or_default();
            let text = format!(
                "{} {cut_off} Its secret rests with the configuration file: put another one there, then `passant clients apply`. \
                 The dead one does not come back to life.",
                died(id, committed.ended)
            );
            let mut document = document(id, &committed);
            if let Some(keys) = document.as_object_mut() {
                keys.insert("change_the_file".to_owned(), json!(true));
            }
            Ok(Answer { document, text }.effective(committed.tick))
        }
        Rotated::Public => Err(Failure::new(format_args!("the client {id} is public and has no secret"))),
        Rotated::Unknown => Err(super::unknown(id)),
        Rotated::BelongsTo(origin) => {
            let otherwise = || Failure::new(format_args!("the client {id} has the origin {origin}"));
            Err(super::not_ours(id, origin).unwrap_or_else(otherwise))
        }
    }
}

/// What became of the secret that worked so far, where it was not stolen.
fn overlap(Committed { old_until, ended, .. }: &Committed, wished: UnixTime) -> String {
    let old = match old_until {
        Some(until) if *until < wished => format!("The old one works until {until}: it had this earlier end of its own."),
        Some(until) => format!("The old one works until {until}."),
        None => "No older one works any more.".to_owned(),
    };
    match ended {
        0 => old,
        1 => format!("{old} One still older has stopped working now."),
        many => format!("{old} {many} still older ones have stopped working now."),
    }
}

fn died(id: &ClientId, ended: usize) -> String {
    match ended {
        0 => format!("The client {id} had no secret that still worked."),
        1 => format!("The secret of {id} has stopped working."),
        many => format!("The {many} secrets of {id} have stopped working."),
    }
}

fn cut_off(id: &ClientId, tick: Tick) -> String {
    format!("Every grant and token that {id} had is dead, for every user (tick {tick}).")
}

fn document(id: &ClientId, Committed { old_until, ended, tick }: &Committed) -> Value {
    json!({ "client_id": id, "tick": tick, "old_until": old_until.map(|until| until.to_string()), "secrets_ended": ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_is_told_as_it_was_committed() {
        let at = UnixTime::from_seconds;
        let said = |old_until, ended| overlap(&Committed { old_until, ended, tick: None }, at(86_400));
        assert_eq!(said(Some(at(86_400)), 0), "The old one works until 1970-01-02T00:00:00Z.");
        assert_eq!(said(Some(at(60)), 0), "The old one works until 1970-01-01T00:01:00Z: it had this earlier end of its own.");
        assert_eq!(said(None, 0), "No older one works any more.");
        assert!(said(Some(at(86_400)), 1).ends_with("One still older has stopped working now."));
    }
}
