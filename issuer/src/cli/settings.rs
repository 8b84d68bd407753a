//! The options that every command has, and the configuration they lead to.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::answer::Failure;
use crate::config::{Config, ConfigError, DeclaredClient, Place};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "passant.toml";

/// The options that every command has.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct Settings {
    /// The configuration file [default: ./passant.toml if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "PASSANT_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Where Passant keeps its files [default: ./passant-data]
    #[arg(long, global = true, value_name = "DIR", env = "PASSANT_DATA_DIR", hide_env_values = true)]
    data_dir: Option<String>,
    /// A Postgres database instead of SQLite in the data directory
    #[arg(long, global = true, value_name = "URL", env = "PASSANT_DATABASE__URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Answer with one JSON document, errors included
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// An option that stands for a variable: its spelling, the variable, and what was given.
pub(super) type Override<'a> = (&'static str, &'static str, Option<&'a str>);

impl Settings {
    /// The configuration: the file, over it the environment, over that the options. The secrets of the file's clients need not be
    /// there.
    pub(super) fn load(&self, overrides: &[Override<'_>]) -> Result<Config, Failure> {
        self.load_by(overrides, Config::load)
    }

    /// The same with the file's clients and their secrets, for what makes the database's clients so.
    pub(super) fn load_with_clients(&self, overrides: &[Override<'_>]) -> Result<(Config, Vec<DeclaredClient>), Failure> {
        self.load_by(overrides, |file, environment| Config::load_with_clients(file, environment, |path| fs::read_to_string(path)))
    }

    fn load_by<T>(
        &self,
        overrides: &[Override<'_>],
        load: impl FnOnce(Option<(&Path, &str)>, Vec<(String, String)>) -> Result<T, ConfigError>,
    ) -> Result<T, Failure> {
        let given = [
            ("--data-dir", "PASSANT_DATA_DIR", self.data_dir.as_deref()),
            ("--database-url", "PASSANT_DATABASE__URL", self.database_url.as_deref()),
        ];
        let given: Vec<Override<'_>> = given.iter().chain(overrides).copied().collect();
        let options = given.iter().filter_map(|(_, variable, value)| Some(((*variable).to_owned(), (*value)?.to_owned())));
        let path = self.config.clone().or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        let file = path.as_deref().map(read_file).transpose()?;
        let file = path.as_deref().zip(file.as_deref());
        load(file, environment().chain(options).collect())
            .map_err(|error| Failure::wrong(in_the_words_of_options(&error, &given)))
    }

    /// Whether an option or a variable says where files are kept.
    pub(super) fn names_a_data_dir(&self) -> bool {
        self.data_dir.is_some()
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|fault| Failure::wrong(format_args!("{} cannot be read: {fault}", path.display())))
}

/// A name that is not UTF-8 is none of ours; a value that is not is refused where it is parsed.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
}

fn in_the_words_of_options(error: &ConfigError, given: &[Override<'_>]) -> String {
    let option = match &error.place {
        Place::Variable(name) => given.iter().find(|(_, variable, value)| variable == name && value.is_some()),
        Place::File { .. } | Place::Nowhere => None,
    };
    match option {
        Some((option, variable, _)) => format!("{option} (or {variable}): {}", error.reason),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_an_option_is_told_in_its_name() {
        let error = ConfigError {
            place: Place::Variable("PASSANT_LISTEN".to_owned()),
            key: "listen".to_owned(),
            reason: "no address".to_owned(),
        };
        let listen = [("--listen", "PASSANT_LISTEN", Some("x"))];
        assert_eq!(in_the_words_of_options(&error, &listen), "--listen (or PASSANT_LISTEN): no address");
        assert_eq!(in_the_words_of_options(&error, &[]), "environment variable PASSANT_LISTEN: listen: no address");
    }
}
