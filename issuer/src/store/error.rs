//! Faults of the database: what rolls a transaction back. A security outcome is never one of these; it is a value that commits.

/// A fault of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked or too slow; trying again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row that Passant would never have written.
    #[error("the table {table} holds an impossible row: {what}")]
    Impossible {
        /// The table.
        table: &'static str,
        /// What is impossible about it.
        what: String,
    },
    /// A compare-and-set inside a larger change lost: the whole change is rolled back and answered as a value by its function,
    /// never seen outside the store.
    #[error("another process was faster")]
    Superseded,
    /// A database that must not be used as it is, with a sentence that says what to do.
    #[error("{0}")]
    Refused(String),
    /// Anything else the driver reports.
    #[error("the database reports a fault: {0}")]
    Fault(#[source] sqlx::Error),
}

impl StoreError {
    /// An impossible row.
    pub(super) fn impossible(table: &'static str, what: impl std::fmt::Display) -> Self {
        Self::Impossible { table, what: what.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let away = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(reported) => reported.code().is_some_and(|code| means_away(&code)),
            _ => false,
        };
        if away { Self::Unavailable(error.to_string()) } else { Self::Fault(error) }
    }
}

/// Postgres: connection exceptions (08), cancelled by a time-out (57014, 55P03), shutting down (57P01–03), out of resources (53).
/// SQLite: busy (5), locked (6), disk full (13), and their extended codes.
fn means_away(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || matches!(code, "57014" | "55P03");
    }
    code.parse::<u32>().is_ok_and(|extended| matches!(extended & 0xff, 5 | 6 | 13))
}

/// Whether the whole transaction should run again: a Postgres deadlock or serialization failure.
pub(super) fn asks_for_a_rerun(error: &StoreError) -> bool {
    match error {
        StoreError::Fault(sqlx::Error::Database(reported)) => {
            reported.code().is_some_and(|code| matches!(code.as_ref(), "40P01" | "40001"))
        }
        _ => false,
    }
}
