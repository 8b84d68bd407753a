//! Which user a command is about: by the name they sign in with, or by `sub`.

use clap::Args;

use super::super::answer::Failure;
use crate::domain::ids::UserId;
use crate::domain::user::{User, Username};
use crate::store::{Db, users};

/// The user that a command of `passant users` is about.
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
    pub(in super::super) async fn find(&self, db: &Db) -> Result<User, Failure> {
        find(db, self.username.as_ref(), self.sub.as_deref()).await
    }
}

/// The user whose sessions, consents or deeds a command is about.
#[derive(Args, Clone)]
#[group(id = "whose", multiple = false)]
pub(in super::super) struct Whose {
    /// Of this user, by the name they sign in with
    #[arg(long, value_name = "USERNAME", value_parser = Username::parse)]
    user: Option<Username>,
    /// Of this user, by `sub`
    #[arg(long, allow_hyphen_values = true)]
    sub: Option<String>,
}

impl Whose {
    /// The user, who must be there; `None` where nobody is named.
    pub(in super::super) async fn find(&self, db: &Db) -> Result<Option<User>, Failure> {
        match (&self.user, &self.sub) {
            (None, None) => Ok(None),
            _ => self.named(db).await.map(Some),
        }
    }

    /// The user, where the arguments ask for one.
    pub(in super::super) async fn named(&self, db: &Db) -> Result<User, Failure> {
        find(db, self.user.as_ref(), self.sub.as_deref()).await
    }

    /// The `sub`, of a user who need not be there any more where it was given itself.
    pub(in super::super) async fn sub(&self, db: &Db) -> Result<Option<UserId>, Failure> {
        match (&self.user, &self.sub) {
            (Some(_), _) => Ok(self.find(db).await?.map(|user| user.id)),
            (None, sub) => Ok(sub.clone().map(UserId::new)),
        }
    }
}

async fn find(db: &Db, username: Option<&Username>, sub: Option<&str>) -> Result<User, Failure> {
    let mut reader = db.reader().await?;
    let conn = &mut reader.conn();
    let (found, unknown) = match username {
        Some(name) => {
            let found = users::sign_in_record(conn, name).await?.map(|record| record.user);
            (found, format!("there is no user {}", name.as_str()))
        }
        None => {
            let sub = sub.unwrap_or_default();
            (users::find(conn, &UserId::new(sub)).await?, format!("there is no user with the sub {sub}"))
        }
    };
    found.ok_or_else(|| Failure::new(unknown))
}
