//! What is judged before any route sees a request: its size, whether it was meant for this issuer, and whose address it came from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::device::ClientAddress;
use super::layers::REQUEST_ID;
use crate::app::App;
use crate::domain::client_address::{Forwarding, client_address};
use crate::domain::issuer_url::IssuerUrl;

/// The most header fields of a request.
pub(super) const HEADERS: usize = 100;
/// The most bytes of them all.
pub(super) const HEAD_BYTES: usize = 32 << 10;
/// The most bytes of path and query.
const TARGET_BYTES: usize = 8 << 10;

/// Finds out whose address a request came from, and forgets what only we may say: a stranger does not choose what our log calls a
/// request.
pub(super) async fn arrive(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(REQUEST_ID);
    let client = ClientAddress(address(&app, &request));
    request.extensions_mut().insert(client);
    next.run(request).await
}

fn address(app: &App, request: &Request) -> IpAddr {
    // Only a router without a server, as in tests, knows no peer.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let lines =
        |name: HeaderName| request.headers().get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect::<Vec<&str>>();
    let forwarding =
        Forwarding { x_forwarded_for: lines(HeaderName::from_static("x-forwarded-for")), forwarded: lines(header::FORWARDED) };
    client_address(peer, &forwarding, &app.config.http.trusted_proxies)
}

/// Refuses a head larger than any that a browser or client of ours sends. The answer has no words yet.
pub(super) async fn refuse_oversized(request: Request, next: Next) -> Response {
    match oversized(request.uri(), request.headers()) {
        Some(status) => status.into_response(),
        None => next.run(request).await,
    }
}

fn oversized(uri: &Uri, headers: &HeaderMap) -> Option<StatusCode> {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    // As they stand in HTTP/1.1: name, colon, space, value, line end. One is ours.
    let sent = headers.iter().filter(|(name, _)| *name != REQUEST_ID);
    let (count, bytes) =
        sent.fold((0, 0), |(count, bytes), (name, value)| (count + 1, bytes + name.as_str().len() + value.len() + 4));
    if target > TARGET_BYTES {
        Some(StatusCode::URI_TOO_LONG)
    } else if count > HEADERS || bytes > HEAD_BYTES {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else {
        None
    }
}

/// Refuses a request that names another host (the attacks: DNS rebinding, poisoned links and caches). The answer has no words yet.
pub(super) async fn refuse_misdirected(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match misdirected(&app.config.issuer, request.uri(), request.headers()) {
        Some(status) => status.into_response(),
        None => next.run(request).await,
    }
}

/// Every name that a request gives must be ours, and it must give one, but only one Host (RFC 9112, section 3.2). HTTP/2 and
/// the absolute form give it in the target.
fn misdirected(issuer: &IssuerUrl, uri: &Uri, headers: &HeaderMap) -> Option<StatusCode> {
    let mut hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    let (host, another) = (hosts.next(), hosts.next());
    let target = uri.authority().map(|authority| authority.as_str());
    if another.is_some() || (host.is_none() && target.is_none()) {
        return Some(StatusCode::BAD_REQUEST);
    }
    let ours = host.into_iter().chain(target).all(|authority| is_at(issuer, authority));
    (!ours).then_some(StatusCode::MISDIRECTED_REQUEST)
}

/// Whether an authority is the issuer's. An issuer on plain http is on this machine and may be reached through another port of it,
/// but by no name that somebody else's DNS could give it.
fn is_at(issuer: &IssuerUrl, authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let known = |others: &[&str]| others.iter().any(|other| host.eq_ignore_ascii_case(other));
    if !issuer.is_https() {
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
        return known(&["localhost", "127.0.0.1", "[::1]"]) && port.is_none_or(is_port);
    }
    let own_port = issuer.authority().strip_prefix(issuer.host()).and_then(|rest| rest.strip_prefix(':')).unwrap_or("443");
    known(&[issuer.host()]) && port.unwrap_or("443") == own_port
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn assert_at(issuer: &str, authorities: &[&str], expected: bool) {
        let issuer: IssuerUrl = issuer.parse().unwrap();
        for authority in authorities {
            assert_eq!(is_at(&issuer, authority), expected, "{authority} at {issuer}");
        }
    }

    #[test]
    fn https_issuer_is_at_its_own_authority_alone() {
        let here = ["auth.example.com", "AUTH.example.com", "auth.example.com:443"];
        assert_at("https://auth.example.com", &here, true);
        let elsewhere = [
            "evil.example",
            "auth.example.com.",
            "auth.example.com:80",
            "auth.example.com:",
            "auth.example.com:443:443",
            "localhost",
            "auth.example.com@evil.example",
            "evil.example@auth.example.com",
            "x.auth.example.com",
            "",
            ":443",
            "?",
            "auth.example.com/",
        ];
        assert_at("https://auth.example.com", &elsewhere, false);
        assert_at("https://auth.example.com:8443", &["auth.example.com:8443"], true);
        assert_at("https://auth.example.com:8443", &["auth.example.com", "auth.example.com:443"], false);
        assert_at("https://[2001:db8::1]", &["[2001:db8::1]", "[2001:DB8::1]:443"], true);
        assert_at("https://[2001:db8::1]", &["2001:db8::1", "[2001:db8::2]", "[2001:db8::1]:80"], false);
    }

    #[test]
    fn plain_http_issuer_is_on_this_machine_whatever_the_port() {
        let here = ["localhost:8080", "localhost", "LOCALHOST:1", "127.0.0.1:9000", "[::1]:8080", "[::1]"];
        assert_at("http://localhost:8080", &here, true);
        assert_at("http://127.0.0.1:8080", &here, true);
        let elsewhere = [
            "evil.example:8080",
            "localhost.evil.example:8080",
            "127.0.0.1.nip.io",
            "localhost:",
            "localhost:x",
            "127.0.0.2",
            "",
        ];
        assert_at("http://localhost:8080", &elsewhere, false);
    }

    #[test]
    fn every_name_that_is_given_must_be_ours_and_one_must_be() {
        let issuer: IssuerUrl = "https://auth.example.com".parse().unwrap();
        let (ours, evil) = ("auth.example.com", "evil.example");
        let (bad, misdirected_request) = (Some(StatusCode::BAD_REQUEST), Some(StatusCode::MISDIRECTED_REQUEST));
        for (target, hosts, expected) in [
            ("/login", &[ours][..], None),
            ("/login", &[evil], misdirected_request),
            ("/login", &[], bad),
            ("/login", &[ours, ours], bad),
            ("/login", &[ours, evil], bad),
            ("https://auth.example.com/login", &[], None),
            ("https://auth.example.com/login", &[ours], None),
            ("https://auth.example.com/login", &[evil], misdirected_request),
            ("https://evil.example/login", &[ours], misdirected_request),
            ("http://auth.example.com:80/login", &[], misdirected_request),
        ] {
            let lines = hosts.iter().map(|host| (header::HOST, HeaderValue::from_static(host)));
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            assert_eq!(misdirected(&issuer, &target.parse().unwrap(), &headers), expected, "{target} {hosts:?}");
        }
    }

    #[test]
    fn head_has_a_most_of_fields_and_bytes_and_its_target_too() {
        let fields = |count: usize, length: usize| {
            let mut headers = HeaderMap::new();
            for _ in 0..count {
                headers.append("a", HeaderValue::from_str(&"x".repeat(length)).unwrap());
            }
            headers
        };
        let target = |length: usize| format!("/{}", "x".repeat(length - 1)).parse::<Uri>().unwrap();
        let too_large = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        for (uri, headers, expected) in [
            (target(TARGET_BYTES), fields(HEADERS, 1), None),
            (target(TARGET_BYTES + 1), fields(0, 0), Some(StatusCode::URI_TOO_LONG)),
            (target(1), fields(HEADERS + 1, 1), too_large),
            (target(1), fields(1, HEAD_BYTES - 5), None),
            (target(1), fields(1, HEAD_BYTES - 4), too_large),
        ] {
            assert_eq!(oversized(&uri, &headers), expected, "{}", headers.len());
        }
    }
}
