//! What can be said about a user on the command line, when the account is made and when it changes.

use clap::Args;

use crate::domain::profile_claim::ProfileClaim;
use crate::domain::user_details::{AttributeName, DetailsChange, Setting};

#[derive(Args)]
pub(super) struct Options {
    /// What pages and the claim `name` call the user
    #[arg(long)]
    name: Option<String>,
    /// The claim `email`; another address is unverified unless --email-verified says otherwise
    #[arg(long)]
    email: Option<String>,
    /// The claim `email_verified`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    email_verified: Option<bool>,
    /// The claim `phone_number`, in E.164: +493012345678
    #[arg(long)]
    phone_number: Option<String>,
    /// The claim `phone_number_verified`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    phone_number_verified: Option<bool>,
    /// Any other standard claim, such as given_name=Ada or address.locality=London; may be given again
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<Setting<ProfileClaim>>,
    /// A role; may be given again, and then these are all the roles that the user has
    #[arg(long = "role", value_name = "NAME", conflicts_with = "no_role")]
    roles: Vec<String>,
    /// Take all roles away
    #[arg(long)]
    no_role: bool,
    /// An attribute, such as department=Sales, floor=3 or 'sites=["London","Paris"]'; may be given again
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<Setting<AttributeName>>,
}

impl Options {
    pub(super) fn change(&self) -> DetailsChange {
        DetailsChange {
            name: self.name.clone(),
            email: self.email.clone(),
            email_verified: self.email_verified,
            phone_number: self.phone_number.clone(),
            phone_number_verified: self.phone_number_verified,
            claims: self.claims.clone(),
            roles: (self.no_role || !self.roles.is_empty()).then(|| self.roles.clone()),
            attributes: self.attributes.clone(),
        }
    }
}
