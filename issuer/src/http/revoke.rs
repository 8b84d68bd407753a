//! `POST /revoke` (RFC 7009): an access token dies by its jti, a refresh token takes its grant along. 200 says that it is committed;
//! what is over or was never ours is answered alike.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::access_token;
use super::client_form::ClientForm;
use super::error::OAuthError;
use crate::app::App;
use crate::domain::audit::{Action, Event};
use crate::domain::claims::ID_TOKEN_TYP;
use crate::domain::refresh;
use crate::secret::TokenHash;
use crate::store::feed_head;
use crate::store::refresh_tokens::{self, Revocation};

/// The most by which verifiers forgive another clock: until then a token is not over for them.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Revokes a token. `token_type_hint` is not asked: our tokens say themselves what they are.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let form = ClientForm::read(&app, request).await?;
    let token = form.required("token")?;
    if token.starts_with(refresh::PREFIX) {
        revoke_refresh_token(&form, token).await?;
    } else if app.keys.verify(token, ID_TOKEN_TYP).is_ok() {
        return Err(OAuthError::bad_request("unsupported_token_type", "an ID token cannot be revoked"));
    } else {
        revoke_access_token(&app, &form, token).await?;
    }
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((headers, Json(json!({}))).into_response())
}

async fn revoke_refresh_token(form: &ClientForm, token: &str) -> Result<(), OAuthError> {
    let client = form.client.client().id.clone();
    match refresh_tokens::revoke(&form.db, TokenHash::of(token), client, form.now).await? {
        Revocation::Ended(_) | Revocation::EndedBefore | Revocation::Unknown => Ok(()),
        Revocation::AnotherClients => Err(another_clients()),
    }
}

async fn revoke_access_token(app: &App, form: &ClientForm, token: &str) -> Result<(), OAuthError> {
    let client = &form.client.client().id;
    // Not judged alive: what is dead today because somebody is disabled must not come back with them.
    let Ok((claims, _)) = access_token::ours(app, token) else { return Ok(()) };
    if claims.client_id != *client {
        return Err(another_clients());
    }
    if claims.expired(form.now - LEEWAY) {
        return Ok(());
    }
    let event = Event::done(Action::TokenRevoke).of_client(client).saying(format!("access token {}", claims.jti));
    let event = claims.gid.iter().fold(event, |event, gid| event.of_grant(gid));
    feed_head::cut_off_token(&form.db, claims.jti, event, form.now).await?;
    Ok(())
}

/// The request is refused and the client told so (RFC 7009, section 2.1), in the words of RFC 6749, section 5.2.
fn another_clients() -> OAuthError {
    OAuthError::bad_request("invalid_grant", "the token was issued to another client")
}
