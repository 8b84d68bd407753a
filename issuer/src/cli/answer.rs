//! What a command says in the end, to people or to programs, and its exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use crate::domain::text::is_misleading;

/// A command's answer in both forms.
pub(super) struct Answer {
    /// For programs: one JSON document.
    pub(super) document: Value,
    /// For people.
    pub(super) text: String,
}

impl Answer {
    /// Writes the form that was asked for to standard output. A reader that has gone away is no failure.
    pub(super) fn say(&self, json: bool) {
        let mut out = io::stdout().lock();
        let text = if json { self.document.to_string() } else { self.text.clone() };
        let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    }
}

/// Why a command did not do what it was asked: one sentence, the exit code, and what programs should know beside it.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    code: u8,
    beside: Map<String, Value>,
}

impl Failure {
    /// What was asked cannot be done: code 1.
    pub(super) fn new(sentence: impl Display) -> Self {
        Self { sentence: sentence.to_string(), code: 1, beside: Map::new() }
    }

    /// Arguments, input or configuration are wrong whatever the database holds, and nothing was applied: code 2.
    pub(super) fn wrong(sentence: impl Display) -> Self {
        Self { code: 2, ..Self::new(sentence) }
    }

    /// With what was done all the same, for programs.
    pub(super) fn beside(mut self, key: &str, value: Value) -> Self {
        self.beside.insert(key.to_owned(), value);
        self
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// Says how it ended. A command that has said everything itself, such as `serve`, has no answer left.
pub(super) fn end(outcome: Result<Option<Answer>, Failure>, json: bool) -> ExitCode {
    match outcome {
        Ok(answer) => {
            if let Some(answer) = answer {
                answer.say(json);
            }
            ExitCode::SUCCESS
        }
        Err(Failure { sentence, code, beside }) => {
            if json {
                failed(&sentence, beside).say(true);
            }
            let _ = writeln!(io::stderr(), "passant: {sentence}");
            ExitCode::from(code)
        }
    }
}

/// Help, the version, or why the arguments cannot be understood.
pub(super) fn not_understood(refusal: &clap::Error, json: bool) -> ExitCode {
    if json && refusal.use_stderr() {
        failed(&in_one_sentence(&refusal.to_string()), Map::new()).say(true);
    }
    let _ = refusal.print();
    ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2))
}

/// What clap says before its hints: `error: the following … were not provided:`, and then the arguments, a line each.
fn in_one_sentence(said: &str) -> String {
    let lines = said.trim_start_matches("error: ").lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn failed(sentence: &str, mut beside: Map<String, Value>) -> Answer {
    beside.insert("error".to_owned(), json!(sentence));
    Answer { document: Value::Object(beside), text: String::new() }
}

/// Rows under their headings, in columns as wide as their widest cell; a column in which no row says anything is left out.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let none = if rows.is_empty() { "\n(none)" } else { "" };
    let rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(|cell| shown(&cell))).collect();
    let said = |column: usize| rows.is_empty() || rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()));
    let headings = headings.map(str::to_owned);
    let lines: Vec<&[String; N]> = std::iter::once(&headings).chain(&rows).collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let print = |line: &[String; N]| {
        let cells = line.iter().zip(&widths).enumerate().filter(|(column, _)| said(*column));
        let cells: Vec<String> =
            cells.map(|(_, (cell, width))| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.into_iter().map(print).collect::<Vec<_>>().join("\n") + none
}

/// A value on one line: a text without its quotes, a list and a map by their items.
pub(super) fn in_words(value: &Value) -> String {
    let words = match value {
        Value::Null => String::new(),
        Value::String(text) => shown(&text.replace('\n', ", ")),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_words).collect();
            items.join(if items.iter().any(|item| item.contains(' ')) { ", " } else { " " })
        }
        Value::Object(keys) => {
            keys.iter().map(|(key, value)| format!("{} {}", shown(key), in_words(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    if words.is_empty() { "—".to_owned() } else { words }
}

/// A text that others chose, in one line of a terminal: what would steer it or mislead who reads it is spelled out.
pub(super) fn shown(text: &str) -> String {
    let spelled = |c: char| if is_misleading(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = |rows: &[[&str; 2]]| rows.iter().map(|row| row.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(table(["A", "B"], rows(&[["é", "x"], ["wider", ""]])), "A      B\né      x\nwider");
        assert_eq!(table(["A", "B"], rows(&[["名", "x"], ["abc", "y"]])), "A    B\n名   x\nabc  y");
        assert_eq!(table(["A", "B"], rows(&[["", "x"]])), "B\nx");
        assert_eq!(table(["A", "B"], rows(&[])), "A  B\n(none)");
    }

    #[test]
    fn a_value_is_said_in_words() {
        for (value, words) in [
            (json!(null), "—"),
            (json!([]), "—"),
            (json!({}), "—"),
            (json!(["openid", "email"]), "openid email"),
            (json!(["New York", "Paris"]), "New York, Paris"),
            (json!("1 Street\nLondon"), "1 Street, London"),
            (json!({ "access_token": "10m", "x": true }), "access_token 10m, x true"),
            (
                json!({ "dept": { "from": "attributes.dept", "carried_by": ["id_token"] } }),
                "dept from attributes.dept, carried_by id_token",
            ),
        ] {
            assert_eq!(in_words(&value), words);
        }
    }

    #[test]
    fn what_others_chose_does_not_steer_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c é"), "a\\u{1b}[2Jb\\u{202e}c é");
    }

    #[test]
    fn what_is_missing_is_named_in_one_sentence() {
        let said = "error: the following required arguments were not provided:\n  --name <NAME>\n  <ID>\n\nUsage: x\n";
        assert_eq!(in_one_sentence(said), "the following required arguments were not provided: --name <NAME> <ID>");
    }
}
