//! Hostile text made fit for a log: escaped to printable ASCII and cut, so that a token can neither forge a line nor flood one.

const SHOWN_CHARS: usize = 64;

/// At most 64 characters of `hostile`, escaped.
pub(crate) fn escaped(hostile: &str) -> String {
    let mut shown: String = hostile.chars().take(SHOWN_CHARS).flat_map(char::escape_default).collect();
    if hostile.chars().nth(SHOWN_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}
