//! One attempt to get the issuer's key set: discovery where needed, then the set. Whatever answers is taken for hostile:
//! bounded in size and time, never followed elsewhere, and its discovery document must speak for the configured issuer.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Url};
use tokio::sync::watch;

use crate::algorithm::Algorithm;
use crate::builder::{BuildError, KeySource};
use crate::json::tree::{Value, parse_object};
use crate::keys::jwks::{JwksError, KeySet, MAX_JWKS_LEN};
use crate::policy::Policy;
use crate::revocation::Revocations;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const DONE_WITHIN: Duration = Duration::from_secs(5);
const DISCOVER_EVERY: Duration = Duration::from_secs(60 * 60);
const MAX_ETAG_LEN: usize = 256;

/// What an attempt brought.
#[derive(Debug)]
pub(super) enum Fetched {
    Keys { set: KeySet, max_age: Option<Duration> },
    NotModified { max_age: Option<Duration> },
}

/// Fetches one issuer's keys.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    place: Place,
    algorithms: Vec<Algorithm>,
    etag: Option<HeaderValue>,
    announced: Option<Announced>,
}

/// Where to say that the issuer announces a revocation feed.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) revocations: Arc<Revocations>,
    pub(super) address: watch::Sender<Option<Url>>,
}

/// Where the keys are.
#[derive(Debug)]
enum Place {
    Known(Url),
    Announced { issuer: String, by: Url, found: Option<(Url, Duration)> },
}

impl Fetcher {
    /// `announced`: whom to tell of a feed that discovery announces, where it is to be followed.
    pub(super) fn new(
        policy: &Policy,
        source: KeySource,
        roots: &Roots,
        announced: Option<Announced>,
    ) -> Result<Self, BuildError> {
        let not_a_url = "it is not a URL";
        let (place, first) = match (source, policy.issuer.as_deref()) {
            (KeySource::Address(uri), _) => {
                let url = Url::parse(&uri).map_err(|_| BuildError::JwksUri(not_a_url))?;
                (Place::Known(url.clone()), url)
            }
            (KeySource::Discovery, Some(issuer)) => {
                let by = discovery_address(issuer)?;
                (Place::Announced { issuer: issuer.to_owned(), by: by.clone(), found: None }, by)
            }
            _ => return Err(BuildError::NoKeys),
        };
        let client = client_for(&first, roots).timeout(DONE_WITHIN);
        let client = client.build().map_err(|error| BuildError::HttpClient(error.to_string()))?;
        Ok(Self { client, place, algorithms: policy.algorithms.clone(), etag: None, announced })
    }

    /// One attempt. `conditional`: whether keys are held that a 304 could confirm.
    pub(super) async fn fetch(&mut self, now: Duration, conditional: bool) -> Result<Fetched, FetchError> {
        let attempt = async {
            let address = self.locate(now).await?;
            self.key_set(address, conditional).await
        };
        let outcome =
            tokio::time::timeout(DONE_WITHIN, attempt).await.unwrap_or(Err(FetchError::TimedOut(DONE_WITHIN.as_secs())));
        if outcome.is_err()
            && let Place::Announced { found, .. } = &mut self.place
        {
            *found = None;
        }
        outcome
    }

    async fn locate(&mut self, now: Duration) -> Result<Url, FetchError> {
        let Self { client, place, etag, announced, .. } = self;
        match place {
            Place::Known(url) => Ok(url.clone()),
            Place::Announced { found: Some((url, at)), .. } if now.saturating_sub(*at) < DISCOVER_EVERY => Ok(url.clone()),
            Place::Announced { issuer, by, found } => {
                let document = read(client.get(by.clone()).send().await?, MAX_JWKS_LEN).await?;
                let (url, feed) = announced_addresses(&document, issuer, by)?;
                // Before any key of this document counts, and for good: a document that leaves the feed out takes nothing back.
                if let (Some(announced), Some(feed)) = (announced, feed) {
                    announced.revocations.follow();
                    announced.address.send_replace(Some(feed));
                }
                if found.as_ref().is_none_or(|(known, _)| *known != url) {
                    *etag = None;
                }
                *found = Some((url.clone(), now));
                Ok(url)
            }
        }
    }

    async fn key_set(&mut self, address: Url, conditional: bool) -> Result<Fetched, FetchError> {
        let mut request = self.client.get(address).header(CACHE_CONTROL, "no-cache");
        if let Some(etag) = self.etag.as_ref().filter(|_| conditional) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await?;
        let max_age = max_age(response.headers());
        if response.status() == StatusCode::NOT_MODIFIED && conditional && self.etag.is_some() {
            return Ok(Fetched::NotModified { max_age });
        }
        let etag = response.headers().get(ETAG).filter(|etag| etag.len() <= MAX_ETAG_LEN).cloned();
        let set = KeySet::parse(&read(response, MAX_JWKS_LEN).await?, &self.algorithms)?;
        self.etag = etag;
        Ok(Fetched::Keys { set, max_age })
    }
}

/// Why an attempt failed. Nothing in its text comes from the peer but a status.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it took longer than {0} s")]
    TimedOut(u64),
    #[error("the request failed: {0}")]
    Request(&'static str),
    #[error("the answer has status {0}")]
    Status(u16, Option<Duration>),
    #[error("the answer is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    #[error("the discovery document is not a JSON object with issuer and jwks_uri")]
    BadDiscovery,
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    #[error("the discovery document names a jwks_uri of another origin")]
    OtherOrigin,
    #[error("the discovery document names a passant_revocations_uri that is no address of the issuer's origin")]
    OtherFeed,
    #[error("{0}")]
    BadKeys(#[from] JwksError),
}

impl FetchError {
    pub(super) fn retry_after(&self) -> Option<Duration> {
        if let Self::Status(_, retry_after) = self { *retry_after } else { None }
    }

    pub(super) fn of_status(response: &reqwest::Response) -> Self {
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self::Status(response.status().as_u16(), seconds.map(Duration::from_secs))
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        match error {
            e if e.is_timeout() => Self::TimedOut(DONE_WITHIN.as_secs()),
            e if e.is_connect() => Self::Request("no connection"),
            e if e.is_body() || e.is_decode() => Self::Request("the answer broke off"),
            _ => Self::Request("the answer is not HTTP"),
        }
    }
}

/// Reads a successful answer's body, and no more of it than is allowed.
pub(super) async fn read(mut response: reqwest::Response, max_len: usize) -> Result<Vec<u8>, FetchError> {
    if response.status() != StatusCode::OK {
        return Err(FetchError::of_status(&response));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_len {
            return Err(FetchError::TooLarge(max_len));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The certificates that are trusted in place of the machine's, if any.
pub(crate) type Roots = Option<Vec<Certificate>>;

/// Reads certificates in PEM, at least one.
pub(crate) fn roots(pem: &[u8]) -> Result<Vec<Certificate>, BuildError> {
    let roots = Certificate::from_pem_bundle(pem).unwrap_or_default();
    if roots.is_empty() { Err(BuildError::RootCertificates) } else { Ok(roots) }
}

/// A client that goes where it is told and nowhere else; `first` says by which scheme.
pub(super) fn client_for(first: &Url, roots: &Roots) -> ClientBuilder {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .user_agent(concat!("passant-verifier/", env!("CARGO_PKG_VERSION")))
        .https_only(first.scheme() == "https");
    match roots {
        _ if first.scheme() == "http" => client.tls_certs_only([]),
        Some(roots) => client.tls_certs_only(roots.iter().cloned()),
        None => client,
    }
}

/// Where an issuer's discovery document is.
pub(super) fn discovery_address(issuer: &str) -> Result<Url, BuildError> {
    let document = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&document).map_err(|_| BuildError::Issuer("it is not a URL"))
}

/// The addresses of the keys and, where there is one, of the feed. OpenID Connect Discovery 1.0, section 4.3: the document must
/// name the very issuer that was asked.
fn announced_addresses(document: &[u8], issuer: &str, asked: &Url) -> Result<(Url, Option<Url>), FetchError> {
    let document = parse_object(document).map_err(|_| FetchError::BadDiscovery)?;
    let text = |member| document.get(member).and_then(Value::as_str).ok_or(FetchError::BadDiscovery);
    if text("issuer")? != issuer {
        return Err(FetchError::OtherIssuer);
    }
    let url = Url::parse(text("jwks_uri")?).map_err(|_| FetchError::BadDiscovery)?;
    if url.origin() != asked.origin() {
        return Err(FetchError::OtherOrigin);
    }
    let feed = document.get("passant_revocations_uri").map(|feed| {
        let feed = feed.as_str().and_then(|feed| Url::parse(feed).ok());
        feed.filter(|feed| feed.origin() == asked.origin()).ok_or(FetchError::OtherFeed)
    });
    Ok((url, feed.transpose()?))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    let mut directives = directives.flat_map(|value| value.split(',')).map(str::trim);
    directives.find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let seconds = seconds.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v89_discovery_speaks_for_the_configured_issuer_and_its_own_origin() {
        let issuer = "https://id.example.com";
        let asked = Url::parse("https://id.example.com/.well-known/openid-configuration").unwrap();
        let judge = |issuer_member: &str, jwks_uri: &str| {
            let document = format!(r#"{{"issuer":"{issuer_member}","jwks_uri":"{jwks_uri}"}}"#);
            announced_addresses(document.as_bytes(), issuer, &asked).map(|(keys, _)| keys).map_err(|error| error.to_string())
        };
        assert_eq!(judge(issuer, "https://id.example.com:443/jwks").unwrap().path(), "/jwks");
        for other in ["https://id.example.com/", "http://id.example.com", "https://ID.example.com", "https://evil.example"] {
            assert_eq!(judge(other, "https://id.example.com/jwks"), Err(FetchError::OtherIssuer.to_string()), "{other}");
        }
        for other in
            ["https://evil.example/jwks", "http://id.example.com/jwks", "https://id.example.com:444/", "file:///etc/passwd"]
        {
            assert_eq!(judge(issuer, other), Err(FetchError::OtherOrigin.to_string()), "{other}");
        }
        for other in ["/jwks", ""] {
            assert_eq!(judge(issuer, other), Err(FetchError::BadDiscovery.to_string()), "{other}");
        }
    }

    #[test]
    fn an_announced_feed_is_of_the_issuers_own_origin() {
        let issuer = "https://id.example.com";
        let asked = Url::parse("https://id.example.com/.well-known/openid-configuration").unwrap();
        let judge = |feed: &str| {
            let document = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks"{feed}}}"#);
            announced_addresses(document.as_bytes(), issuer, &asked).map(|(_, feed)| feed.map(|feed| feed.to_string()))
        };
        assert_eq!(judge("").unwrap(), None);
        let feed = judge(r#","passant_revocations_uri":"https://id.example.com:443/revocations""#).unwrap();
        assert_eq!(feed.as_deref(), Some("https://id.example.com/revocations"));
        for odd in [
            "null",
            "7",
            "\"\"",
            "\"/revocations\"",
            "\"https://evil.example/revocations\"",
            "\"http://id.example.com/revocations\"",
            "\"https://id.example.com:444/revocations\"",
            "\"file:///etc/passwd\"",
        ] {
            assert!(matches!(judge(&format!(r#","passant_revocations_uri":{odd}"#)), Err(FetchError::OtherFeed)), "{odd}");
        }
    }

    #[test]
    fn max_age_is_found_among_other_directives() {
        for (value, seconds) in [
            ("public, max-age=600", Some(600)),
            ("MAX-AGE=\"7\"", Some(7)),
            ("s-maxage=9", None),
            ("max-age=-1", None),
            ("no-store", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
