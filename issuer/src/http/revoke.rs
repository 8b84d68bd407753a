//! `POST /revoke` (RFC 7009): an access token dies by its jti, a refresh token takes its grant along. 200 says that it is committed, and
//! `tick` and `effective_within` from when on every current verifier refuses it; what is over or was never ours is answered without.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;

use super::client_form::ClientForm;
use super::error::OAuthError;
use super::{access_token, effect};
use crate::app::App;
use crate::domain::audit::{Action, Event};
use crate::domain::claims::ID_TOKEN_TYP;
use crate::domain::ids::Tick;
use crate::domain::refresh;
use crate::secret::TokenHash;
use crate::store::feed_head::{self, TokenCutOff};
use crate::store::refresh_tokens::{self, Revocation};

/// The most by which verifiers forgive another clock: until then a token is not over for them.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Revokes a token. `token_type_hint` is not asked: our tokens say themselves what they are.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let form = ClientForm::read(&app, request).await?;
    let token = form.required("token")?;
    let tick = if token.starts_with(refresh::PREFIX) {
        revoke_refresh_token(&form, token).await?
    } else if app.keys.verify(token, ID_TOKEN_TYP).is_ok() {
        return Err(OAuthError::bad_request("unsupported_token_type", "an ID token cannot be revoked"));
    } else {
        revoke_access_token(&app, &form, token).await?
    };
    Ok(effect::answer(tick))
}

/// The tick of the cut-off, be it of now or of before.
async fn revoke_refresh_token(form: &ClientForm, token: &str) -> Result<Option<Tick>, OAuthError> {
    let client = form.client.client().id.clone();
    match refresh_tokens::revoke(&form.db, TokenHash::of(token), client, form.now).await? {
        Revocation::Ended(tick) => Ok(Some(tick)),
        Revocation::EndedBefore(tick) => Ok(tick),
        Revocation::Unknown => Ok(None),
        Revocation::AnotherClients => Err(another_clients()),
    }
}

async fn revoke_access_token(app: &App, form: &ClientForm, token: &str) -> Result<Option<Tick>, OAuthError> {
    let client = &form.client.client().id;
    // Not judged alive: what is dead today because somebody is disabled must not come back with them.
    let Ok((claims, _)) = access_token::ours(app, token) else { return Ok(None) };
    if claims.client_id != *client {
        return Err(another_clients());
    }
    if claims.expired(form.now - LEEWAY) {
        return Ok(None);
    }
    let event = Event::done(Action::TokenRevoke).of_client(client).saying(format!("access token {}", claims.jti));
    let event = claims.gid.iter().fold(event, |event, gid| event.of_grant(gid));
    match feed_head::cut_off_token(&form.db, claims.jti, event, form.now).await? {
        TokenCutOff::Now(tick) | TokenCutOff::Before(tick) => Ok(Some(tick)),
    }
}

/// The request is refused and the client told so (RFC 7009, section 2.1), in the words of RFC 6749, section 5.2.
fn another_clients() -> OAuthError {
    OAuthError::bad_request("invalid_grant", "the token was issued to another client")
}
