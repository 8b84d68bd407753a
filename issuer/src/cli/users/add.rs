//! `passant users add`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::super::settings::Settings;
use super::super::{open, password};
use super::details::Options;
use crate::domain::ids::UserId;
use crate::domain::user::Username;
use crate::domain::user_details::Details;
use crate::store::accounts;
use crate::store::users::NewUser;

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// The name to sign in with
    #[arg(value_parser = Username::parse)]
    username: Username,
    /// May administer this issuer
    #[arg(long)]
    administrator: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    password: password::Arguments,
}

pub(super) async fn run(settings: &Settings, new: &Arguments) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    let details = new.options.change().apply(Details::default()).map_err(Failure::wrong)?;
    // Asked for before the database is opened: nothing waits for a person.
    let (password, generated) = password::obtain(&new.password, password::least(&config))?;
    let app = open::app(config).await?;
    let (sub, username) = (UserId::random(), new.username.as_str());
    let user = NewUser {
        id: sub.clone(),
        username: new.username.clone(),
        name: details.name.clone(),
        email: details.email.clone(),
        password_hash: Some(app.passwords.hash(password).await?),
        administrator: new.administrator,
        created_at: app.now(),
    };
    let created = accounts::create(&app.db, user, details).await;
    app.db.close().await;
    if !created? {
        return Err(Failure::new(format_args!("the user name {username} is taken")));
    }
    let what = if new.administrator { "administrator" } else { "user" };
    let mut answer = Answer {
        document: json!({ "sub": sub, "username": username, "administrator": new.administrator }),
        text: format!("The {what} {username} was added (sub {sub})."),
    };
    password::show(generated, &mut answer);
    Ok(Some(answer))
}
