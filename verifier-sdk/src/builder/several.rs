//! Several issuers in one verifier: verifiers that were built one by one, each with its own decisions, put together.

use std::sync::Arc;

use super::BuildError;
use crate::cache::settings::TokenCache;
use crate::issuer::TrustedIssuer;
use crate::verifier::{Inner, Verifier};

impl Verifier {
    /// A verifier that accepts whatever one of these accepts. A token's `iss` chooses which of them judges it, and that one alone:
    /// keys, audiences and every other setting stay its own, and nothing is fetched from an issuer that was not named when one of
    /// them was built.
    ///
    /// The verifiers can still be used one by one, and share everything with the whole: an ID token should be shown to the verifier of
    /// the issuer that was asked for it.
    ///
    /// The tokens of all are remembered together, as many as the largest [`TokenCache`](crate::TokenCache) of one of them allows.
    ///
    /// # Errors
    /// When there are none, when two are of the same issuer or keep the same file, when one accepts any issuer and would speak for
    /// the others, and when all of several are [optional](crate::VerifierBuilder::optional).
    pub fn any_of(verifiers: impl IntoIterator<Item = Verifier>) -> Result<Self, BuildError> {
        let inners: Vec<_> = verifiers.into_iter().map(|verifier| verifier.inner).collect();
        let token_cache = inners.iter().map(|inner| inner.token_cache).reduce(TokenCache::larger).unwrap_or(TokenCache::OFF);
        let mut issuers = inners.into_iter().flat_map(|inner| [inner.first.clone()].into_iter().chain(inner.others.clone()));
        let first = issuers.next().ok_or(BuildError::NoIssuer)?;
        let others: Box<[_]> = issuers.collect();
        let watch = if others.is_empty() { first.watch.clone() } else { first.watch.unnamed() };
        let verifier = Self { inner: Arc::new(Inner::new(first, others, token_cache, watch)) };
        verifier.check_together()?;
        Ok(verifier)
    }

    fn check_together(&self) -> Result<(), BuildError> {
        for (index, one) in self.issuers().enumerate() {
            for other in self.issuers().skip(index + 1) {
                match (&one.policy.issuer, &other.policy.issuer) {
                    (Some(one), Some(other)) if one != other => {}
                    (Some(same), Some(_)) => return Err(BuildError::SameIssuer(same.clone())),
                    _ => return Err(BuildError::AnyIssuerAmongOthers),
                }
                if share_a_file(one, other) {
                    return Err(BuildError::LastKnownGood("it belongs to one issuer, and two are to keep it"));
                }
            }
        }
        if self.needed().next().is_none() { Err(BuildError::AllOptional) } else { Ok(()) }
    }
}

#[cfg(feature = "http")]
fn share_a_file(one: &TrustedIssuer, other: &TrustedIssuer) -> bool {
    one.follower.file().is_some_and(|file| other.follower.file() == Some(file))
}

#[cfg(not(feature = "http"))]
fn share_a_file(_: &TrustedIssuer, _: &TrustedIssuer) -> bool {
    false
}
