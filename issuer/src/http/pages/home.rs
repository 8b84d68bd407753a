//! `GET /`: who is signed in, where, and what may act for them; or the way to sign in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::error::PageError;
use super::views::{Account, ApplicationLine, HomeSignedOut, SessionLine, ago, day, moment};
use super::{Policy, frame, page};
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::ids::SessionId;
use crate::domain::said::Said;
use crate::domain::scope::{Scope, ScopeSet};
use crate::domain::user_agent;
use crate::http::cookies::Cookie;
use crate::http::form::csrf_token;
use crate::http::signed_in::SignedIn;
use crate::http::visit::Visit;
use crate::store::applications::{self, Application};
use crate::store::session_list::{self, ListedSession};

/// Shows the page.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let said = visit.said(&app);
    let mut answer = match visit.signed_in(&app).await? {
        Some(signed_in) => account(&app, &signed_in, said, visit.now).await?,
        None => page(StatusCode::OK, &HomeSignedOut { frame: &frame(&app, visit.now), said }, Policy::default())?,
    };
    if said.is_some() {
        answer.headers_mut().append(header::SET_COOKIE, Cookie::Said.clear(&app));
    }
    Ok(answer)
}

async fn account(app: &App, signed_in: &SignedIn, said: Option<Said>, now: UnixTime) -> Result<Response, PageError> {
    let SignedIn { session, user, cookie } = signed_in;
    let mut reader = app.db.reader().await?;
    let sessions = session_list::of_user(&mut reader.conn(), &user.id, now).await?;
    let applications = applications::of_user(&mut reader.conn(), &user.id, now).await?;
    drop(reader);
    let applications: Vec<ApplicationLine> = applications.into_iter().map(|one| application_line(app, one)).collect();
    let template = Account {
        frame: &frame(app, now),
        csrf: &csrf_token(app, cookie),
        said,
        name: user.display_name(),
        username: &user.username,
        email: user.email.as_deref().filter(|email| *email != user.username),
        sessions: &session_lines(sessions, &session.id, now),
        applications: &applications,
    };
    Ok(page(StatusCode::OK, &template, Policy::default())?)
}

/// This browser first, then the ones that were used last.
fn session_lines(mut sessions: Vec<ListedSession>, here: &SessionId, now: UnixTime) -> Vec<SessionLine> {
    sessions.sort_by_key(|seen| (seen.id != *here, std::cmp::Reverse(seen.last_seen_at)));
    let line = |seen: ListedSession| SessionLine {
        browser: user_agent::in_words(seen.user_agent.as_deref()),
        here: seen.id == *here,
        address: seen.address,
        since: moment(seen.created_at),
        seen: ago(seen.last_seen_at, now),
        id: seen.id.as_str().to_owned(),
    };
    sessions.into_iter().map(line).collect()
}

fn application_line(app: &App, application: Application) -> ApplicationLine {
    let Application { client, scopes, since, offline } = application;
    ApplicationLine {
        id: client.id.as_str().to_owned(),
        allowed: in_words(app, &scopes),
        since: day(since),
        offline,
        name: client.name.clone(),
    }
}

/// `Who you are, your name, read your orders`: what an application may know, and then what its own scopes let it do.
fn in_words(app: &App, scopes: &ScopeSet) -> String {
    let standard = [(Scope::OPENID, "who you are"), (Scope::PROFILE, "your name"), (Scope::EMAIL, "your e-mail address")];
    let known = standard.iter().filter(|(scope, _)| scopes.contains(scope)).map(|(_, words)| (*words).to_owned());
    let own = scopes.iter().filter(|scope| !Scope::STANDARD.contains(scope)).map(|scope| match app.config.scopes.get(scope) {
        Some(words) => lower_first(words),
        None => scope.as_str().to_owned(),
    });
    let mut text = known.chain(own).collect::<Vec<_>>().join(", ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn lower_first(words: &str) -> String {
    let mut text = words.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
