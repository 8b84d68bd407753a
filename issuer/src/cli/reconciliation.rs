//! The clients of the configuration file against those of the database: what would change, and changing it.

use super::answer::Failure;
use crate::app::App;
use crate::clock::UnixTime;
use crate::config::DeclaredClient;
use crate::domain::client::ClientOrigin;
use crate::domain::ids::ClientId;
use crate::domain::reconciliation::{Plan, WithSecrets};
use crate::store::clients::{self, Reconciled, Undeclared};
use crate::store::registrations::{self, Registered};
use crate::store::{Conn, StoreError};

/// What a start with these clients in the file would change.
pub(super) async fn plan(clients: &[DeclaredClient], conn: &mut Conn<'_>) -> Result<Plan, StoreError> {
    let present: Vec<WithSecrets> = registrations::all(conn).await?.into_iter().map(with_secrets).collect();
    let wanted: Vec<WithSecrets> = declared(clients)
        .into_iter()
        .map(|clients::DeclaredClient { client, secrets }| WithSecrets { client, secrets })
        .collect();
    Ok(Plan::new(ClientOrigin::File, &present, &wanted))
}

/// What a start on an empty database would make.
pub(super) fn plan_of_a_new_database(clients: &[DeclaredClient]) -> Plan {
    Plan { create: clients.iter().map(|one| one.client.id.clone()).collect(), ..Plan::default() }
}

/// Makes it so, in one transaction; what was done.
pub(super) async fn apply(app: &App, clients: &[DeclaredClient], prune: bool) -> Result<Plan, Failure> {
    let plan = plan(clients, &mut app.db.reader().await?.conn()).await?;
    let undeclared = if prune { Undeclared::Remove } else { Undeclared::Keep };
    let wanted = declared(clients);
    match clients::reconcile_with(&app.db, (ClientOrigin::File, undeclared), wanted, app.now()).await? {
        Reconciled::Applied { created, updated, undeclared } => {
            // Somebody may have changed a client since the plan was made: what was done is what counts.
            let update = plan.update.into_iter().filter(|it| updated.contains(&it.client_id)).collect();
            Ok(Plan { create: created, update, undeclared, ..plan })
        }
        Reconciled::BelongsTo(id, origin) => Err(Failure::wrong(format_args!(
            "the configuration declares the client {id}, which exists already with the origin {origin}; give one of them another id"
        ))),
        Reconciled::IsAUser(id) => Err(Failure::wrong(format_args!(
            "the configuration declares the client {id}, which is the sub of a user; give the client another id"
        ))),
    }
}

/// The file's clients whose declared secret was declared stolen.
pub(super) async fn stolen(app: &App) -> Result<Vec<ClientId>, Failure> {
    let now = app.now();
    let dead =
        |one: &Registered| one.client.origin == ClientOrigin::File && !one.secrets.is_empty() && !has_a_live_secret(one, now);
    let all = registrations::all(&mut app.db.reader().await?.conn()).await?;
    Ok(all.into_iter().filter(dead).map(|one| one.client.id.clone()).collect())
}

fn has_a_live_secret(one: &Registered, now: UnixTime) -> bool {
    one.secrets.iter().any(|secret| secret.expires_at.is_none_or(|end| now < end))
}

fn with_secrets(one: Registered) -> WithSecrets {
    WithSecrets { client: one.client, secrets: one.secrets.into_iter().map(|secret| secret.hash).collect() }
}

fn declared(clients: &[DeclaredClient]) -> Vec<clients::DeclaredClient> {
    let declare = |one: &DeclaredClient| clients::DeclaredClient {
        client: one.client.clone(),
        secrets: one.secret.clone().into_iter().collect(),
    };
    clients.iter().map(declare).collect()
}

/// A plan for people.
pub(super) fn shown(plan: &Plan, prune: bool) -> String {
    let mut lines: Vec<String> = plan.create.iter().map(|id| format!("+ {id}")).collect();
    lines.extend(plan.update.iter().map(|it| format!("~ {} ({})", it.client_id, it.keys.join(", "))));
    lines.extend(plan.undeclared.iter().map(|id| match prune {
        true => format!("- {id}"),
        false => format!("? {id} is no longer in the file; --prune removes it"),
    }));
    lines.extend(plan.refused.iter().map(|why| format!("! nothing is applied: {why}")));
    if lines.is_empty() { "The clients are as the file declares them.".to_owned() } else { lines.join("\n") }
}
