//! Discovery at both well-known paths (OpenID Connect Discovery section 3, RFC 8414): what this issuer does, and nothing it does
//! not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::config::Config;

/// Answers the metadata.
pub(super) async fn get(State(app): State<Arc<App>>) -> Response {
    let max_age = format!("public, max-age={}", app.keys.policy().jwks_max_age().as_secs());
    ([(header::CACHE_CONTROL, max_age)], Json(metadata(&app.config))).into_response()
}

fn metadata(config: &Config) -> Value {
    let at = |path: &str| config.issuer.join(path);
    let mut scopes = vec!["openid".to_owned(), "profile".to_owned(), "email".to_owned(), "offline_access".to_owned()];
    scopes.extend(config.scopes.keys().map(ToString::to_string));
    json!({
        "issuer": config.issuer.as_str(),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks.json"),
        "end_session_endpoint": at("/end_session"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint": at("/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": at("/revoke"),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
            "name", "preferred_username", "email", "email_verified",
        ],
        "acr_values_supported": ["1"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    })
}
