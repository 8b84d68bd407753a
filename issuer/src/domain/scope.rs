//! Scopes: what a client may ask for. A set of them is kept in one order, so that equal sets read the same everywhere.

use std::borrow::Cow;
use std::collections::{BTreeSet, btree_set};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::text::checked_text;

checked_text!(
    /// One scope-token (RFC 6749, section 3.3), at most 128 bytes.
    Scope,
    InvalidScope
);

impl Scope {
    /// Asks for an ID token (OpenID Connect Core, section 3.1.2.1).
    pub const OPENID: Self = Self(Cow::Borrowed("openid"));
    /// Names, picture and the like (OpenID Connect Core, section 5.4).
    pub const PROFILE: Self = Self(Cow::Borrowed("profile"));
    /// The e-mail address (OpenID Connect Core, section 5.4).
    pub const EMAIL: Self = Self(Cow::Borrowed("email"));
    /// The postal address (OpenID Connect Core, section 5.4).
    pub const ADDRESS: Self = Self(Cow::Borrowed("address"));
    /// The phone number (OpenID Connect Core, section 5.4).
    pub const PHONE: Self = Self(Cow::Borrowed("phone"));
    /// A refresh token that outlives the browser session (OpenID Connect Core, section 11).
    pub const OFFLINE_ACCESS: Self = Self(Cow::Borrowed("offline_access"));
    /// The scopes with a meaning of their own; every other one is an application's and is declared in the configuration.
    pub const STANDARD: [Self; 6] = [Self::OPENID, Self::PROFILE, Self::EMAIL, Self::ADDRESS, Self::PHONE, Self::OFFLINE_ACCESS];

    fn check(text: &str) -> Result<(), InvalidScope> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) { Ok(()) } else { Err(InvalidScope) }
    }
}

/// The text is no scope-token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope has 1 to 128 visible ASCII characters, without spaces, quotes and backslashes")]
pub struct InvalidScope;

/// A set of scopes in alphabetical order; as text, separated by single spaces.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Whether the scope is in the set.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// What is in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        self.0.intersection(&other.0).cloned().collect()
    }

    /// Whether the other set has all of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether the set has no scope.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in alphabetical order.
    pub fn iter(&self) -> btree_set::Iter<'_, Scope> {
        self.0.iter()
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    /// Reads scope-tokens between spaces. More than one space is forgiven, as clients join what may be empty.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        text.split(' ').filter(|token| !token.is_empty()).map(Scope::try_from).collect()
    }
}

impl TryFrom<&str> for ScopeSet {
    type Error = InvalidScope;

    fn try_from(text: &str) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = btree_set::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({self})")
    }
}

/// A scope set as tokens and answers write it: one string, names separated by spaces (RFC 6749 section 3.3, RFC 9068 section
/// 2.2.3). For `#[serde(with = "…")]`.
pub mod spaced {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::ScopeSet;

    /// Writes the string.
    pub fn serialize<S: Serializer>(scopes: &ScopeSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(scopes)
    }

    /// Reads the string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ScopeSet, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_scope_has_the_characters_of_rfc_6749_and_no_others() {
        for good in ["openid", "orders:read", "https://api.example/read", "!", "[~]", "a'b"] {
            assert_eq!(Scope::try_from(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\tb", "a\nb", "é", "a\0", &"a".repeat(129)] {
            assert_eq!(Scope::try_from(bad), Err(InvalidScope), "{bad:?}");
        }
    }

    #[test]
    fn a_set_reads_the_same_whatever_the_order_and_the_repetitions() {
        assert_eq!(set("profile openid  profile ").to_string(), "openid profile");
        assert_eq!(set("b a"), set("a b"));
        assert!(set("").is_empty() && set("   ").is_empty());
        assert!(ScopeSet::from_str("openid\tprofile").is_err());
    }

    #[test]
    fn sets_meet_and_contain() {
        let (some, all) = (set("openid email"), set("openid profile email"));
        assert!(some.is_subset(&all) && !all.is_subset(&some) && ScopeSet::default().is_subset(&some));
        assert_eq!(all.intersection(&set("email orders:read")), set("email"));
        assert!(some.contains(&Scope::OPENID) && !some.contains(&Scope::OFFLINE_ACCESS));
    }

    #[test]
    fn json_is_a_checked_list() {
        assert_eq!(serde_json::to_string(&set("b a")).unwrap(), r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<ScopeSet>(r#"["b","a"]"#).unwrap(), set("a b"));
        assert!(serde_json::from_str::<ScopeSet>(r#"["a b"]"#).is_err());
    }
}
