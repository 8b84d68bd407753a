//! `passant users list` and `show`

use clap::Args;
use serde_json::{Value, json};

use super::super::answer::{Answer, Failure, in_words, shown, table};
use super::super::open::Seen;
use super::target::Target;
use crate::domain::user::User;
use crate::store::users;

#[derive(Args)]
pub(in super::super) struct List {
    /// Begin after this user name
    #[arg(long, value_name = "USERNAME", default_value = "", hide_default_value = true)]
    after: String,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn one(seen: &Seen, target: &Target) -> Result<Answer, Failure> {
    let document = document(&target.find(&seen.db).await?);
    let mut text = String::new();
    for (key, value) in document.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        text.push_str(&format!("{key:24}{}\n", in_words(value)));
    }
    Ok(Answer { document, text })
}

pub(super) async fn list(seen: &Seen, arguments: &List) -> Result<Answer, Failure> {
    let found = users::list(&mut seen.db.reader().await?.conn(), &arguments.after, arguments.limit).await?;
    let line = |user: &User| {
        let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
        let administrator = if user.administrator { "administrator" } else { "" };
        let roles = user.roles.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let (name, email) = (user.name.clone().unwrap_or_default(), user.email.clone().unwrap_or_default());
        [user.username.clone(), name, email, state.to_owned(), administrator.to_owned(), roles, user.id.to_string()]
    };
    let headings = ["USERNAME", "NAME", "EMAIL", "STATE", "ADMINISTRATOR", "ROLES", "SUB"];
    let mut text = table(headings, found.iter().map(line).collect());
    let full = u32::try_from(found.len()).is_ok_and(|count| count == arguments.limit);
    let next = found.last().filter(|_| full).map(|last| last.username.clone());
    if let Some(next) = &next {
        text.push_str(&format!("\n\nThere may be more: --after {}", shown(next)));
    }
    let users: Vec<Value> = found.iter().map(document).collect();
    Ok(Answer { document: json!({ "users": users, "next": next }), text })
}

/// All that is said of a user.
pub(super) fn document(user: &User) -> Value {
    let mut document = json!({
        "sub": user.id,
        "username": user.username,
        "administrator": user.administrator,
        "disabled_at": user.disabled_at.map(|at| at.to_string()),
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
        "name": user.name,
        "email": user.email,
        "email_verified": user.email_verified,
        "phone_number": user.phone_number,
        "phone_number_verified": user.phone_number_verified,
        "roles": user.roles,
        "attributes": user.attributes,
    });
    if let (Some(all), Ok(Value::Object(profile))) = (document.as_object_mut(), serde_json::to_value(&user.profile)) {
        all.extend(profile);
    }
    document
}
