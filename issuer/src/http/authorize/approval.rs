//! An approval becomes a grant and its code. The tick is read with all the evidence in one statement, then that is judged, then the
//! grant is stamped with it.

use std::sync::Arc;

use axum::response::Response;

use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Source};
use crate::domain::authorization_request::{AuthorizationRequest, RequestError, Step};
use crate::domain::client::{Client, GrantType};
use crate::domain::code;
use crate::domain::consent::Consent;
use crate::domain::cutoff::{Evidence, Standing, revoked};
use crate::domain::grant::Grant;
use crate::domain::ids::{GrantId, Tick};
use crate::http::client_answer::ClientAnswer;
use crate::http::pages::error::PageError;
use crate::http::signed_in::SignedIn;
use crate::secret::{OpaqueToken, TokenHash};
use crate::store::StoreError;
use crate::store::authorization_requests;
use crate::store::evidence::{self, Levels};
use crate::store::grants::{self, Approval, Approved};

/// A request that is about to be answered.
pub(crate) struct Asked<'a> {
    /// Who asks.
    pub(crate) client: &'a Client,
    /// The tick that was read with its registration.
    pub(crate) read_at: Tick,
    /// What.
    pub(crate) request: &'a AuthorizationRequest,
    /// The kept request that the answer takes out of circulation; none where no page was needed.
    pub(crate) answers: Option<TokenHash>,
    /// From where.
    pub(crate) source: Source,
}

impl Asked<'_> {
    fn back(&self) -> ClientAnswer<'_> {
        ClientAnswer {
            client: self.client,
            redirect_uri: &self.request.redirect_uri,
            response_mode: self.request.response_mode,
            state: self.request.state.as_deref(),
        }
    }
}

/// What the signed-in user has allowed the client so far. Good for choosing a page: an approval without one reads it again, with its
/// tick.
pub(crate) async fn remembered(
    app: &App,
    client: &Client,
    signed_in: Option<&SignedIn>,
    now: UnixTime,
) -> Result<Consent, StoreError> {
    let Some(signed_in) = signed_in else { return Ok(Consent::default()) };
    let levels = Levels { user: Some(signed_in.user.id.clone()), client: Some(client.id.clone()), ..Levels::default() };
    let mut reader = app.db.reader().await?;
    Ok(evidence::read(&mut reader.conn(), &levels, now).await?.consent)
}

/// Takes a step that needs no page: the code, or a refusal. `None` when the user has to be asked after all: what was remembered when
/// the step was chosen is withdrawn.
pub(crate) async fn take(
    app: &Arc<App>,
    step: Step,
    asked: &Asked<'_>,
    signed_in: Option<&SignedIn>,
    now: UnixTime,
) -> Result<Option<Response>, PageError> {
    app.reached(Checkpoint::StepChosen).await;
    let consent_required = || RequestError::new("consent_required", "the user has to be asked");
    let error = match (step, signed_in) {
        (Step::Approve, Some(signed_in)) => match write(app, asked, signed_in, Basis::Remembered, now).await? {
            Written::Code(code) => return asked.back().with_code(app, code.expose()).map(Some),
            Written::Gone => return Err(PageError::request_gone()),
            Written::TooMany => too_many(asked.client),
            Written::NotAllowed if !asked.request.prompt.none => return Ok(None),
            Written::NotAllowed => consent_required(),
        },
        (Step::LoginRequired, _) => {
            RequestError::new("login_required", "nobody is signed in, not recently enough, or somebody else")
        }
        (Step::ConsentRequired, _) => consent_required(),
        (Step::SignIn | Step::Consent | Step::Approve, _) => return Err(PageError::request_gone()),
    };
    asked.back().with_error(app, &error).map(Some)
}

/// Writes the approval that the user has just given and sends the browser back with the code.
pub(crate) async fn approve(
    app: &Arc<App>,
    asked: &Asked<'_>,
    signed_in: &SignedIn,
    now: UnixTime,
) -> Result<Response, PageError> {
    match write(app, asked, signed_in, Basis::Click, now).await? {
        Written::Code(code) => asked.back().with_code(app, code.expose()),
        Written::TooMany => asked.back().with_error(app, &too_many(asked.client)),
        Written::Gone | Written::NotAllowed => Err(PageError::request_gone()),
    }
}

/// Sends the browser back with the user's refusal.
pub(crate) async fn deny(app: &Arc<App>, asked: Asked<'_>, signed_in: &SignedIn, now: UnixTime) -> Result<Response, PageError> {
    let event = Event::done(Action::GrantDeny).of_user(&signed_in.user.id).of_client(&asked.client.id);
    if let Some(handle) = &asked.answers
        && !authorization_requests::refuse(&signed_in.db(app, &asked.source), handle.clone(), event, now).await?
    {
        return Err(PageError::request_gone());
    }
    asked.back().with_error(app, &RequestError::new("access_denied", "the user said no"))
}

/// What an approval rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// The user was asked, and said yes.
    Click,
    /// The user need not be asked, by the registration or by an earlier answer.
    Remembered,
}

/// What became of an approval.
enum Written {
    /// It is written, and this is its code.
    Code(OpaqueToken),
    /// Session or client died meanwhile, or another click was faster.
    Gone,
    /// What was remembered does not allow it, or not any more.
    NotAllowed,
    /// This session gets too many codes.
    TooMany,
}

async fn write(app: &App, asked: &Asked<'_>, signed_in: &SignedIn, basis: Basis, now: UnixTime) -> Result<Written, StoreError> {
    let Asked { client, read_at, request, answers, source } = asked;
    let session = &signed_in.session;
    let levels = Levels {
        user: Some(session.user_id.clone()),
        client: Some(client.id.clone()),
        session: Some(session.id.clone()),
        ..Levels::default()
    };
    let mut reader = app.db.reader().await?;
    let found = evidence::read(&mut reader.conn(), &levels, now).await?;
    drop(reader);
    // What a client had, or was allowed, is no session; so the session is judged without both.
    let of_session = Evidence { client: Standing::NotJudged, consent: Standing::NotJudged, ..found.evidence.clone() };
    let dead = revoked(session.born, &of_session).or(revoked(found.evidence.tick, &found.evidence));
    // The grant would outlive a cut-off of its client that came after the registration was read: removed and made again, the client
    // of this id may be somebody else's, and what the earlier one was allowed is not for it.
    let of_client = Evidence { client: found.evidence.client, ..Evidence::of_issuer(found.evidence.tick, found.evidence.issuer) };
    if dead.or(revoked(*read_at, &of_client)).is_some() || found.session_expired {
        return Ok(Written::Gone);
    }
    if basis == Basis::Remembered && !request.consented(client, &found.consent) {
        return Ok(Written::NotAllowed);
    }
    app.reached(Checkpoint::ApprovalJudged).await;
    let code = OpaqueToken::random(code::PREFIX);
    let grant = Grant {
        id: GrantId::random(),
        user_id: session.user_id.clone(),
        client_id: client.id.clone(),
        session_id: session.id.clone(),
        scopes: request.scopes.clone(),
        resources: request.asked_resources(client),
        born: found.evidence.tick,
        auth_time: session.auth_time,
        amr: session.amr.clone(),
        claims: request.claims.clone(),
        // Without refresh tokens nothing of it outlives the access token that its code is good for.
        refresh_until: match client.may_use(GrantType::RefreshToken) {
            true => now + client.lifetimes.refresh_absolute.get(),
            false => now + code::LIFE,
        },
    };
    let approval = Approval {
        grant,
        code_hash: code.hash(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        code_expires_at: now + code::LIFE,
        answers: answers.clone(),
        // A public client is asked about every time, so there is nothing to remember.
        remember: (basis == Basis::Click && !client.is_public()).then(|| request.asked_consent(client)),
        room: app.config.limits.codes_per_session,
        now,
    };
    Ok(match grants::approve(&signed_in.db(app, source), approval).await? {
        Approved::Written => Written::Code(code),
        Approved::AnsweredBefore => Written::Gone,
        Approved::TooMany => Written::TooMany,
    })
}

/// What a client hears that fetches codes without end (RFC 6819 section 4.4.1.11): its page can ask silently as often as it likes, and
/// each code leaves a grant behind.
fn too_many(client: &Client) -> RequestError {
    tracing::warn!(client_id = %client.id, "too many codes for one session within a minute");
    RequestError::new("temporarily_unavailable", "too many codes for one session; try again in a minute")
}
