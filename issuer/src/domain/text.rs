//! How a checked text becomes a type. A value of such a type is proof that its `check` passed; requests, rows and the
//! configuration file all enter through the same door.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};

/// Makes a newtype over a text of which `$name::check(&str) -> Result<(), $error>` has approved.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $error:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(into = "String")]
        pub struct $name(std::borrow::Cow<'static, str>);

        impl $name {
            /// The text, byte for byte as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::check(&text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                text.to_owned().try_into()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                text.try_into()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::domain::text::deserialize_parsed(deserializer, "a text")
            }
        }

        impl From<$name> for String {
            fn from(checked: $name) -> Self {
                checked.0.into_owned()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Makes an enum whose variants have a text of their own in requests, rows and the configuration file.
macro_rules! named_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its text in requests, rows and the configuration file.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::domain::text::UnknownValue { known: &[$($text),+] }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use {checked_text, named_values};

/// Deserializes what is parsed from a text. The parser runs inside the visitor, where its error still gets the place of this very
/// text, be it one of many in an array.
pub(crate) fn deserialize_parsed<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Parse<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parse<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Parse(expected, PhantomData))
}

/// A text that names none of an enum's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value must be one of: {}", known.join(", "))]
pub struct UnknownValue {
    /// The texts that would have been understood.
    pub known: &'static [&'static str],
}

/// Whether a character has no place in a text of one line that people read: a control character, or one that turns the direction of
/// what follows or is invisible, by which one name reads as another.
pub(crate) fn is_misleading(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The characters that RFC 3986 lets a URI have: visible ASCII without delimiters, and `%` only before two hex digits.
pub(crate) fn is_uri_text(text: &str) -> bool {
    let escapes_are_whole = text.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    escapes_are_whole && text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte))
}

/// Cuts a URI after its scheme, which must be spelled in lower case (RFC 3986, section 3.1).
pub(crate) fn split_scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte);
    (scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(allowed)).then_some((scheme, rest))
}

/// The host of an authority without userinfo: what stands before the port, brackets included.
pub(crate) fn host_of(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    authority.get(..end).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_text_is_visible_ascii_with_whole_escapes() {
        for good in ["https://a/b?c=%20d", "urn:x:y", "a%00"] {
            assert!(is_uri_text(good), "{good}");
        }
        for bad in ["a b", "a\tb", "a\\b", "a%2", "a%", "a%zz", "é", "a|b", "a\u{7f}", "a\"b"] {
            assert!(!is_uri_text(bad), "{bad}");
        }
    }

    #[test]
    fn a_scheme_is_lower_case_and_starts_with_a_letter() {
        assert_eq!(split_scheme("com.app:/cb"), Some(("com.app", "/cb")));
        for bad in ["//app.example/cb", "HTTPS://a", "1a:b", ":x", "a b:c", ""] {
            assert_eq!(split_scheme(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_ends_before_its_port() {
        assert_eq!(
            [host_of("a.example"), host_of("a.example:8443"), host_of("[::1]:8080"), host_of("[::1]")],
            ["a.example", "a.example", "[::1]", "[::1]"]
        );
    }
}
