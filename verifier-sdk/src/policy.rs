//! What one verifier demands of every token. It is fixed when the verifier is built; nothing in a token can widen it.

use std::time::Duration;

use crate::algorithm::Algorithm;

/// What is demanded; `None` stands for a check that the service has waived by name.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) issuer: Option<String>,
    pub(crate) audiences: Option<Vec<String>>,
    /// Never empty.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) max_stale: Duration,
}

impl Policy {
    pub(crate) const DEFAULT_ALGORITHM: Algorithm = Algorithm::Rs256;
    pub(crate) const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);
    pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);
    pub(crate) const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
    pub(crate) const DEFAULT_MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
    pub(crate) const LONGEST_MAX_STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
}
