//! `passant clients remove`, `disable` and `enable`

use serde_json::json;

use super::super::answer::{Answer, Failure};
use crate::app::App;
use crate::domain::client::ClientOrigin;
use crate::domain::ids::{ClientId, Tick};
use crate::store::registrations;

pub(super) async fn remove(app: &App, id: &ClientId) -> Result<Answer, Failure> {
    super::own(app, id).await?;
    let removed = registrations::remove(&app.db, id.clone(), ClientOrigin::CommandLine, app.now()).await?;
    let Some(tick) = removed else { return Err(Failure::new(format_args!("somebody else has just removed the client {id}"))) };
    let text = format!("The client {id} was removed. All that it had is dead (tick {tick}).");
    Ok(Answer { document: json!({ "client_id": id, "removed": true }), text }.effective(Some(tick)))
}

pub(super) async fn disable(app: &App, id: &ClientId) -> Result<Answer, Failure> {
    let disabled = registrations::disable(&app.db, id.clone(), app.now()).await?;
    if disabled.is_none() {
        super::find(&app.db, id).await?;
    }
    let text = match disabled {
        Some(tick) => format!("The client {id} is disabled. All that it had is dead (tick {tick})."),
        None => format!("The client {id} was disabled already."),
    };
    Ok(switched(id, true, disabled.is_some(), disabled, text))
}

pub(super) async fn enable(app: &App, id: &ClientId) -> Result<Answer, Failure> {
    let enabled = registrations::enable(&app.db, id.clone(), app.now()).await?;
    if !enabled {
        super::find(&app.db, id).await?;
    }
    let text = match enabled {
        true => format!("The client {id} is enabled. What it had before stays dead."),
        false => format!("The client {id} was enabled already."),
    };
    Ok(switched(id, false, enabled, None, text))
}

fn switched(id: &ClientId, disabled: bool, changed: bool, tick: Option<Tick>, text: String) -> Answer {
    Answer { document: json!({ "client_id": id, "disabled": disabled, "changed": changed }), text }.effective(tick)
}
