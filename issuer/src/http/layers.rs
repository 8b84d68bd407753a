//! What lies around every endpoint: limits, security headers, request ids, traces without secrets, and an answer even to a panic.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Instrument;

use super::device::ClientAddress;
use super::effect::wants_json;
use super::pages::error::Asked;
use super::{error, intake, pages};
use crate::app::App;
use crate::config::Limits;
use crate::secret::random_id;

/// CORS for the JSON endpoints: any origin, no credentials. Pages have none.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
}

/// The routes by how they answer when something goes wrong.
pub(super) struct Groups {
    /// OAuth errors.
    pub(super) json: Router<Arc<App>>,
    /// OAuth errors, and answers that may wait or never end.
    pub(super) feed: Router<Arc<App>>,
    /// Error pages.
    pub(super) pages: Router<Arc<App>>,
    /// A status alone, whatever host they ask for: probes go by address.
    pub(super) plain: Router<Arc<App>>,
}

/// Puts the layers around the routes, outermost last. Each group words what the router and the limits answer without words.
pub(super) fn around(app: &Arc<App>, groups: Groups) -> Router<Arc<App>> {
    let limits = &app.config.limits;
    let misdirected = || middleware::from_fn_with_state(Arc::clone(app), intake::refuse_misdirected);
    let json = within(limits, groups.json).merge(lasting(groups.feed));
    let json = json.layer(misdirected()).layer(middleware::map_response(error::worded)).layer(cors());
    let pages =
        within(limits, groups.pages).layer(misdirected()).layer(middleware::from_fn_with_state(Arc::clone(app), render_errors));
    json.merge(pages)
        .merge(within(limits, groups.plain))
        .layer(middleware::map_response(weaken_tag))
        .layer(middleware::from_fn_with_state(Arc::clone(app), security_headers))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        // The path alone: queries carry codes, handles and states.
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            let (id, client) = (request_id(request.headers()), ClientAddress::of(request.extensions()));
            tracing::info_span!("request", method = %request.method(), path = request.uri().path(), %client, id)
        }))
        .layer(SetRequestIdLayer::new(REQUEST_ID, DrawnId))
        .layer(middleware::from_fn_with_state(Arc::clone(app), intake::arrive))
}

fn within(limits: &Limits, group: Router<Arc<App>>) -> Router<Arc<App>> {
    group
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.request_timeout))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(finish))
        .layer(middleware::from_fn(intake::refuse_oversized))
}

/// A follower who hangs up has nothing to finish, and one who stays is bounded by a place of its own.
fn lasting(group: Router<Arc<App>>) -> Router<Arc<App>> {
    group.layer(CatchPanicLayer::custom(panicked)).layer(middleware::from_fn(intake::refuse_oversized))
}

/// For answers without secrets alone: beside text of an attacker's choice, the length of a compressed answer tells secrets (BREACH).
pub(super) fn compressed() -> CompressionLayer {
    CompressionLayer::new().gzip(true).br(true)
}

/// A strong tag is of one body byte for byte, and a compressed one is another (RFC 9110, section 8.8.3).
async fn weaken_tag(mut answer: Response) -> Response {
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        if let Some(weak) = tag.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
            answer.headers_mut().insert(header::ETAG, weak);
        }
    }
    answer
}

/// Finishes a request whose client has hung up: what it did is logged like any other.
async fn finish(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(answer) => answer,
        Err(fault) => {
            tracing::error!(%fault, "a request broke off");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Says which request an answer, a line of the log and an error page belong to.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone)]
struct DrawnId;

impl MakeRequestId for DrawnId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&random_id()).ok().map(RequestId::new)
    }
}

/// The id that we gave a request.
fn request_id(headers: &HeaderMap) -> &str {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

async fn render_errors(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (id, json) = (request_id(request.headers()).to_owned(), wants_json(request.headers()));
    let answer = next.run(request).await;
    pages::error::rendered(&app, Asked { request_id: &id, json }, answer)
}

async fn security_headers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        // Others may read the JSON endpoints by CORS, and embed nothing.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.config.issuer.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    answer
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(what = what.unwrap_or("?"), "a handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
