#![doc = include_str!("../README.md")]

mod access;
#[cfg(feature = "axum")]
pub mod axum;
mod base64url;
mod bearer;
mod builder;
mod challenge;
mod claims;
mod clock;
mod compact;
mod error;
mod escape;
mod header;
#[cfg(feature = "http")]
mod http;
mod issuer_url;
mod json;
mod keys;
#[cfg(feature = "http")]
mod last_known_good;
mod observe;
mod policy;
mod resource_metadata;
mod revocation;
mod signature;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;
mod verified;
mod verifier;

pub use access::AccessPolicy;
pub use builder::{BuildError, Given, NeedsAudience, NeedsIssuer, VerifierBuilder};
pub use challenge::Challenges;
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Reason, VerifyError};
#[cfg(feature = "http")]
pub use http::{NotReady, RefreshError};
pub use keys::jwks::{JwksError, SkipReason, SkippedKey};
pub use keys::{Health, KeyState};
#[cfg(feature = "metrics")]
pub use observe::Metrics;
pub use observe::{Event, FeedMessage, Observer};
#[cfg(feature = "tower")]
pub use resource_metadata::MetadataService;
pub use resource_metadata::{ResourceError, ResourceMetadata};
pub use revocation::follower::FeedOutcome;
pub use revocation::message::FeedError;
pub use revocation::{RevocationHealth, RevocationState};
pub use verified::{ClaimsError, Verified};
pub use verifier::Verifier;
