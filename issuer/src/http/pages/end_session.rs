//! `GET|POST /end_session` (OpenID Connect RP-Initiated Logout 1.0): an application asks to sign the user out. An ID token that fits the
//! session ends it at once; anybody else's wish is put to the user first, and nobody is sent to an unregistered address.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

use super::error::PageError;
use super::views::{EndSession, SignedOut};
use super::{Policy, frame, page};
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::Source;
use crate::domain::claims::ID_TOKEN_TYP;
use crate::domain::client::Client;
use crate::domain::cutoff::revoked;
use crate::domain::ids::{ClientId, SessionId, UserId};
use crate::domain::logout_request::{LogoutHint, LogoutRequest, LogoutStep};
use crate::domain::params::Params;
use crate::domain::redirect_uri::RedirectUri;
use crate::http::cookies::Cookie;
use crate::http::form::{FormBody, csrf_token};
use crate::http::redirect;
use crate::http::signed_in::SignedIn;
use crate::http::visit::{Submission, Visit};
use crate::store::{StoreError, clients, sessions};

/// The longest state that is echoed; the whole request must fit into an address.
const LONGEST_STATE: usize = 2048;

/// By GET: our cookies are here, so the next step can be taken at once.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let request = match visit.query.get("request") {
        Some(sealed) => open(&app, Some(sealed), visit.now)?,
        None => judge(&app, &visit.query, visit.now).await?,
    };
    let signed_in = visit.signed_in(&app).await?;
    let leaving = Leaving { request, confirmed: false, now: visit.now };
    match (leaving.request.step(signed_in.as_ref().map(|found| &found.session)), signed_in) {
        (LogoutStep::Confirm, Some(signed_in)) => ask(&app, &leaving, &signed_in).await,
        (LogoutStep::End, Some(signed_in)) => end(&app, &leaving, signed_in, &visit.source).await,
        (LogoutStep::Done | LogoutStep::Confirm | LogoutStep::End, _) => go(&app, &leaving).await,
    }
}

/// By POST: it comes from another site and so without our cookies. The request is sealed, and followed by GET.
pub(crate) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, PageError> {
    let bare = request.uri().query().is_none_or(str::is_empty);
    let FormBody(params) = FormBody::read(request).await.map_err(|why| PageError::bad_form(&why))?;
    if !bare {
        return Err(PageError::unreadable(&"a posted request carries its parameters in the body alone"));
    }
    let now = app.now();
    let request = judge(&app, &params, now).await?;
    Ok(redirect::to(&format!("/end_session?request={}", seal(&app, &request, now)?)))
}

/// The user's word.
pub(crate) async fn confirm(State(app): State<Arc<App>>, Submission { form, sender }: Submission) -> Result<Response, PageError> {
    form.came_from_us().map_err(|why| PageError::forged(&why))?;
    // Signed out meanwhile: there is nothing that the form could be bound to, and nothing left to do.
    let Some(signed_in) = sender.signed_in(&app).await? else { return signed_out(&app, sender.now) };
    let params = form.verify(&app, &signed_in.cookie).map_err(|why| PageError::forged(&why))?;
    let request = open(&app, params.get("request"), sender.now)?;
    end(&app, &Leaving { request, confirmed: true, now: sender.now }, signed_in, &sender.source).await
}

/// A logout request on its way.
struct Leaving {
    request: LogoutRequest,
    confirmed: bool,
    now: UnixTime,
}

/// Judges the parameters. What an application got wrong it is told by a page; a hint that is none only makes it a stranger, because its
/// key may be long gone.
async fn judge(app: &App, params: &Params, now: UnixTime) -> Result<LogoutRequest, PageError> {
    let named = params.get("client_id").map(|id| id.parse::<ClientId>().map_err(|_| PageError::unknown_client())).transpose()?;
    let hint = params.get("id_token_hint").map(|hint| read_hint(app, hint));
    let (audience, hint, stranger) = match hint {
        Some(Some((audience, hint))) => (Some(audience), Some(hint), false),
        Some(None) => (None, None, true),
        None => (None, None, false),
    };
    if let (Some(named), Some(audience)) = (&named, &audience)
        && named != audience
    {
        return Err(PageError::unreadable(&"client_id is not the client that id_token_hint was issued to"));
    }
    let client = match named.as_ref().or(audience.as_ref()) {
        Some(id) => living(app, id, now).await?,
        None => None,
    };
    if named.is_some() && client.is_none() {
        return Err(PageError::unknown_client());
    }
    let post_logout_redirect_uri = match (&client, params.get("post_logout_redirect_uri")) {
        (Some(client), Some(uri)) if !stranger => {
            let registered = client.post_logout_redirect_uri(uri);
            Some(registered.ok_or_else(PageError::unregistered_post_logout_redirect_uri)?.as_str().to_owned())
        }
        _ => None,
    };
    let state = params.get("state").map(str::to_owned);
    if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
        return Err(PageError::unreadable(&format!("state is longer than {LONGEST_STATE} bytes")));
    }
    Ok(LogoutRequest { client_id: client.map(|client| client.id.clone()), hint, post_logout_redirect_uri, state })
}

/// To whom and about which sign-in we once issued this ID token, however long ago.
fn read_hint(app: &App, hint: &str) -> Option<(ClientId, LogoutHint)> {
    let (claims, _) = app.keys.verify(hint, ID_TOKEN_TYP).ok()?;
    let text = |claims: &Map<String, Value>, name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    if text(&claims, "iss")? != app.config.issuer.as_str() {
        return None;
    }
    let hint = LogoutHint { user: UserId::new(text(&claims, "sub")?), session: SessionId::new(text(&claims, "sid")?) };
    Some((ClientId::new(text(&claims, "aud")?), hint))
}

async fn living(app: &App, id: &ClientId, now: UnixTime) -> Result<Option<Client>, StoreError> {
    let mut reader = app.db.reader().await?;
    let found = clients::find(&mut reader.conn(), id, now).await?;
    let alive = found.filter(|record| revoked(record.evidence.tick, &record.evidence).is_none());
    Ok(alive.map(|record| record.client))
}

fn seal(app: &App, request: &LogoutRequest, now: UnixTime) -> Result<String, PageError> {
    request.seal(&app.csrf_key(), now).map_err(|why| PageError::unreadable(&why))
}

fn open(app: &App, sealed: Option<&str>, now: UnixTime) -> Result<LogoutRequest, PageError> {
    sealed.and_then(|sealed| LogoutRequest::open(sealed, &app.csrf_key(), now)).ok_or_else(PageError::request_gone)
}

async fn ask(app: &App, leaving: &Leaving, signed_in: &SignedIn) -> Result<Response, PageError> {
    let Leaving { request, now, .. } = leaving;
    let client = match &request.client_id {
        Some(id) => living(app, id, *now).await?,
        None => None,
    };
    let returns_to =
        request.destination(true).zip(client.as_ref()).and_then(|(uri, client)| client.post_logout_redirect_uri(uri));
    let template = EndSession {
        frame: &frame(app, *now),
        csrf: &csrf_token(app, &signed_in.cookie),
        request: &seal(app, request, *now)?,
        client: client.as_ref().map(|client| client.name.as_str()),
        returns_to: returns_to.map(RedirectUri::host),
        signed_in_as: &signed_in.user.username,
    };
    let form_action = returns_to.and_then(|uri| uri.origin_for_csp(uri.as_str()));
    Ok(page(StatusCode::OK, &template, Policy { form_action: form_action.as_deref(), ..Policy::default() })?)
}

/// Ends the session, takes its cookie away and goes on.
async fn end(app: &App, leaving: &Leaving, signed_in: SignedIn, source: &Source) -> Result<Response, PageError> {
    sessions::end(&signed_in.db(app, source), signed_in.session.id, leaving.now).await?;
    let mut answer = go(app, leaving).await?;
    answer.headers_mut().append(header::SET_COOKIE, Cookie::Session.clear(app));
    Ok(answer)
}

/// Sends the browser where the request wants it, if that is still one of its client's addresses.
async fn go(app: &App, leaving: &Leaving) -> Result<Response, PageError> {
    let Leaving { request, confirmed, now } = leaving;
    if let (Some(uri), Some(id)) = (request.destination(*confirmed), &request.client_id)
        && living(app, id, *now).await?.is_some_and(|client| client.post_logout_redirect_uri(uri).is_some())
    {
        return Ok(redirect::after_logout(uri, request.state.as_deref()));
    }
    signed_out(app, *now)
}

fn signed_out(app: &App, now: UnixTime) -> Result<Response, PageError> {
    Ok(page(StatusCode::OK, &SignedOut { frame: &frame(app, now) }, Policy::default())?)
}
