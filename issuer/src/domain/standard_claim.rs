//! The standard claims of a user (OpenID Connect Core, section 5.1): which scope opens each, and what it says, in the type that the
//! standard gives it. A claim that is not known is absent: never null, never an empty text.

use serde_json::{Map, Value};

use super::profile::Address;
use super::scope::Scope;
use super::user::User;
use crate::domain::text::named_values;

named_values!(
    /// A standard claim beside `sub`.
    StandardClaim {
        /// The full name.
        Name = "name",
        /// Given names.
        GivenName = "given_name",
        /// Family names.
        FamilyName = "family_name",
        /// Middle names.
        MiddleName = "middle_name",
        /// A casual name.
        Nickname = "nickname",
        /// The user name.
        PreferredUsername = "preferred_username",
        /// The URL of a page about the person.
        Profile = "profile",
        /// The URL of a picture.
        Picture = "picture",
        /// The URL of the person's own page.
        Website = "website",
        /// As the person says.
        Gender = "gender",
        /// `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.
        Birthdate = "birthdate",
        /// A name of the IANA time zone database.
        Zoneinfo = "zoneinfo",
        /// A language tag (BCP 47).
        Locale = "locale",
        /// When any of these last changed: a number, in seconds.
        UpdatedAt = "updated_at",
        /// The e-mail address.
        Email = "email",
        /// Whether it was confirmed: a boolean.
        EmailVerified = "email_verified",
        /// The postal address: an object (section 5.1.1).
        Address = "address",
        /// The phone number.
        PhoneNumber = "phone_number",
        /// Whether it was confirmed: a boolean.
        PhoneNumberVerified = "phone_number_verified",
    }
);

impl StandardClaim {
    /// The scope that opens it (OpenID Connect Core, section 5.4).
    pub fn scope(self) -> Scope {
        match self {
            Self::Name
            | Self::GivenName
            | Self::FamilyName
            | Self::MiddleName
            | Self::Nickname
            | Self::PreferredUsername
            | Self::Profile
            | Self::Picture
            | Self::Website
            | Self::Gender
            | Self::Birthdate
            | Self::Zoneinfo
            | Self::Locale
            | Self::UpdatedAt => Scope::PROFILE,
            Self::Email | Self::EmailVerified => Scope::EMAIL,
            Self::Address => Scope::ADDRESS,
            Self::PhoneNumber | Self::PhoneNumberVerified => Scope::PHONE,
        }
    }

    /// What it says of this user, if anything.
    pub fn of(self, user: &User) -> Option<Value> {
        let profile = &user.profile;
        match self {
            Self::Name => text(user.name.as_deref()),
            Self::GivenName => text(profile.given_name.as_deref()),
            Self::FamilyName => text(profile.family_name.as_deref()),
            Self::MiddleName => text(profile.middle_name.as_deref()),
            Self::Nickname => text(profile.nickname.as_deref()),
            Self::PreferredUsername => text(Some(&user.username)),
            Self::Profile => text(profile.profile.as_deref()),
            Self::Picture => text(profile.picture.as_deref()),
            Self::Website => text(profile.website.as_deref()),
            Self::Gender => text(profile.gender.as_deref()),
            Self::Birthdate => text(profile.birthdate.as_deref()),
            Self::Zoneinfo => text(profile.zoneinfo.as_deref()),
            Self::Locale => text(profile.locale.as_deref()),
            // Nobody wrote down when, before there was a column for it.
            Self::UpdatedAt => Some(user.updated_at.seconds()).filter(|seconds| *seconds > 0).map(Value::from),
            Self::Email => text(user.email.as_deref()),
            Self::EmailVerified => text(user.email.as_deref()).map(|_| user.email_verified.into()),
            Self::Address => profile.address.as_ref().and_then(address),
            Self::PhoneNumber => text(user.phone_number.as_deref()),
            Self::PhoneNumberVerified => text(user.phone_number.as_deref()).map(|_| user.phone_number_verified.into()),
        }
    }
}

fn text(known: Option<&str>) -> Option<Value> {
    known.filter(|text| !text.trim().is_empty()).map(Value::from)
}

fn address(address: &Address) -> Option<Value> {
    let members: Map<String, Value> = [
        ("formatted", &address.formatted),
        ("street_address", &address.street_address),
        ("locality", &address.locality),
        ("region", &address.region),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
    ]
    .into_iter()
    .filter_map(|(name, member)| Some((name.to_owned(), text(member.as_deref())?)))
    .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}
