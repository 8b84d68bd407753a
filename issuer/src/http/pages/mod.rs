//! The pages people see: one file a page, one typed context a template.

pub(crate) mod account;
pub(crate) mod assets;
pub(crate) mod consent;
pub mod demo;
pub(crate) mod end_session;
pub(crate) mod error;
pub(crate) mod form_post;
pub(crate) mod home;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod set_up;
mod views;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use self::error::PageError;
use self::views::{ClientLine, Frame};
use super::authorize::resume::Resumed;
use super::effect::wants_json;
use super::error::OAuthError;
use crate::app::App;
use crate::clock::UnixTime;

/// Answers an address that nothing is at: a page, or JSON for a client that wants nothing else.
pub(crate) async fn not_found(headers: HeaderMap) -> Response {
    match wants_json(&headers) {
        true => OAuthError::not_found().into_response(),
        false => PageError::not_found().into_response(),
    }
}

/// Answers HEAD where a GET has an effect: whoever only asks for headers must not be given a code.
pub(crate) async fn no_head(allow: &'static str) -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)])
}

/// Around every page: the issuer and the date letter of the key that signs now.
fn frame(app: &App, now: UnixTime) -> Frame {
    Frame {
        issuer_host: app.config.issuer.authority().to_owned(),
        issuer_origin: app.config.issuer.origin().to_owned(),
        date_letter: app.keys.date_letter(now).unwrap_or('a'),
    }
}

/// What a page may load and send. Everything is ours; `form_action` is where a form of it may lead in the end, because Chromium
/// holds redirects to it as well.
#[derive(Debug, Clone, Copy, Default)]
struct Policy<'a> {
    form_action: Option<&'a str>,
    script: bool,
    script_and_connect: Option<&'a str>,
}

impl Policy<'_> {
    fn header(self) -> HeaderValue {
        let mut text = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
                        form-action 'self'"
            .to_owned();
        if let Some(place) = self.form_action {
            text.push(' ');
            text.push_str(place);
        }
        if self.script {
            text.push_str("; script-src 'self'");
        }
        if let Some(place) = self.script_and_connect {
            text.push_str(&format!("; script-src 'self'; connect-src 'self' {place}"));
        }
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    }
}

/// A rendered page.
fn page(status: StatusCode, template: &impl Template, policy: Policy<'_>) -> Result<Response, askama::Error> {
    let headers =
        [(header::CONTENT_SECURITY_POLICY, policy.header()), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((status, headers, Html(template.render()?)).into_response())
}

/// The application that waits for the answer, by the host the answer goes to.
struct Waiting {
    host: String,
    form_action: Option<String>,
}

impl Waiting {
    fn of(resumed: &Resumed) -> Self {
        let presented = &resumed.kept.request.redirect_uri;
        let registered = resumed.client.redirect_uri(presented);
        Self {
            host: registered.map(|uri| uri.host().to_owned()).unwrap_or_default(),
            form_action: registered.and_then(|uri| uri.origin_for_csp(presented)),
        }
    }

    fn line<'a>(&'a self, resumed: &'a Resumed) -> ClientLine<'a> {
        ClientLine { name: &resumed.client.name, host: &self.host }
    }

    fn policy(&self) -> Policy<'_> {
        Policy { form_action: self.form_action.as_deref(), ..Policy::default() }
    }
}
