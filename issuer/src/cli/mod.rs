//! The command line: one file a command. A command answers with one document, for people or with `--json` for programs; a
//! configuration that is wrong ends it with code 2 before anything is applied, every other failure with code 1.

mod answer;
mod clients;
mod dev;
mod keys;
mod log;
mod open;
mod password;
mod serve;
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
    /// Add users and set their passwords
    #[command(subcommand)]
    Users(users::Command),
    /// Add and list clients: the applications that ask for tokens
    #[command(subcommand)]
    Clients(clients::Command),
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
