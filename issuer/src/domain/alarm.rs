//! A history that was put back in time: how it is noticed, what is done about it, and the alarm that stands until somebody has seen
//! it.

use serde::Serialize;

use super::ids::{FeedId, Tick};
use super::text::named_values;
use crate::clock::UnixTime;

/// The highest tick that a proof may have. Clocks carry the tick to 2^52 and no further; from there on each change adds one, and half
/// of what is left to 2^53 would take a million changes a second for seventy years. A higher one was never reached, whoever signed it:
/// raising past it, again and again, could use up the numbers that revocation lives by.
pub const HIGHEST_PROVABLE: Tick = Tick::new((1 << 52) + (1 << 51));

named_values!(
    /// What is done when the history turns out to have been put back in time, beside the alarm.
    OnContradiction {
        /// Everything is cut off: what had been revoked in the lost time may have come back to life.
        CutOff = "cut-off",
        /// Nothing else.
        Alarm = "alarm",
    }
);

named_values!(
    /// Who noticed.
    Witness {
        /// A follower showed a signed message of the lost time.
        Follower = "follower",
        /// A running process found less than it had seen before.
        Process = "process",
    }
);

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its id.
    pub id: String,
    /// When it was raised.
    #[serde(serialize_with = "written")]
    pub raised_at: UnixTime,
    /// Who noticed.
    pub witness: Witness,
    /// The history that was put back; since then it has another name.
    pub feed: FeedId,
    /// A tick that it once had reached.
    pub lost_tick: Tick,
    /// How that contradicts what the database held.
    pub reason: String,
    /// The tick of the entry with which the new history began.
    pub tick: Tick,
    /// Whether everything from before that entry was cut off.
    pub cut_off: bool,
}

fn written<S: serde::Serializer>(at: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
