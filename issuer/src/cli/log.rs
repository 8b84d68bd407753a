//! The log, on standard error: lines for people on a terminal, JSON elsewhere, or what `[log]` says.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::answer::Failure;
use crate::config::{Log, LogFormat};

/// Starts the log.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| Failure::settings(format_args!("log.filter: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    // A second start in one process finds the first one's log.
    let _ = if human { lines.with_ansi(terminal).try_init() } else { lines.json().flatten_event(true).try_init() };
    Ok(())
}
