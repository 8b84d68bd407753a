//! `grant_type=client_credentials` (RFC 6749, section 4.4): the client is the authority.

use super::mint::from_client;
use super::{TokenRequest, TokenResponse};
use crate::app::App;
use crate::domain::authorization_request::requested_resources;
use crate::domain::scope::{Scope, ScopeSet};
use crate::http::error::OAuthError;

pub(super) async fn answer(app: &App, request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let own: ScopeSet = client.scopes.iter().filter(|scope| !about_a_user(scope)).cloned().collect();
    let scopes = match request.scope()? {
        None => own,
        Some(asked) if asked.is_subset(&own) => asked,
        Some(_) => return Err(OAuthError::bad_request("invalid_scope", "this client may not ask for these scopes")),
    };
    let resources = requested_resources(&request.params, &client.resources)?;
    let born = request.client.evidence().tick;
    from_client(app, client, scopes, &resources, born, request.now).await
}

/// Scopes that speak of a person mean nothing where there is none.
fn about_a_user(scope: &Scope) -> bool {
    Scope::STANDARD.contains(scope)
}
