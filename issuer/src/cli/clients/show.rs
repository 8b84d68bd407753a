//! `passant clients list` and `show`

use std::time::Duration;

use serde_json::{Value, json};

use super::super::answer::{Answer, Failure, in_words, table};
use super::super::open::Seen;
use crate::clock::UnixTime;
use crate::domain::client::ClientOrigin;
use crate::domain::ids::ClientId;
use crate::store::registrations::{self, Registered, StoredSecret};

/// How long before a client's last secret ends the list warns of it.
const WARNING: Duration = Duration::from_secs(14 * 86_400);

pub(super) async fn all(seen: &Seen) -> Result<Answer, Failure> {
    let now = seen.now;
    let clients = registrations::all(&mut seen.db.reader().await?.conn()).await?;
    let line = |Registered { client, disabled_at, .. }: &Registered| {
        let grant_types: Vec<&str> = client.grant_types.iter().map(|grant_type| grant_type.as_str()).collect();
        let state = if disabled_at.is_some() { "disabled" } else { "enabled" };
        let (origin, authentication) = (client.origin.to_string(), client.authentication.to_string());
        let (id, name) = (client.id.to_string(), client.name.clone());
        [id, name, state.to_owned(), origin, authentication, grant_types.join(" "), client.scopes.to_string()]
    };
    let headings = ["ID", "NAME", "STATE", "ORIGIN", "AUTHENTICATION", "GRANT TYPES", "SCOPES"];
    let mut text = table(headings, clients.iter().map(line).collect());
    let warnings: Vec<String> = clients.iter().filter_map(|one| warning(one, now)).collect();
    for warning in &warnings {
        text.push_str(&format!("\n\n{warning}"));
    }
    let documents = clients.iter().map(document).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer { document: json!({ "clients": documents, "warnings": warnings }), text })
}

pub(super) async fn one(seen: &Seen, id: &ClientId) -> Result<Answer, Failure> {
    let found = super::find(&seen.db, id).await?;
    let document = document(&found)?;
    let mut text = String::new();
    for (key, value) in document.as_object().into_iter().flatten().filter(|(key, _)| *key != "secrets") {
        text.push_str(&format!("{key:26}{}\n", in_words(value)));
    }
    for secret in &found.secrets {
        let end = secret.expires_at.map_or_else(|| "for good".to_owned(), |end| format!("until {end}"));
        text.push_str(&format!("{:26}made {}, works {end}\n", "secret", secret.created_at));
    }
    text.extend(warning(&found, seen.now).map(|warning| format!("\n{warning}")));
    Ok(Answer { document, text })
}

fn document(one: &Registered) -> Result<Value, Failure> {
    let mut document = serde_json::to_value(&one.client)?;
    if let Some(keys) = document.as_object_mut() {
        let secret = |StoredSecret { created_at, expires_at, .. }: &StoredSecret| json!({ "created_at": created_at.to_string(), "expires_at": expires_at.map(|end| end.to_string()) });
        keys.insert("created_at".to_owned(), json!(one.created_at.to_string()));
        keys.insert("updated_at".to_owned(), json!(one.updated_at.to_string()));
        keys.insert("disabled_at".to_owned(), json!(one.disabled_at.map(|at| at.to_string())));
        keys.insert("secrets".to_owned(), one.secrets.iter().map(secret).collect());
    }
    Ok(document)
}

/// What somebody has to see to soon: the last of a client's secrets ends, or has ended.
fn warning(one: &Registered, now: UnixTime) -> Option<String> {
    let id = &one.client.id;
    if one.client.is_public() {
        return None;
    }
    let ends: Option<Vec<UnixTime>> = one.secrets.iter().map(|secret| secret.expires_at).collect();
    let last = ends?.into_iter().max().filter(|end| *end <= now + WARNING);
    let stolen = one.client.origin == ClientOrigin::File;
    match last {
        _ if one.secrets.is_empty() => Some(format!("The client {id} has no secret: `passant clients rotate-secret {id}`.")),
        None => None,
        Some(_) if stolen => {
            Some(format!("The secret of {id} was declared stolen: put another one into the configuration file."))
        }
        Some(end) if end <= now => Some(format!("The last secret of {id} ended at {end}: `passant clients rotate-secret {id}`.")),
        Some(end) => Some(format!("The last secret of {id} ends at {end}: `passant clients rotate-secret {id}`.")),
    }
}
