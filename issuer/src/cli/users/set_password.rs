//! `passant users set-password`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::settings::Settings;
use super::super::{open, password};
use super::target::Target;
use crate::app::App;
use crate::domain::password::Password;
use crate::store::users;

#[derive(Args)]
pub(in super::super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    password: password::Arguments,
}

pub(super) async fn run(settings: &Settings, arguments: &Arguments) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    // Asked for before the database is opened: nothing waits for a person.
    let (password, generated) = password::obtain(&arguments.password, password::least(&config))?;
    let app = open::existing(config).await?;
    let answer = set(&app, &arguments.target, password).await;
    app.db.close().await;
    let mut answer = answer?;
    password::show(generated, &mut answer);
    Ok(Some(answer))
}

async fn set(app: &App, target: &Target, password: Password) -> Result<Answer, Failure> {
    let user = target.find(&app.db).await?;
    let (sub, username) = (user.id, user.username);
    let password_hash = app.passwords.hash(password).await?;
    let set = users::set_password(&app.db, sub.clone(), password_hash, app.now()).await?;
    let tick = set.ok_or_else(|| Failure::new(format_args!("somebody else has just deleted the user {username}")))?;
    let text = format!(
        "The password of {username} is set. Every session, grant and token that the user had before is dead (tick {tick})."
    );
    Ok(Answer { document: json!({ "sub": sub, "username": username }), text }.effective(Some(tick)))
}
