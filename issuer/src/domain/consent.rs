//! Consent: the remembered answer of one user to one client. A request that asks for no more than what was once allowed need not
//! be asked about again; withdrawing the answer cuts off everything that it led to.

use std::collections::BTreeSet;

use super::resource::Resource;
use super::scope::ScopeSet;

/// What a user has allowed a client, or what a request asks to be allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    /// The scopes.
    pub scopes: ScopeSet,
    /// The resources, the client's default included where none was named.
    pub resources: BTreeSet<Resource>,
    /// The claims asked for by name (`claims`, OpenID Connect Core, section 5.5).
    pub claims: BTreeSet<String>,
}

impl Consent {
    /// Whether this answer says yes to all of that already. An answer that was withdrawn covers nothing.
    pub fn covers(&self, asked: &Self) -> bool {
        !self.scopes.is_empty()
            && asked.scopes.is_subset(&self.scopes)
            && asked.resources.is_subset(&self.resources)
            && asked.claims.is_subset(&self.claims)
    }

    /// Both together: a further answer takes nothing of an earlier one back.
    pub fn with(&self, further: &Self) -> Self {
        Self {
            scopes: self.scopes.iter().chain(&further.scopes).cloned().collect(),
            resources: self.resources.union(&further.resources).cloned().collect(),
            claims: self.claims.union(&further.claims).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(scopes: &str, resources: &[&str], claims: &[&str]) -> Consent {
        Consent {
            scopes: scopes.parse().unwrap(),
            resources: resources.iter().map(|resource| resource.parse().unwrap()).collect(),
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
        }
    }

    const API: &str = "https://api.example.com";

    #[test]
    fn an_answer_covers_what_it_said_and_nothing_wider() {
        let given = consent("openid email", &[API], &["nickname"]);
        for (asked, covered) in [
            (consent("openid", &[], &[]), true),
            (consent("openid email", &[API], &["nickname"]), true),
            (consent("openid profile", &[], &[]), false),
            (consent("openid", &["https://other.example.com"], &[]), false),
            (consent("openid", &[], &["birthdate"]), false),
        ] {
            assert_eq!(given.covers(&asked), covered, "{asked:?}");
        }
    }

    #[test]
    fn no_answer_covers_nothing() {
        assert!(!Consent::default().covers(&Consent::default()));
    }

    #[test]
    fn a_further_answer_adds() {
        let both = consent("openid", &[], &["a"]).with(&consent("email", &[API], &[]));
        assert_eq!(both, consent("openid email", &[API], &["a"]));
    }
}
