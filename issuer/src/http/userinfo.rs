//! `GET|POST /userinfo` (OpenID Connect Core, section 5.3): the claims of the user of a live access token of ours, whatever its
//! audience.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access_token;
use super::error::OAuthError;
use super::form::FormBody;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::claims::AccessToken;
use crate::domain::ids::UserId;
use crate::domain::params::Params;
use crate::domain::scope::Scope;
use crate::domain::user_claims;
use crate::store::{clients, grants, users};

/// Answers who the user of a token is.
pub(super) async fn get_or_post(State(app): State<Arc<App>>, request: Request) -> Result<Response, OAuthError> {
    let headers = request.headers().clone();
    let form = match *request.method() {
        Method::POST if headers.contains_key(header::CONTENT_TYPE) => FormBody::read(request).await?.0,
        _ => Params::default(),
    };
    let now = app.now();
    let token = bearer(&headers, &form)?;
    let token = access_token::live(&app, &token, now).await?.map_err(OAuthError::invalid_token)?;
    if !token.scope.contains(&Scope::OPENID) {
        return Err(OAuthError::insufficient_scope());
    }
    let said = said(&app, &token, now).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(said)).into_response())
}

/// What the token's scopes open, what its grant's request asked for by name, and what the client's registration maps.
async fn said(app: &App, token: &AccessToken, now: UnixTime) -> Result<Value, OAuthError> {
    let gone = |what: &str| OAuthError::invalid_token(format!("there is no such {what}"));
    let gid = token.gid.as_ref().ok_or_else(|| gone("grant"))?;
    let mut reader = app.db.reader().await?;
    let mut conn = reader.conn();
    let user = users::find(&mut conn, &UserId::new(token.sub.clone())).await?.ok_or_else(|| gone("user"))?;
    let client = clients::find(&mut conn, &token.client_id, now).await?.ok_or_else(|| gone("client"))?.client;
    let grant = grants::find(&mut conn, gid).await?.ok_or_else(|| gone("grant"))?;
    let mut said = user_claims::in_userinfo(&user, &client, &token.scope, &grant.claims);
    said.insert("sub".to_owned(), token.sub.clone().into());
    Ok(Value::Object(said))
}

/// The token of the header or of the form (RFC 6750, section 2), but never of both.
fn bearer(headers: &HeaderMap, form: &Params) -> Result<String, OAuthError> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    match (lines.next(), lines.next(), form.get("access_token")) {
        (None, _, None) => Err(OAuthError::credential_missing()),
        (None, _, Some(token)) => Ok(token.to_owned()),
        (Some(line), None, None) => line
            .to_str()
            .ok()
            .and_then(|line| line.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned())
            .ok_or_else(OAuthError::credential_missing),
        _ => Err(OAuthError::invalid_request("the access token is given in more than one way")),
    }
}
