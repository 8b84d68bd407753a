//! `grant_type=refresh_token` (RFC 6749, section 6), with rotation.

use super::authorization_code::new_refresh_token;
use super::mint::{FromGrant, from_grant};
use super::{TokenRequest, TokenResponse};
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::domain::authorization_request::{RequestError, requested_resources};
use crate::domain::grant::{Asked, Excess};
use crate::domain::refresh::{SuccessorSeed, successor};
use crate::http::error::OAuthError;
use crate::secret::{OpaqueToken, random_id};
use crate::store::refresh_tokens::{self, Rotated, Rotation};

const WHAT: &str = "refresh token";

pub(super) async fn answer(app: &App, request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let presented = OpaqueToken::presented(request.required("refresh_token")?);
    let asked = Asked { scopes: request.scope()?, resources: requested_resources(&request.params, &client.resources)? };
    let (key_id, key) = app.refresh_key();
    let seed = SuccessorSeed { salt: random_id(), key_id };
    let fresh = successor(&key, &presented, &seed.salt);
    let rotation = Rotation {
        token_hash: presented.hash(),
        client_id: client.id.clone(),
        successor: new_refresh_token(client, &fresh, request),
        seed,
        asked: asked.clone(),
        retry_window: client.lifetimes.refresh_retry_window.get(),
        now: request.now,
    };
    let rotated = refresh_tokens::rotate(&request.db, rotation).await?;
    app.reached(Checkpoint::GrantSpent).await;
    let (grant, refresh_token) = match rotated {
        Rotated::Successor(grant) => (grant, fresh),
        Rotated::Again(grant, seed) => match app.refresh_key_of(&seed.key_id).await {
            Some(key) => (grant, successor(&key, &presented, &seed.salt)),
            None => return Err(OAuthError::invalid_grant(WHAT, "its server key is gone")),
        },
        Rotated::Exceeds(excess) => return Err(excess.into()),
        Rotated::Refused(why) => return Err(OAuthError::invalid_grant(WHAT, why)),
        Rotated::Dead(level) => return Err(OAuthError::invalid_grant(WHAT, format!("revoked at level {level:?}"))),
        Rotated::Replayed(grant) => {
            tracing::warn!(client_id = %client.id, gid = %grant, "a refresh token was used twice: its grant is revoked");
            return Err(OAuthError::invalid_grant(WHAT, "replay"));
        }
    };
    let mint = FromGrant { client, grant: &grant, asked, nonce: None, refresh_token: Some(refresh_token), now: request.now };
    from_grant(app, mint).await
}

impl From<Excess> for OAuthError {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Scope => Self::bad_request("invalid_scope", "more scopes than were granted"),
            Excess::Resource => Self::bad_request("invalid_target", "more resources than were granted"),
        }
    }
}

impl From<RequestError> for OAuthError {
    fn from(why: RequestError) -> Self {
        Self::bad_request(why.code, why.description)
    }
}
