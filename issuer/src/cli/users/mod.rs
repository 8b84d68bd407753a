//! `passant users`: accounts, and what is said of them, in the hands of the operator.

mod add;
mod details;
mod set_password;
mod show;
mod switches;
pub(super) mod target;
mod update;

use clap::Subcommand;

use self::target::Target;
use super::answer::{Answer, Failure};
use super::open;
use super::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add(Box<add::Arguments>),
    /// Show a user with all that is said of them
    Show(Target),
    /// Show users by name
    List(show::List),
    /// Change a user's claims, roles and attributes; only what is given changes, and an empty value takes away
    Update(Box<update::Arguments>),
    /// Set a user's password and end everything the user had before
    SetPassword(set_password::Arguments),
    /// Switch an account off at once; all that the user had is dead
    Disable(switches::Removal),
    /// Switch an account on again; what the user had before stays dead
    Enable(Target),
    /// Delete an account; all that the user had is dead, and the name is free for another user
    Delete(switches::Removal),
    /// Let a user administer this issuer
    GrantAdmin(switches::GrantAdmin),
}

pub(super) async fn run(settings: &Settings, command: &Command) -> Result<Option<Answer>, Failure> {
    match command {
        Command::Add(arguments) => add::run(settings, arguments).await,
        Command::SetPassword(arguments) => set_password::run(settings, arguments).await,
        Command::Show(target) => open::to_read(settings, async |seen| show::one(seen, target).await).await,
        Command::List(arguments) => open::to_read(settings, async |seen| show::list(seen, arguments).await).await,
        Command::Update(arguments) => update::run(settings, arguments).await,
        Command::Disable(arguments) => open::to(settings, async |app| switches::disable(app, arguments).await).await,
        Command::Enable(target) => open::to(settings, async |app| switches::enable(app, target).await).await,
        Command::Delete(arguments) => open::to(settings, async |app| switches::delete(app, arguments).await).await,
        Command::GrantAdmin(arguments) => open::to(settings, async |app| switches::grant_admin(app, arguments).await).await,
    }
}
