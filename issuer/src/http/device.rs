//! What a person will recognise a session by: the browser's own name for itself, and where it came from.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;
use axum::http::{Extensions, header};

/// The address that a request came from, found out when it arrived: the peer's, or what trusted proxies say. Every request carries
/// it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    /// The address of the request that these extensions are of.
    pub(crate) fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |found| found.0)
    }
}

/// The browser behind a request, as far as it says and the connection shows.
pub(crate) struct Device {
    /// `User-Agent`, shortened.
    pub(crate) user_agent: Option<String>,
    /// Where it came from.
    pub(crate) address: IpAddr,
}

impl Device {
    /// The device that sends a request.
    pub(crate) fn of(request: &Request) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            user_agent: agent.map(|agent| agent.chars().take(256).collect()),
            address: ClientAddress::of(request.extensions()),
        }
    }
}
