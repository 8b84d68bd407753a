//! What a route demands of a caller whose token is good: scopes, roles, how and when the user proved who they are, and how
//! recent the news of revocations is. One policy serves every adapter and works by hand, so that none of them judges differently.

mod roles;

use std::time::Duration;

use crate::error::{Reason, VerifyError};
use crate::observe::Event;
use crate::verified::Verified;
use crate::verifier::Verifier;

/// Demands on a caller; begun by [`AccessPolicy::new`], which demands nothing. Everything that is added is demanded.
///
/// ```
/// use std::time::Duration;
/// use passant_verifier::AccessPolicy;
///
/// let paying = AccessPolicy::new()
///     .scope("payments:write")
///     .any_role(["cashier", "owner"])
///     .max_auth_age(Duration::from_secs(15 * 60))
///     .require_fresh(Duration::from_secs(30));
/// # let _ = paying;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a policy demands nothing until a caller is checked by it"]
pub struct AccessPolicy {
    scopes: Vec<String>,
    any_scopes: Vec<Vec<String>>,
    roles_in: Option<Vec<String>>,
    roles: Vec<String>,
    any_roles: Vec<Vec<String>>,
    acr_values: Vec<String>,
    max_auth_age: Option<Duration>,
    fresh_within: Option<Duration>,
}

impl AccessPolicy {
    /// Admits every caller whose token is good.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands a scope.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.scopes([scope])
    }

    /// Demands every one of these scopes.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Demands at least one of these scopes; of an empty list nobody has one. A challenge names the first.
    pub fn any_scope(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_scopes.push(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Says in which claim roles are: its name, and the names of the members that lead to them where they lie deeper, as in
    /// `["realm_access", "roles"]`. Default `["roles"]`.
    ///
    /// A role is a string, an item of an array of strings, or the `value` of an object in such an array (RFC 9068, section 2.2.3.1,
    /// RFC 7643, section 4.1.2).
    pub fn roles_in(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles_in = Some(path.into_iter().map(Into::into).collect());
        self
    }

    /// Demands a role.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Demands at least one of these roles; of an empty list nobody has one.
    pub fn any_role(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_roles.push(roles.into_iter().map(Into::into).collect());
        self
    }

    /// Demands that the user proved who they are in one of these ways (`acr`), the preferred one first. A challenge names them all
    /// (RFC 9470, section 3).
    pub fn acr(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.acr_values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Demands that the user proved who they are at most so long ago (`auth_time`), in whole seconds; of two such demands the
    /// stricter counts. Clocks that differ count into the age: what is below a minute asks now and then without need.
    pub fn max_auth_age(mut self, at_most: Duration) -> Self {
        self.max_auth_age = Some(self.max_auth_age.map_or(at_most, |stricter| stricter.min(at_most)));
        self
    }

    /// Demands that what the issuer has revoked was known as of at most so long ago, as [`Verified::require_fresh`] does. Of two
    /// such demands the stricter counts.
    pub fn require_fresh(mut self, at_most: Duration) -> Self {
        self.fresh_within = Some(self.fresh_within.map_or(at_most, |stricter| stricter.min(at_most)));
        self
    }

    /// Judges a caller at `now`, in seconds since the Unix epoch. What no new sign-in would cure is told first.
    ///
    /// # Errors
    /// [`Reason::InsufficientScope`] or [`Reason::InsufficientRole`] (403), [`Reason::InsufficientAcr`] or [`Reason::AuthTooOld`]
    /// (401, after which the client lets the user sign in again), [`Reason::RevocationsStale`] or [`Reason::RevocationsMissing`] (503).
    pub fn check(&self, caller: &Verified, now: i64) -> Result<(), VerifyError> {
        self.check_scopes(caller)?;
        self.check_roles(caller)?;
        self.check_authentication(caller, now)?;
        self.fresh_within.map_or(Ok(()), |at_most| caller.require_fresh(at_most))
    }

    fn check_scopes(&self, caller: &Verified) -> Result<(), VerifyError> {
        let has = |scope: &String| caller.has_scope(scope);
        if self.scopes.iter().all(has) && self.any_scopes.iter().all(|any| any.iter().any(has)) {
            return Ok(());
        }
        let needed = self.scopes.iter().chain(self.any_scopes.iter().filter_map(|any| any.first()));
        Err(VerifyError::lacks_scope(needed.map(String::as_str)))
    }

    fn check_roles(&self, caller: &Verified) -> Result<(), VerifyError> {
        if self.roles.is_empty() && self.any_roles.is_empty() {
            return Ok(());
        }
        let held = match &self.roles_in {
            Some(path) => roles::at(path, caller.payload()),
            None => roles::at(&["roles".to_owned()], caller.payload()),
        };
        let has = |role: &String| held.contains(role);
        if self.roles.iter().all(has) && self.any_roles.iter().all(|any| any.iter().any(has)) {
            Ok(())
        } else {
            Err(VerifyError::new(Reason::InsufficientRole))
        }
    }

    fn check_authentication(&self, caller: &Verified, now: i64) -> Result<(), VerifyError> {
        let acr_suits =
            self.acr_values.is_empty() || caller.acr().is_some_and(|acr| self.acr_values.iter().any(|value| value == acr));
        let is_recent = self.max_auth_age.is_none_or(|at_most| {
            // Nobody signs in for a token after it was issued.
            let at = caller.auth_time().map(|at| at.min(caller.issued_at()));
            at.is_some_and(|at| now.saturating_sub(at) <= whole_seconds(at_most))
        });
        match (acr_suits, is_recent) {
            (true, true) => Ok(()),
            (false, _) => Err(VerifyError::asks_to_sign_in(Reason::InsufficientAcr, &self.acr_values, self.max_auth_age)),
            (true, false) => Err(VerifyError::asks_to_sign_in(Reason::AuthTooOld, &self.acr_values, self.max_auth_age)),
        }
    }
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

impl Verifier {
    /// Judges a caller by a policy, at the time of this verifier's clock.
    ///
    /// # Errors
    /// As [`AccessPolicy::check`], and [`Reason::WrongIssuer`] for a caller of another verifier's issuer.
    pub fn authorize(&self, caller: &Verified, policy: &AccessPolicy) -> Result<(), VerifyError> {
        let issuer = self.issuer_named(caller.issuer()).ok_or_else(|| VerifyError::new(Reason::WrongIssuer))?;
        let judged = policy.check(caller, issuer.clock.unix_millis().div_euclid(1000));
        if let Err(denied) = &judged {
            issuer.watch.tell(|| Event::Denied { reason: denied.reason() });
        }
        judged
    }
}
