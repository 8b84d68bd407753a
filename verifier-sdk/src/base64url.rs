//! Strict base64url (RFC 7515, section 2): no padding, no other alphabet, no white space, no stray bits in the last character.
//! By table, since decoding in constant time would cost a tenth of a verification and what is decoded here is no secret of ours.

/// No three bytes set this bit.
const NO_DIGIT: u32 = 1 << 31;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters' digits, once for each place in a group of four.
static DIGITS: [[u32; 256]; 4] = digits();

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; decoded_len(text.len())];
    decode_to(text, &mut bytes)?;
    Some(bytes)
}

/// How many bytes so many characters stand for.
pub(crate) const fn decoded_len(characters: usize) -> usize {
    characters / 4 * 3 + characters % 4 * 3 / 4
}

/// Decodes into the front of `room`; `None` if the text is malformed, or longer than there is room for.
pub(crate) fn decode_to<'r>(text: &str, room: &'r mut [u8]) -> Option<&'r [u8]> {
    let bytes = room.get_mut(..decoded_len(text.len()))?;
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    let (triples, tail) = bytes.as_chunks_mut::<3>();
    let mut seen = 0;
    for (quad, triple) in quads.iter().zip(triples) {
        let [a, b, c, d] = *quad;
        let bits = digit(a, 18) | digit(b, 12) | digit(c, 6) | digit(d, 0);
        seen |= bits;
        let [_, first, second, third] = bits.to_be_bytes();
        *triple = [first, second, third];
    }
    let last = match (rest, tail) {
        ([], []) => 0,
        ([a, b], [first]) => {
            let bits = digit(*a, 18) | digit(*b, 12);
            *first = (bits >> 16) as u8;
            bits | if bits & 0xffff == 0 { 0 } else { NO_DIGIT }
        }
        ([a, b, c], [first, second]) => {
            let bits = digit(*a, 18) | digit(*b, 12) | digit(*c, 6);
            (*first, *second) = ((bits >> 16) as u8, (bits >> 8) as u8);
            bits | if bits & 0xff == 0 { 0 } else { NO_DIGIT }
        }
        _ => return None,
    };
    ((seen | last) & NO_DIGIT == 0).then_some(bytes)
}

/// Writes bytes as base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = (bits >> (18 - 6 * place)) & 63;
            text.push(ALPHABET.get(digit as usize).copied().map_or('-', char::from));
        }
    }
    text
}

/// The six bits of a character, moved so far to the left.
fn digit(character: u8, place: usize) -> u32 {
    DIGITS.get(place / 6).and_then(|digits| digits.get(usize::from(character))).copied().unwrap_or(NO_DIGIT)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses to go out of bounds")]
const fn digits() -> [[u32; 256]; 4] {
    let mut digits = [[NO_DIGIT; 256]; 4];
    let mut value = 0;
    while value < ALPHABET.len() {
        let mut place = 0;
        while place < digits.len() {
            digits[place][ALPHABET[value] as usize] = (value as u32) << (6 * place);
            place += 1;
        }
        value += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_decode() {
        for (text, bytes) in [
            ("", ""),
            ("Zg", "f"),
            ("Zm8", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn what_has_no_room_is_not_decoded() {
        for len in 0..=9 {
            let (text, mut room) = ("A".repeat(len), [7; 9]);
            let fits = |decoded: Option<&[u8]>| decoded.map(<[u8]>::len);
            let needed = decoded_len(len);
            assert_eq!(fits(decode_to(&text, &mut room)), Base64UrlUnpadded::decode_vec(&text).ok().map(|bytes| bytes.len()));
            assert_eq!(needed.checked_sub(1).and_then(|less| fits(decode_to(&text, &mut room[..less]))), None, "{len}");
        }
    }

    #[test]
    fn bytes_are_written_as_an_independent_encoder_has_it() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        for len in 0..=bytes.len() {
            assert_eq!(encode(&bytes[..len]), Base64UrlUnpadded::encode_string(&bytes[..len]));
        }
    }

    #[test]
    fn every_short_text_decodes_as_an_independent_decoder_has_it() {
        let characters: Vec<char> = (0..=255_u8).map(char::from).collect();
        for first in ["", "QQ", "QUFB", "Q"] {
            for a in &characters {
                assert_eq!(decode(&format!("{first}{a}")), Base64UrlUnpadded::decode_vec(&format!("{first}{a}")).ok());
                for b in &characters {
                    let text = format!("{first}{a}{b}");
                    assert_eq!(decode(&text), Base64UrlUnpadded::decode_vec(&text).ok(), "{text:?}");
                }
            }
        }
    }
}
