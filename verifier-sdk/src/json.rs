//! JSON read strictly. Two parsers that disagree about a token are a hole (RFC 8725, section 2.7), so what readers commonly
//! disagree about — duplicate members, depth, odd numbers — is refused here, once for tokens and key sets.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may nest, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 16;

/// A JSON value that borrows its unescaped strings from the input.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(u64),
    OtherNumber,
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

impl<'a> Value<'a> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }
}

/// The members of an object in their order; no name occurs twice.
#[derive(Debug, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(member, value)| (&**member, value))
    }
}

/// What is wrong with a text that should be a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    NotAnObject,
    TooDeep,
    DuplicateMember,
}

/// Reads `text` as one JSON object.
pub(crate) fn parse_object(text: &[u8]) -> Result<Object<'_>, JsonFault> {
    let fault = Cell::new(JsonFault::NotAnObject);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Node { depth: 1, fault: &fault }.deserialize(&mut reader).map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonFault::NotAnObject)?;
    if let Value::Object(object) = value { Ok(object) } else { Err(JsonFault::NotAnObject) }
}

/// Up to so many members are compared pairwise, more through a hash set.
const FEW_MEMBERS: usize = 16;

/// What serde_json calls a number's only member where some crate in the program has switched `arbitrary_precision` on.
const NUMBER_IN_DISGUISE: &str = "$serde_json::private::Number";

#[derive(Clone, Copy)]
struct Node<'f> {
    depth: usize,
    fault: &'f Cell<JsonFault>,
}

impl Node<'_> {
    fn fail<E: serde::de::Error>(self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth > MAX_DEPTH {
            return Err(self.fail(JsonFault::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(u64::try_from(value).map_or(Value::OtherNumber, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut access: S) -> Result<Value<'de>, S::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut access: M) -> Result<Value<'de>, M::Error> {
        let inside = self.inside()?;
        let mut members: Vec<(Cow<'de, str>, Value<'de>)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(name) = access.next_key_seed(Name)? {
            let twice = if members.len() < FEW_MEMBERS {
                members.iter().any(|(member, _)| *member == name)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|(member, _)| member.clone()));
                }
                !seen.insert(name.clone())
            };
            if twice {
                return Err(self.fail(JsonFault::DuplicateMember));
            }
            let value = access.next_value_seed(inside)?;
            if members.is_empty() && name == NUMBER_IN_DISGUISE {
                let digits = value.as_str().ok_or_else(|| M::Error::custom("refused"))?;
                return Ok(digits.parse().map_or(Value::OtherNumber, Value::Integer));
            }
            members.push((name, value));
        }
        Ok(Value::Object(Object(members)))
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn v36_v68_duplicate_members_are_refused_at_any_depth_and_in_any_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":{"a":1,"a":2}}"#, r#"{"b":[[{"x":1,"\u0078":2}]]}"#] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonFault::DuplicateMember), "{text}");
        }
        let many: Vec<_> = (0..200).map(|i| format!("\"m{}\":0", i % 199)).collect();
        assert_eq!(parse_object(format!("{{{}}}", many.join(",")).as_bytes()), Err(JsonFault::DuplicateMember));
        let many: Vec<_> = (0..200).map(|i| format!("\"m{i}\":0")).collect();
        assert!(parse_object(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn v70_depth_is_bounded() {
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        for depth in [MAX_DEPTH + 1, 128, 100_000] {
            assert_eq!(parse_object(nested(depth).as_bytes()), Err(JsonFault::TooDeep), "{depth}");
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
        assert_eq!(parse_object(objects.as_bytes()), Err(JsonFault::TooDeep));
    }

    #[test]
    fn v37_what_is_not_a_json_object_is_refused() {
        let texts: [&[u8]; 20] = [
            b"",
            b"[]",
            b"\"a\"",
            b"1",
            b"null",
            b"{",
            b"{\"a\":1",
            b"{\"a\":1,}",
            b"{\"a\":1}x",
            b"{}{}",
            b"{\"a\":NaN}",
            b"{/**/}",
            b"\xef\xbb\xbf{}",
            b"{\0}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":01}",
            b"{'a':1}",
            b"{\"a\":1e999}",
            b"{\"a\":\"\n\"}",
        ];
        for text in texts {
            assert_eq!(parse_object(text), Err(JsonFault::NotAnObject), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse_object(&[0xff, 0xfe, b'{', 0, b'}', 0]), Err(JsonFault::NotAnObject));
    }

    #[test]
    fn only_unsigned_integers_count_as_integers() {
        let object = parse_object(br#" { "a" : 18446744073709551615, "b": 1.0, "c": -1, "d": 18446744073709551616 } "#).unwrap();
        assert_eq!(object.get("a"), Some(&Value::Integer(u64::MAX)));
        for name in ["b", "c", "d"] {
            assert_eq!(object.get(name), Some(&Value::OtherNumber), "{name}");
        }
    }

    #[test]
    fn a_number_is_known_in_the_form_that_arbitrary_precision_gives_it() {
        let object = parse_object(br#"{"a":{"$serde_json::private::Number":"17"}}"#).unwrap();
        assert_eq!(object.get("a"), Some(&Value::Integer(17)));
    }

    #[test]
    fn v69_names_that_mean_something_elsewhere_are_plain_data() {
        let object = parse_object(br#"{"__proto__":{"exp":1},"constructor":2}"#).unwrap();
        assert_eq!((object.get("exp"), object.get("constructor")), (None, Some(&Value::Integer(2))));
    }
}
