//! Redirect URIs: where a browser carries a code. They are compared as texts, never as parsed URLs, since every parser has its
//! own opinion and each difference between two of them has been an account takeover (RFC 9700, section 4.1).

use url::Url;

use crate::domain::text::{checked_text, host_of, is_uri_text, split_scheme};

checked_text!(
    /// A registered redirect URI, at most 2 KiB: https; http on loopback; or a private-use scheme with a dot (RFC 8252, section 7.1).
    RedirectUri,
    InvalidRedirectUri
);

impl RedirectUri {
    /// Whether a client may use the presented text for this registration: byte for byte the same, save that the port of a
    /// loopback literal may be any other (RFC 8252, section 7.3).
    pub fn admits(&self, presented: &str) -> bool {
        presented == self.as_str()
            || match (without_loopback_port(self.as_str()), without_loopback_port(presented)) {
                (Some(registered), Some(presented)) => registered == presented,
                _ => false,
            }
    }

    /// What a Content-Security-Policy's `form-action` has to name for a redirect to the presented URI; `None` when it is not
    /// admitted. That is the origin; the scheme alone for private-use schemes and for `[::1]`, which a policy cannot spell.
    pub fn origin_for_csp(&self, presented: &str) -> Option<String> {
        let (scheme, _) = split_scheme(presented).filter(|_| self.admits(presented))?;
        match web_authority(presented) {
            Some(authority) if !authority.starts_with('[') => Some(format!("{scheme}://{authority}")),
            _ => Some(format!("{scheme}:")),
        }
    }

    /// What tells a person where the URI leads: the host without its port, or the private-use scheme.
    pub fn host(&self) -> &str {
        match web_authority(self.as_str()) {
            Some(authority) => host_of(authority),
            None => split_scheme(self.as_str()).map_or("", |(scheme, _)| scheme),
        }
    }

    /// Whether an installed application answers it through a scheme of its own. Any other application may claim the same
    /// scheme, so it suits public clients only.
    pub fn is_private_use(&self) -> bool {
        web_authority(self.as_str()).is_none()
    }

    fn check(text: &str) -> Result<(), InvalidRedirectUri> {
        if text.is_empty() || text.len() > 2048 || text.contains('*') || !is_uri_text(text) {
            return Err(InvalidRedirectUri::Characters);
        }
        if text.contains('#') {
            return Err(InvalidRedirectUri::Fragment);
        }
        let (scheme, rest) = split_scheme(text).ok_or(InvalidRedirectUri::NotAbsolute)?;
        let url = Url::parse(text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() || url.authority().contains('@') {
            return Err(InvalidRedirectUri::Userinfo);
        }
        match scheme {
            "https" | "http" if url.as_str() != text && url.as_str().strip_suffix('/') != Some(text) => {
                Err(InvalidRedirectUri::Spelling { normal: url.into() })
            }
            "https" => Ok(()),
            "http" if ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap_or("")) => Ok(()),
            "http" => Err(InvalidRedirectUri::PlainHttp),
            private_use if private_use.contains('.') && rest.starts_with('/') => Ok(()),
            _ => Err(InvalidRedirectUri::Scheme),
        }
    }
}

/// Why a text cannot be registered as a redirect URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// It is empty, too long, holds what a URI cannot hold, or a `*`.
    #[error("a redirect URI has 1 to 2048 ASCII characters, without spaces, backslashes, broken % escapes and wildcards")]
    Characters,
    /// It has a fragment (RFC 6749, section 3.1.2).
    #[error("a redirect URI has no fragment (the part after #)")]
    Fragment,
    /// It is no absolute URI.
    #[error("a redirect URI is absolute and its scheme in lower case, such as https://app.example.com/callback")]
    NotAbsolute,
    /// It carries a user's name before the host.
    #[error("a redirect URI has no user name or password before its host")]
    Userinfo,
    /// A browser would ask for another spelling of it.
    #[error("a redirect URI is spelled as browsers spell it: write {normal}")]
    Spelling {
        /// That spelling.
        normal: String,
    },
    /// The code would cross a network in the clear.
    #[error("a redirect URI with plain http leads to localhost, 127.0.0.1 or [::1] only: use https")]
    PlainHttp,
    /// It has a scheme that is neither http, https nor of the private-use form.
    #[error("a redirect URI has the scheme https, or one of its own with a dot in it, such as com.example.app:/callback")]
    Scheme,
}

/// The authority of an http or https URI.
fn web_authority(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
    rest.split(['/', '?']).next()
}

/// An http URI on 127.0.0.1 or [::1] cut in two where its port stood: before it, and after it.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let (before, rest) =
        ["http://127.0.0.1", "http://[::1]"].iter().find_map(|before| Some((*before, uri.strip_prefix(before)?)))?;
    let after = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let port = rest.strip_suffix(after)?;
            let in_range = port.parse::<u16>().is_ok_and(|number| number > 0);
            (in_range && !port.starts_with('0')).then_some(after)?
        }
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(text: &str) -> RedirectUri {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn nothing_but_the_registered_bytes_is_admitted() {
        let uri = registered("https://app.example/cb");
        assert!(uri.admits("https://app.example/cb"));
        let long = format!("https://app.example/cb?{}", "x".repeat(8192));
        let tricks = [
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example/cb#f",
            "https://app.example/cb%2f..%2fevil",
            "https://app.example/cb/../evil",
            "https://app.example/cb/%2e%2e/evil",
            "https://app.example/cb;.evil",
            "https://app.example/CB",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "http://app.example/cb",
            "https://app.example:443/cb",
            "https://app.example:8443/cb",
            "https://app.example.evil.com/cb",
            "https://evil.com/app.example/cb",
            "https://app.example@evil.com/cb",
            "https://evil.com#@app.example/cb",
            "https://evil.com\\@app.example/cb",
            "https://app.example%2eevil.com/cb",
            "https://app.example%00.evil.com",
            "https://app.example%0d%0aSet-Cookie:x",
            "https://appxexample/cb",
            "//app.example/cb",
            "/\\evil.com",
            "https:/evil.com",
            "https:evil.com",
            "javascript:alert(1)//app.example/cb",
            "data:text/html,https://app.example/cb",
            "vbscript:x",
            " https://app.example/cb",
            "https://app.example/cb ",
            "https://app.exa\tmple/cb",
            "https://app.example/cb\n",
            "\thttps://app.example/cb",
            "https://app.example./cb",
            "https://app。example/cb",
            "https://xn--app-example-9d6i/cb",
            "https://[::1]/cb",
            "",
            &long,
            "https%3A%2F%2Fapp.example%2Fcb",
            "https://app.example/c%62",
            "https://app.example/cb,https://evil.com",
            "*",
        ];
        for trick in tricks {
            assert!(!uri.admits(trick), "{trick:?}");
            assert_eq!(uri.origin_for_csp(trick), None, "{trick:?}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_literal_may_vary() {
        let (v4, v6) = (registered("http://127.0.0.1/cb?a=b"), registered("http://[::1]:4000/cb"));
        for good in ["http://127.0.0.1/cb?a=b", "http://127.0.0.1:1/cb?a=b", "http://127.0.0.1:65535/cb?a=b"] {
            assert!(v4.admits(good), "{good}");
        }
        assert!(v6.admits("http://[::1]/cb") && v6.admits("http://[::1]:51004/cb"));
        assert!(registered("http://127.0.0.1").admits("http://127.0.0.1:9"));
        let tricks = [
            "http://localhost/cb?a=b",
            "http://127.0.0.1.evil.com/cb?a=b",
            "http://127.0.0.1:80@evil.com/cb?a=b",
            "http://127.0.0.1:80/cb",
            "http://127.0.0.1:80/cb?a=c",
            "http://127.0.0.1:80/cb/?a=b",
            "http://127.0.0.1:/cb?a=b",
            "http://127.0.0.1:0/cb?a=b",
            "http://127.0.0.1:65536/cb?a=b",
            "http://127.0.0.1:080/cb?a=b",
            "http://127.0.0.1:+80/cb?a=b",
            "http://127.0.0.1:-1/cb?a=b",
            "http://127.0.0.1:８0/cb?a=b",
            "http://127.0.0.1:8 0/cb?a=b",
            "https://127.0.0.1/cb?a=b",
            "http://127.1/cb?a=b",
            "http://2130706433/cb?a=b",
            "http://0/cb?a=b",
            "http://[::1]/cb?a=b",
            "HTTP://127.0.0.1/cb?a=b",
            "http://127.0.0.1:80:80/cb?a=b",
            "http://[::ffff:127.0.0.1]/cb?a=b",
            "http://127.0.0.1:80#/cb?a=b",
            "http://127.0.0.1:80\\/cb?a=b",
        ];
        for trick in tricks {
            assert!(!v4.admits(trick), "{trick}");
        }
        assert!(!registered("http://127.0.0.1").admits("http://127.0.0.1:80@evil.com"));
        assert!(!registered("https://127.0.0.1/cb").admits("https://127.0.0.1:8443/cb"));
        let named = registered("http://localhost:3000/cb");
        assert!(named.admits("http://localhost:3000/cb") && !named.admits("http://localhost:3001/cb"));
        assert!(!named.admits("http://127.0.0.1:3000/cb"));
        assert!(!registered("com.app:/cb").admits("com.app://cb") && !registered("com.app:/cb").admits("com.app:/CB"));
    }

    #[test]
    fn what_could_mislead_a_browser_is_not_registered() {
        use InvalidRedirectUri::*;
        let table = [
            ("", Characters),
            ("https://a b/", Characters),
            ("https://*.example/cb", Characters),
            ("https://a.example/*", Characters),
            ("https://a.example\\@b", Characters),
            ("https://é.example/", Characters),
            ("https://a.example/%2", Characters),
            ("https://a.example/cb\n", Characters),
            ("https://a.example/#f", Fragment),
            ("/cb", NotAbsolute),
            ("//a.example/cb", NotAbsolute),
            ("HTTPS://a.example/cb", NotAbsolute),
            ("https://", NotAbsolute),
            ("a.example/cb", NotAbsolute),
            ("https://me@a.example/cb", Userinfo),
            ("https://:x@a.example/cb", Userinfo),
            ("com.app://me@a/cb", Userinfo),
            ("http://a.example/cb", PlainHttp),
            ("http://127.0.0.1.evil.com/cb", PlainHttp),
            ("http://127.0.0.2/cb", PlainHttp),
            ("javascript:alert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("vbscript:x", Scheme),
            ("file:///etc/passwd", Scheme),
            ("myapp:/cb", Scheme),
            ("com.app:cb", Scheme),
            ("ftp://a.example/", Scheme),
        ];
        for (text, error) in table {
            assert_eq!(RedirectUri::try_from(text), Err(error), "{text:?}");
        }
        for text in [
            "https://A.example/cb",
            "https://a.example:443/cb",
            "https:/a.example/cb",
            "https:a.example",
            "https://a.example/x/../cb",
            "https://0/cb",
            "https://a.example/%2e%2e/cb",
            "https://a%2eb.example/",
            "https://a.example?x=1",
            "https://@a.example/cb",
        ] {
            assert!(
                matches!(RedirectUri::try_from(text), Err(Spelling { .. } | Userinfo)),
                "{text}: {:?}",
                RedirectUri::try_from(text)
            );
        }
        assert!(RedirectUri::try_from(format!("https://a.example/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn people_and_policies_see_where_it_leads() {
        let table = [
            ("https://app.example:8443/cb?x", "https://app.example:8443/cb?x", "app.example", "https://app.example:8443"),
            ("https://app.example", "https://app.example", "app.example", "https://app.example"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", "127.0.0.1", "http://127.0.0.1:5000"),
            ("http://[::1]/cb", "http://[::1]:5000/cb", "[::1]", "http:"),
            ("com.example.app:/cb", "com.example.app:/cb", "com.example.app", "com.example.app:"),
        ];
        for (uri, presented, host, origin) in table {
            assert_eq!(
                (registered(uri).host(), registered(uri).origin_for_csp(presented).as_deref()),
                (host, Some(origin)),
                "{uri}"
            );
        }
        assert!(registered("com.app:/cb").is_private_use() && !registered("https://app.example/cb").is_private_use());
    }
}
