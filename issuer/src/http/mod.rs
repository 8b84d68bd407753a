//! Floor 2: the only place that names axum and askama. The route table below is the table of contents.

mod accept;
mod access_token;
mod authorize;
mod client_answer;
mod client_authentication;
mod client_form;
mod cookies;
mod device;
mod discovery;
mod effect;
mod error;
mod form;
mod health;
mod intake;
mod introspect;
mod jwks;
mod layers;
pub mod pages;
mod redirect;
mod revocations;
mod revoke;
mod said;
pub mod serve;
mod signed_in;
mod source;
mod status_lists;
mod token;
mod userinfo;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use self::layers::compressed;
use self::pages::{account, assets, consent, demo, end_session, home, login, logout, set_up};
use crate::app::App;

/// Everything Passant answers. JSON endpoints may be called from other origins and answer OAuth errors; pages may not, and answer
/// an error page. The feed is as the JSON endpoints are, but its answers take their time.
pub fn router(app: &Arc<App>) -> Router {
    let json = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::get).layer(compressed()))
        .route("/.well-known/oauth-authorization-server", get(discovery::get).layer(compressed()))
        .route("/jwks.json", get(jwks::get).layer(compressed()))
        .route("/status-lists", get(status_lists::all))
        .route("/status-lists/{id}", get(status_lists::get).layer(compressed()))
        .route("/token", post(token::post))
        .route("/introspect", post(introspect::post))
        .route("/revoke", post(revoke::post))
        .route("/userinfo", get(userinfo::get_or_post).post(userinfo::get_or_post));
    let feed = Router::new().route("/revocations", get(revocations::get)).route("/revocations/stream", get(revocations::stream));
    let pages = Router::new()
        .route("/", get(home::get))
        .route("/authorize", get(authorize::get).post(authorize::post).head(|| pages::no_head("GET, POST")))
        .route("/authorize/resume", get(authorize::resume::get).head(|| pages::no_head("GET")))
        .route("/login", get(login::get).post(login::post))
        .route("/consent", get(consent::get).post(consent::post))
        .route("/logout", post(logout::post))
        .route("/end_session", get(end_session::get).post(end_session::post).head(|| pages::no_head("GET, POST")))
        .route("/end_session/confirm", post(end_session::confirm))
        .route("/account/password", get(account::password::get).post(account::password::post))
        .route("/account/sessions/end", post(account::sessions_end::post))
        .route("/account/sessions/end-others", post(account::sessions_end_others::post))
        .route("/account/sessions/end-all", post(account::sessions_end_all::post))
        .route("/account/applications/withdraw", post(account::applications_withdraw::post))
        .route("/set-up", get(set_up::get).post(set_up::post))
        .route("/demo", get(demo::get))
        .fallback(pages::not_found);
    let plain = Router::new()
        .route("/assets/{name}", get(assets::get).layer(compressed()))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    layers::around(app, layers::Groups { json, feed, pages, plain }).with_state(Arc::clone(app))
}
