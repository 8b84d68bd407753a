//! Discovery at both well-known paths (OpenID Connect Discovery section 3, RFC 8414): what this issuer does, and nothing it does
//! not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::{App, status_lists};
use crate::config::Config;
use crate::domain::claims::ACR_PASSWORD;
use crate::domain::response_mode::ResponseMode;
use crate::domain::scope::Scope;
use crate::domain::standard_claim::StandardClaim;

/// Answers the metadata.
pub(super) async fn get(State(app): State<Arc<App>>) -> Response {
    let max_age = format!("public, max-age={}", app.keys.policy().jwks_max_age().as_secs());
    ([(header::CACHE_CONTROL, max_age)], Json(metadata(&app))).into_response()
}

fn metadata(app: &App) -> Value {
    let mut metadata = always(&app.config);
    if let (Some(members), Some(lists)) = (metadata.as_object_mut(), status_lists::aggregation(app)) {
        members.insert("status_list_aggregation_endpoint".to_owned(), Value::from(lists));
    }
    metadata
}

fn always(config: &Config) -> Value {
    let at = |path: &str| config.issuer.join(path);
    let scopes: Vec<&str> = Scope::STANDARD.iter().chain(config.scopes.keys()).map(Scope::as_str).collect();
    let of_tokens = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    let claims: Vec<&str> = of_tokens.into_iter().chain(StandardClaim::ALL.iter().map(|claim| claim.as_str())).collect();
    let response_modes: Vec<&str> = ResponseMode::ALL.iter().map(|mode| mode.as_str()).collect();
    json!({
        "issuer": config.issuer.as_str(),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks.json"),
        "end_session_endpoint": at("/end_session"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": response_modes,
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint": at("/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": at("/revoke"),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": claims,
        "claim_types_supported": ["normal"],
        "acr_values_supported": [ACR_PASSWORD],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "display_values_supported": ["page"],
        "ui_locales_supported": ["en"],
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        // Ours alone: no registry has a name for it.
        "passant_revocations_uri": at("/revocations"),
    })
}
