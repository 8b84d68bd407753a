//! Token Status List (draft-ietf-oauth-status-list-17): where a token finds its place, how large lists are, and how they are
//! written. One bit a token: 0 is VALID, 1 is INVALID, and INVALID is for good.

use std::io::{self, Write};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::clock::{TOLERANCE, UnixTime};

/// `typ` of a list as a JWT (section 5.1); with `application/` before it, its media type.
pub const STATUS_LIST_TYP: &str = "statuslist+jwt";

/// Tokens that end within the same span share a list, so that lists end as a whole. With [`SERVED_AFTER_END`], and as much as two
/// replicas' clocks are apart, no more than the ten minutes for which a token's own cut-off outlives the longest token: a list that is
/// served longer would call it VALID again.
pub const SPAN: Duration = Duration::from_secs(2 * 60);

/// How long a list is served after its end, when all of its tokens have ended: the most by which verifiers forgive another clock, and
/// a minute by which the clock that it is served by may be ahead.
pub const SERVED_AFTER_END: Duration = Duration::from_secs(5 * 60 + TOLERANCE.as_secs());

/// The claim `status` of a token (section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The one mechanism that we know.
    pub status_list: Place,
}

/// A place in a list (section 6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its number.
    pub idx: u32,
    /// The list's address.
    pub uri: String,
}

/// The claims of a list (section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusListToken {
    /// The issuer.
    pub iss: String,
    /// The list's own address.
    pub sub: String,
    /// When it was made, in seconds: taken before the evidence was read.
    pub iat: i64,
    /// When nobody may lean on it any longer, in seconds.
    pub exp: i64,
    /// How long it may be kept before asking again, in seconds.
    pub ttl: u64,
    /// The list.
    pub status_list: EncodedList,
}

/// A list as it is written in JSON (section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncodedList {
    /// How many bits a token has.
    pub bits: u8,
    /// The bits, compressed, in base64url.
    pub lst: String,
    /// Where all lists are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_uri: Option<String>,
}

/// The end of the list for a token that ends then.
pub fn list_end(token_ends: UnixTime) -> UnixTime {
    let span = i64::try_from(SPAN.as_millis()).unwrap_or(i64::MAX);
    let whole = token_ends.millis().div_euclid(span).saturating_add(i64::from(token_ends.millis().rem_euclid(span) > 0));
    UnixTime::from_millis(whole.saturating_mul(span))
}

/// How many places the list of this number has among those of the same end, always a power of two: small where there are few
/// tokens, and never so large that judging and fetching it grows slow.
pub fn size(number: i64) -> u32 {
    const SMALLEST: u32 = 13;
    const LARGEST: u32 = 18;
    let more = u32::try_from(number.clamp(0, 16)).unwrap_or(0) * 2;
    1 << (SMALLEST + more).min(LARGEST)
}

/// A list of one bit a token, the lowest bit of the first byte first (section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits(Vec<u8>);

impl Bits {
    /// A list of this size in which everything is valid, also what no token has.
    pub fn all_valid(size: u32) -> Self {
        Self(vec![0; size.div_ceil(8) as usize])
    }

    /// A list of this size in which nothing is.
    pub fn all_invalid(size: u32) -> Self {
        Self(vec![u8::MAX; size.div_ceil(8) as usize])
    }

    /// Makes a place invalid; `false` when the list has no such place.
    #[must_use]
    pub fn invalidate(&mut self, idx: u32) -> bool {
        match self.0.get_mut(idx as usize / 8) {
            Some(byte) => {
                *byte |= 1 << (idx % 8);
                true
            }
            None => false,
        }
    }

    /// The list as JSON carries it, with the highest compression, as the draft recommends.
    pub fn encode(&self, aggregation_uri: Option<String>) -> io::Result<EncodedList> {
        let mut compressed = ZlibEncoder::new(Vec::new(), Compression::best());
        compressed.write_all(&self.0)?;
        Ok(EncodedList { bits: 1, lst: Base64UrlUnpadded::encode_string(&compressed.finish()?), aggregation_uri })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drafts_first_example_is_written_to_the_byte() {
        // Section 4.1: 16 tokens, bytes 0xb9 and 0xa3; section 4.2: how they are written.
        let mut bits = Bits::all_valid(16);
        for (idx, status) in [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1].into_iter().enumerate() {
            assert!(status == 0 || bits.invalidate(u32::try_from(idx).unwrap()));
        }
        assert_eq!(bits.0, [0xb9, 0xa3]);
        let encoded = serde_json::to_string(&bits.encode(None).unwrap()).unwrap();
        assert_eq!(encoded, r#"{"bits":1,"lst":"eNrbuRgAAhcBXQ"}"#);
    }

    #[test]
    fn a_place_beyond_the_list_is_none() {
        let mut bits = Bits::all_valid(16);
        assert!(bits.invalidate(15) && !bits.invalidate(16));
        assert_eq!(Bits::all_invalid(16).0, [0xff, 0xff]);
    }

    #[test]
    fn tokens_of_two_minutes_share_a_list_that_ends_no_earlier_than_they() {
        let at = |millis| list_end(UnixTime::from_millis(millis)).millis();
        assert_eq!([at(0), at(1), at(119_999), at(120_000), at(120_001)], [0, 120_000, 120_000, 120_000, 240_000]);
        assert!(list_end(UnixTime::from_millis(i64::MAX)).millis() > i64::MAX - 120_000 * 2);
    }

    #[test]
    fn lists_grow_from_a_kilobyte_to_thirty_two() {
        assert_eq!([0, 1, 2, 3, i64::MAX].map(size), [1 << 13, 1 << 15, 1 << 17, 1 << 18, 1 << 18]);
        assert!((0..20).all(|number| size(number).is_power_of_two()));
    }
}
