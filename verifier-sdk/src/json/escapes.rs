//! What stands behind a backslash in a JSON string (RFC 8259, section 7). It is checked while a text is read, and worked out at the
//! same time.

/// Writes what a checked string means.
pub(super) fn unescape(written: &str, meant: &mut String) {
    let mut rest = written;
    while let Some((plain, escaped)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        let (character, length) = escape(escaped).unwrap_or((char::REPLACEMENT_CHARACTER, escaped.len()));
        meant.push_str(plain);
        meant.push(character);
        rest = escaped.get(length..).unwrap_or_default();
    }
    meant.push_str(rest);
}

/// The escape sequence that `text` begins with, and its length (RFC 8259, section 7). Half a surrogate pair is none.
pub(super) fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = code_unit(text)?;
            return match char::from_u32(first) {
                Some(character) => Some((character, UNIT_LEN)),
                None => {
                    let pair = [first, code_unit(text.get(UNIT_LEN..)?)?].map(|unit| unit as u16);
                    let mut characters = char::decode_utf16(pair);
                    Some((characters.next()?.ok()?, 2 * UNIT_LEN))
                }
            };
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// The length of `\u0000`.
const UNIT_LEN: usize = 6;

/// The UTF-16 code unit that `\u` and four hexadecimal digits stand for.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.get(..UNIT_LEN)?.strip_prefix("\\u")?;
    digits.chars().try_fold(0, |unit, digit| Some(unit << 4 | digit.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::super::{Value, parse_object};

    #[test]
    fn escapes_mean_what_rfc_8259_says() {
        for (written, meant) in [
            (r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r"\u0041\u00E9\u20ac", Some("Aé€")),
            (r"\ud83d\uDD11", Some("\u{1F511}")),
            (r"\ud83d", None),
            (r"\ud83dx", None),
            (r"\ud83d\n", None),
            (r"\ud83d\u0041", None),
            (r"\udd11\ud83d", None),
            (r"\u004", None),
            (r"\u00g1", None),
            (r"\u+041", None),
            (r"\u00é", None),
            (r"\x41", None),
            (r"\U0041", None),
        ] {
            let text = format!("{{\"a\":\"<{written}>\"}}");
            let object = parse_object(text.as_bytes()).ok();
            let found = object.as_ref().map(|object| object.get("a").and_then(Value::as_str).unwrap().to_owned());
            assert_eq!(found, meant.map(|meant| format!("<{meant}>")), "{written}");
        }
    }
}
