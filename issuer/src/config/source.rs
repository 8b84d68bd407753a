//! The file and the environment as one tree of values that remembers where each of them was given.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};

/// The tree. A value out of the file has its bytes as span; one out of the environment has a span behind the file's end, whose
/// distance from it is the variable's number.
pub(super) struct Source<'a> {
    file: Option<(&'a Path, &'a str)>,
    variables: Vec<String>,
    tree: Spanned<DeTable<'a>>,
}

/// One step from a table or an array to a value in it.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    At(usize),
}

/// The tables that only the file can fill: their keys are data, which the name of a variable could not spell.
const FILE_ONLY: [&str; 3] = ["scopes", "resources", "clients"];

impl<'a> Source<'a> {
    /// The file's values.
    pub(super) fn parse(file: Option<(&'a Path, &'a str)>) -> Result<Self, ConfigError> {
        let (tree, errors) = DeTable::parse_recoverable(file.map_or("", |(_, text)| text));
        let source = Self { file, variables: Vec::new(), tree };
        match errors.into_iter().next() {
            None => Ok(source),
            Some(error) => Err(source.explain(&error)),
        }
    }

    /// Puts the variable `PASSANT_KEYS__PERIOD` in the place of the file's `keys.period`.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), ConfigError> {
        let span = self.variable_span(name);
        let path = name.strip_prefix("PASSANT_").unwrap_or(name).to_ascii_lowercase();
        let refuse = |reason: &str| ConfigError {
            place: Place::Variable(name.to_owned()),
            key: path.replace("__", "."),
            reason: reason.to_owned(),
        };
        let steps: Vec<&str> = path.split("__").collect();
        if steps.first().is_some_and(|first| FILE_ONLY.contains(first)) {
            return Err(refuse("this is declared in the configuration file only"));
        }
        let key = |text: &str| Spanned::new(span.clone(), Cow::Owned(text.to_owned()));
        let value = Spanned::new(span.clone(), DeValue::String(Cow::Owned(value)));
        match *steps.as_slice() {
            [name] => put(self.tree.get_mut(), key(name), value),
            [section, name] => {
                let empty = || Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
                match self.tree.get_mut().entry(key(section)).or_insert_with(empty).get_mut() {
                    DeValue::Table(table) => put(table, key(name), value),
                    _ => return Err(refuse("the configuration file has a value where this names a section")),
                }
            }
            _ => return Err(refuse("no such key")),
        }
        Ok(())
    }

    /// Takes a value out, so that another one can stand for it.
    pub(super) fn remove(&mut self, section: &str, name: &str) {
        if let Some(DeValue::Table(table)) = self.tree.get_mut().get_mut(section).map(Spanned::get_mut) {
            table.remove(name);
        }
    }

    /// The text at a path, if there is one.
    pub(super) fn text(&self, path: &[Step<'_>]) -> Option<&str> {
        self.find(path)?.as_str()
    }

    /// The number of values in the array at a path.
    pub(super) fn len(&self, path: &[Step<'_>]) -> usize {
        self.find(path).and_then(DeValue::as_array).map_or(0, |array| array.len())
    }

    /// Whether there is a value at the path.
    pub(super) fn has(&self, path: &[Step<'_>]) -> bool {
        self.find(path).is_some()
    }

    /// All values as a type.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(toml::de::Deserializer::from(self.tree.clone())).map_err(|error| self.explain(&error))
    }

    /// An error about the value at a path, or about the nearest table around it when it was not given.
    pub(super) fn fault(&self, path: &[Step<'_>], reason: impl ToString) -> ConfigError {
        let mut place = Place::Nowhere;
        let mut at = Node::Table(self.tree.get_ref());
        for step in path {
            let Some((span, next)) = at.step(*step) else { break };
            place = self.place(&span);
            at = next;
        }
        let keys: Vec<&str> = path.iter().filter_map(|step| if let Step::Key(key) = step { Some(*key) } else { None }).collect();
        ConfigError { place, key: keys.join("."), reason: reason.to_string() }
    }

    fn find(&self, path: &[Step<'_>]) -> Option<&DeValue<'a>> {
        let mut at = Node::Table(self.tree.get_ref());
        for step in path {
            at = at.step(*step)?.1;
        }
        if let Node::Value(value) = at { Some(value) } else { None }
    }

    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let mut key = Vec::new();
        keys_at(self.tree.get_ref(), span.start, &mut key);
        let reason = match error.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            Some(missing) => {
                key.push(missing);
                "this key is missing".to_owned()
            }
            None => without_value(error.message()).replacen("unknown field", "unknown key", 1),
        };
        let key = if key.is_empty() { self.key_on_line(span.start).to_owned() } else { key.join(".") };
        ConfigError { place: self.place(&span), key, reason }
    }

    /// What stands before the `=` on a line that was not understood and is therefore not in the tree.
    fn key_on_line(&self, byte: usize) -> &str {
        let (before, rest) = self.file.and_then(|(_, text)| text.split_at_checked(byte)).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let key = before.get(start..).and_then(|line| line.split_once('=')).or_else(|| rest.lines().next()?.split_once('='));
        let is_key = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        key.map(|(key, _)| key.trim()).filter(is_key).unwrap_or_default()
    }

    fn variable_span(&mut self, name: &str) -> Range<usize> {
        let start = self.end() + 1 + self.variables.len();
        self.variables.push(name.to_owned());
        start..start + 1
    }

    fn place(&self, span: &Range<usize>) -> Place {
        if let Some(name) = span.start.checked_sub(self.end() + 1).and_then(|number| self.variables.get(number)) {
            return Place::Variable(name.clone());
        }
        match self.file {
            None => Place::Nowhere,
            Some((path, text)) => {
                let before = text.as_bytes().iter().take(span.start);
                Place::File { path: path.to_owned(), line: 1 + before.filter(|byte| **byte == b'\n').count() }
            }
        }
    }

    fn end(&self) -> usize {
        self.file.map_or(0, |(_, text)| text.len())
    }
}

#[derive(Clone, Copy)]
enum Node<'t, 'a> {
    Table(&'t DeTable<'a>),
    Value(&'t DeValue<'a>),
}

impl<'t, 'a> Node<'t, 'a> {
    fn step(self, step: Step<'_>) -> Option<(Range<usize>, Self)> {
        let spanned = match (self, step) {
            (Self::Table(table) | Self::Value(DeValue::Table(table)), Step::Key(key)) => table.get(key)?,
            (Self::Value(DeValue::Array(array)), Step::At(index)) => array.get(index)?,
            _ => return None,
        };
        Some((spanned.span(), Self::Value(spanned.get_ref())))
    }
}

/// Inserts a pair; the map itself would keep the old key, and with it the old place.
fn put<'a>(table: &mut DeTable<'a>, key: Spanned<Cow<'a, str>>, value: Spanned<DeValue<'a>>) {
    table.remove(&key);
    table.insert(key, value);
}

/// Collects the keys that lead to the byte of the file, and says whether there are any.
fn keys_at<'t>(table: &'t DeTable<'_>, byte: usize, keys: &mut Vec<&'t str>) -> bool {
    table.iter().any(|(key, value)| {
        keys.push(key.get_ref());
        let found = inside(value, byte, keys) || key.span().contains(&byte) || value.span().contains(&byte);
        if !found {
            keys.pop();
        }
        found
    })
}

fn inside<'t>(value: &'t Spanned<DeValue<'_>>, byte: usize, keys: &mut Vec<&'t str>) -> bool {
    match value.get_ref() {
        DeValue::Table(table) => keys_at(table, byte, keys),
        DeValue::Array(array) => array.iter().any(|element| inside(element, byte, keys) || element.span().contains(&byte)),
        _ => false,
    }
}

/// Serde repeats a text that it expected to be something else; it may have been a password.
fn without_value(message: &str) -> String {
    match (message.strip_prefix("invalid type: string \""), message.rsplit_once("\", expected ")) {
        (Some(_), Some((_, expected))) => format!("this is a text, but expected is {expected}"),
        _ => message.to_owned(),
    }
}
