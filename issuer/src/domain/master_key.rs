//! What the database says of master keys: names alone, and what is still needed of those that were in force before.

use crate::clock::UnixTime;

/// Which master key is in force, and which were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MasterKeys {
    /// The name of the one in force; none before the first start has written it down.
    pub in_force: Option<String>,
    /// Those that were in force before, the oldest first.
    pub retired: Vec<RetiredMasterKey>,
}

/// A master key that was in force before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredMasterKey {
    /// Its name.
    pub id: String,
    /// Since when.
    pub retired_at: UnixTime,
    /// The key that it derived refresh tokens' successors by, sealed under the master key in force; none once nobody can ask.
    pub sealed_refresh_key: Option<String>,
}
