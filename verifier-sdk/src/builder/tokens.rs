//! What the builder asks about the tokens themselves: what they look like, whose they may be, and how long they may live.

use std::time::Duration;

use super::VerifierBuilder;
use crate::profile::Profile;

impl<I, A> VerifierBuilder<I, A> {
    /// What the issuer's access tokens look like. Default [`Profile::AccessToken`], which is RFC 9068; for issuers that do not keep to
    /// it, [`LenientAccessToken`](crate::LenientAccessToken) says what it accepts beyond, and at what price.
    pub fn profile(mut self, profile: impl Into<Profile>) -> Self {
        self.draft.policy.profile = profile.into();
        self
    }

    /// Accepts only access tokens that were issued to this client, or to another one that is named so.
    pub fn issued_to(mut self, client_id: impl Into<String>) -> Self {
        self.draft.policy.clients.get_or_insert_default().push(client_id.into());
        self
    }

    /// The longest accepted distance from `iat` to `exp` of an access token. Default one hour, and 24 hours with the lenient profile.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.draft.policy.max_lifetime = Some(max_lifetime);
        self
    }

    /// The longest accepted distance from `iat` to `exp` of an ID token. Default 24 hours.
    pub fn id_token_max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.draft.policy.id_token_max_lifetime = max_lifetime;
        self
    }

    /// Verifies tokens that name no key with the only key of the issuer's set (OpenID Connect Core 1.0, section 10.1). While the set
    /// has more than one, as it must in every rotation, such tokens are refused: keys are not tried one by one. Nor is a new key looked
    /// for when a token of it arrives, since nothing tells it from a forged one.
    pub fn dangerous_accept_missing_kid(mut self) -> Self {
        self.draft.policy.accept_missing_kid = true;
        self
    }

    /// Among [several issuers](crate::Verifier::any_of), one without which the verifier is ready all the same: a service for the users
    /// of many should not be taken out of use because one of them is down. Its tokens are answered 503 as long as its keys are missing.
    pub fn optional(mut self) -> Self {
        self.draft.policy.optional = true;
        self
    }
}
