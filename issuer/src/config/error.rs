//! What is wrong with a configuration: where, which key, and why, in one line. A value is never repeated, as it may be a secret.

use std::fmt;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where the mistake stands.
    pub place: Place,
    /// The key with its section, for instance `keys.period`; empty where the text is not TOML at all.
    pub key: String,
    /// Why it is one.
    pub reason: String,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file, on a line counted from 1.
    File {
        /// The file, as it was named on the command line.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// In an environment variable.
    Variable(String),
    /// Nowhere: it is a default, or missing.
    Nowhere,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line } => write!(f, "{}, line {line}: ", path.display())?,
            Place::Variable(name) => write!(f, "environment variable {name}: ")?,
            Place::Nowhere => {}
        }
        if self.key.is_empty() { f.write_str(&self.reason) } else { write!(f, "{}: {}", self.key, self.reason) }
    }
}
