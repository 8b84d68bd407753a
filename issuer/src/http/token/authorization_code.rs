//! `grant_type=authorization_code` (RFC 6749, section 4.1.3).

use super::mint::{FromGrant, from_grant};
use super::{TokenRequest, TokenResponse};
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::domain::authorization_request::requested_resources;
use crate::domain::client::{Client, GrantType};
use crate::domain::grant::Asked;
use crate::domain::refresh;
use crate::http::error::OAuthError;
use crate::secret::{OpaqueToken, TokenHash};
use crate::store::codes::{self, Redeemed, Redemption};
use crate::store::refresh_tokens::NewRefreshToken;

const WHAT: &str = "authorization code";

pub(super) async fn answer(app: &App, request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let refresh_token = client.may_use(GrantType::RefreshToken).then(|| OpaqueToken::random(refresh::PREFIX));
    let asked = Asked { scopes: None, resources: requested_resources(&request.params, &client.resources)? };
    let redemption = Redemption {
        code_hash: TokenHash::of(request.required("code")?),
        client_id: client.id.clone(),
        redirect_uri: request.params.get("redirect_uri").map(str::to_owned),
        code_verifier: request.params.get("code_verifier").map(str::to_owned),
        asked: asked.clone(),
        refresh: refresh_token.as_ref().map(|token| new_refresh_token(client, token, request)),
        now: request.now,
    };
    let redeemed = codes::redeem(&request.db, redemption).await?;
    app.reached(Checkpoint::GrantSpent).await;
    match redeemed {
        Redeemed::Tokens { grant, nonce } => {
            let mint = FromGrant { client, grant: &grant, asked, nonce, refresh_token, now: request.now };
            from_grant(app, mint).await
        }
        Redeemed::Exceeds(excess) => Err(excess.into()),
        Redeemed::Refused(why) => Err(OAuthError::invalid_grant(WHAT, why)),
        Redeemed::Dead(level) => Err(OAuthError::invalid_grant(WHAT, format!("revoked at level {level:?}"))),
        Redeemed::Replayed(grant) => {
            tracing::warn!(client_id = %client.id, gid = %grant, "an authorization code was used twice: its grant is revoked");
            Err(OAuthError::invalid_grant(WHAT, "replay"))
        }
    }
}

/// The row of a refresh token of this client.
pub(super) fn new_refresh_token(client: &Client, token: &OpaqueToken, request: &TokenRequest) -> NewRefreshToken {
    NewRefreshToken { token_hash: token.hash(), idle: client.lifetimes.refresh_idle.get(), now: request.now }
}
