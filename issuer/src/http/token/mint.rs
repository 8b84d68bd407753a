//! The making of tokens from a grant or from a client alone. Whatever is made carries on the tick at which its authority began.

use std::time::Duration;

use serde_json::Map;

use super::TokenResponse;
use crate::app::checkpoint::Checkpoint;
use crate::app::status_lists::{self, Listed};
use crate::app::{App, sign_with};
use crate::clock::UnixTime;
use crate::domain::claims::{
    ACCESS_TOKEN_TYP, ACR_PASSWORD, AccessToken, Audience, ID_TOKEN_LIFE, ID_TOKEN_TYP, IdToken, at_hash,
};
use crate::domain::client::{Client, TokenClaim};
use crate::domain::grant::{Asked, Excess, Grant};
use crate::domain::ids::{Tick, TokenId};
use crate::domain::resource::Resource;
use crate::domain::scope::{Scope, ScopeSet};
use crate::domain::user::User;
use crate::domain::user_claims;
use crate::http::error::OAuthError;
use crate::secret::OpaqueToken;
use crate::store::users;

/// What tokens of a grant are to be made.
pub(super) struct FromGrant<'a> {
    /// The client.
    pub(super) client: &'a Client,
    /// The grant.
    pub(super) grant: &'a Grant,
    /// What of the grant the access token carries.
    pub(super) asked: Asked,
    /// The nonce to echo in the ID token.
    pub(super) nonce: Option<String>,
    /// The refresh token to hand out.
    pub(super) refresh_token: Option<OpaqueToken>,
    /// `iat`.
    pub(super) now: UnixTime,
}

/// Tokens for a user, by way of a grant.
pub(super) async fn from_grant(app: &App, mint: FromGrant<'_>) -> Result<TokenResponse, OAuthError> {
    let FromGrant { client, grant, asked, nonce, refresh_token, now } = mint;
    let (scopes, resources) = grant.narrowed(&asked)?;
    let (scopes, resources) = still_allowed(client, &scopes, resources)?;
    let user = told(app, client, grant).await?;
    let asked = |claim: TokenClaim| client.token_claims.contains(&claim);
    let access_token = AccessToken {
        sub: grant.user_id.to_string(),
        sid: (!grant.offline()).then(|| grant.session_id.clone()),
        gid: Some(grant.id.clone()),
        auth_time: asked(TokenClaim::AuthTime).then(|| grant.auth_time.seconds()),
        acr: asked(TokenClaim::Acr).then(|| ACR_PASSWORD.to_owned()),
        amr: asked(TokenClaim::Amr).then(|| grant.amr.clone()),
        mapped: user.as_ref().map(|user| user_claims::in_access_token(user, client)).unwrap_or_default(),
        ..bare(app, client, scopes.clone(), audience(app, &resources), grant.born, now)
    };
    let access_token = signed(app, client, access_token, now).await?;
    let id_token = if grant.scopes.contains(&Scope::OPENID) && client.scopes.contains(&Scope::OPENID) {
        let claims = IdToken {
            iss: app.config.issuer.as_str().to_owned(),
            sub: grant.user_id.clone(),
            aud: client.id.clone(),
            iat: now.seconds(),
            exp: (now + ID_TOKEN_LIFE).seconds(),
            auth_time: grant.auth_time.seconds(),
            acr: ACR_PASSWORD,
            amr: grant.amr.clone(),
            sid: grant.session_id.clone(),
            nonce,
            at_hash: at_hash(&access_token),
            user: user.as_ref().map(|user| user_claims::in_id_token(user, client, &grant.claims)).unwrap_or_default(),
        };
        Some(app.sign(now, ID_TOKEN_TYP, &claims)?)
    } else {
        None
    };
    Ok(answer(access_token, life(client), scopes, refresh_token, id_token))
}

/// The user, where the tokens say more of them than the id. The grant has been judged before, and these values decide nothing.
async fn told(app: &App, client: &Client, grant: &Grant) -> Result<Option<User>, OAuthError> {
    if client.mapped_claims.is_empty() && grant.claims.id_token.is_empty() {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let user = users::find(&mut reader.conn(), &grant.user_id).await?;
    user.map(Some).ok_or_else(|| OAuthError::invalid_grant("grant", "there is no such user"))
}

/// What the registration of this moment still allows: it may have shrunk since the grant.
fn still_allowed(client: &Client, scopes: &ScopeSet, resources: Vec<Resource>) -> Result<(ScopeSet, Vec<Resource>), Excess> {
    match resources.iter().all(|resource| client.resources.contains(resource)) {
        true => Ok((scopes.intersection(&client.scopes), resources)),
        false => Err(Excess::Resource),
    }
}

/// A token for the client itself, born at the tick that was read with its authentication. Where no resource was asked for, the
/// client's default is meant.
pub(super) async fn from_client(
    app: &App,
    client: &Client,
    scopes: ScopeSet,
    resources: &[Resource],
    born: Tick,
    now: UnixTime,
) -> Result<TokenResponse, OAuthError> {
    let resources = match resources {
        [] => client.default_resource.as_slice(),
        asked => asked,
    };
    let token = signed(app, client, bare(app, client, scopes.clone(), audience(app, resources), born, now), now).await?;
    Ok(answer(token, life(client), scopes, None, None))
}

/// The access token, with a place in a status list where the client's registration asks for one.
async fn signed(app: &App, client: &Client, claims: AccessToken, now: UnixTime) -> Result<String, OAuthError> {
    if !client.status_list {
        let signer = app.signer(now)?;
        app.reached(Checkpoint::SignerChosen).await;
        return Ok(sign_with(&signer, ACCESS_TOKEN_TYP, &claims)?);
    }
    match status_lists::sign(app, claims, now).await? {
        Listed::Token(token) => Ok(token),
        Listed::Dead(level) => Err(OAuthError::invalid_grant("authority", format!("revoked at level {level:?}"))),
    }
}

fn bare(app: &App, client: &Client, scope: ScopeSet, aud: Audience, born: Tick, now: UnixTime) -> AccessToken {
    AccessToken {
        iss: app.config.issuer.as_str().to_owned(),
        sub: client.id.to_string(),
        aud,
        client_id: client.id.clone(),
        iat: now.seconds(),
        exp: (now + life(client)).seconds(),
        jti: TokenId::random(),
        scope,
        born,
        sid: None,
        gid: None,
        auth_time: None,
        acr: None,
        amr: None,
        status: None,
        mapped: Map::new(),
    }
}

/// These resources; without any the issuer itself (RFC 8707, section 2). A grant holds the client's default since its approval, so
/// one without resources was for the issuer, whatever the registration's default is by now.
fn audience(app: &App, resources: &[Resource]) -> Audience {
    match resources {
        [] => Audience::One(app.config.issuer.as_str().to_owned()),
        some => Audience::from(some.iter().map(|resource| resource.as_str().to_owned()).collect::<Vec<_>>()),
    }
}

fn life(client: &Client) -> Duration {
    client.lifetimes.access_token.get()
}

fn answer(
    access_token: String,
    life: Duration,
    scope: ScopeSet,
    refresh_token: Option<OpaqueToken>,
    id_token: Option<String>,
) -> TokenResponse {
    TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in: life.as_secs(),
        scope,
        refresh_token: refresh_token.map(|token| token.expose().to_owned()),
        id_token,
    }
}
