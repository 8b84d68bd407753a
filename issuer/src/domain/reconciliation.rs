//! What a start would change about the clients of one origin, told before it is done.

use serde::Serialize;
use serde_json::{Map, Value};

use super::client::{Client, ClientOrigin};
use super::ids::ClientId;
use crate::secret::TokenHash;

/// A client with its secrets, as it is or as somebody wants it to be.
#[derive(Debug, Clone)]
pub struct WithSecrets {
    /// The registration.
    pub client: Client,
    /// The hashes of its secrets.
    pub secrets: Vec<TokenHash>,
}

/// What would be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Clients that would be made.
    pub create: Vec<ClientId>,
    /// Clients that would be changed.
    pub update: Vec<Difference>,
    /// Clients that are as they should be.
    pub unchanged: Vec<ClientId>,
    /// Clients of this origin that nobody declares any more: left alone, or removed by pruning.
    pub undeclared: Vec<ClientId>,
    /// Why nothing at all would be done.
    pub refused: Option<String>,
}

/// How a client would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which.
    pub client_id: ClientId,
    /// The keys of the registration that differ, and `secret`.
    pub keys: Vec<String>,
}

impl Plan {
    /// Compares what is with what is wanted.
    pub fn new(origin: ClientOrigin, present: &[WithSecrets], wanted: &[WithSecrets]) -> Self {
        let find = |id: &ClientId| present.iter().find(|known| known.client.id == *id);
        let mut plan = Self::default();
        for one in wanted {
            let id = one.client.id.clone();
            match find(&id) {
                Some(known) if known.client.origin != origin => {
                    plan.refused = plan.refused.or_else(|| Some(belongs_to(&id, known)))
                }
                Some(known) => match differences(known, one) {
                    keys if keys.is_empty() => plan.unchanged.push(id),
                    keys => plan.update.push(Difference { client_id: id, keys }),
                },
                None => plan.create.push(id),
            }
        }
        let declared = |id: &ClientId| wanted.iter().any(|one| one.client.id == *id);
        let undeclared = present.iter().map(|known| &known.client).filter(|known| known.origin == origin && !declared(&known.id));
        plan.undeclared = undeclared.map(|known| known.id.clone()).collect();
        plan
    }
}

fn belongs_to(id: &ClientId, known: &WithSecrets) -> String {
    format!("the client {id} exists already with the origin {}; give one of them another id", known.client.origin)
}

fn differences(one: &WithSecrets, other: &WithSecrets) -> Vec<String> {
    let mut differing = differing_keys(&one.client, &other.client);
    let same = one.secrets.len() == other.secrets.len() && one.secrets.iter().all(|secret| other.secrets.contains(secret));
    if !same {
        differing.push("secret".to_owned());
    }
    differing
}

/// The keys of two registrations of one client that differ.
pub fn differing_keys(before: &Client, after: &Client) -> Vec<String> {
    let (before, after) = (keys(before), keys(after));
    after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key.clone()).collect()
}

fn keys(client: &Client) -> Map<String, Value> {
    match serde_json::to_value(client) {
        Ok(Value::Object(keys)) => keys,
        Ok(_) | Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::{ClientAuthentication, GrantType, Registration};
    use crate::domain::life::ClientLifetimes;

    fn one(id: &str, origin: ClientOrigin, secret: &str) -> WithSecrets {
        let registration = Registration {
            id: ClientId::new(id),
            origin,
            name: "Shop".to_owned(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: false,
            pkce_required: true,
            redirect_uris: vec![],
            grant_types: [GrantType::ClientCredentials].into(),
            scopes: Default::default(),
            resources: vec![],
            default_resource: None,
            lifetimes: ClientLifetimes::default(),
            token_claims: Default::default(),
            post_logout_redirect_uris: vec![],
            mapped_claims: Default::default(),
            status_list: false,
        };
        WithSecrets { client: Client::new(registration).unwrap(), secrets: vec![TokenHash::of(secret)] }
    }

    fn renamed(mut it: WithSecrets) -> WithSecrets {
        let mut registration = it.client.into_registration();
        registration.name = "Another".to_owned();
        it.client = Client::new(registration).unwrap();
        it
    }

    #[test]
    fn a_plan_names_what_comes_what_changes_and_what_is_left() {
        use ClientOrigin::{CommandLine, File};
        let present = [one("a", File, "s"), one("b", File, "s"), one("c", File, "s"), one("theirs", CommandLine, "s")];
        let wanted = [one("a", File, "s"), renamed(one("b", File, "t")), one("new", File, "s")];
        let plan = Plan::new(File, &present, &wanted);
        let ids = |ids: &[&str]| ids.iter().map(|id| ClientId::new(*id)).collect::<Vec<_>>();
        let difference = Difference { client_id: ClientId::new("b"), keys: vec!["name".into(), "secret".into()] };
        assert_eq!((plan.create, plan.update), (ids(&["new"]), vec![difference]));
        assert_eq!((plan.unchanged, plan.undeclared, plan.refused), (ids(&["a"]), ids(&["c"]), None));
    }

    #[test]
    fn a_client_of_another_origin_stops_everything() {
        let present = [one("theirs", ClientOrigin::CommandLine, "s")];
        let plan = Plan::new(ClientOrigin::File, &present, &[one("theirs", ClientOrigin::File, "s")]);
        assert!(plan.refused.unwrap().contains("origin command_line"));
    }
}
