//! `POST /introspect` (RFC 7662): whether a token is alive, for a client with a secret, judged as everywhere by the one function
//! `revoked`. Whatever is not alive, not ours or none of the caller's business gets one and the same answer.
//!
//! An access token is the business of the client it was issued to and of those that are registered for one of its resources; a
//! refresh token of its own client alone, so that no service ever takes one for an access token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access_token;
use super::client_form::ClientForm;
use super::error::OAuthError;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::claims::{AccessToken, Audience};
use crate::domain::client::Client;
use crate::domain::cutoff::revoked;
use crate::domain::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use crate::domain::mapped_claim::ClaimName;
use crate::domain::refresh;
use crate::domain::resource::Resource;
use crate::domain::scope::{Scope, ScopeSet, spaced};
use crate::secret::TokenHash;
use crate::store::evidence::{self, Levels};
use crate::store::{StoreError, grants, refresh_tokens, users};

/// What is said of a token (RFC 7662, section 2.2).
#[derive(Serialize)]
#[serde(untagged)]
enum Said {
    AccessToken {
        active: bool,
        token_type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        #[serde(flatten)]
        claims: Box<AccessToken>,
    },
    RefreshToken {
        active: bool,
        /// No access token, nor usable as one (RFC 8693, section 2.2.1).
        token_type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        iss: String,
        sub: UserId,
        aud: Audience,
        client_id: ClientId,
        exp: i64,
        #[serde(with = "spaced")]
        scope: ScopeSet,
        born: Tick,
        #[serde(skip_serializing_if = "Option::is_none")]
        sid: Option<SessionId>,
        gid: GrantId,
    },
    Nothing {
        active: bool,
    },
}

/// Answers how a token stands. `token_type_hint` is not asked: our tokens say themselves what they are.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let form = ClientForm::read(&app, request).await?;
    let client = form.client.client();
    if client.is_public() {
        // Whoever can prove nothing is told nothing (RFC 7662, section 4).
        return Err(OAuthError::invalid_client());
    }
    let token = form.required("token")?;
    let said = match token.starts_with(refresh::PREFIX) {
        true => of_refresh_token(&app, client, token, form.now).await?,
        false => of_access_token(&app, client, token, form.now).await?,
    };
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((headers, Json(said.unwrap_or(Said::Nothing { active: false }))).into_response())
}

async fn of_access_token(app: &App, client: &Client, token: &str, now: UnixTime) -> Result<Option<Said>, StoreError> {
    let mut claims = match access_token::live(app, token, now).await? {
        Ok(claims) if concerns(client, &claims) => claims,
        Ok(_) => {
            tracing::info!(client_id = %client.id, "asked about an access token that is not for it");
            return Ok(None);
        }
        Err(why) => {
            tracing::info!(client_id = %client.id, %why, "asked about a token that is not alive");
            return Ok(None);
        }
    };
    let username = match &claims.gid {
        Some(_) => username(app, &UserId::new(claims.sub.clone()), &claims.scope).await?,
        None => None,
    };
    claims.mapped.retain(|name, _| beside_the_answers_own(name));
    Ok(Some(Said::AccessToken { active: true, token_type: "Bearer", username, claims: Box::new(claims) }))
}

/// Whether a mapped claim is told under its name: nothing that a registration maps stands where the answer, or a standard, has something
/// to say.
fn beside_the_answers_own(name: &str) -> bool {
    !["active", "token_type", "username"].contains(&name) && name.parse::<ClaimName>().is_ok()
}

fn concerns(client: &Client, claims: &AccessToken) -> bool {
    let own = |audience: &String| client.resources.iter().any(|resource| resource.as_str() == audience);
    claims.client_id == client.id
        || match &claims.aud {
            Audience::One(audience) => own(audience),
            Audience::Many(all) => all.iter().any(own),
        }
}

async fn of_refresh_token(app: &App, client: &Client, token: &str, now: UnixTime) -> Result<Option<Said>, StoreError> {
    let mut reader = app.db.reader().await?;
    let found = refresh_tokens::find(&mut reader.conn(), &TokenHash::of(token)).await?;
    let Some(found) = found.filter(|found| found.client_id == client.id && found.unused(now)) else { return Ok(None) };
    let Some(grant) = grants::find(&mut reader.conn(), &found.grant_id).await? else { return Ok(None) };
    let levels = Levels::of(&grant);
    let evidence = evidence::read(&mut reader.conn(), &levels, now).await?;
    drop(reader);
    if let Some(level) = revoked(grant.born, &evidence.evidence) {
        tracing::info!(client_id = %client.id, ?level, "asked about a revoked refresh token");
        return Ok(None);
    }
    if evidence.session_expired {
        return Ok(None);
    }
    let resources: Vec<String> = grant.resources.iter().map(|resource: &Resource| resource.as_str().to_owned()).collect();
    Ok(Some(Said::RefreshToken {
        active: true,
        token_type: "N_A",
        username: username(app, &grant.user_id, &grant.scopes).await?,
        iss: app.config.issuer.as_str().to_owned(),
        aud: if resources.is_empty() { Audience::One(app.config.issuer.as_str().to_owned()) } else { Audience::from(resources) },
        client_id: grant.client_id,
        exp: found.expires_at.seconds(),
        born: grant.born,
        sid: levels.session,
        gid: grant.id,
        sub: grant.user_id,
        scope: grant.scopes,
    }))
}

/// The user's name, where the token's scopes tell it to /userinfo as well.
async fn username(app: &App, user: &UserId, scopes: &ScopeSet) -> Result<Option<String>, StoreError> {
    if !scopes.contains(&Scope::PROFILE) {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    Ok(users::find(&mut reader.conn(), user).await?.map(|user| user.username))
}
