//! The command line: one file a command. A command answers with one document, for people or with `--json` for programs. It
//! ends with 0 when what was asked for holds, with 2 when arguments, input or configuration are wrong whatever the database holds, before
//! anything is applied, and with 1 when it cannot be done.

mod answer;
mod audit;
mod check_config;
mod clients;
mod consents;
mod dev;
mod effect;
mod grants;
mod keys;
mod log;
mod master_keys;
mod moment;
mod open;
mod operator;
mod password;
mod reconciliation;
mod revoke_everything;
mod serve;
mod sessions;
mod settings;
mod users;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::settings::Settings;

/// Passant, a central OpenID Connect token issuer whose tokens can be revoked like sessions.
///
/// `passant serve` needs no configuration: it makes what it lacks and tells you which page to open.
#[derive(Parser)]
#[command(name = "passant", version, about)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the issuer
    Serve(serve::Arguments),
    /// List, rotate and revoke the signing keys; also beside a running server
    #[command(subcommand)]
    Keys(keys::Command),
    /// Users: the people who sign in, and what is said of them
    #[command(subcommand)]
    Users(users::Command),
    /// Clients: the applications that ask for tokens
    #[command(subcommand)]
    Clients(clients::Command),
    /// Sessions: who is signed in where
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Consents: what users allow to clients
    #[command(subcommand)]
    Consents(consents::Command),
    /// Grants: what one approval allowed one application
    #[command(subcommand)]
    Grants(grants::Command),
    /// Break the glass: cut off everything that this issuer ever gave out, at once
    RevokeEverything(revoke_everything::Arguments),
    /// Show the audit trail: who did what, from where, and how it ended
    Audit(audit::Arguments),
    /// Say whether the configuration is right and what a start would change; changes nothing
    CheckConfig(check_config::Arguments),
}

/// Does what the arguments (the program's name first) ask for.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let CommandLine { settings, command } = match CommandLine::try_parse_from(&arguments) {
        Ok(line) => line,
        Err(refusal) => return answer::not_understood(&refusal, arguments.iter().any(|argument| argument == "--json")),
    };
    let outcome = match &command {
        Command::Serve(arguments) => serve::run(&settings, arguments).await,
        Command::Keys(command) => keys::run(&settings, command).await,
        Command::Users(command) => users::run(&settings, command).await,
        Command::Clients(command) => clients::run(&settings, command).await,
        Command::Sessions(command) => sessions::run(&settings, command).await,
        Command::Consents(command) => consents::run(&settings, command).await,
        Command::Grants(command) => grants::run(&settings, command).await,
        Command::RevokeEverything(arguments) => revoke_everything::run(&settings, arguments).await,
        Command::Audit(arguments) => audit::run(&settings, arguments).await,
        Command::CheckConfig(arguments) => check_config::run(&settings, arguments).await,
    };
    answer::end(outcome, settings.json)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
