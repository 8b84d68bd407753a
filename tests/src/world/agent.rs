//! A browser in process: a cookie jar, forms found in pages, redirects followed one at a time. What it is given, it hands to the
//! collector of secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::World;

/// A browser.
pub struct Agent {
    world: Arc<World>,
    cookies: BTreeMap<String, String>,
    peer: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The Location of a 303.
    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "a redirect is a 303; the body is {}", self.body);
        self.header(header::LOCATION.as_str()).expect("a redirect has a Location")
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("headers are text"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {}", self.body))
    }

    /// `error` of an OAuth error.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error has a code").to_owned()
    }

    /// The value of a form field on the page.
    pub fn field(&self, name: &str) -> Option<String> {
        let input = self.body.split("<input").skip(1).find(|input| input.contains(&format!("name=\"{name}\"")))?;
        let (_, rest) = input.split_once("value=\"")?;
        let (value, _) = rest.split_once('"')?;
        Some(value.to_owned())
    }
}

impl Agent {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world, cookies: BTreeMap::new(), peer: SocketAddr::from(([203, 0, 113, 1], 49152)) }
    }

    /// The issuer that this browser talks to.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The cookies it holds.
    pub fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }

    /// Takes over cookies, as a thief would.
    pub fn with_cookies(mut self, cookies: &BTreeMap<String, String>) -> Self {
        self.cookies.clone_from(cookies);
        self
    }

    /// Connects from another address; 203.0.113.1 without this.
    pub fn coming_from(mut self, address: &str) -> Self {
        self.peer.set_ip(address.parse().expect("an IP address"));
        self
    }

    /// Loads a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// Sends a form as this site's own page would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let world = Arc::clone(&self.world);
        let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", world.app.config.issuer.as_str())];
        self.send(Method::POST, path, &form, Body::from(encode(fields))).await
    }

    /// Sends the form of a page, with its hidden fields.
    pub async fn submit(&mut self, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden: Vec<(&str, String)> =
            ["csrf", "request", "token"].into_iter().filter_map(|name| Some((name, page.field(name)?))).collect();
        let all: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (*name, value.as_str())).chain(fields.iter().copied()).collect();
        self.post(path, &all).await
    }

    /// Sends a request without a body, and leaves the answer as it comes: it may be no text.
    pub async fn send_raw(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.ask(method, path, headers, Body::empty()).await
    }

    /// Sends any request.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let response = self.ask(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the body arrives").to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).expect("answers are text"),
        };
        self.keep_cookies(&answer);
        self.collect_secrets(&answer);
        answer
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            request = request.header(header::HOST, self.world.app.config.issuer.authority());
        }
        if !self.cookies.is_empty() {
            let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, jar.join("; "));
        }
        let mut request = request.body(body).expect("the request can be built");
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.world.router().oneshot(request).await.expect("the router answers")
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("cookies are text");
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie has a value");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.world.secrets.collect(format!("cookie {name}"), value);
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn collect_secrets(&self, answer: &Answer) {
        for (field, name) in [("csrf", "csrf token"), ("code", "code")] {
            if let Some(value) = answer.field(field) {
                self.world.secrets.collect(name, &value);
            }
        }
        if let Some(location) = answer.header("location") {
            for (name, value) in form_urlencoded::parse(location.split_once('?').unwrap_or_default().1.as_bytes()) {
                if matches!(&*name, "code" | "request") {
                    self.world.secrets.collect(name.into_owned(), value.as_bytes());
                }
            }
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(&answer.body) {
            for name in ["access_token", "refresh_token", "id_token"] {
                if let Some(token) = members.get(name).and_then(Value::as_str) {
                    self.world.secrets.collect(name, token);
                }
            }
        }
    }
}

/// A form body or query of these fields.
pub(super) fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
