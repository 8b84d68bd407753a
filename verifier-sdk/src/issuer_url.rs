//! What may stand as an issuer or key-set address: https, or plain http to this very machine. Checked when the verifier is
//! built, so that a mistake shows at the start and not on the first request.

/// Judges an address by the rules for an issuer (RFC 8414, section 2).
pub(crate) fn check_issuer(url: &str, allow_plain_http: bool) -> Result<(), &'static str> {
    check_address(url, allow_plain_http)?;
    if url.contains(['?', '#']) { Err("it has a query or a fragment") } else { Ok(()) }
}

/// Judges an address to fetch from.
pub(crate) fn check_address(url: &str, allow_plain_http: bool) -> Result<(), &'static str> {
    if !url.bytes().all(|b| (b'!'..=b'~').contains(&b)) {
        return Err("it has characters that no URL has");
    }
    let (rest, plain) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => return Err("it does not begin with https://"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains(['@', '\\']) {
        return Err("it carries a user name or a backslash");
    }
    let host = host_of(authority);
    if host.is_empty() {
        return Err("it names no host");
    }
    if plain && !allow_plain_http && !is_loopback(host) {
        return Err("plain http is for localhost only");
    }
    Ok(())
}

fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v88_an_issuer_is_https_or_plain_http_on_this_machine() {
        for good in [
            "https://id.example.com",
            "https://id.example.com:8443/tenant/",
            "http://localhost:8080",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert_eq!(check_issuer(good, false), Ok(()), "{good}");
        }
        for bad in [
            "",
            "id.example.com",
            "ftp://id.example.com",
            "https://",
            "https://:443",
            "https://a@b",
            "https://a?x",
            "https://a#x",
            "https://a b",
            "https://a\n",
            "http://id.example.com",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example",
            "http://localhost\\@evil.example",
            "http://127.0.0.1.evil.example",
            "HTTPS://id.example.com",
        ] {
            assert!(check_issuer(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_issuer("http://id.internal", true), Ok(()));
    }
}
