//! The compact serialization of a JWS (RFC 7515, section 7.1), taken apart. Size is tested before anything else, so that the
//! cost of hostile input is bounded by the limits here and not by its sender.

use memchr::{memchr, memchr_iter};

use crate::base64url;
use crate::error::{Reason, VerifyError};

/// Longer tokens are refused unread.
pub(crate) const MAX_TOKEN_LEN: usize = 8 * 1024;

/// Longer headers, counted in base64url characters, are refused undecoded.
pub(crate) const MAX_HEADER_LEN: usize = 1024;

/// Longer signatures, counted in base64url characters, are refused undecoded: no accepted key makes one of more than 1024 bytes.
const MAX_SIGNATURE_LEN: usize = (1024_usize * 4).div_ceil(3);

/// A token taken apart and decoded; nothing in it has been verified.
#[derive(Debug)]
pub(crate) struct UnverifiedToken<'t> {
    /// Still in base64url, since the header of most tokens is known from others.
    pub(crate) header: &'t str,
    pub(crate) signing_input: &'t [u8],
    /// The payload and, behind it, the signature: one allocation for both.
    decoded: Vec<u8>,
    payload_len: usize,
}

impl<'t> UnverifiedToken<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, VerifyError> {
        Self::parse_leaving_room(token, 0)
    }

    /// As [`parse`](Self::parse), where so many bytes are to be put behind the payload later.
    pub(crate) fn parse_leaving_room(token: &'t str, spare: usize) -> Result<Self, VerifyError> {
        Self::take_apart(token, MAX_TOKEN_LEN, spare)
    }

    /// Takes apart a JWS of another kind, which may be larger than a token.
    pub(crate) fn parse_within(token: &'t str, max_len: usize) -> Result<Self, VerifyError> {
        Self::take_apart(token, max_len, 0)
    }

    fn take_apart(token: &'t str, max_len: usize, spare: usize) -> Result<Self, VerifyError> {
        if token.len() > max_len {
            return Err(VerifyError::about(Reason::TooLarge, "token"));
        }
        let (header, payload, signature) = three_parts(token)?;
        for (part, max_len, name) in [(header, MAX_HEADER_LEN, "header"), (signature, MAX_SIGNATURE_LEN, "signature")] {
            if part.len() > max_len {
                return Err(VerifyError::about(Reason::TooLarge, name));
            }
        }
        let signing_input = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let payload_len = base64url::decoded_len(payload.len());
        let signature_len = base64url::decoded_len(signature.len());
        let mut decoded = Vec::with_capacity(payload_len + signature_len.max(spare));
        decoded.resize(payload_len + signature_len, 0);
        let (payload_room, signature_room) = decoded.split_at_mut_checked(payload_len).unwrap_or_default();
        base64url::decode_to(payload, payload_room).ok_or_else(|| bad_base64("payload"))?;
        base64url::decode_to(signature, signature_room).ok_or_else(|| bad_base64("signature"))?;
        Ok(Self { header, signing_input, decoded, payload_len })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.decoded.get(..self.payload_len).unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.decoded.get(self.payload_len..).unwrap_or_default()
    }

    pub(crate) fn into_payload(mut self) -> Vec<u8> {
        self.decoded.truncate(self.payload_len);
        self.decoded
    }
}

/// Decodes a part.
pub(crate) fn decode(part: &str, name: &'static str) -> Result<Vec<u8>, VerifyError> {
    base64url::decode(part).ok_or_else(|| bad_base64(name))
}

fn bad_base64(name: &'static str) -> VerifyError {
    VerifyError::about(Reason::BadBase64, name)
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), VerifyError> {
    let (header, rest) = split_at_dot(token).ok_or_else(|| VerifyError::new(Reason::NotCompact))?;
    let (payload, signature) = split_at_dot(rest).ok_or_else(|| VerifyError::new(Reason::NotCompact))?;
    match memchr_iter(b'.', signature.as_bytes()).take(3).count() {
        0 if !header.is_empty() && !payload.is_empty() && !signature.is_empty() => Ok((header, payload, signature)),
        2 => Err(VerifyError::new(Reason::Encrypted)),
        _ => Err(VerifyError::new(Reason::NotCompact)),
    }
}

fn split_at_dot(text: &str) -> Option<(&str, &str)> {
    let dot = memchr(b'.', text.as_bytes())?;
    Some((text.get(..dot)?, text.get(dot + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(token: &str) -> Option<Reason> {
        let parsed = UnverifiedToken::parse(token).and_then(|token| decode(token.header, "header"));
        parsed.err().map(|error| error.reason())
    }

    #[test]
    fn three_parts_come_apart_and_the_signing_input_is_the_first_two() {
        let token = UnverifiedToken::parse("e30.W10.AQ").unwrap();
        assert_eq!((token.header, token.payload(), token.signature()), ("e30", &b"[]"[..], &[1][..]));
        assert_eq!(token.signing_input, b"e30.W10");
    }

    #[test]
    fn v40_v41_any_other_number_of_parts_or_an_empty_one_is_refused() {
        for token in ["", ".", "..", "e30", "e30.e30", "e30.e30.", ".e30.e30", "e30..e30", "e30.e30.e30.", "e30.e30.e30.e30"] {
            assert_eq!(reason(token), Some(Reason::NotCompact), "{token}");
        }
        assert_eq!(reason(&".".repeat(8_000)), Some(Reason::NotCompact));
        assert_eq!(reason("e30.e30.e30.e30.e30"), Some(Reason::Encrypted));
        assert_eq!(reason("e30.e30.e30.e30.e30.e30"), Some(Reason::NotCompact));
    }

    #[test]
    fn v42_to_v49_base64url_is_read_strictly_in_every_part() {
        for bad in [
            "QQ==",
            "QQ=",
            "QR",
            "QUF",
            "Q",
            "QUFBQ",
            "+_8",
            "/_8",
            "QU FB",
            " QUFB",
            "QUFB ",
            "QU\tFB",
            "QU\nFB",
            "QU\rFB",
            "QU\0FB",
            "QUFB?",
            "QUFB#",
            "QU\u{2028}FB",
            "QUF\u{e9}",
            "%51UFB",
            "\"QUFB\"",
            "Bearer QUFB",
        ] {
            for token in [format!("{bad}.QUFB.QUFB"), format!("QUFB.{bad}.QUFB"), format!("QUFB.QUFB.{bad}")] {
                assert_eq!(reason(&token), Some(Reason::BadBase64), "{token:?}");
            }
        }
        assert_eq!(reason("QUFB.QUFB.QQ"), None);
    }

    #[test]
    fn v48_length_is_tested_first() {
        let long = |len: usize| format!("e30.{}.QUFB", "A".repeat(len - 9));
        assert_eq!(reason(&long(MAX_TOKEN_LEN - 1)), None);
        assert_eq!(reason(&long(MAX_TOKEN_LEN + 1)), Some(Reason::TooLarge));
        assert_eq!(reason(&"\u{2028}.".repeat(1 << 20)), Some(Reason::TooLarge));
        for (len, expected) in [(MAX_HEADER_LEN, None), (MAX_HEADER_LEN + 4, Some(Reason::TooLarge))] {
            assert_eq!(reason(&format!("{}.e30.QUFB", "A".repeat(len))), expected);
        }
        for (bytes, expected) in [(1024, None), (1025, Some(Reason::TooLarge))] {
            assert_eq!(reason(&format!("e30.e30.{}", base64url::encode(&vec![7; bytes]))), expected, "{bytes}");
        }
    }
}
