//! A user: a person with an account, and the mapped form of the name by which the account is found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::ids::UserId;
use super::profile::Profile;
use crate::clock::UnixTime;

/// The form of a user name under which an account is unique and found: NFKC, lower case, no space at its ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

/// Why a text cannot be a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Nothing was given.
    #[error("a user name is needed")]
    Empty,
    /// Longer than [`Username::LONGEST`] characters.
    #[error("a user name has at most 254 characters")]
    TooLong,
    /// Control characters or white space inside.
    #[error("a user name has no spaces or control characters")]
    BadCharacter,
}

impl Username {
    /// The longest name: that of an e-mail address.
    pub const LONGEST: usize = 254;

    /// Maps what a person typed.
    pub fn parse(typed: &str) -> Result<Self, UsernameError> {
        let typed = typed.trim();
        if typed.len() > Self::LONGEST * 4 {
            return Err(UsernameError::TooLong);
        }
        let mapped: String = typed.nfkc().flat_map(char::to_lowercase).nfkc().collect();
        if mapped.is_empty() {
            return Err(UsernameError::Empty);
        }
        if mapped.chars().count() > Self::LONGEST {
            return Err(UsernameError::TooLong);
        }
        if mapped.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UsernameError::BadCharacter);
        }
        Ok(Self(mapped))
    }

    /// The mapped form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `sub`.
    pub id: UserId,
    /// The mapped name.
    pub username: String,
    /// The claim `name`, where given.
    pub name: Option<String>,
    /// The claim `email`, where given.
    pub email: Option<String>,
    /// The claim `email_verified`; the server's alone to set.
    pub email_verified: bool,
    /// The claim `phone_number`, where given: E.164.
    pub phone_number: Option<String>,
    /// The claim `phone_number_verified`; the server's alone to set.
    pub phone_number_verified: bool,
    /// The other standard claims.
    pub profile: Profile,
    /// What this installation lets the user be, by name.
    pub roles: BTreeSet<String>,
    /// What else this installation says of the user.
    pub attributes: BTreeMap<String, Value>,
    /// May administer this issuer.
    pub administrator: bool,
    /// When the account was made.
    pub created_at: UnixTime,
    /// The claim `updated_at`: when what is said here last changed.
    pub updated_at: UnixTime,
    /// Since when the account may do nothing.
    pub disabled_at: Option<UnixTime>,
}

impl User {
    /// What pages call this person.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.username)
    }
}

/// Whether a text can be an e-mail address at all. Only a mail that arrives proves more.
pub fn plausible_email(text: &str) -> bool {
    text.len() <= 254
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_the_same_are_one_account() {
        for typed in ["Ada", " ada ", "ADA", "\u{FF21}da"] {
            assert_eq!(Username::parse(typed).unwrap().as_str(), "ada", "{typed:?}");
        }
    }

    #[test]
    fn impossible_names_are_refused() {
        for (typed, why) in [
            ("", UsernameError::Empty),
            ("  ", UsernameError::Empty),
            ("a b", UsernameError::BadCharacter),
            ("a\u{0}b", UsernameError::BadCharacter),
        ] {
            assert_eq!(Username::parse(typed).unwrap_err(), why, "{typed:?}");
        }
        assert_eq!(Username::parse(&"x".repeat(255)).unwrap_err(), UsernameError::TooLong);
    }

    #[test]
    fn an_email_has_two_sides() {
        assert!(plausible_email("ada@example.com"));
        assert!(!plausible_email("ada@") && !plausible_email("@x") && !plausible_email("ada") && !plausible_email("a b@c"));
    }
}
