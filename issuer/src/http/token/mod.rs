//! `POST /token`: what every grant type shares (parse, authenticate the client, check the grant type) happens here, so that none
//! can forget it; a file beside this one supplies what differs.

mod authorization_code;
mod client_credentials;
pub(super) mod mint;
mod refresh_token;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::client_authentication::{AuthenticatedClient, authenticate};
use super::error::OAuthError;
use super::form::{FormBody, FormError};
use super::source;
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::clock::UnixTime;
use crate::domain::audit::Actor;
use crate::domain::client::GrantType;
use crate::domain::params::{Params, printable};
use crate::domain::scope::{ScopeSet, spaced};
use crate::store::Db;

/// A token request whose client has authenticated and may use the grant type.
pub(super) struct TokenRequest {
    /// The proof of the client.
    pub(super) client: AuthenticatedClient,
    /// The parameters.
    pub(super) params: Params,
    /// The database, on behalf of the client.
    pub(super) db: Db,
    /// When it arrived: taken before any evidence was read, and so the tokens' `iat`.
    pub(super) now: UnixTime,
}

impl TokenRequest {
    fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.params.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// The scopes asked for, if any.
    fn scope(&self) -> Result<Option<ScopeSet>, OAuthError> {
        let Some(text) = self.params.get("scope") else { return Ok(None) };
        match text.parse::<ScopeSet>() {
            Ok(scopes) if !scopes.is_empty() => Ok(Some(scopes)),
            Ok(_) | Err(_) => Err(OAuthError::bad_request("invalid_scope", "scope is not a list of scope names")),
        }
    }
}

/// A successful answer (RFC 6749, section 5.1).
#[derive(Serialize)]
pub(super) struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(with = "spaced", skip_serializing_if = "ScopeSet::is_empty")]
    scope: ScopeSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl IntoResponse for TokenResponse {
    fn into_response(self) -> Response {
        ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(self)).into_response()
    }
}

/// Answers a token request.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Result<TokenResponse, OAuthError> {
    let headers = request.headers().clone();
    let source = source::of(&headers, request.extensions());
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(OAuthError::invalid_request("parameters belong into the body, not into the address"));
    }
    let FormBody(params) = FormBody::read(request).await?;
    // Asked before anything is spent: a client that is told to try again must have something to try with.
    app.may_sign()?;
    // Not before the body has come: a slow sender gains no time.
    let now = app.now();
    let client = authenticate(&app, &headers, &source, &params, now).await?;
    app.reached(Checkpoint::ClientProved).await;
    let db = app.db.by(source.with(Actor::Client(client.client().id.clone())));
    let request = TokenRequest { client, params, db, now };
    let grant_type = match request.required("grant_type")? {
        "authorization_code" => GrantType::AuthorizationCode,
        "refresh_token" => GrantType::RefreshToken,
        "client_credentials" => GrantType::ClientCredentials,
        other => {
            let description = format!("the grant type {} is not known here", printable(other));
            return Err(OAuthError::bad_request("unsupported_grant_type", description));
        }
    };
    if !request.client.client().may_use(grant_type) {
        return Err(OAuthError::bad_request("unauthorized_client", "this client may not use this grant type"));
    }
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::answer(&app, &request).await,
        GrantType::RefreshToken => refresh_token::answer(&app, &request).await,
        GrantType::ClientCredentials => client_credentials::answer(&app, &request),
    }
}

impl From<FormError> for OAuthError {
    fn from(why: FormError) -> Self {
        match why {
            FormError::TooLong => Self::too_long(),
            FormError::NotAForm | FormError::Unreadable | FormError::Params(_) => {
                Self::invalid_request(printable(&why.to_string()))
            }
        }
    }
}
