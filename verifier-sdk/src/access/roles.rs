//! Finds the roles in a verified payload without building a tree of it. Members are unique there, or the token would not have
//! been verified, so the first that fits is the only one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The roles that lie at `path`; none where it leads to nothing that could be roles.
pub(super) fn at(path: &[String], payload: &[u8]) -> Vec<String> {
    Walk(path).deserialize(&mut serde_json::Deserializer::from_slice(payload)).unwrap_or_default()
}

/// The way that is left.
struct Walk<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        if self.0.is_empty() { deserializer.deserialize_any(Roles) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object on the way to the roles")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut access: M) -> Result<Vec<String>, M::Error> {
        let mut found = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            match self.0.split_first() {
                Some((wanted, rest)) if *wanted == name => found = access.next_value_seed(Walk(rest))?,
                _ => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// One role, or an array of them.
struct Roles;

impl<'de> Visitor<'de> for Roles {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role or an array of roles")
    }

    fn visit_str<E>(self, role: &str) -> Result<Vec<String>, E> {
        Ok(vec![role.to_owned()])
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut access: S) -> Result<Vec<String>, S::Error> {
        let mut roles = Vec::new();
        while let Some(role) = access.next_element::<Role>()? {
            roles.push(role.into_value());
        }
        Ok(roles)
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Role {
    Plain(String),
    Scim { value: String },
}

impl Role {
    fn into_value(self) -> String {
        match self {
            Self::Plain(value) | Self::Scim { value } => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &[&str], payload: &str) -> Vec<String> {
        at(&path.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), payload.as_bytes())
    }

    #[test]
    fn roles_are_found_where_the_path_leads_and_nowhere_else() {
        let payload = r#"{"roles":["a","b"],"realm_access":{"x":1,"roles":["c"]},"https://x.example/roles":["d"],
            "scim":[{"value":"e","display":"E"},"f"],"one":"g h"}"#;
        assert_eq!(found(&["roles"], payload), ["a", "b"]);
        assert_eq!(found(&["realm_access", "roles"], payload), ["c"]);
        assert_eq!(found(&["https://x.example/roles"], payload), ["d"]);
        assert_eq!(found(&["scim"], payload), ["e", "f"]);
        assert_eq!(found(&["one"], payload), ["g h"], "one string is one role");
        for path in [&["groups"][..], &["realm_access"], &["roles", "roles"], &["one", "roles"], &["realm_access", "x"], &[]] {
            assert_eq!(found(path, payload), [""; 0], "{path:?}");
        }
    }

    #[test]
    fn an_array_that_holds_anything_but_roles_holds_none() {
        for odd in [r#"["admin",1]"#, r#"[["admin"]]"#, "null", "true", r#"{"admin":true}"#, r#"["admin",{"value":1}]"#] {
            assert_eq!(found(&["roles"], &format!("{{\"roles\":{odd}}}")), [""; 0], "{odd}");
        }
    }
}
