//! `GET|POST /login`: a name and a password become a session. An unknown name costs and looks the same as a wrong password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::views::{SignIn, SignInProblem};
use super::{Policy, Waiting, frame, page};
use crate::app::App;
use crate::app::attempts::{Account, Tried, Verdict};
use crate::app::checkpoint::Checkpoint;
use crate::app::password_gate::GateError;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{SessionId, Tick, UserId};
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
use crate::secret::OpaqueToken;
use crate::store::sessions::{self, Created, NewSession, Renewal};
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
    let open_request = form.unverified_request();
    let params = match form.verify(&app, &sender.browser.token) {
        Ok(params) => params,
        Err(ForgeryError::Token) => {
            let resumed = resume::find_bound(&app, open_request, &sender.browser, sender.now).await?;
            let shown = Shown { browser: &sender.browser, resumed: resumed.as_ref(), username: "" };
            let answer = show(&app, &shown, Some(SignInProblem::OpenTooLong), sender.now)?;
            return Ok(sender.browser.remember(answer));
        }
        Err(why @ ForgeryError::CrossSite) => return Err(PageError::forged(&why)),
    };
    let resumed = waiting_request(&app, &params, &sender.browser, sender.now).await?;
    let (username, password) = (params.get("username").unwrap_or_default(), params.get("password").unwrap_or_default());
    let shown = Shown { browser: &sender.browser, resumed: resumed.as_ref(), username };
    let proved = match prove(&app, username, password, &sender).await? {
        Ok(proved) => proved,
        Err(problem) => return Ok(show(&app, &shown, Some(problem), sender.now)?),
    };
    let before = sender.signed_in(&app).await?;
    let cookies = begin_session(&app, &proved, before, sender).await?.ok_or_else(PageError::too_many_sessions)?;
    let next = match &resumed {
        Some(resumed) => redirect::to(&resume::path(resumed.handle.expose())),
        None => redirect::to("/"),
    };
    Ok(with_cookies(next, cookies))
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
    let (status, retry_after) = match problem {
        None => (StatusCode::OK, None),
        Some(SignInProblem::Busy { retry_after }) => (StatusCode::SERVICE_UNAVAILABLE, Some(retry_after)),
        Some(SignInProblem::TooMany { retry_after }) => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after)),
        Some(SignInProblem::OpenTooLong) => (StatusCode::FORBIDDEN, None),
        Some(_) => (StatusCode::UNPROCESSABLE_ENTITY, None),
    };
    let policy = waiting.as_ref().map_or(Policy::default(), Waiting::policy);
    let mut answer = page(status, &template, policy)?;
    if let Some(retry_after) = retry_after {
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
async fn prove(app: &App, username: &str, password: &str, sender: &Sender) -> Result<Result<Proved, SignInProblem>, PageError> {
    let password = match (username.trim().is_empty(), Password::typed(password)) {
        (true, Err(_)) if password.is_empty() => return Ok(Err(SignInProblem::EmptyBoth)),
        (true, _) => return Ok(Err(SignInProblem::EmptyUsername)),
        (false, Err(_)) if password.is_empty() => return Ok(Err(SignInProblem::EmptyPassword)),
        (false, Err(_)) => return Ok(Err(SignInProblem::NoMatch)),
        (false, Ok(password)) => password,
    };
    let mapped = Username::parse(username).ok();
    let record = match &mapped {
        Some(username) => users::sign_in_record(&mut app.db.reader().await?.conn(), username).await?,
        None => None,
    };
    let hash = record.as_ref().and_then(|record| record.password_hash.clone());
    let tried = Tried {
        account: match &record {
            Some(record) => Account::Known(&record.user.id),
            None => Account::Unknown(mapped.as_ref().map_or(username, Username::as_str)),
        },
        hash: hash.clone(),
        evidence: record.as_ref().map(|record| &record.evidence),
        password: password.clone(),
        device: Cookie::Device.read(app, &sender.headers),
        address: sender.source.address.as_deref(),
        action: Action::SignIn,
    };
    let verdict = app.try_password(&app.db.by(sender.source.clone()), tried, sender.now).await?;
    let record = match (verdict, record) {
        (Verdict::Right, Some(record)) => record,
        (Verdict::Right, None) | (Verdict::Wrong, _) => return Ok(Err(SignInProblem::NoMatch)),
        (Verdict::Wait { seconds: retry_after }, _) => return Ok(Err(SignInProblem::TooMany { retry_after })),
        (Verdict::Busy, _) => return Ok(Err(SignInProblem::Busy { retry_after: RETRY_AFTER })),
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

/// Begins a session, or renews the one that the same person has in this browser; another person's session here ends. The session's
/// cookie is new in any case, and the device is known from now on. None where there are as many sessions as there may be.
pub(crate) async fn begin_session(
    app: &App,
    proved: &Proved,
    before: Option<SignedIn>,
    sender: Sender,
) -> Result<Option<[HeaderValue; 2]>, PageError> {
    let (user, now) = (&proved.user.id, sender.now);
    let db = app.db.by(sender.source.with(Actor::User(user.clone())));
    let (new, cookie) = new_session(app, user, proved.born, &sender);
    let device = app.device_cookie(user, proved.born);
    let cookies = [Cookie::Session.set(app, &cookie), Cookie::Device.set(app, &device)];
    if let Some(before) = before {
        if before.user.id == *user {
            let renewal = Renewal {
                id: before.session.id,
                user_id: before.user.id,
                old_cookie: before.cookie.hash(),
                new_cookie: cookie.hash(),
                now,
                idle_until: new.session.idle_until,
                expires_at: new.session.expires_at,
            };
            if sessions::renew(&db, renewal).await? {
                return Ok(Some(cookies));
            }
        } else {
            sessions::end(&db, before.session.id, now).await?;
        }
    }
    match sessions::create(&db, new, app.config.sessions.cap()).await? {
        Created::Done => Ok(Some(cookies)),
        Created::Full => Ok(None),
    }
}

/// A session of the browser that sends a form, with the cookie that it will go by.
pub(crate) fn new_session(app: &App, user: &UserId, born: Tick, sender: &Sender) -> (NewSession, OpaqueToken) {
    let (cookie, now) = (Cookie::Session.draw(), sender.now);
    let session = Session {
        id: SessionId::random(),
        user_id: user.clone(),
        born,
        auth_time: now,
        amr: vec!["pwd".to_owned()],
        last_seen_at: now,
        idle_until: now + app.config.sessions.idle,
        expires_at: now + app.config.sessions.absolute,
    };
    let Device { user_agent, address } = &sender.device;
    let new =
        NewSession { session, cookie_hash: cookie.hash(), user_agent: user_agent.clone(), address: Some(address.to_string()) };
    (new, cookie)
}

/// Adds the cookies of a sign-in to an answer.
pub(crate) fn with_cookies(mut answer: Response, cookies: [HeaderValue; 2]) -> Response {
    for cookie in cookies {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}
