//! `passant users disable`, `enable`, `delete` and `grant-admin`

use clap::Args;
use serde_json::json;

use super::super::answer::{Answer, Failure};
use super::target::Target;
use crate::app::App;
use crate::domain::user::User;
use crate::store::accounts::{self, Changed, LastAdministrator};
use crate::store::users;

#[derive(Args)]
pub(in super::super) struct Removal {
    #[command(flatten)]
    target: Target,
    /// Even if nobody is left who may administer this issuer
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(in super::super) struct GrantAdmin {
    #[command(flatten)]
    removal: Removal,
    /// Take the right away instead
    #[arg(long)]
    revoke: bool,
}

impl Removal {
    fn last(&self) -> LastAdministrator {
        if self.force { LastAdministrator::Take } else { LastAdministrator::Spare }
    }
}

pub(super) async fn disable(app: &App, removal: &Removal) -> Result<Answer, Failure> {
    let user = removal.target.find(&app.db).await?;
    let changed = still_there(app, &user, accounts::disable(&app.db, user.id.clone(), removal.last(), app.now()).await?).await?;
    answer(&user, &changed, ["is disabled, and all that the user had is dead", "was disabled already"])
}

pub(super) async fn enable(app: &App, target: &Target) -> Result<Answer, Failure> {
    let user = target.find(&app.db).await?;
    let changed = still_there(app, &user, accounts::enable(&app.db, user.id.clone(), app.now()).await?).await?;
    answer(&user, &changed, ["is enabled; what the user had before stays dead", "was enabled already"])
}

pub(super) async fn delete(app: &App, removal: &Removal) -> Result<Answer, Failure> {
    let user = removal.target.find(&app.db).await?;
    let changed = accounts::delete(&app.db, user.id.clone(), removal.last(), app.now()).await?;
    answer(&user, &changed, ["is deleted, and all that the user had is dead", "was deleted already"])
}

pub(super) async fn grant_admin(app: &App, arguments: &GrantAdmin) -> Result<Answer, Failure> {
    let user = arguments.removal.target.find(&app.db).await?;
    let id = user.id.clone();
    if arguments.revoke {
        let changed =
            still_there(app, &user, accounts::revoke_administrator(&app.db, id, arguments.removal.last(), app.now()).await?)
                .await?;
        answer(&user, &changed, ["is no administrator any more", "was no administrator"])
    } else {
        let changed = still_there(app, &user, accounts::grant_administrator(&app.db, id, app.now()).await?).await?;
        answer(&user, &changed, ["is an administrator", "was an administrator already"])
    }
}

/// That nothing changed is what was asked for only while there is such a user.
async fn still_there(app: &App, user: &User, changed: Changed) -> Result<Changed, Failure> {
    match changed {
        Changed::Nothing if users::find(&mut app.db.reader().await?.conn(), &user.id).await?.is_none() => {
            Err(Failure::new(format_args!("somebody else has just deleted the user {}", user.username)))
        }
        changed => Ok(changed),
    }
}

fn answer(user: &User, changed: &Changed, [done, before]: [&str; 2]) -> Result<Answer, Failure> {
    let name = &user.username;
    let (did, tick) = match changed {
        Changed::Done(tick) => (true, *tick),
        Changed::Nothing => (false, None),
        Changed::LastAdministrator => {
            let sentence = format_args!(
                "{name} is the last who may administer this issuer: let somebody else do so first (`passant users grant-admin`), or use --force"
            );
            return Err(Failure::new(sentence));
        }
    };
    let at = tick.map(|tick| format!(" (tick {tick})")).unwrap_or_default();
    let text = format!("The user {name} {}{at}.", if did { done } else { before });
    Ok(Answer { document: json!({ "sub": user.id, "username": name, "changed": did }), text }.effective(tick))
}
