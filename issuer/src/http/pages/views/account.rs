//! What the signed-in page and its password page are given.

use std::fmt;

use askama::Template;

use super::{Frame, busy, too_many};
use crate::domain::said::Said;

/// `GET /` for somebody who is signed in.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the session.
    pub(crate) csrf: &'a str,
    /// What was just done, to be said once.
    pub(crate) said: Option<Said>,
    /// The person's name.
    pub(crate) name: &'a str,
    /// The user name.
    pub(crate) username: &'a str,
    /// The e-mail address, where there is one.
    pub(crate) email: Option<&'a str>,
    /// Where the person is signed in; this browser first.
    pub(crate) sessions: &'a [SessionLine],
    /// What may act for them.
    pub(crate) applications: &'a [ApplicationLine],
}

/// A browser in which somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionLine {
    /// `sid`.
    pub(crate) id: String,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    /// Whether it is the one that shows the page.
    pub(crate) here: bool,
    /// Where it came from.
    pub(crate) address: Option<String>,
    /// When it signed in, in words.
    pub(crate) since: String,
    /// When it was last used, in words.
    pub(crate) seen: String,
}

/// An application that was allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationLine {
    /// `client_id`.
    pub(crate) id: String,
    /// Its registered name.
    pub(crate) name: String,
    /// What it may do, in words.
    pub(crate) allowed: String,
    /// Since when, in words.
    pub(crate) since: String,
    /// Whether it keeps access while the person is away.
    pub(crate) offline: bool,
}

/// `GET /account/password` and, with a problem, the answer to its form.
#[derive(Template)]
#[template(path = "change_password.html")]
pub(crate) struct ChangePassword<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the session.
    pub(crate) csrf: &'a str,
    /// The user name, so that the browser's store of passwords knows whose is changed.
    pub(crate) username: &'a str,
    /// The fewest characters a password may have.
    pub(crate) least_password: usize,
    /// Why the page is shown again.
    pub(crate) problem: Option<ChangeProblem>,
}

impl ChangePassword<'_> {
    fn form_problem(&self) -> Option<ChangeProblem> {
        self.problem.filter(|problem| problem.field().is_none())
    }

    fn problem_of(&self, field: &str) -> Option<String> {
        self.problem.filter(|problem| problem.field() == Some(field)).map(|problem| problem.to_string())
    }

    fn focus(&self, field: &str) -> bool {
        self.problem.and_then(ChangeProblem::field).unwrap_or("current") == field
    }

    fn password_hint(&self) -> String {
        format!("At least {} characters; a sentence of several words is good.", self.least_password)
    }
}

/// Why a password was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeProblem {
    /// The current password was left empty.
    CurrentEmpty,
    /// The current password is another.
    CurrentWrong,
    /// The new password has fewer characters than this.
    NewTooShort {
        /// The fewest there may be.
        least: usize,
    },
    /// The new password is longer than the hash is given.
    NewTooLong,
    /// The new password is the old one.
    NewIsOld,
    /// Too many attempts failed before (429).
    TooMany {
        /// Seconds until another attempt is looked at.
        retry_after: u64,
    },
    /// The password gate is full (503).
    Busy {
        /// Seconds until another attempt makes sense.
        retry_after: u64,
    },
}

impl ChangeProblem {
    /// The field that the problem concerns; none when it concerns the form as a whole.
    fn field(self) -> Option<&'static str> {
        match self {
            Self::CurrentEmpty | Self::CurrentWrong => Some("current"),
            Self::NewTooShort { .. } | Self::NewTooLong | Self::NewIsOld => Some("new"),
            Self::TooMany { .. } | Self::Busy { .. } => None,
        }
    }
}

impl fmt::Display for ChangeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CurrentEmpty => f.write_str("Enter your current password."),
            Self::CurrentWrong => f.write_str("This is not your current password."),
            Self::NewTooShort { least } => write!(f, "Use at least {least} characters for the new password."),
            Self::NewTooLong => f.write_str("This password is longer than we can take. Use a shorter one."),
            Self::NewIsOld => f.write_str("This is the password you have. Choose another."),
            Self::TooMany { retry_after } => too_many(f, *retry_after),
            Self::Busy { retry_after } => busy(f, "requests", *retry_after),
        }
    }
}

/// Both pages, normal and wrong, for the tests of all pages.
#[cfg(test)]
pub(super) fn samples(frame: &Frame, text: &str) -> Vec<(&'static str, bool, askama::Result<String>)> {
    let line = |here| SessionLine {
        id: text.into(),
        browser: text.into(),
        here,
        address: Some(text.into()),
        since: "21 November 2026, 09:14 UTC".into(),
        seen: "just now".into(),
    };
    let application = |offline| ApplicationLine {
        id: text.into(),
        name: text.into(),
        allowed: text.into(),
        since: "21 November 2026".into(),
        offline,
    };
    let account = |said, sessions: &[SessionLine], applications: &[ApplicationLine]| {
        Account { frame, csrf: text, said, name: text, username: text, email: Some(text), sessions, applications }.render()
    };
    let mut all = vec![
        ("account alone", false, account(None, &[line(true)], &[])),
        ("account", false, account(None, &[line(true), line(false)], &[application(true), application(false)])),
    ];
    all.extend(Said::ALL.iter().map(|said| ("account said", false, account(Some(*said), &[line(true)], &[]))));
    let change = |problem| ChangePassword { frame, csrf: text, username: text, least_password: 15, problem }.render();
    all.push(("change_password", false, change(None)));
    for problem in [
        ChangeProblem::CurrentEmpty,
        ChangeProblem::CurrentWrong,
        ChangeProblem::NewTooShort { least: 15 },
        ChangeProblem::NewTooLong,
        ChangeProblem::NewIsOld,
        ChangeProblem::TooMany { retry_after: 900 },
        ChangeProblem::Busy { retry_after: 5 },
    ] {
        all.push(("change_password wrong", true, change(Some(problem))));
    }
    all
}
