//! The parameters of a request, parsed once and strictly: each name at most once (RFC 6749, section 3.1), an empty value
//! counting as absent.

/// Decoded parameters.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl std::fmt::Debug for Params {
    /// Names only: values may be passwords, codes and tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Why parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A name that stands more than once.
    #[error("the parameter {0} is given more than once")]
    Repeated(String),
    /// More parameters than any request has.
    #[error("there are too many parameters")]
    TooMany,
    /// Percent-encoded bytes that are no text, or a NUL, which Postgres takes for none.
    #[error("the parameters are not valid UTF-8 text")]
    NotText,
}

impl Params {
    const MOST: usize = 100;

    /// Parses `application/x-www-form-urlencoded` bytes: a query or a body.
    pub fn parse(encoded: &[u8]) -> Result<Self, ParamsError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if pairs.len() == Self::MOST {
                return Err(ParamsError::TooMany);
            }
            // The decoder replaces what is not UTF-8; a replacement that the sender did not write means it was none.
            if [&name, &value].iter().any(|text| text.contains(['\u{FFFD}', '\0'])) {
                return Err(ParamsError::NotText);
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        for (at, (name, _)) in pairs.iter().enumerate() {
            // `resource` alone may stand several times (RFC 8707, section 2).
            if name != "resource" && pairs.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(ParamsError::Repeated(printable(name)));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that may stand several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether the name stands at all, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// What of a stranger's text may stand in an `error_description`: printable ASCII without quote and backslash
/// (RFC 6749, section 5.2), cut to a length.
pub fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if (' '..='~').contains(&c) && c != '"' && c != '\\' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_except_resource() {
        assert_eq!(Params::parse(b"a=1&b=2&a=3").unwrap_err(), ParamsError::Repeated("a".into()));
        assert_eq!(Params::parse(b"a=1&%61=1").unwrap_err(), ParamsError::Repeated("a".into()));
        let params = Params::parse(b"resource=x&resource=y").unwrap();
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn empty_counts_as_absent_but_is_seen() {
        let params = Params::parse(b"state=&scope=a+b").unwrap();
        assert_eq!((params.get("state"), params.has("state"), params.get("scope")), (None, true, Some("a b")));
    }

    #[test]
    fn floods_and_broken_text_are_refused() {
        assert_eq!(Params::parse("a&".repeat(101).as_bytes()).unwrap_err(), ParamsError::TooMany);
        assert_eq!(Params::parse(b"a=%ff").unwrap_err(), ParamsError::NotText);
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", Params::parse(b"password=hunter2").unwrap()), r#"["password"]"#);
    }

    #[test]
    fn a_strangers_text_is_made_printable() {
        assert_eq!(printable("a\"b\\c\r\nd\u{e9}"), "a?b?c??d?");
        assert_eq!(printable(&"x".repeat(100)).len(), 64);
    }
}
