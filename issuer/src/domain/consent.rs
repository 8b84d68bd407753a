//! Consent: the remembered answer of one user to one client. A request that asks for no more than what was once allowed need not
//! be asked about again; withdrawing the answer cuts off everything that it led to. A new password and logging out everywhere end all
//! answers of the user, who is then asked again.

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
    /// The claims asked for by name (`claims`, OpenID Connect Core, section 5.5), and the sources of the mapped ones.
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
    use crate::domain::authorization_request::AuthorizationRequest;
    use crate::domain::client::{Client, ClientAuthentication, ClientOrigin, GrantType, Registration};
    use crate::domain::ids::ClientId;

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

    fn client(authentication: ClientAuthentication, first_party: bool) -> Client {
        Client::new(Registration {
            id: ClientId::new("shop"),
            origin: ClientOrigin::File,
            name: "Shop".to_owned(),
            authentication,
            first_party,
            pkce_required: true,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            grant_types: [GrantType::AuthorizationCode].into(),
            scopes: "openid email".parse().unwrap(),
            resources: vec![API.parse().unwrap()],
            default_resource: Some(API.parse().unwrap()),
            lifetimes: Default::default(),
            token_claims: Default::default(),
            post_logout_redirect_uris: vec![],
            mapped_claims: Default::default(),
            status_list: false,
        })
        .unwrap()
    }

    /// A request for these scopes, as a row keeps it.
    fn request(scopes: &str, prompt_consent: bool) -> AuthorizationRequest {
        serde_json::from_value(serde_json::json!({
            "client_id": "shop",
            "redirect_uri": "https://shop.example/cb",
            "scopes": scopes.split(' ').collect::<Vec<_>>(),
            "resources": [],
            "prompt": { "none": false, "login": false, "consent": prompt_consent },
        }))
        .unwrap()
    }

    #[test]
    fn nobody_is_spared_the_question_but_whom_the_registration_or_a_remembered_answer_spares() {
        use ClientAuthentication::{None, SecretBasic};
        for (what, authentication, first_party, remembered, scopes, prompt_consent, expected) in [
            ("nothing remembered", SecretBasic, false, "", "openid", false, false),
            ("remembered", SecretBasic, false, "openid", "openid", false, true),
            ("remembered, and more is asked", SecretBasic, false, "openid", "openid email", false, false),
            ("remembered, and prompt=consent", SecretBasic, false, "openid", "openid", true, false),
            ("remembered of a public client", None, false, "openid", "openid", false, false),
            ("first party", SecretBasic, true, "", "openid", false, true),
            ("first party and public", None, true, "", "openid", false, true),
            ("first party, and prompt=consent", SecretBasic, true, "openid", "openid", true, false),
        ] {
            let client = client(authentication, first_party);
            let remembered = consent(remembered, &[API], &[]);
            assert_eq!(request(scopes, prompt_consent).consented(&client, &remembered), expected, "{what}");
        }
    }

    #[test]
    fn the_resource_that_is_meant_when_none_is_named_is_asked_for_as_well() {
        let client = client(ClientAuthentication::SecretBasic, false);
        let remembered = consent("openid", &[], &[]);
        assert!(!request("openid", false).consented(&client, &remembered));
    }
}
