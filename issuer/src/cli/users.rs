//! `passant users`: accounts made and passwords set by the operator.

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Answer, Failure};
use super::open;
use super::password::{self, Generated};
use super::settings::Settings;
use crate::app::App;
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::domain::password::Password;
use crate::domain::user::{Username, plausible_email};
use crate::store::users::{self, NewUser};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add(Add),
    /// Set a user's password and end everything the user had before
    SetPassword(SetPassword),
}

#[derive(Args)]
pub(super) struct Add {
    /// The name to sign in with
    #[arg(value_parser = Username::parse)]
    username: Username,
    /// What pages and the claim `name` call the user
    #[arg(long)]
    name: Option<String>,
    /// The claim `email`
    #[arg(long, value_parser = email)]
    email: Option<String>,
    /// May administer this issuer
    #[arg(long)]
    administrator: bool,
    #[command(flatten)]
    password: password::Arguments,
}

#[derive(Args)]
pub(super) struct SetPassword {
    /// The name that the user signs in with
    #[arg(value_parser = Username::parse)]
    username: Username,
    #[command(flatten)]
    password: password::Arguments,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    let config = settings.load(&[])?;
    let source = match command {
        Command::Add(add) => &add.password,
        Command::SetPassword(set) => &set.password,
    };
    // Asked for before the database is opened: nothing waits for a person.
    let (password, generated) = password::obtain(source, least(&config))?;
    let app = open::app(config).await?;
    let answer = match command {
        Command::Add(new) => add(&app, new, password, generated).await,
        Command::SetPassword(set) => set_password(&app, set, password, generated).await,
    };
    app.db.close().await;
    answer.map(Some)
}

async fn add(app: &App, new: &Add, password: Password, generated: Option<Generated>) -> Result<Answer, Failure> {
    let (sub, username) = (UserId::random(), new.username.as_str());
    let user = NewUser {
        id: sub.clone(),
        username: new.username.clone(),
        name: new.name.clone(),
        email: new.email.clone(),
        password_hash: Some(app.passwords.hash(password).await?),
        administrator: new.administrator,
        created_at: app.now(),
    };
    if !users::create(&app.db, user).await? {
        return Err(Failure::new(format_args!("the user name {username} is taken")));
    }
    let what = if new.administrator { "administrator" } else { "user" };
    let mut answer = Answer {
        document: json!({ "sub": sub, "username": username, "administrator": new.administrator }),
        text: format!("The {what} {username} was added (sub {sub})."),
    };
    show(generated, &mut answer);
    Ok(answer)
}

async fn set_password(app: &App, set: &SetPassword, password: Password, generated: Option<Generated>) -> Result<Answer, Failure> {
    let username = set.username.as_str();
    let unknown = || Failure::new(format_args!("there is no user {username}"));
    let known = users::sign_in_record(&mut app.db.reader().await?.conn(), &set.username).await?;
    let sub = known.ok_or_else(unknown)?.user.id;
    let password_hash = app.passwords.hash(password).await?;
    let tick = users::set_password(&app.db, sub.clone(), password_hash, app.now()).await?.ok_or_else(unknown)?;
    let mut answer = Answer {
        document: json!({ "sub": sub, "username": username, "tick": tick }),
        text: format!(
            "The password of {username} is set. Every session, grant and token that the user had before is dead (tick {tick})."
        ),
    };
    show(generated, &mut answer);
    Ok(answer)
}

fn show(generated: Option<Generated>, answer: &mut Answer) {
    let Some(generated) = generated else { return };
    answer.text.push_str(&format!("\nThe password, shown this once:\n\n  {}", generated.expose()));
    if let Some(document) = answer.document.as_object_mut() {
        document.insert("password".to_owned(), json!(generated.expose()));
    }
}

fn least(config: &Config) -> usize {
    usize::try_from(config.passwords.minimum_length).unwrap_or(usize::MAX)
}

fn email(text: &str) -> Result<String, &'static str> {
    if plausible_email(text) { Ok(text.to_owned()) } else { Err("this is not an e-mail address") }
}
