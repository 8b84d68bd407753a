//! The cookies: the session's; the browser's, which binds forms and kept requests to one browser before anybody has signed in; the
//! device's, by which a browser is known that signed in before; and a word said once, after a form has led to another page. `__Host-` and Secure wherever the issuer is https; a plain-http loopback issuer drops both, for development.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::app::attempts::DEVICE_PREFIX;
use crate::domain::session;
use crate::secret::{OpaqueToken, TokenHash};

/// The prefix of the browser cookie's value.
const BROWSER_PREFIX: &str = "psb_";

/// The prefix of the value of a word said once.
pub(crate) const SAID_PREFIX: &str = "psf_";

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Who is signed in.
    Session,
    /// Which browser this is.
    Browser,
    /// Whose account this browser signed in to before; it outlives sessions.
    Device,
    /// What the next page is to say, once.
    Said,
}

impl Cookie {
    fn base_name(self) -> &'static str {
        match self {
            Self::Session => "passant-session",
            Self::Browser => "passant-browser",
            Self::Device => "passant-device",
            Self::Said => "passant-said",
        }
    }

    fn name(self, app: &App) -> String {
        if app.config.issuer.is_https() { format!("__Host-{}", self.base_name()) } else { self.base_name().to_owned() }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Session => session::PREFIX,
            Self::Browser => BROWSER_PREFIX,
            Self::Device => DEVICE_PREFIX,
            Self::Said => SAID_PREFIX,
        }
    }

    /// The cookie that the request carries. One that is sent twice is nobody's: somebody planted the other.
    pub(crate) fn read(self, app: &App, headers: &HeaderMap) -> Option<OpaqueToken> {
        let name = self.name(app);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) if value.starts_with(self.prefix()) && value.len() <= 64 => Some(OpaqueToken::presented(value)),
            _ => None,
        }
    }

    /// A new value for this cookie.
    pub(crate) fn draw(self) -> OpaqueToken {
        OpaqueToken::random(self.prefix())
    }

    /// The Set-Cookie header that hands it out.
    pub(crate) fn set(self, app: &App, value: &OpaqueToken) -> HeaderValue {
        let lasting = match self {
            Self::Session | Self::Browser => "",
            // 400 days: as long as browsers keep any cookie.
            Self::Device => "; Max-Age=34560000",
            Self::Said => "; Max-Age=60",
        };
        self.header(app, value.expose(), lasting)
    }

    /// The Set-Cookie header that takes it away.
    pub(crate) fn clear(self, app: &App) -> HeaderValue {
        self.header(app, "", "; Max-Age=0")
    }

    fn header(self, app: &App, value: &str, more: &str) -> HeaderValue {
        let secure = if app.config.issuer.is_https() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", self.name(app));
        let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// The browser behind a request: the cookie it brought, or a new one that the answer must set.
pub(crate) struct Browser {
    /// The cookie's value.
    pub(crate) token: OpaqueToken,
    set: Option<HeaderValue>,
}

impl Browser {
    /// Recognises the browser, or gives it a cookie.
    pub(crate) fn recognise(app: &App, headers: &HeaderMap) -> Self {
        match Cookie::Browser.read(app, headers) {
            Some(token) => Self { token, set: None },
            None => {
                let token = Cookie::Browser.draw();
                let set = Some(Cookie::Browser.set(app, &token));
                Self { token, set }
            }
        }
    }

    /// What the database keeps of it.
    pub(crate) fn hash(&self) -> TokenHash {
        self.token.hash()
    }

    /// Adds the cookie to an answer, when it is new.
    pub(crate) fn remember(self, mut answer: axum::response::Response) -> axum::response::Response {
        if let Some(set) = self.set {
            answer.headers_mut().append(header::SET_COOKIE, set);
        }
        answer
    }
}
