//! `GET|POST /consent`: what an application asks for, of whom, for how long; allow and deny.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::error::PageError;
use super::views::{Consent, ConsentAsk, ConsentLasts};
use super::{Waiting, frame, page};
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::authorization_request::Step;
use crate::domain::client::GrantType;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;
use crate::http::authorize::approval;
use crate::http::authorize::resume::{self, Resumed};
use crate::http::form::csrf_token;
use crate::http::redirect;
use crate::http::signed_in::SignedIn;
use crate::http::visit::{Submission, Visit};

/// Shows the question.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let resumed = resume::find(&app, visit.query.get("request"), &visit.browser, visit.now).await?;
    let signed_in = visit.signed_in(&app).await?;
    let answer = match (resumed.step(&app, signed_in.as_ref(), visit.now).await?, &signed_in) {
        (Step::Consent, Some(signed_in)) => show(&app, &resumed, signed_in, visit.now)?,
        _ => redirect::to(&resume::path(resumed.handle.expose())),
    };
    Ok(visit.browser.remember(answer))
}

/// Takes the answer.
pub(crate) async fn post(State(app): State<Arc<App>>, Submission { form, sender }: Submission) -> Result<Response, PageError> {
    let Some(signed_in) = sender.signed_in(&app).await? else { return Err(PageError::request_gone()) };
    let params = form.verify(&app, &signed_in.cookie).map_err(|why| PageError::forged(&why))?;
    let resumed = resume::find(&app, params.get("request"), &sender.browser, sender.now).await?;
    if resumed.step(&app, Some(&signed_in), sender.now).await? != Step::Consent {
        return Ok(redirect::to(&resume::path(resumed.handle.expose())));
    }
    match params.get("answer") {
        Some("allow") => approval::approve(&app, &resumed.asked(sender.source), &signed_in, sender.now).await,
        Some("deny") => approval::deny(&app, resumed.asked(sender.source), &signed_in, sender.now).await,
        _ => Err(PageError::unreadable(&"the answer must be allow or deny")),
    }
}

fn show(app: &App, resumed: &Resumed, signed_in: &SignedIn, now: UnixTime) -> Result<Response, askama::Error> {
    let waiting = Waiting::of(resumed);
    let template = Consent {
        frame: &frame(app, now),
        csrf: &csrf_token(app, &signed_in.cookie),
        request: resumed.handle.expose(),
        client: waiting.line(resumed),
        asks: &asks(app, resumed),
        lasting: lasting(resumed),
        signed_in_as: &signed_in.user.username,
    };
    page(StatusCode::OK, &template, waiting.policy())
}

/// One line a scope, who first and how long last; what an application's own scope means and where is the configuration's to say.
fn asks(app: &App, resumed: &Resumed) -> Vec<ConsentAsk> {
    let (request, at) = (&resumed.kept.request, places(app, resumed));
    let ask = |title: &str, detail: &str| ConsentAsk { title: title.to_owned(), detail: detail.to_owned() };
    let standard = |scope: Scope, title: &str, detail: &str| request.scopes.contains(&scope).then(|| ask(title, detail));
    let own = request.scopes.iter().filter(|scope| !Scope::STANDARD.contains(scope)).map(|scope| {
        let title = app.config.scopes.get(scope).map_or(scope.as_str(), String::as_str);
        ask(title, &at)
    });
    [
        standard(Scope::OPENID, "Know who you are", "the id of your account here"),
        standard(Scope::PROFILE, "See your name", "your name and your user name"),
        standard(Scope::EMAIL, "See your e-mail address", "and whether it was confirmed"),
    ]
    .into_iter()
    .flatten()
    .chain(own)
    .chain(standard(Scope::OFFLINE_ACCESS, "Keep access while you are away", "also after you have signed out"))
    .collect()
}

/// Where the application's own scopes apply, by the resources' names.
fn places(app: &App, resumed: &Resumed) -> String {
    let name = |resource: &Resource| app.config.resources.get(resource).cloned().unwrap_or_else(|| resource.as_str().to_owned());
    let places: Vec<String> = resumed.kept.request.asked_resources(&resumed.client).iter().map(name).collect();
    if places.is_empty() { String::new() } else { format!("at {}", places.join(" and ")) }
}

fn lasting(resumed: &Resumed) -> ConsentLasts {
    let offline = resumed.kept.request.scopes.contains(&Scope::OFFLINE_ACCESS);
    if !offline || !resumed.client.may_use(GrantType::RefreshToken) {
        return ConsentLasts::UntilSignOut;
    }
    let days = resumed.client.lifetimes.refresh_absolute.get().as_secs().div_ceil(24 * 60 * 60);
    ConsentLasts::Days(u32::try_from(days).unwrap_or(u32::MAX))
}
