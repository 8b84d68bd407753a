//! Who may follow, and how many at a time.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use tokio::sync::watch;

use crate::app::App;
use crate::config::FeedAccess;
use crate::feed::{Follows, Place};
use crate::http::device::ClientAddress;
use crate::http::error::OAuthError;
use crate::http::serve::one_holder;
use crate::secret::TokenHash;

/// Demands one of the feed's bearer secrets, where it is not public; where it is, one that is sent tells who is known.
pub(super) fn authorized(app: &App, headers: &HeaderMap) -> Result<Follows, OAuthError> {
    match &app.config.feed.access {
        FeedAccess::Public(hashes) => {
            let known = presented(headers).is_some_and(|presented| is_one_of(hashes, &presented));
            Ok(if known { Follows::Known } else { Follows::Stranger })
        }
        FeedAccess::Bearer(hashes) => {
            let presented = presented(headers).ok_or_else(OAuthError::credential_missing)?;
            match is_one_of(hashes, &presented) {
                true => Ok(Follows::Known),
                false => Err(OAuthError::invalid_token("it is no secret of the revocation feed")),
            }
        }
    }
}

/// The bearer secret of a request that has exactly one.
fn presented(headers: &HeaderMap) -> Option<TokenHash> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, secret) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| TokenHash::of(secret.trim()))
}

fn is_one_of(hashes: &[TokenHash], presented: &TokenHash) -> bool {
    hashes.iter().fold(false, |known, hash| known | hash.matches(presented))
}

/// A follower that stays for a while: it has a place, and leaves when the process ends.
pub(super) struct Follower {
    ended: watch::Receiver<bool>,
    _place: Place,
}

impl Follower {
    /// A follower from the address of this request, if there is a place.
    pub(super) fn of(app: &App, request: &Request, who: Follows) -> Result<Self, OAuthError> {
        let ended = app.feed.ended();
        if *ended.borrow() {
            return Err(OAuthError::unavailable());
        }
        match app.feed.place(holder(app, request), who) {
            Some(place) => Ok(Self { ended, _place: place }),
            None => {
                tracing::info!(
                    "there is no place for another follower of the revocation feed (limits.streams, limits.streams_per_address)"
                );
                Err(OAuthError::unavailable())
            }
        }
    }

    /// Whether the process is about to end.
    pub(super) fn must_leave(&self) -> bool {
        *self.ended.borrow()
    }

    /// Returns when it is.
    pub(super) async fn left(&self) {
        // The feed outlives those who follow; were it gone, they would have to leave as well.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }
}

/// Whose place it is. A proxy that does not say for whom it asks stands for everybody.
fn holder(app: &App, request: &Request) -> Option<IpAddr> {
    let address = ClientAddress::of(request.extensions());
    (!app.config.http.trusted_proxies.contain(address)).then(|| one_holder(address))
}
