//! The issuer's own address: the `iss` of every token and the beginning of every link that Passant writes.

use std::borrow::Cow;

use url::Url;

use crate::domain::text::{checked_text, host_of};

checked_text!(
    /// An https origin, or an http one on loopback: scheme, host and perhaps a port; nothing else, not even a slash at the end.
    IssuerUrl,
    InvalidIssuerUrl
);

impl IssuerUrl {
    /// Where an issuer lives about which nothing was said.
    pub const LOCAL: Self = Self(Cow::Borrowed("http://localhost:8080"));

    /// The host alone, brackets included when it is an IPv6 address.
    pub fn host(&self) -> &str {
        host_of(self.authority())
    }

    /// Host and port as people read them in the address bar.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether browsers reach it over TLS; if not, it is a loopback address for development.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The address of one of its paths; the slash between the two is put in where it lacks.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.0, path.strip_prefix('/').unwrap_or(path))
    }

    /// Its web origin, as browsers spell it in `Origin`.
    pub fn origin(&self) -> &str {
        self.as_str()
    }

    fn check(text: &str) -> Result<(), InvalidIssuerUrl> {
        let url = Url::parse(text).map_err(|_| InvalidIssuerUrl::NotAnOrigin)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidIssuerUrl::NotAnOrigin);
        }
        let (scheme, host) = (url.scheme(), url.host_str().unwrap_or(""));
        if scheme == "http" && !["localhost", "127.0.0.1", "[::1]"].contains(&host) {
            return Err(InvalidIssuerUrl::PlainHttp { https: url.origin().ascii_serialization().replacen("http", "https", 1) });
        }
        if !["http", "https"].contains(&scheme) {
            return Err(InvalidIssuerUrl::NotAnOrigin);
        }
        let origin = url.origin().ascii_serialization();
        if text == origin { Ok(()) } else { Err(InvalidIssuerUrl::Spelling { origin }) }
    }
}

/// Why a text cannot be an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuerUrl {
    /// It is no http or https URL, or it carries a user's name.
    #[error("an issuer is an origin such as https://auth.example.com: scheme, host and perhaps a port")]
    NotAnOrigin,
    /// It has more than an origin has, or is not spelled as browsers spell it.
    #[error("an issuer is spelled without path, query, default port and slash at the end: write {origin}")]
    Spelling {
        /// What it should be.
        origin: String,
    },
    /// Passwords and tokens would cross a network in the clear.
    #[error(
        "plain http is for localhost, 127.0.0.1 and [::1] only: terminate TLS in front of Passant and set the issuer to {https}"
    )]
    PlainHttp {
        /// What it could be.
        https: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_bare_origin() {
        for good in [
            "https://auth.example.com",
            "https://auth.example.com:8443",
            "http://localhost:8080",
            "http://[::1]:1",
            "http://127.0.0.1",
        ] {
            assert_eq!(IssuerUrl::try_from(good).unwrap().as_str(), good);
        }
        let with_default_port = "https://auth.example.com:443";
        for bad in [
            "https://auth.example.com/",
            "https://auth.example.com/a",
            "https://auth.example.com?x",
            "https://AUTH.example.com",
            with_default_port,
        ] {
            let origin = "https://auth.example.com".to_owned();
            assert_eq!(IssuerUrl::try_from(bad), Err(InvalidIssuerUrl::Spelling { origin }), "{bad}");
        }
        for bad in [
            "",
            "auth.example.com",
            "ftp://auth.example.com",
            "https://",
            "https://me@auth.example.com",
            "file:///x",
            "localhost:8080",
        ] {
            assert_eq!(IssuerUrl::try_from(bad), Err(InvalidIssuerUrl::NotAnOrigin), "{bad}");
        }
        assert!(
            IssuerUrl::try_from(" https://auth.example.com").is_err()
                && IssuerUrl::try_from("https://auth.example.com#").is_err()
        );
    }

    #[test]
    fn plain_http_stays_on_loopback_and_the_refusal_says_what_to_do() {
        for bad in
            ["http://auth.example.com:8080", "http://0.0.0.0", "http://127.0.0.1.evil.com", "http://10.0.0.1", "http://127.0.0.2"]
        {
            assert!(matches!(IssuerUrl::try_from(bad), Err(InvalidIssuerUrl::PlainHttp { .. })), "{bad}");
        }
        let sentence = IssuerUrl::try_from("http://auth.example.com").unwrap_err().to_string();
        assert!(sentence.contains("terminate TLS") && sentence.ends_with("https://auth.example.com"), "{sentence}");
    }

    #[test]
    fn the_default_is_an_issuer_and_addresses_are_joined_with_one_slash() {
        assert_eq!(IssuerUrl::try_from(IssuerUrl::LOCAL.as_str()), Ok(IssuerUrl::LOCAL));
        assert_eq!(IssuerUrl::LOCAL.join("/token"), "http://localhost:8080/token");
        assert_eq!(IssuerUrl::LOCAL.join("token"), "http://localhost:8080/token");
        assert_eq!((IssuerUrl::LOCAL.host(), IssuerUrl::LOCAL.is_https()), ("localhost", false));
        assert_eq!(IssuerUrl::try_from("http://[::1]:8080").unwrap().host(), "[::1]");
    }
}
