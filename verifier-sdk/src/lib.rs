#![doc = include_str!("../README.md")]

mod access;
mod algorithm;
#[cfg(feature = "axum")]
pub mod axum;
mod base64url;
mod bearer;
mod builder;
mod cache;
mod challenge;
mod claims;
mod clock;
mod compact;
mod error;
mod escape;
mod header;
#[cfg(feature = "http")]
mod http;
mod id_token;
mod issuer;
mod issuer_url;
mod json;
mod keys;
#[cfg(feature = "http")]
mod last_known_good;
mod logout_token;
pub mod manual;
mod observe;
mod policy;
mod profile;
mod replays;
mod resource_metadata;
mod revocation;
mod signature;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
mod verified;
mod verifier;

pub use access::AccessPolicy;
pub use algorithm::Algorithm;
pub use builder::{BuildError, Given, NeedsAudience, NeedsIssuer, VerifierBuilder};
pub use cache::settings::{CacheKey, TokenCache};
pub use challenge::Challenges;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use clock::SystemClock;
pub use clock::{Clock, ManualClock};
pub use error::{Reason, VerifyError};
#[cfg(feature = "http")]
pub use http::{NotReady, RefreshError};
pub use id_token::{IdTokenExpectations, Nonce, VerifiedIdToken};
pub use keys::jwks::{JwksError, SkipReason, SkippedKey};
pub use keys::{Health, KeyState};
pub use logout_token::{LogoutToken, LogoutTokenExpectations};
#[cfg(feature = "metrics")]
pub use observe::Metrics;
pub use observe::{Event, FeedMessage, Observer};
pub use profile::{LenientAccessToken, Profile};
#[cfg(feature = "tower")]
pub use resource_metadata::MetadataService;
pub use resource_metadata::{ResourceError, ResourceMetadata};
pub use revocation::follower::FeedOutcome;
pub use revocation::message::FeedError;
pub use revocation::{RevocationHealth, RevocationState};
pub use verified::{ClaimsError, Verified};
pub use verifier::Verifier;
