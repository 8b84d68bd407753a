//! A form that a client sends on its own behalf, read whole and its sender authenticated: what /token, /introspect and /revoke share,
//! so that none of them can forget a part.

use axum::extract::Request;

use super::client_authentication::{AuthenticatedClient, authenticate};
use super::error::OAuthError;
use super::form::FormBody;
use super::source;
use crate::app::App;
use crate::app::checkpoint::Checkpoint;
use crate::clock::UnixTime;
use crate::domain::audit::Actor;
use crate::domain::params::Params;
use crate::store::Db;

/// A form whose client has authenticated.
pub(super) struct ClientForm {
    /// The proof of the client.
    pub(super) client: AuthenticatedClient,
    /// The parameters.
    pub(super) params: Params,
    /// The database, on behalf of the client.
    pub(super) db: Db,
    /// When it had arrived: taken before any evidence was read, and so the tokens' `iat`.
    pub(super) now: UnixTime,
}

impl ClientForm {
    /// Reads a form and authenticates its client.
    pub(super) async fn read(app: &App, request: Request) -> Result<Self, OAuthError> {
        let headers = request.headers().clone();
        let source = source::of(&headers, request.extensions());
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(OAuthError::invalid_request("parameters belong into the body, not into the address"));
        }
        let FormBody(params) = FormBody::read(request).await?;
        // Not before the body has come: a slow sender gains no time.
        let now = app.now();
        let client = authenticate(app, &headers, &source, &params, now).await?;
        app.reached(Checkpoint::ClientProved).await;
        let db = app.db.by(source.with(Actor::Client(client.client().id.clone())));
        Ok(Self { client, params, db, now })
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.params.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }
}
