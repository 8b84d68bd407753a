//! `GET|POST /set-up`: the link on the terminal that creates the first administrator, once. There is no default account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::login::{Proved, begin_session, with_cookies};
use super::views::{SetUp, SetUpProblem};
use super::{Policy, frame, page};
use crate::app::App;
use crate::app::attempts::whole_seconds;
use crate::app::checkpoint::Checkpoint;
use crate::app::password_gate::GateError;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome, Source};
use crate::domain::ids::UserId;
use crate::domain::params::Params;
use crate::domain::password::{Password, PasswordError};
use crate::domain::user::{Username, UsernameError, plausible_email};
use crate::http::cookies::Browser;
use crate::http::form::csrf_token;
use crate::http::redirect;
use crate::http::visit::{Submission, Visit};
use crate::secret::TokenHash;
use crate::store::attempts;
use crate::store::set_up_tokens::{self, SetUp as Redeemed};
use crate::store::users::{self, NewUser};

/// Seconds that a person is asked to wait when the gate is full.
const RETRY_AFTER: u64 = 5;

/// Shows the page of a living link.
pub(crate) async fn get(State(app): State<Arc<App>>, method: Method, visit: Visit) -> Result<Response, PageError> {
    let token = living_link(&app, &method, &visit.query, &visit.source, visit.now).await?;
    let answer = show(&app, &visit.browser, token, &Params::default(), &[], visit.now)?;
    Ok(visit.browser.remember(answer))
}

/// Creates the administrator and signs them in.
pub(crate) async fn post(State(app): State<Arc<App>>, Submission { form, sender }: Submission) -> Result<Response, PageError> {
    let params = form.verify(&app, &sender.browser.token).map_err(|why| PageError::forged(&why))?;
    let token = living_link(&app, &Method::POST, &params, &sender.source, sender.now).await?;
    let again = |problems: &[SetUpProblem]| show(&app, &sender.browser, token, &params, problems, sender.now);
    let chosen = match Chosen::parse(&params, app.least_password()) {
        Ok(chosen) => chosen,
        Err(problems) => return Ok(again(&problems)?),
    };
    let password_hash = match app.passwords.hash(chosen.password).await {
        Ok(hash) => hash,
        Err(GateError::Busy) => return Ok(again(&[SetUpProblem::Busy { retry_after: RETRY_AFTER }])?),
        Err(fault) => return Err(fault.into()),
    };
    let user = NewUser {
        id: UserId::random(),
        username: chosen.username.clone(),
        name: Some(chosen.name),
        email: chosen.email,
        password_hash: Some(password_hash.clone()),
        administrator: true,
        created_at: sender.now,
    };
    match set_up_tokens::redeem(&app.db.by(sender.source.clone()), TokenHash::of(token), user).await? {
        Redeemed::Done => {}
        Redeemed::LinkDead => return Err(PageError::set_up_link_dead()),
        Redeemed::UsernameTaken => return Ok(again(&[SetUpProblem::UsernameTaken])?),
    }
    tracing::info!("the first administrator was created");
    app.reached(Checkpoint::LinkSpent).await;
    // The session is stamped with a tick that is read with the very hash that was just set.
    let mut reader = app.db.reader().await?;
    let record = users::sign_in_record(&mut reader.conn(), &chosen.username).await?;
    drop(reader);
    let Some(record) = record.filter(|record| record.password_hash.as_ref() == Some(&password_hash)) else {
        return Ok(redirect::to("/login"));
    };
    let proved = Proved { user: record.user, born: record.evidence.tick };
    let begun = begin_session(&app, &proved, sender.signed_in(&app).await?, sender).await?;
    let cookies = begun.ok_or_else(PageError::too_many_sessions)?;
    Ok(with_cookies(redirect::to("/"), cookies))
}

/// The token of a link that still works. Whoever opens dead ones again and again waits between them, as long as there is something
/// to find: with an administrator every link is dead, and nothing is counted. Nor is a HEAD, which shows nothing.
async fn living_link<'p>(
    app: &Arc<App>,
    method: &Method,
    params: &'p Params,
    source: &Source,
    now: UnixTime,
) -> Result<&'p str, PageError> {
    let dead = || PageError::set_up_link_dead();
    let token = params.get("token").filter(|token| token.len() <= 64).ok_or_else(dead)?;
    if set_up_tokens::needed(&mut app.db.reader().await?.conn()).await?.is_none() {
        return Err(dead());
    }
    let (db, lanes) = (app.db.by(source.clone()), app.link_lanes(source.address.as_deref()));
    let throttled = Event::new(Action::SetUp, Outcome::Throttled);
    if let Some(until) = attempts::waiting(&db, &lanes, &throttled, now).await? {
        return Err(PageError::too_many(whole_seconds(until.since(now))));
    }
    if set_up_tokens::alive(&mut db.reader().await?.conn(), &TokenHash::of(token), now).await? {
        return Ok(token);
    }
    if method != Method::HEAD {
        attempts::fail(&db, lanes, Some(Event::refused(Action::SetUp, "the link does not work")), now).await?;
    }
    Err(dead())
}

struct Chosen {
    username: Username,
    name: String,
    email: Option<String>,
    password: Password,
}

impl Chosen {
    /// All problems at once, in the order of the fields.
    fn parse(params: &Params, least_password: usize) -> Result<Self, Vec<SetUpProblem>> {
        let text = |name: &str| params.get(name).unwrap_or_default().trim().to_owned();
        let username = Username::parse(&text("username")).map_err(|why| match why {
            UsernameError::Empty => SetUpProblem::UsernameEmpty,
            UsernameError::TooLong | UsernameError::BadCharacter => SetUpProblem::UsernameNotAllowed,
        });
        let name = Some(text("name")).filter(|name| !name.is_empty()).ok_or(SetUpProblem::NameEmpty);
        let email = match text("email") {
            none if none.is_empty() => Ok(None),
            email if plausible_email(&email) => Ok(Some(email)),
            _ => Err(SetUpProblem::EmailNotAnAddress),
        };
        let typed = params.get("password").unwrap_or_default();
        let password = Password::chosen(typed, least_password).map_err(|why| match why {
            PasswordError::Empty | PasswordError::TooShort(_) => SetUpProblem::PasswordTooShort { least: least_password },
            PasswordError::TooLong => SetUpProblem::PasswordTooLong,
        });
        match (username, name, email, password) {
            (Ok(username), Ok(name), Ok(email), Ok(password)) => Ok(Self { username, name, email, password }),
            (username, name, email, password) => {
                Err([username.err(), name.err(), email.err(), password.err()].into_iter().flatten().collect())
            }
        }
    }
}

fn show(
    app: &App,
    browser: &Browser,
    token: &str,
    typed: &Params,
    problems: &[SetUpProblem],
    now: UnixTime,
) -> Result<Response, askama::Error> {
    let again = |name| typed.get(name).unwrap_or_default();
    let template = SetUp {
        frame: &frame(app, now),
        csrf: &csrf_token(app, &browser.token),
        token,
        username: again("username"),
        name: again("name"),
        email: again("email"),
        least_password: app.least_password(),
        problems,
    };
    let busy = problems.iter().any(|problem| matches!(problem, SetUpProblem::Busy { .. }));
    let status = match (problems, busy) {
        ([], _) => StatusCode::OK,
        (_, true) => StatusCode::SERVICE_UNAVAILABLE,
        (_, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut answer = page(status, &template, Policy::default())?;
    if busy {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    }
    Ok(answer)
}
