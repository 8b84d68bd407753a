//! `GET|POST /login`: a name and a password become a session. An unknown name costs and looks the same as a wrong password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::views::{SignIn, SignInProblem};
use super::{Policy, Waiting, frame, page};
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::app::password_gate::GateError;
use crate::clock::UnixTime;
use crate::domain::audit::Actor;
use crate::domain::cutoff::revoked;
use crate::domain::ids::{SessionId, Tick};
use crate::domain::params::Params;
use crate::domain::password::{Password, PasswordHash};
use crate::domain::session::Session;
use crate::domain::user::{User, Username};
use crate::http::authorize::resume::{self, Resumed};
use crate::http::cookies::{Browser, Cookie};
use crate::http::device::Device;
use crate::http::form::{ForgeryError, csrf_token};
use crate::http::redirect;
use crate::http::signed_in::SignedIn;
use crate::http::visit::{Sender, Submission, Visit};
use crate::store::sessions::{self, NewSession, Renewal};
use crate::store::users;

/// Seconds that a person is asked to wait when the gate is full.
const RETRY_AFTER: u64 = 5;

/// Shows the page.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let resumed = waiting_request(&app, &visit.query, &visit.browser, visit.now).await?;
    if resumed.is_none() && visit.signed_in(&app).await?.is_some() {
        return Ok(redirect::to("/"));
    }
    let hint = resumed.as_ref().and_then(|resumed| resumed.kept.request.login_hint.clone());
    let shown = Shown { browser: &visit.browser, resumed: resumed.as_ref(), username: hint.as_deref().unwrap_or_default() };
    let answer = show(&app, &shown, None, visit.now)?;
    Ok(visit.browser.remember(answer))
}

/// Signs in.
pub(crate) async fn post(State(app): State<Arc<App>>, Submission { form, sender }: Submission) -> Result<Response, PageError> {
    let params = match form.verify(&app, &sender.browser.token) {
        Ok(params) => params,
        Err(ForgeryError::Token) => {
            let shown = Shown { browser: &sender.browser, resumed: None, username: "" };
            let answer = show(&app, &shown, Some(SignInProblem::OpenTooLong), sender.now)?;
            return Ok(sender.browser.remember(answer));
        }
        Err(why @ ForgeryError::CrossSite) => return Err(PageError::forged(&why)),
    };
    let resumed = waiting_request(&app, &params, &sender.browser, sender.now).await?;
    let (username, password) = (params.get("username").unwrap_or_default(), params.get("password").unwrap_or_default());
    let shown = Shown { browser: &sender.browser, resumed: resumed.as_ref(), username };
    let proved = match prove(&app, username, password).await? {
        Ok(proved) => proved,
        Err(problem) => return Ok(show(&app, &shown, Some(problem), sender.now)?),
    };
    let before = sender.signed_in(&app).await?;
    let cookie = begin_session(&app, &proved, before, sender).await?;
    let next = match &resumed {
        Some(resumed) => redirect::to(&resume::path(resumed.handle.expose())),
        None => redirect::to("/"),
    };
    Ok(with_cookie(next, cookie))
}

/// What the page repeats when it is shown again.
struct Shown<'a> {
    browser: &'a Browser,
    resumed: Option<&'a Resumed>,
    username: &'a str,
}

fn show(app: &App, shown: &Shown<'_>, problem: Option<SignInProblem>, now: UnixTime) -> Result<Response, askama::Error> {
    let waiting = shown.resumed.map(Waiting::of);
    let template = SignIn {
        frame: &frame(app, now),
        csrf: &csrf_token(app, &shown.browser.token),
        request: shown.resumed.map(|resumed| resumed.handle.expose()),
        client: waiting.as_ref().zip(shown.resumed).map(|(waiting, resumed)| waiting.line(resumed)),
        username: shown.username,
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(SignInProblem::Busy { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        Some(SignInProblem::OpenTooLong) => StatusCode::FORBIDDEN,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let policy = waiting.as_ref().map_or(Policy::default(), Waiting::policy);
    let mut answer = page(status, &template, policy)?;
    if let Some(SignInProblem::Busy { retry_after }) = problem {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    }
    Ok(answer)
}

async fn waiting_request(
    app: &Arc<App>,
    params: &Params,
    browser: &Browser,
    now: UnixTime,
) -> Result<Option<Resumed>, PageError> {
    match params.get("request") {
        Some(handle) => resume::find(app, Some(handle), browser, now).await.map(Some),
        None => Ok(None),
    }
}

/// The proof that somebody knew the password of an account, and the tick that was read before it was looked at.
pub(crate) struct Proved {
    /// Whose password.
    pub(crate) user: User,
    /// The tick to stamp with.
    pub(crate) born: Tick,
}

/// Tick first, then the password: the record carries the tick that was committed when its hash was read.
async fn prove(app: &App, username: &str, password: &str) -> Result<Result<Proved, SignInProblem>, PageError> {
    let password = match (username.trim().is_empty(), Password::typed(password)) {
        (true, Err(_)) if password.is_empty() => return Ok(Err(SignInProblem::EmptyBoth)),
        (true, _) => return Ok(Err(SignInProblem::EmptyUsername)),
        (false, Err(_)) if password.is_empty() => return Ok(Err(SignInProblem::EmptyPassword)),
        (false, Err(_)) => return Ok(Err(SignInProblem::NoMatch)),
        (false, Ok(password)) => password,
    };
    let record = match Username::parse(username) {
        Ok(username) => {
            let mut reader = app.db.reader().await?;
            users::sign_in_record(&mut reader.conn(), &username).await?
        }
        Err(_) => None,
    };
    let hash = record.as_ref().and_then(|record| record.password_hash.clone());
    let right = match app.passwords.verify(hash.clone(), password.clone()).await {
        Ok(right) => right,
        Err(GateError::Busy) => return Ok(Err(SignInProblem::Busy { retry_after: RETRY_AFTER })),
        Err(fault) => return Err(fault.into()),
    };
    let Some(record) = record.filter(|record| right && revoked(record.evidence.tick, &record.evidence).is_none()) else {
        return Ok(Err(SignInProblem::NoMatch));
    };
    app.reached(Checkpoint::PasswordProved).await;
    if let Some(verified) = hash.filter(|hash| app.passwords.outgrown(hash)) {
        rehash(app, &record.user, verified, password).await?;
    }
    Ok(Ok(Proved { user: record.user, born: record.evidence.tick }))
}

/// Replaces a hash of a lower cost. Being busy is no reason to refuse a sign-in: the next one tries again.
async fn rehash(app: &App, user: &User, verified: PasswordHash, password: Password) -> Result<(), PageError> {
    match app.passwords.hash(password).await {
        Ok(stronger) => {
            users::rehash(&app.db, user.id.clone(), verified, stronger).await?;
            Ok(())
        }
        Err(GateError::Busy) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

/// Begins a session, or renews the one that the same person has in this browser; another person's session here ends. The cookie is
/// new in any case.
pub(crate) async fn begin_session(
    app: &App,
    proved: &Proved,
    before: Option<SignedIn>,
    sender: Sender,
) -> Result<HeaderValue, PageError> {
    let Sender { device, source, now, .. } = sender;
    let db = app.db.by(source.with(Actor::User(proved.user.id.clone())));
    let cookie = Cookie::Session.draw();
    let (idle_until, expires_at) = (now + app.config.sessions.idle, now + app.config.sessions.absolute);
    if let Some(before) = before {
        if before.user.id == proved.user.id {
            let renewal = Renewal {
                id: before.session.id,
                user_id: before.user.id,
                old_cookie: before.cookie.hash(),
                new_cookie: cookie.hash(),
                now,
                idle_until,
                expires_at,
            };
            if sessions::renew(&db, renewal).await? {
                return Ok(Cookie::Session.set(app, &cookie));
            }
        } else {
            sessions::end(&db, before.session.id, now).await?;
        }
    }
    let session = Session {
        id: SessionId::random(),
        user_id: proved.user.id.clone(),
        born: proved.born,
        auth_time: now,
        amr: vec!["pwd".to_owned()],
        last_seen_at: now,
        idle_until,
        expires_at,
    };
    let Device { user_agent, address } = device;
    let address = Some(address.to_string());
    let new = NewSession { session, cookie_hash: cookie.hash(), user_agent, address };
    sessions::create(&db, new).await?;
    Ok(Cookie::Session.set(app, &cookie))
}

/// Adds the session's cookie to an answer.
pub(crate) fn with_cookie(mut answer: Response, cookie: HeaderValue) -> Response {
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}
