//! Where master keys come from, and what to do when the one in force is not among them.

use std::path::{Path, PathBuf};

use super::{MasterKey, MasterKeyError, master, master_file};

/// A place that yields master keys: the one that is to be used, and behind it others that are known while the database moves from one
/// to the next.
#[derive(Clone, Debug)]
pub enum MasterKeyPlace {
    /// They were given once, at the start.
    Given {
        /// How the operator calls the place.
        name: String,
        /// The keys.
        keys: Vec<MasterKey>,
    },
    /// A file, which may change while the server runs.
    File(PathBuf),
    /// A command, which may print others the next time.
    Command(String),
}

impl MasterKeyPlace {
    /// The keys that it yields now, at least one. Waits for files and commands.
    pub fn read(&self) -> Result<Vec<MasterKey>, MasterKeyError> {
        match self {
            Self::Given { keys, .. } => Ok(keys.clone()),
            Self::File(path) => master_file::load(path),
            Self::Command(command) => master::from_command(command),
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match self {
            Self::Given { name, .. } => name.clone(),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Command(_) => "the master key command".to_owned(),
        }
    }

    /// What brings another master key to a server that runs.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Given { .. } => "put it there and start this server again",
            Self::File(_) => "put it into the file; this server looks again every second",
            Self::Command(_) => "let the command print it; this server runs it again every ten seconds",
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Given { .. } | Self::Command(_) => None,
        }
    }
}
