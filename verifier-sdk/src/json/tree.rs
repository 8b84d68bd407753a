//! The same as a tree, for documents that are read once in a while and looked at from all sides.

use std::borrow::Cow;

use super::object::{self, Members};
use super::{JsonFault, Object as Flat};

/// A JSON value that borrows its strings from the input, unless they have escapes.
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

impl Value<'_> {
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

/// Reads `text` as one JSON object.
pub(crate) fn parse_object(text: &[u8]) -> Result<Object<'_>, JsonFault> {
    let flat = object::parse_object(text)?;
    Ok(branch(&flat, flat.members()))
}

fn branch<'t>(flat: &Flat<'t>, members: Members<'_>) -> Object<'t> {
    Object(members.map(|(name, item)| (string(flat, name), value(flat, item))).collect())
}

fn value<'t>(flat: &Flat<'t>, read: object::Value<'_>) -> Value<'t> {
    match read {
        object::Value::Null => Value::Null,
        object::Value::Bool(bool) => Value::Bool(bool),
        object::Value::Integer(integer) => Value::Integer(integer),
        object::Value::OtherNumber => Value::OtherNumber,
        object::Value::String(text) => Value::String(string(flat, text)),
        object::Value::Array(items) => Value::Array(items.map(|item| value(flat, item)).collect()),
        object::Value::Object(members) => Value::Object(branch(flat, members)),
    }
}

fn string<'t>(flat: &Flat<'t>, text: &str) -> Cow<'t, str> {
    flat.as_written(text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}
