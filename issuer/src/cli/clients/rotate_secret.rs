//! `passant clients rotate-secret`

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::moment::length;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::ids::ClientId;
use crate::store::client_secrets::{self, OldSecrets, Rotated, Rotation};

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

pub(super) async fn run(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let (id, now, secret) = (&arguments.id, app.now(), super::new_secret());
    if arguments.old_until.is_some_and(|until| until <= now) {
        return Err(Failure::new("--old-until lies in the past; --leaked is for secrets that must not work any more"));
    }
    let until = arguments.old_until.unwrap_or_else(|| now + arguments.old_for.unwrap_or(OVERLAP));
    let old = if arguments.leaked { OldSecrets::Leaked } else { OldSecrets::Until(until) };
    let expires_at = arguments.expires_in.map(|length| now + length);
    let rotation = Rotation { client: id.clone(), secret: secret.hash(), expires_at, old, now };
    let (tick, text) = match client_secrets::rotate(&app.db, rotation).await? {
        Rotated::Done(None) => (None, format!("The client {id} has a new secret. The old one works until {until}.")),
        Rotated::Done(Some(tick)) => {
            (Some(tick), format!("The old secrets of {id} are dead, and so is all that it had (tick {tick})."))
        }
        Rotated::DeadInTheFile(tick) => {
            let text = format!(
                "The secret of {id} is dead, and so is all that it had (tick {tick}). Its secret rests with the configuration file: \
                 put another one there, then `passant clients apply`. The dead one does not come back to life."
            );
            return Ok(Answer { document: json!({ "client_id": id, "tick": tick, "change_the_file": true }), text });
        }
        Rotated::Public => return Err(Failure::new(format_args!("the client {id} is public and has no secret"))),
        Rotated::Unknown => return Err(Failure::new(format_args!("there is no client {id}"))),
        Rotated::BelongsTo(origin) => {
            let otherwise = || Failure::new(format_args!("the client {id} has the origin {origin}"));
            return Err(super::not_ours(id, origin).unwrap_or_else(otherwise));
        }
    };
    let old_until = (!arguments.leaked).then(|| until.to_string());
    let mut answer = Answer { document: json!({ "client_id": id, "tick": tick, "old_until": old_until }), text };
    super::show_secret(&mut answer, &secret, expires_at);
    Ok(answer)
}
