//! A quiet word on the next page about what was just done. It travels in a cookie that is bound to the browser and read once, so that
//! no link and no other site can put words into our mouth.

use axum::http::{HeaderMap, HeaderValue};
use base64ct::{Base64UrlUnpadded, Encoding};

use super::cookies::{Browser, Cookie, SAID_PREFIX};
use crate::app::App;
use crate::domain::said::Said;
use crate::secret::{OpaqueToken, constant_time_eq};

/// The Set-Cookie header that lets the next page of this browser say it.
pub(crate) fn cookie(app: &App, said: Said, browser: &Browser) -> HeaderValue {
    let text = format!("{SAID_PREFIX}{said}.{}", mac(app, said, browser));
    Cookie::Said.set(app, &OpaqueToken::presented(&text))
}

/// What this browser is to be told.
pub(crate) fn read(app: &App, headers: &HeaderMap, browser: &Browser) -> Option<Said> {
    let cookie = Cookie::Said.read(app, headers)?;
    let (word, presented) = cookie.expose().strip_prefix(SAID_PREFIX)?.split_once('.')?;
    let said: Said = word.parse().ok()?;
    constant_time_eq(mac(app, said, browser).as_bytes(), presented.as_bytes()).then_some(said)
}

fn mac(app: &App, said: Said, browser: &Browser) -> String {
    let mac = app.csrf_key().mac(&[b"said", browser.hash().as_str().as_bytes(), said.as_str().as_bytes()]);
    let (half, _) = mac.split_at(16);
    Base64UrlUnpadded::encode_string(half)
}
