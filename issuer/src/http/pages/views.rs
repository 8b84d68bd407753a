//! What each page is given: one typed context a template, so that a page cannot be rendered with a value missing or of the wrong
//! kind. The sentences that people read about a problem live here too, each in one exhaustive match.

mod account;
mod times;

use std::fmt;

use askama::Template;

pub(crate) use self::account::{Account, ApplicationLine, ChangePassword, ChangeProblem, SessionLine};
pub(crate) use self::times::{ago, day, moment};
use crate::domain::said::Said;

/// What every page shows around its content: the issuer's name and the hallmark.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The issuer's host, with its port when it is not the scheme's own: `auth.example.com`.
    pub(crate) issuer_host: String,
    /// The issuer's origin: `https://auth.example.com`.
    pub(crate) issuer_origin: String,
    /// The lowercase date letter of the key that signs today.
    pub(crate) date_letter: char,
}

/// The application on whose behalf a page is shown. The name is its own words, and is isolated from the text around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLine<'a> {
    /// The registered name.
    pub(crate) name: &'a str,
    /// The host of the redirect URI that the answer goes to.
    pub(crate) host: &'a str,
}

/// `GET /login` and, with a problem, the answer to `POST /login`.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the pre-login session.
    pub(crate) csrf: &'a str,
    /// The handle of the authorization request that waits, if one does.
    pub(crate) request: Option<&'a str>,
    /// The application that asked, if one did.
    pub(crate) client: Option<ClientLine<'a>>,
    /// What was typed before, or the request's `login_hint`; empty otherwise.
    pub(crate) username: &'a str,
    /// Why the page is shown again.
    pub(crate) problem: Option<SignInProblem>,
}

impl SignIn<'_> {
    fn blames_username(&self) -> bool {
        use SignInProblem::{EmptyBoth, EmptyUsername, NoMatch};
        matches!(self.problem, Some(NoMatch | EmptyUsername | EmptyBoth))
    }

    fn blames_password(&self) -> bool {
        use SignInProblem::{EmptyBoth, EmptyPassword, NoMatch};
        matches!(self.problem, Some(NoMatch | EmptyPassword | EmptyBoth))
    }

    fn blames_no_field(&self) -> bool {
        self.problem.is_some() && !self.blames_username() && !self.blames_password()
    }
}

/// Why a sign-in did not happen, as far as the person may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInProblem {
    /// Wrong password, unknown user, disabled or locked account: one sentence for all of them, so that it tells nobody which.
    NoMatch,
    /// The user name was left empty.
    EmptyUsername,
    /// The password was left empty.
    EmptyPassword,
    /// Both were left empty.
    EmptyBoth,
    /// The password gate is full (503); `retry_after` is in seconds and agrees with the `Retry-After` header.
    Busy {
        /// Seconds until another attempt makes sense.
        retry_after: u64,
    },
    /// Too many attempts failed before (429), of this account or from this address; whether there is such an account is not said.
    TooMany {
        /// Seconds until another attempt is looked at.
        retry_after: u64,
    },
    /// The form's token no longer belongs to a pre-login session.
    OpenTooLong,
}

impl fmt::Display for SignInProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch => f.write_str("That name and password do not match."),
            Self::EmptyUsername => f.write_str("Enter your user name."),
            Self::EmptyPassword => f.write_str("Enter your password."),
            Self::EmptyBoth => f.write_str("Enter your user name and your password."),
            Self::Busy { retry_after } => busy(f, "sign-ins", *retry_after),
            Self::TooMany { retry_after } => too_many(f, *retry_after),
            Self::OpenTooLong => f.write_str(OPEN_TOO_LONG),
        }
    }
}

/// The question that a person answers with `answer=allow` or `answer=deny`.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the session.
    pub(crate) csrf: &'a str,
    /// The handle of the authorization request that waits.
    pub(crate) request: &'a str,
    /// The application that asks.
    pub(crate) client: ClientLine<'a>,
    /// What it asks for, in the order to be read.
    pub(crate) asks: &'a [ConsentAsk],
    /// For how long the answer holds.
    pub(crate) lasting: ConsentLasts,
    /// The user name of whoever is asked.
    pub(crate) signed_in_as: &'a str,
}

impl Consent<'_> {
    /// The sign-in page for the same authorization request: whoever signs in there takes the present session's place.
    fn switch_href(&self) -> String {
        let page = String::from("/login?");
        let query_starts = page.len();
        form_urlencoded::Serializer::for_suffix(page, query_starts).append_pair("request", self.request).finish()
    }
}

/// One thing that an application asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsentAsk {
    /// What it may do: `Read your orders`.
    pub(crate) title: String,
    /// Where, or what that means: `at api.example.com`.
    pub(crate) detail: String,
}

/// For how long an approval holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsentLasts {
    /// Without `offline_access`: as long as the browser's session.
    UntilSignOut,
    /// With `offline_access`: the absolute life of the refresh family, rounded up to days.
    Days(u32),
}

impl fmt::Display for ConsentLasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntilSignOut => f.write_str("This lasts until you sign out."),
            Self::Days(1) => f.write_str("This lasts for a day, even while you are away."),
            Self::Days(days) => write!(f, "This lasts up to {days} days, even while you are away."),
        }
    }
}

/// Whatever went wrong on a page, told to a person who did nothing wrong.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The HTTP status that the page is sent with.
    pub(crate) status: u16,
    /// What happened, in a few words: `This link does not work`.
    pub(crate) title: &'a str,
    /// Why, in a sentence.
    pub(crate) lead: &'a str,
    /// What to do now, in a sentence or two.
    pub(crate) advice: &'a str,
    /// What the application's makers need in order to mend it.
    pub(crate) for_the_makers: Option<MakersNote<'a>>,
    /// The request id, under which the log has the detail.
    pub(crate) reference: &'a str,
}

/// A protocol error as its makers know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MakersNote<'a> {
    /// The error code: `invalid_request`.
    pub(crate) code: &'a str,
    /// What about it: `redirect_uri is not registered for this client.`
    pub(crate) description: &'a str,
}

/// The page that the link on the terminal opens: the first administrator's account.
#[derive(Template)]
#[template(path = "set_up.html")]
pub(crate) struct SetUp<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the pre-login session.
    pub(crate) csrf: &'a str,
    /// The token of the link, handed back with the form.
    pub(crate) token: &'a str,
    /// What was typed before; empty otherwise.
    pub(crate) username: &'a str,
    /// What was typed before; empty otherwise.
    pub(crate) name: &'a str,
    /// What was typed before; empty otherwise.
    pub(crate) email: &'a str,
    /// The fewest characters a password may have.
    pub(crate) least_password: usize,
    /// Everything to put right, in the order of the fields.
    pub(crate) problems: &'a [SetUpProblem],
}

impl SetUp<'_> {
    fn form_problem(&self) -> Option<&SetUpProblem> {
        self.problems.iter().find(|problem| problem.field().is_none())
    }

    fn field_problems(&self) -> impl Iterator<Item = (SetUpField, &SetUpProblem)> {
        self.problems.iter().filter_map(|problem| Some((problem.field()?, problem)))
    }

    fn problem_of(&self, field: SetUpField) -> Option<String> {
        self.field_problems().find(|(at, _)| *at == field).map(|(_, problem)| problem.to_string())
    }

    /// The focus starts at the first field to put right, or at the first field.
    fn focus(&self, field: SetUpField) -> bool {
        self.field_problems().next().map_or(SetUpField::Username, |(at, _)| at) == field
    }

    fn password_hint(&self) -> String {
        format!("At least {} characters; a sentence of several words is good.", self.least_password)
    }
}

/// A field of [`SetUp`]; it displays as the field's name and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetUpField {
    /// `username`
    Username,
    /// `name`
    Name,
    /// `email`
    Email,
    /// `password`
    Password,
}

impl fmt::Display for SetUpField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Name => "name",
            Self::Email => "email",
            Self::Password => "password",
        })
    }
}

/// Why the first administrator was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetUpProblem {
    /// The user name was left empty.
    UsernameEmpty,
    /// The user name has a character that user names do not have.
    UsernameNotAllowed,
    /// Somebody has the user name.
    UsernameTaken,
    /// The display name was left empty.
    NameEmpty,
    /// The e-mail field holds something else.
    EmailNotAnAddress,
    /// The password has fewer characters than this.
    PasswordTooShort {
        /// The fewest there may be.
        least: usize,
    },
    /// The password is longer than the hash is given.
    PasswordTooLong,
    /// The password gate is full (503).
    Busy {
        /// Seconds until another attempt makes sense.
        retry_after: u64,
    },
}

impl SetUpProblem {
    /// The field that the problem concerns; none when it concerns the form as a whole.
    pub(crate) fn field(self) -> Option<SetUpField> {
        match self {
            Self::UsernameEmpty | Self::UsernameNotAllowed | Self::UsernameTaken => Some(SetUpField::Username),
            Self::NameEmpty => Some(SetUpField::Name),
            Self::EmailNotAnAddress => Some(SetUpField::Email),
            Self::PasswordTooShort { .. } | Self::PasswordTooLong => Some(SetUpField::Password),
            Self::Busy { .. } => None,
        }
    }
}

impl fmt::Display for SetUpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsernameEmpty => f.write_str("Enter a user name."),
            Self::UsernameNotAllowed => f.write_str("A user name has no spaces and at most 254 characters."),
            Self::NameEmpty => f.write_str("Enter a name."),
            Self::EmailNotAnAddress => f.write_str("Enter an e-mail address such as ada@example.com, or nothing."),
            Self::PasswordTooShort { least } => write!(f, "Use at least {least} characters for the password."),
            Self::PasswordTooLong => f.write_str("This password is longer than we can take. Use a shorter one."),
            Self::UsernameTaken => f.write_str("Somebody has this user name already. Choose another."),
            Self::Busy { retry_after } => busy(f, "requests", *retry_after),
        }
    }
}

/// `GET /` for anybody else.
#[derive(Template)]
#[template(path = "home_signed_out.html")]
pub(crate) struct HomeSignedOut<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// What was just done, to be said once.
    pub(crate) said: Option<Said>,
}

/// The question that a person answers with `POST /end_session/confirm`, or by staying.
#[derive(Template)]
#[template(path = "end_session.html")]
pub(crate) struct EndSession<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The synchronizer token of the session.
    pub(crate) csrf: &'a str,
    /// The logout request, sealed.
    pub(crate) request: &'a str,
    /// The name of the application that asks, where it is known.
    pub(crate) client: Option<&'a str>,
    /// The host to which the browser returns.
    pub(crate) returns_to: Option<&'a str>,
    /// The user name of whoever is signed in.
    pub(crate) signed_in_as: &'a str,
}

/// What follows `POST /logout`, and a logout request that leads nowhere else.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOut<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
}

/// `GET /demo` under `passant serve --dev`: a public client in one page. Its script runs the flow.
#[derive(Template)]
#[template(path = "demo.html")]
pub(crate) struct Demo<'a> {
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// The issuer identifier, which the `iss` of the authorization response and of the tokens must equal (RFC 9207).
    pub(crate) issuer: &'a str,
    /// The demo client.
    pub(crate) client_id: &'a str,
    /// The scopes it asks for, separated by spaces.
    pub(crate) scope: &'a str,
    /// The resource it asks a token for (RFC 8707).
    pub(crate) resource: &'a str,
    /// Where the resource answers: `http://localhost:8081/orders`. Its origin belongs into the page's `connect-src`.
    pub(crate) orders_url: &'a str,
}

const OPEN_TOO_LONG: &str = "This page was open too long. Nothing was sent; please try again.";

fn busy(f: &mut fmt::Formatter<'_>, of_what: &str, retry_after: u64) -> fmt::Result {
    let s = if retry_after == 1 { "" } else { "s" };
    write!(f, "There are too many {of_what} right now. Please try again in {retry_after} second{s}.")
}

/// What somebody reads who has to wait after too many attempts.
pub(crate) fn too_many(f: &mut impl fmt::Write, retry_after: u64) -> fmt::Result {
    write!(f, "Too many attempts. Try again in {}.", times::span(retry_after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::form_post::FormPost;

    const HOSTILE: &str = "\"><script>alert('1')</script>&";

    struct Sample {
        name: &'static str,
        html: String,
        wrong: bool,
    }

    /// Every template, normal and wrong, with `text` wherever a person or an application chose the words.
    fn samples(text: &str) -> Vec<Sample> {
        let frame =
            Frame { issuer_host: "auth.example.com".into(), issuer_origin: "https://auth.example.com".into(), date_letter: 'q' };
        let frame = &frame;
        let client = ClientLine { name: text, host: text };
        let mut all = Vec::new();
        let mut add = |name, wrong, html: askama::Result<String>| all.push(Sample { name, html: html.unwrap(), wrong });

        let sign_in =
            |problem| SignIn { frame, csrf: text, request: Some(text), client: Some(client), username: text, problem }.render();
        add("sign_in", false, sign_in(None));
        add(
            "sign_in bare",
            false,
            SignIn { frame, csrf: text, request: None, client: None, username: "", problem: None }.render(),
        );
        for problem in [
            SignInProblem::NoMatch,
            SignInProblem::EmptyUsername,
            SignInProblem::EmptyPassword,
            SignInProblem::EmptyBoth,
            SignInProblem::Busy { retry_after: 5 },
            SignInProblem::TooMany { retry_after: 30 },
            SignInProblem::OpenTooLong,
        ] {
            add("sign_in wrong", true, sign_in(Some(problem)));
        }

        let asks =
            &[ConsentAsk { title: text.into(), detail: text.into() }, ConsentAsk { title: "Read".into(), detail: "all".into() }];
        for lasting in [ConsentLasts::UntilSignOut, ConsentLasts::Days(30)] {
            let consent = Consent { frame, csrf: text, request: text, client, asks, lasting, signed_in_as: text };
            add("consent", false, consent.render());
        }

        let note = MakersNote { code: text, description: text };
        for for_the_makers in [None, Some(note)] {
            let page = ErrorPage { frame, status: 400, title: text, lead: text, advice: text, for_the_makers, reference: text };
            add("error", true, page.render());
        }

        let set_up = |problems| {
            SetUp { frame, csrf: text, token: text, username: text, name: text, email: text, least_password: 15, problems }
                .render()
        };
        add("set_up", false, set_up(&[]));
        add("set_up wrong in one", true, set_up(&[SetUpProblem::PasswordTooLong]));
        add("set_up name taken", true, set_up(&[SetUpProblem::UsernameTaken]));
        add("set_up wrong in one", true, set_up(&[SetUpProblem::PasswordTooLong]));
        add("set_up wrong in one", true, set_up(&[SetUpProblem::UsernameNotAllowed]));
        let several = [
            SetUpProblem::UsernameEmpty,
            SetUpProblem::NameEmpty,
            SetUpProblem::EmailNotAnAddress,
            SetUpProblem::PasswordTooShort { least: 15 },
        ];
        add("set_up wrong in several", true, set_up(&several));
        add("set_up busy", true, set_up(&[SetUpProblem::Busy { retry_after: 1 }]));

        for client in [None, Some(text)] {
            let page = EndSession { frame, csrf: text, request: text, client, returns_to: client, signed_in_as: text };
            add("end_session", false, page.render());
        }
        for (name, wrong, html) in account::samples(frame, text) {
            add(name, wrong, html);
        }
        add("home_signed_out", false, HomeSignedOut { frame, said: None }.render());
        add("home_signed_out", false, HomeSignedOut { frame, said: Some(Said::LoggedOutEverywhere) }.render());
        add("signed_out", false, SignedOut { frame }.render());
        let demo = Demo { frame, issuer: text, client_id: text, scope: text, resource: text, orders_url: text };
        add("demo", false, demo.render());
        let answer = &[("code", text), ("state", text)];
        add("form_post", false, FormPost { frame, client, redirect_uri: text, answer }.render());
        all
    }

    /// The opening tags of a page. Escaping keeps `<` and `>` out of attribute values, so they can be cut at these.
    fn tags(html: &str) -> impl Iterator<Item = &str> {
        html.split('<').filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).filter(|tag| !tag.starts_with(['/', '!']))
    }

    fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
        tag.split_once(&format!(" {name}=\""))?.1.split_once('"').map(|(value, _)| value)
    }

    fn described_by(tag: &str) -> impl Iterator<Item = &str> {
        attribute(tag, "aria-describedby").unwrap_or_default().split_whitespace()
    }

    #[test]
    fn every_page_says_its_language_and_has_one_heading_and_one_main_part() {
        for Sample { name, html, .. } in samples("Ada") {
            assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
            for element in ["h1", "main", "title"] {
                assert_eq!(tags(&html).filter(|tag| tag.split(' ').next() == Some(element)).count(), 1, "{name}: {element}");
            }
        }
    }

    #[test]
    fn every_field_has_a_label_of_its_own() {
        for Sample { name, html, .. } in samples("Ada") {
            for field in tags(&html).filter(|tag| tag.starts_with("input ") || tag.starts_with("textarea ")) {
                if attribute(field, "type") == Some("hidden") || field.ends_with(" hidden") {
                    continue;
                }
                let id = attribute(field, "id");
                assert!(id.is_some(), "{name}: {field}");
                assert_eq!(
                    tags(&html).filter(|tag| tag.starts_with("label ") && attribute(tag, "for") == id).count(),
                    1,
                    "{name}: {field}"
                );
            }
        }
    }

    #[test]
    fn every_error_is_announced_and_tied_to_what_it_concerns() {
        for Sample { name, html, wrong } in samples("Ada") {
            assert_eq!(html.contains("<title>Error: "), wrong, "{name}");
            let alerts: Vec<_> =
                tags(&html).filter(|tag| attribute(tag, "role") == Some("alert") && !tag.ends_with(" hidden")).collect();
            assert_eq!(!alerts.is_empty(), wrong && name != "error", "{name}");
            for alert in alerts {
                let id = attribute(alert, "id").unwrap();
                assert!(tags(&html).any(|tag| described_by(tag).any(|described| described == id)), "{name}: {id}");
            }
            for tag in tags(&html) {
                for id in described_by(tag) {
                    assert_eq!(tags(&html).filter(|other| attribute(other, "id") == Some(id)).count(), 1, "{name}: {id}");
                }
                if attribute(tag, "aria-invalid").is_some() {
                    assert!(described_by(tag).any(|id| id.ends_with("problem")), "{name}: {tag}");
                }
            }
        }
    }

    #[test]
    fn the_focus_starts_at_one_field_at_most() {
        for Sample { name, html, .. } in samples("Ada") {
            assert!(html.matches(" autofocus").count() <= 1, "{name}");
        }
        let html = samples("Ada").into_iter().find(|sample| sample.name == "set_up wrong in one").unwrap().html;
        let focused = tags(&html).find(|tag| tag.ends_with(" autofocus")).unwrap();
        assert_eq!(attribute(focused, "id"), Some("password"));
    }

    #[test]
    fn hostile_words_stay_words() {
        for Sample { name, html, .. } in samples(HOSTILE) {
            assert!(!html.contains("<script>") && !html.contains("'1'"), "{name}");
            let spoken = !matches!(name, "home_signed_out" | "signed_out");
            assert_eq!(html.contains("&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#38;"), spoken, "{name}");
        }
    }

    #[test]
    fn pages_fit_a_strict_content_security_policy() {
        for Sample { name, html, .. } in samples(HOSTILE) {
            for tag in tags(&html) {
                assert!(attribute(tag, "style").is_none() && !tag.contains(" on") && !tag.starts_with("style"), "{name}: {tag}");
                let ours = [Some("/assets/demo.js"), Some("/assets/form_post.js")];
                assert!(!tag.starts_with("script") || ours.contains(&attribute(tag, "src")), "{name}: {tag}");
                // The answer's form goes to the application, and its policy names the place.
                let to_us = ["href", "src", "action"].into_iter().filter(|at| (name, *at) != ("form_post", "action"));
                for address in to_us.filter_map(|at| attribute(tag, at)) {
                    let own = (address.starts_with('/') && !address.starts_with("//")) || address.starts_with('#');
                    assert!(own, "{name}: {address}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_user_reads_the_sentence_of_a_wrong_password() {
        assert_eq!(SignInProblem::NoMatch.to_string(), "That name and password do not match.");
    }

    #[test]
    fn a_password_is_never_sent_back() {
        for Sample { name, html, .. } in samples("Ada") {
            for field in tags(&html).filter(|tag| attribute(tag, "type") == Some("password")) {
                assert!(attribute(field, "value").is_none(), "{name}: {field}");
            }
        }
    }

    #[test]
    fn another_account_keeps_the_request() {
        let frame = Frame { issuer_host: "a".into(), issuer_origin: "https://a".into(), date_letter: 'a' };
        let client = ClientLine { name: "Orders", host: "shop.example.com" };
        let lasting = ConsentLasts::UntilSignOut;
        let asked = Consent { frame: &frame, csrf: "c", request: "a&b", client, asks: &[], lasting, signed_in_as: "ada" };
        assert_eq!(asked.switch_href(), "/login?request=a%26b");
    }
}
