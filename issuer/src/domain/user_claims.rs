//! What a client is told of a user: what its scopes open, what it asked for by name, and what its registration maps. In each case no
//! more than the registration allows at the moment of telling.

use serde_json::{Map, Value};

use super::claims_request::ClaimsRequest;
use super::client::Client;
use super::mapped_claim::{Carrier, ClaimSource};
use super::scope::ScopeSet;
use super::standard_claim::StandardClaim;
use super::user::User;

/// The answer of /userinfo beside `sub`: what the token's scopes open, and what its grant's request asked for by name.
pub fn in_userinfo(user: &User, client: &Client, scopes: &ScopeSet, request: &ClaimsRequest) -> Map<String, Value> {
    let opened = StandardClaim::ALL.iter().copied().filter(|claim| scopes.contains(&claim.scope()));
    let mut said = standard(user, client, opened.chain(request.of_userinfo()));
    said.extend(mapped(user, client, Carrier::UserInfo));
    said
}

/// What an ID token says beside the protocol's own claims: what was asked for by name, and not what scopes open, which is
/// /userinfo's to tell (OpenID Connect Core, section 5.4).
pub fn in_id_token(user: &User, client: &Client, request: &ClaimsRequest) -> Map<String, Value> {
    let mut said = standard(user, client, request.of_id_token());
    said.extend(mapped(user, client, Carrier::IdToken));
    said
}

/// What an access token says beside the protocol's own claims.
pub fn in_access_token(user: &User, client: &Client) -> Map<String, Value> {
    mapped(user, client, Carrier::AccessToken).collect()
}

fn standard(user: &User, client: &Client, wanted: impl Iterator<Item = StandardClaim>) -> Map<String, Value> {
    wanted
        .filter(|claim| client.scopes.contains(&claim.scope()))
        .filter_map(|claim| Some((claim.as_str().to_owned(), claim.of(user)?)))
        .collect()
}

/// The type of a mapping's name leaves out every name that has a meaning, so that nothing is overridden here.
fn mapped<'a>(user: &'a User, client: &'a Client, carrier: Carrier) -> impl Iterator<Item = (String, Value)> + 'a {
    client
        .mapped_claims
        .iter()
        .filter(move |(_, mapping)| mapping.carried_by.contains(&carrier))
        .filter_map(|(name, mapping)| Some((name.as_str().to_owned(), value(user, &mapping.from)?)))
}

fn value(user: &User, source: &ClaimSource) -> Option<Value> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    match source {
        ClaimSource::Roles => Some(user.roles.iter().cloned().collect()),
        ClaimSource::Attribute(name) => user.attributes.get(name).cloned(),
    }
    .filter(|value| !empty(value))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::clock::UnixTime;
    use crate::domain::client::{ClientAuthentication, ClientOrigin, GrantType, Registration};
    use crate::domain::ids::{ClientId, UserId};
    use crate::domain::life::ClientLifetimes;
    use crate::domain::profile::{Address, Profile};

    fn ada() -> User {
        let profile = Profile {
            given_name: Some("Ada".into()),
            nickname: Some(String::new()),
            birthdate: Some("1815-12-10".into()),
            address: Some(Address { locality: Some("London".into()), region: Some(" ".into()), ..Address::default() }),
            ..Profile::default()
        };
        User {
            id: UserId::new("u"),
            username: "ada".into(),
            name: Some("Ada Lovelace".into()),
            email: Some("ada@example.com".into()),
            email_verified: false,
            phone_number: Some("+44201234567".into()),
            phone_number_verified: true,
            profile,
            roles: BTreeSet::from(["clerk".into(), "admin".into()]),
            attributes: BTreeMap::from([
                ("team".into(), json!({"id": 7})),
                ("none".into(), json!(null)),
                ("bare".into(), json!("")),
            ]),
            administrator: false,
            created_at: UnixTime::from_seconds(1),
            updated_at: UnixTime::from_seconds(90),
            disabled_at: None,
        }
    }

    fn client(scopes: &str, mapped: Value) -> Client {
        Client::new(Registration {
            id: ClientId::new("shop"),
            origin: ClientOrigin::File,
            name: "Shop".to_owned(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: false,
            pkce_required: true,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            grant_types: [GrantType::AuthorizationCode].into(),
            scopes: scopes.parse().unwrap(),
            resources: vec![],
            default_resource: None,
            lifetimes: ClientLifetimes::default(),
            token_claims: BTreeSet::new(),
            post_logout_redirect_uris: vec![],
            status_list: false,
            mapped_claims: serde_json::from_value(mapped).unwrap(),
        })
        .unwrap()
    }

    fn told(scopes: &str) -> Value {
        let client = client("openid profile email address phone", json!({}));
        Value::Object(in_userinfo(&ada(), &client, &scopes.parse().unwrap(), &ClaimsRequest::default()))
    }

    #[test]
    fn a_scope_opens_its_own_claims_and_no_others() {
        let profile = json!({
            "name": "Ada Lovelace", "given_name": "Ada", "preferred_username": "ada", "birthdate": "1815-12-10", "updated_at": 90,
        });
        for (scopes, expected) in [
            ("openid", json!({})),
            ("openid profile", profile),
            ("openid email", json!({"email": "ada@example.com", "email_verified": false})),
            ("openid address", json!({"address": {"locality": "London"}})),
            ("openid phone", json!({"phone_number": "+44201234567", "phone_number_verified": true})),
        ] {
            assert_eq!(told(scopes), expected, "{scopes}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        let nobody = User {
            name: None,
            email: None,
            phone_number: None,
            profile: Profile { address: Some(Address::default()), ..Profile::default() },
            updated_at: UnixTime::from_seconds(0),
            ..ada()
        };
        let client = client("openid profile email address phone", json!({}));
        let scopes = "openid profile email address phone".parse().unwrap();
        let said = in_userinfo(&nobody, &client, &scopes, &ClaimsRequest::default());
        assert_eq!(Value::Object(said), json!({"preferred_username": "ada"}));
    }

    #[test]
    fn a_claim_asked_for_by_name_goes_where_it_was_asked_for() {
        let client = client("openid profile email", json!({}));
        let text = r#"{"userinfo": {"birthdate": null, "phone_number": null}, "id_token": {"email": {"essential": true}}}"#;
        let request = ClaimsRequest::parse(text).unwrap();
        let said = in_userinfo(&ada(), &client, &"openid".parse().unwrap(), &request);
        assert_eq!(Value::Object(said), json!({"birthdate": "1815-12-10"}), "the client may not ask for phone");
        assert_eq!(Value::Object(in_id_token(&ada(), &client, &request)), json!({"email": "ada@example.com"}));
    }

    #[test]
    fn a_registration_that_shrank_closes_what_a_token_still_names() {
        let client = client("openid", json!({}));
        let said = in_userinfo(&ada(), &client, &"openid profile".parse().unwrap(), &ClaimsRequest::default());
        assert!(said.is_empty());
    }

    #[test]
    fn a_mapping_is_carried_where_it_says_and_says_nothing_of_nothing() {
        let client = client(
            "openid",
            json!({
                "roles": {"from": "roles", "carried_by": ["access_token", "userinfo"]},
                "https://shop.example/team": {"from": "attributes.team", "carried_by": ["id_token"]},
                "n": {"from": "attributes.none"}, "b": {"from": "attributes.bare"}, "m": {"from": "attributes.missing"},
            }),
        );
        let (ada, none) = (ada(), ClaimsRequest::default());
        assert_eq!(Value::Object(in_access_token(&ada, &client)), json!({"roles": ["admin", "clerk"]}));
        assert_eq!(Value::Object(in_id_token(&ada, &client, &none)), json!({"https://shop.example/team": {"id": 7}}));
        let said = in_userinfo(&ada, &client, &"openid".parse().unwrap(), &none);
        assert_eq!(Value::Object(said), json!({"roles": ["admin", "clerk"]}));
        let nobody = User { roles: BTreeSet::new(), ..ada };
        assert!(in_access_token(&nobody, &client).is_empty());
    }
}
