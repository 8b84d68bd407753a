//! `GET|POST /authorize` (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1): judges the request, then goes on to
//! sign-in, consent or the code. A wrong client or redirect URI gets a page of ours; everything else goes back to the client.

pub(crate) mod approval;
pub(crate) mod resume;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::client_answer::ClientAnswer;
use super::form::FormBody;
use super::pages::error::PageError;
use super::redirect;
use super::source;
use super::visit::Visit;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::Source;
use crate::domain::authorization_request::{AuthorizationRequest, HANDLE_PREFIX, LIFE, RequestError, Seen, Step, next_step};
use crate::domain::claims::ID_TOKEN_TYP;
use crate::domain::client::Client;
use crate::domain::cutoff::revoked;
use crate::domain::ids::{ClientId, Tick, UserId};
use crate::domain::params::Params;
use crate::domain::response_mode::ResponseMode;
use crate::secret::{OpaqueToken, TokenHash};
use crate::store::authorization_requests::{self, KeptRequest};
use crate::store::clients;

/// What became of judging a request.
enum Judged {
    /// It may go on, by the registration as it stood at this tick.
    Good(Box<(Client, Tick, AuthorizationRequest)>),
    /// It goes back to the client with an error.
    Back(Response),
}

/// By GET: our cookies are here, so the next step can be taken at once.
pub(super) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let (client, read_at, request) = match judge(&app, &visit.query, visit.now).await? {
        Judged::Good(good) => *good,
        Judged::Back(answer) => return Ok(answer),
    };
    let signed_in = visit.signed_in(&app).await?;
    let remembered = approval::remembered(&app, &client, signed_in.as_ref(), visit.now).await?;
    let session = signed_in.as_ref().map(|found| &found.session);
    let seen = Seen { session, remembered: &remembered, requested_at: visit.now, now: visit.now };
    let mut step = next_step(&request, &client, seen);
    if !matches!(step, Step::SignIn | Step::Consent) {
        let asked = approval::Asked { client: &client, read_at, request: &request, answers: None, source: visit.source.clone() };
        if let Some(answer) = approval::take(&app, step, &asked, signed_in.as_ref(), visit.now).await? {
            return Ok(answer);
        }
        step = Step::Consent;
    }
    let handle = keep(&app, request, Some(visit.browser.hash()), &visit.source, visit.now).await?;
    Ok(visit.browser.remember(resume::show(step, &handle)))
}

/// By POST: it may come from another site and so without our cookies. The request is kept, and followed by GET.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, PageError> {
    let bare = request.uri().query().is_none_or(str::is_empty);
    let source = source::of(request.headers(), request.extensions());
    let FormBody(params) = FormBody::read(request).await.map_err(|why| PageError::bad_form(&why))?;
    let now = app.now();
    if !bare {
        return Err(PageError::unreadable(&"a posted request carries its parameters in the body alone"));
    }
    match judge(&app, &params, now).await? {
        Judged::Good(good) => {
            let handle = keep(&app, good.2, None, &source, now).await?;
            Ok(redirect::to(&resume::path(handle.expose())))
        }
        Judged::Back(answer) => Ok(answer),
    }
}

async fn judge(app: &Arc<App>, params: &Params, now: UnixTime) -> Result<Judged, PageError> {
    let unknown_client = PageError::unknown_client;
    let id: ClientId = params.get("client_id").and_then(|id| id.parse().ok()).ok_or_else(unknown_client)?;
    let mut reader = app.db.reader().await?;
    let found = clients::find(&mut reader.conn(), &id, now).await?;
    drop(reader);
    let record = found.ok_or_else(unknown_client)?;
    if revoked(record.evidence.tick, &record.evidence).is_some() {
        return Err(unknown_client());
    }
    let (client, read_at) = (record.client, record.evidence.tick);
    let redirect_uri = params
        .get("redirect_uri")
        .filter(|presented| client.redirect_uri(presented).is_some())
        .ok_or_else(PageError::unregistered_redirect_uri)?;
    match AuthorizationRequest::parse(params, &client, redirect_uri).and_then(|request| with_hint(app, params, request)) {
        Ok(request) => Ok(Judged::Good(Box::new((client, read_at, request)))),
        Err(error) => {
            tracing::info!(client_id = %client.id, error = error.code, "refused an authorization request");
            // A state too long to be kept is too long to be sent back.
            let state = params.get("state").filter(|state| state.len() <= 4096);
            let response_mode = ResponseMode::asked(params, redirect_uri).unwrap_or_default();
            let back = ClientAnswer { client: &client, redirect_uri, response_mode, state };
            Ok(Judged::Back(back.with_error(app, &error)?))
        }
    }
}

/// Adds whom an `id_token_hint` names. The token may be old: it is a hint, and proves nothing to anybody. It tells of a session "with
/// the Client" (OpenID Connect Core, section 3.1.2.1): with another client's token, this one could ask who else is signed in.
fn with_hint(app: &App, params: &Params, request: AuthorizationRequest) -> Result<AuthorizationRequest, RequestError> {
    let Some(hint) = params.get("id_token_hint") else { return Ok(request) };
    let refuse = || RequestError::new("invalid_request", "id_token_hint is not an ID token that this issuer gave this client");
    let (claims, _) = app.keys.verify(hint, ID_TOKEN_TYP).map_err(|_| refuse())?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    match (text("iss"), text("aud"), text("sub")) {
        (Some(issuer), Some(client), Some(sub))
            if issuer == app.config.issuer.as_str() && client == request.client_id.as_str() =>
        {
            request.hinted(UserId::new(sub))
        }
        _ => Err(refuse()),
    }
}

/// Keeps a request while the person signs in and decides. Nobody is turned away because too many wait: whoever sends thousands would
/// keep out everybody else behind the same address.
async fn keep(
    app: &Arc<App>,
    request: AuthorizationRequest,
    browser_hash: Option<TokenHash>,
    source: &Source,
    now: UnixTime,
) -> Result<OpaqueToken, PageError> {
    let handle = OpaqueToken::random(HANDLE_PREFIX);
    let handle_hash = handle.hash();
    let kept = KeptRequest { handle_hash, browser_hash, followed: false, request, created_at: now, expires_at: now + LIFE };
    let gone = authorization_requests::keep(&app.db, kept, app.room_for_requests(source.address.as_deref())).await?;
    if gone > 0 {
        tracing::info!(gone, "too many requests wait to be answered: this one took the place of another");
    }
    Ok(handle)
}
