//! `GET|POST /account/password`: the current password and a new one. Everything that the user had ends; this browser goes on with a
//! new session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::error::PageError;
use super::super::login::new_session;
use super::super::views::{ChangePassword, ChangeProblem};
use super::super::{Policy, frame, page};
use super::Checked;
use crate::app::App;
use crate::app::attempts::{Account, Tried, Verdict};
use crate::app::checkpoint::Checkpoint;
use crate::app::password_gate::GateError;
use crate::clock::UnixTime;
use crate::domain::audit::Action;
use crate::domain::params::Params;
use crate::domain::password::{Password, PasswordError, PasswordHash};
use crate::domain::said::Said;
use crate::http::cookies::Cookie;
use crate::http::form::csrf_token;
use crate::http::signed_in::SignedIn;
use crate::http::visit::{Submission, Visit};
use crate::http::{effect, redirect};
use crate::store::anew::{self, Anew, PasswordChange};
use crate::store::evidence::{self, Levels};
use crate::store::users;

/// Seconds that a person is asked to wait when the gate is full.
const RETRY_AFTER: u64 = 5;

/// Shows the form.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    match visit.signed_in(&app).await? {
        Some(signed_in) => Ok(show(&app, &signed_in, None, visit.now)?),
        None => Ok(redirect::to("/login")),
    }
}

/// Changes the password.
pub(crate) async fn post(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, PageError> {
    let checked = Checked::of(&app, submission).await?;
    let now = checked.sender.now;
    let again = |problem| match effect::wants_json(&checked.sender.headers) {
        true => Ok(tell(problem)),
        false => show(&app, &checked.signed_in, Some(problem), now),
    };
    let Typed { current, new } = match Typed::parse(&checked.params, app.least_password()) {
        Ok(typed) => typed,
        Err(problem) => return Ok(again(problem)?),
    };
    let verified = match prove(&app, &checked, current).await? {
        Ok(verified) => verified,
        Err(problem) => return Ok(again(problem)?),
    };
    let new = match app.passwords.hash(new).await {
        Ok(new) => new,
        Err(GateError::Busy) => return Ok(again(ChangeProblem::Busy { retry_after: RETRY_AFTER })?),
        Err(fault) => return Err(fault.into()),
    };
    app.reached(Checkpoint::AccountChangeJudged).await;
    let (session, cookie) = new_session(&app, &checked.signed_in.user.id, checked.acting().born, &checked.sender);
    let change = PasswordChange { acting: checked.acting(), verified, new, session, now };
    match anew::change_password(&checked.db(&app), change).await? {
        Anew::Done(tick) => {
            let mut answer = checked.done_known(&app, Said::PasswordChanged, tick);
            answer.headers_mut().append(header::SET_COOKIE, Cookie::Session.set(&app, &cookie));
            Ok(answer)
        }
        Anew::SignInAgain => Err(PageError::sign_in_again()),
    }
}

/// What was typed, as far as it can be judged without a hash.
struct Typed {
    current: Password,
    new: Password,
}

impl Typed {
    fn parse(params: &Params, least: usize) -> Result<Self, ChangeProblem> {
        let text = |name| params.get(name).unwrap_or_default();
        let current = Password::typed(text("current")).map_err(|why| match why {
            PasswordError::Empty => ChangeProblem::CurrentEmpty,
            PasswordError::TooLong | PasswordError::TooShort(_) => ChangeProblem::CurrentWrong,
        })?;
        let new = Password::chosen(text("new"), least).map_err(|why| match why {
            PasswordError::Empty | PasswordError::TooShort(_) => ChangeProblem::NewTooShort { least },
            PasswordError::TooLong => ChangeProblem::NewTooLong,
        })?;
        if current.is(&new) {
            return Err(ChangeProblem::NewIsOld);
        }
        Ok(Self { current, new })
    }
}

/// The hash that the current password was verified by.
async fn prove(app: &App, checked: &Checked, current: Password) -> Result<Result<PasswordHash, ChangeProblem>, PageError> {
    let user = &checked.signed_in.user.id;
    let mut reader = app.db.reader().await?;
    let hash = users::password_hash(&mut reader.conn(), user).await?;
    let levels = Levels { user: Some(user.clone()), ..Levels::default() };
    let found = evidence::read(&mut reader.conn(), &levels, checked.sender.now).await?;
    drop(reader);
    let tried = Tried {
        account: Account::Known(user),
        hash: hash.clone(),
        evidence: Some(&found.evidence),
        password: current,
        device: Cookie::Device.read(app, &checked.sender.headers),
        address: checked.sender.source.address.as_deref(),
        action: Action::PasswordChange,
    };
    let verdict = app.try_password(&checked.db(app), tried, checked.sender.now).await?;
    Ok(match (verdict, hash) {
        (Verdict::Right, Some(hash)) => Ok(hash),
        (Verdict::Right, None) | (Verdict::Wrong, _) => Err(ChangeProblem::CurrentWrong),
        (Verdict::Wait { seconds: retry_after }, _) => Err(ChangeProblem::TooMany { retry_after }),
        (Verdict::Busy, _) => Err(ChangeProblem::Busy { retry_after: RETRY_AFTER }),
    })
}

fn show(app: &App, signed_in: &SignedIn, problem: Option<ChangeProblem>, now: UnixTime) -> Result<Response, askama::Error> {
    let template = ChangePassword {
        frame: &frame(app, now),
        csrf: &csrf_token(app, &signed_in.cookie),
        username: &signed_in.user.username,
        least_password: app.least_password(),
        problem,
    };
    let status = problem.map_or(StatusCode::OK, status_of);
    Ok(with_retry_after(page(status, &template, Policy::default())?, problem))
}

/// The same for a program.
fn tell(problem: ChangeProblem) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": problem.to_string() });
    with_retry_after((status_of(problem), Json(body)).into_response(), Some(problem))
}

fn status_of(problem: ChangeProblem) -> StatusCode {
    match problem {
        ChangeProblem::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        ChangeProblem::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ChangeProblem::CurrentEmpty
        | ChangeProblem::CurrentWrong
        | ChangeProblem::NewTooShort { .. }
        | ChangeProblem::NewTooLong
        | ChangeProblem::NewIsOld => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn with_retry_after(mut answer: Response, problem: Option<ChangeProblem>) -> Response {
    if let Some(ChangeProblem::TooMany { retry_after } | ChangeProblem::Busy { retry_after }) = problem {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    }
    answer
}
