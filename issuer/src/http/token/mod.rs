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

use super::client_form::ClientForm;
use super::error::OAuthError;
use super::form::FormError;
use crate::app::App;
use crate::domain::client::GrantType;
use crate::domain::params::printable;
use crate::domain::scope::{ScopeSet, spaced};

/// A token request whose client has authenticated, as the grant types read it.
pub(super) type TokenRequest = ClientForm;

impl TokenRequest {
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
    // Asked before anything is spent: a client that is told to try again must have something to try with.
    app.may_sign(app.now())?;
    let request = ClientForm::read(&app, request).await?;
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
        GrantType::ClientCredentials => client_credentials::answer(&app, &request).await,
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
