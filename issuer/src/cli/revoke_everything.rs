//! `passant revoke-everything`: the glass to break when nothing that was given out can be trusted. One cut-off kills all that was born
//! before it, here at once and at every verifier within a second.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure};
use super::open;
use super::settings::Settings;
use crate::app::App;
use crate::store::everything::{self, Alive};

#[derive(Args)]
pub(super) struct Arguments {
    /// Do it, and ask nothing
    #[arg(long)]
    yes: bool,
}

/// What a person types to confirm.
const CONFIRMATION: &str = "everything";

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    open::to(settings, async |app| revoke(app, arguments).await).await
}

async fn revoke(app: &App, arguments: &Arguments) -> Result<Answer, Failure> {
    let alive = everything::alive(&mut app.db.reader().await?.conn(), app.now()).await?;
    let dies = in_words(&alive);
    let _ = writeln!(io::stderr(), "{dies}");
    if !arguments.yes && !confirmed()? {
        return Err(Failure::wrong("nothing has changed: to do it, run `passant revoke-everything --yes`"));
    }
    let tick = everything::revoke(&app.db, app.now()).await?;
    let text = format!("Everything that was given out before tick {tick} is dead. Whoever needs access signs in again.");
    let document = json!({ "sessions": alive.sessions, "grants": alive.grants, "consents": alive.consents });
    Ok(Answer { document, text }.effective(Some(tick)))
}

fn in_words(Alive { sessions, grants, consents }: &Alive) -> String {
    format!(
        "This ends all that this issuer has given out: up to {sessions} browser sessions and {grants} grants with their codes and refresh \
         tokens, {consents} remembered consents, and every access token, those of clients that act for themselves too. Users and their \
         passwords, clients and their secrets, and the signing keys stay: everybody signs in again, and every service asks for new \
         tokens."
    )
}

/// A person at a terminal types a word; nobody else is asked.
fn confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut out = io::stderr();
    let _ = write!(out, "Type {CONFIRMATION} to do it: ").and_then(|()| out.flush());
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    Ok(typed.trim() == CONFIRMATION)
}
