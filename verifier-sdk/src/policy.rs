//! What a verifier demands of every token of one issuer. It is fixed when the verifier is built; nothing in a token can widen it.

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::profile::Profile;

/// What is demanded of one issuer's tokens; `None` stands for a check that the service has waived by name.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) issuer: Option<String>,
    pub(crate) audiences: Option<Vec<String>>,
    /// The clients that access tokens may be issued to; `None` where any may hold one.
    pub(crate) clients: Option<Vec<String>>,
    pub(crate) profile: Profile,
    pub(crate) accept_missing_kid: bool,
    /// Never empty.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) id_token_max_lifetime: Duration,
    pub(crate) max_stale: Duration,
    /// Whether a verifier of several issuers is ready without this one.
    pub(crate) optional: bool,
}

impl Policy {
    pub(crate) const DEFAULT_ALGORITHM: Algorithm = Algorithm::Rs256;
    pub(crate) const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);
    pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);
    pub(crate) const DEFAULT_ID_TOKEN_MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
    pub(crate) const DEFAULT_MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
    pub(crate) const LONGEST_MAX_STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// How long an access token may live.
    pub(crate) fn max_lifetime(&self) -> Duration {
        let default = || Duration::from_secs(60 * 60 * if self.profile.is_lenient() { 24 } else { 1 });
        self.max_lifetime.unwrap_or_else(default)
    }
}
