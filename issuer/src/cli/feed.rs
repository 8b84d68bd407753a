//! `passant feed`: the revocation feed's history, and the alarms that stand when it was put back in time.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure, table};
use super::moment::short;
use super::open::{self, Seen};
use super::settings::Settings;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::alarm::Alarm;
use crate::store::{feed_alarms, feed_head};

/// What is left to do, which nobody but the operator can.
const TO_DO: &str =
    "The database was put back in time. Issuer and verifiers go on, but what was changed in the lost time is undone here:
passwords, disabled users and clients, revoked signing keys. Do again what must hold (`passant keys list` shows which keys are
revoked), find out who put it back, and then run `passant feed acknowledge`.";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show how far the history is, and the alarms that stand
    Show,
    /// End the alarms that stand: readiness, metrics and log are quiet again
    Acknowledge,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::Show => open::to_read(settings, show).await,
        Command::Acknowledge => open::to(settings, acknowledge).await,
    }
}

async fn show(seen: &Seen) -> Result<Answer, Failure> {
    let mut reader = seen.db.reader().await?;
    let mut conn = reader.conn();
    let (head, alarms) = (feed_head::read(&mut conn).await?, feed_alarms::standing(&mut conn).await?);
    let mut text = format!("The history {} is at tick {}.", head.feed_id, head.tick);
    if alarms.is_empty() {
        text += " No alarm stands.";
    } else {
        let headings = ["RAISED (UTC)", "FOUND BY", "LOST", "WHY", "CUT OFF"];
        let rows = alarms.iter().map(|alarm| line(alarm, seen.now)).collect();
        text = format!("{text}\n\n{}\n\n{TO_DO}", table(headings, rows));
    }
    Ok(Answer { document: json!({ "feed": head.feed_id, "tick": head.tick, "alarms": alarms }), text })
}

fn line(alarm: &Alarm, now: UnixTime) -> [String; 5] {
    let cut_off = if alarm.cut_off { format!("everything before tick {}", alarm.tick) } else { "nothing".to_owned() };
    [
        short(alarm.raised_at, now),
        alarm.witness.to_string(),
        format!("{}.{}", alarm.feed, alarm.lost_tick),
        alarm.reason.clone(),
        cut_off,
    ]
}

/// What stands when the command is run; an alarm that is raised meanwhile has not been seen.
async fn acknowledge(app: &App) -> Result<Answer, Failure> {
    let head = feed_head::read(&mut app.db.reader().await?.conn()).await?;
    let ended = feed_alarms::acknowledge(&app.db, head.tick, app.now()).await?;
    let text = match ended {
        0 => "No alarm stands.".to_owned(),
        1 => "The alarm has ended.".to_owned(),
        many => format!("{many} alarms have ended."),
    };
    Ok(Answer { document: json!({ "acknowledged": ended }), text })
}
