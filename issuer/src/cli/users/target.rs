//! Which user a command is about: by the name they sign in with, or by `sub`.

use clap::Args;

use super::super::answer::Failure;
use crate::app::App;
use crate::domain::ids::UserId;
use crate::domain::user::{User, Username};
use crate::store::users;

#[derive(Args, Clone)]
#[group(id = "target", required = true, multiple = false)]
pub(in super::super) struct Target {
    /// The name that the user signs in with
    #[arg(value_parser = Username::parse)]
    username: Option<Username>,
    /// The user's `sub` instead
    #[arg(long, allow_hyphen_values = true)]
    sub: Option<String>,
}

impl Target {
    /// The user, who must be there.
    pub(in super::super) async fn find(&self, app: &App) -> Result<User, Failure> {
        match (&self.username, &self.sub) {
            (Some(username), _) => by_name(app, username).await,
            (None, sub) => {
                let sub = sub.clone().unwrap_or_default();
                let found = users::find(&mut app.db.reader().await?.conn(), &UserId::new(sub.clone())).await?;
                found.ok_or_else(|| Failure::new(format_args!("there is no user with the sub {sub}")))
            }
        }
    }
}

/// The user of this name, who must be there.
pub(in super::super) async fn by_name(app: &App, username: &Username) -> Result<User, Failure> {
    let found = users::sign_in_record(&mut app.db.reader().await?.conn(), username).await?;
    let unknown = || Failure::new(format_args!("there is no user {}", username.as_str()));
    Ok(found.ok_or_else(unknown)?.user)
}
