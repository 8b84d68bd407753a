//! `GET /authorize/resume`: goes on with a kept request, in the browser that brought it and in no other. Sign-in leads here, and
//! so does a request that came by POST.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::approval;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::Source;
use crate::domain::authorization_request::{Seen, Step, next_step};
use crate::domain::client::{Client, GrantType};
use crate::domain::ids::Tick;
use crate::domain::scope::Scope;
use crate::http::cookies::Browser;
use crate::http::pages::error::PageError;
use crate::http::redirect;
use crate::http::signed_in::SignedIn;
use crate::http::visit::Visit;
use crate::secret::OpaqueToken;
use crate::store::StoreError;
use crate::store::authorization_requests::{self, KeptRequest};
use crate::store::clients;

/// A kept request in the browser that brought it, with its client as it is now.
pub(crate) struct Resumed {
    /// The handle, for the next page's address.
    pub(crate) handle: OpaqueToken,
    /// The request.
    pub(crate) kept: KeptRequest,
    /// Its client.
    pub(crate) client: Client,
    /// The tick at which the client was read.
    pub(crate) read_at: Tick,
}

impl Resumed {
    /// What this request needs next, from this person.
    pub(crate) async fn step(&self, app: &App, signed_in: Option<&SignedIn>, now: UnixTime) -> Result<Step, StoreError> {
        let remembered = &approval::remembered(app, &self.client, signed_in, now).await?;
        let session = signed_in.map(|found| &found.session);
        let seen = Seen { session, remembered, requested_at: self.kept.created_at, now };
        Ok(next_step(&self.kept.request, &self.client, seen))
    }

    /// For the approval that answers it.
    pub(crate) fn asked(&self, source: Source) -> approval::Asked<'_> {
        let answers = Some(self.kept.handle_hash.clone());
        approval::Asked { client: &self.client, read_at: self.read_at, request: &self.kept.request, answers, source }
    }
}

/// The address that goes on with a kept request.
pub(crate) fn path(handle: &str) -> String {
    format!("/authorize/resume?request={handle}")
}

/// Sends the browser to the page of a step.
pub(super) fn show(step: Step, handle: &OpaqueToken) -> Response {
    let page = if step == Step::Consent { "consent" } else { "login" };
    redirect::to(&format!("/{page}?request={}", handle.expose()))
}

/// Goes on with the request of a handle.
pub(crate) async fn get(State(app): State<Arc<App>>, visit: Visit) -> Result<Response, PageError> {
    let resumed = find(&app, visit.query.get("request"), &visit.browser, visit.now).await?;
    let signed_in = visit.signed_in(&app).await?;
    let answer = match resumed.step(&app, signed_in.as_ref(), visit.now).await? {
        step @ (Step::SignIn | Step::Consent) => show(step, &resumed.handle),
        step => approval::take(&app, step, &resumed.asked(visit.source), signed_in.as_ref(), visit.now)
            .await?
            .unwrap_or_else(|| show(Step::Consent, &resumed.handle)),
    };
    Ok(visit.browser.remember(answer))
}

/// Finds the kept request of a handle if it is bound to this browser already, and binds none: the handle came with a form that was
/// not accepted.
pub(crate) async fn find_bound(
    app: &Arc<App>,
    handle: Option<String>,
    browser: &Browser,
    now: UnixTime,
) -> Result<Option<Resumed>, PageError> {
    let Some(handle) = handle.filter(|text| text.len() <= 64) else { return Ok(None) };
    let mut reader = app.db.reader().await?;
    let kept = authorization_requests::find(&mut reader.conn(), &OpaqueToken::presented(&handle).hash(), now).await?;
    drop(reader);
    let ours = kept.and_then(|kept| kept.browser_hash).is_some_and(|bound| bound.matches(&browser.hash()));
    match ours {
        true => find(app, Some(&handle), browser, now).await.map(Some),
        false => Ok(None),
    }
}

/// Finds the kept request of a handle; one that no browser has followed yet is bound to this one.
pub(crate) async fn find(app: &Arc<App>, handle: Option<&str>, browser: &Browser, now: UnixTime) -> Result<Resumed, PageError> {
    let gone = PageError::request_gone;
    let handle = OpaqueToken::presented(handle.filter(|text| text.len() <= 64).ok_or_else(gone)?);
    let mut reader = app.db.reader().await?;
    let mut kept = authorization_requests::find(&mut reader.conn(), &handle.hash(), now).await?.ok_or_else(gone)?;
    let record = clients::find(&mut reader.conn(), &kept.request.client_id, now).await?.ok_or_else(gone)?;
    drop(reader);
    let (client, read_at) = (record.client, record.evidence.tick);
    // The registration may have changed while the person was signing in, and the answer must not go where it no longer leads.
    let request = &kept.request;
    let allowed = client.may_use(GrantType::AuthorizationCode)
        && (client.may_use(GrantType::RefreshToken) || !request.scopes.contains(&Scope::OFFLINE_ACCESS))
        && (request.code_challenge.is_some() || !client.pkce_required)
        && client.redirect_uri(&request.redirect_uri).is_some()
        && request.scopes.is_subset(&client.scopes)
        && request.resources.iter().all(|resource| client.resources.contains(resource));
    if !allowed {
        return Err(gone());
    }
    let ours = match &kept.browser_hash {
        Some(bound) => {
            let ours = bound.matches(&browser.hash());
            if ours && !kept.followed {
                authorization_requests::follow(&app.db, handle.hash(), now).await?;
            }
            ours
        }
        None => {
            // For this browser the request begins now: a sign-in from before does not answer its `prompt=login`.
            kept.created_at = now;
            authorization_requests::claim(&app.db, handle.hash(), browser.hash(), now).await?
        }
    };
    if !ours {
        tracing::info!(client_id = %client.id, "a kept request was followed by another browser");
        return Err(gone());
    }
    Ok(Resumed { handle, kept, client, read_at })
}
