//! What a person will recognise a session by: the browser's own name for itself, and where it came from.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, header};

/// The browser behind a request, as far as it says and the connection shows. Forwarded headers say nothing here: anybody can write
/// them.
pub(crate) struct Device {
    /// `User-Agent`, shortened.
    pub(crate) user_agent: Option<String>,
    /// The peer's address.
    pub(crate) address: Option<String>,
}

impl Device {
    /// The device that sends a request.
    pub(crate) fn of(request: &Request) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self { user_agent: agent.map(|agent| agent.chars().take(256).collect()), address: address(request.extensions()) }
    }
}

/// The peer's address.
pub(crate) fn address(extensions: &Extensions) -> Option<String> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_string())
}
