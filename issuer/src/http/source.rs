//! Where a request comes from, as the audit trail names it: the client's address and the request's id. Who it is comes from whatever
//! was proved since.

use axum::http::{Extensions, HeaderMap};

use super::device::ClientAddress;
use super::layers::REQUEST_ID;
use crate::domain::audit::{Actor, Source};

/// Of a request of which nothing has been proved yet.
pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions) -> Source {
    Source {
        actor: Actor::Anonymous,
        address: Some(ClientAddress::of(extensions))
            .filter(|address| !address.is_unspecified())
            .map(|address| address.to_string()),
        request_id: headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned),
    }
}
