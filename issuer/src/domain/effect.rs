//! What is said of a cut-off: its tick, and how soon everybody obeys it.

use serde::Serialize;

use super::ids::Tick;

/// Within so many seconds of the answer every current verifier refuses what was cut off: each one that follows the feed.
pub const EFFECTIVE_WITHIN: u64 = 1;

/// The effect of an act that revokes; nothing is said where nothing is known to have been cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effect {
    #[serde(skip_serializing_if = "Option::is_none")]
    tick: Option<Tick>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_within: Option<u64>,
}

impl Effect {
    /// What a cut-off at this tick does, be it of now or of before.
    pub fn of(tick: Option<Tick>) -> Self {
        Self { tick, effective_within: tick.map(|_| EFFECTIVE_WITHIN) }
    }
}
