//! What a command says in the end, to people or to programs, and its exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

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

/// Why a command did not do what it was asked: one sentence and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// What was asked cannot be done: code 1.
    pub(super) fn new(sentence: impl Display) -> Self {
        Self { sentence: sentence.to_string(), code: 1 }
    }

    /// What was configured is wrong, and nothing was applied: code 2.
    pub(super) fn settings(sentence: impl Display) -> Self {
        Self { sentence: sentence.to_string(), code: 2 }
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
        Err(Failure { sentence, code }) => {
            if json {
                failed(&sentence).say(true);
            }
            let _ = writeln!(io::stderr(), "passant: {sentence}");
            ExitCode::from(code)
        }
    }
}

/// Help, the version, or why the arguments cannot be understood.
pub(super) fn not_understood(refusal: &clap::Error, json: bool) -> ExitCode {
    if json && refusal.use_stderr() {
        let text = refusal.to_string();
        failed(text.lines().next().unwrap_or_default().trim_start_matches("error: ")).say(true);
    }
    let _ = refusal.print();
    ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2))
}

fn failed(sentence: &str) -> Answer {
    Answer { document: json!({ "error": sentence }), text: String::new() }
}

/// Rows under their headings, in columns as wide as their widest cell.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let lines: Vec<&[String; N]> = std::iter::once(&headings).chain(rows).collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let print = |line: &[String; N]| {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.into_iter().map(print).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["é".to_owned(), "x".to_owned()], ["wider".to_owned(), String::new()]];
        assert_eq!(table(["A", "B"], &rows), "A      B\né      x\nwider");
    }
}
