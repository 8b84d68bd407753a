//! What may be changed about a user by whoever administers the issuer: claims, roles and attributes. A [`DetailsChange`] is judged
//! as a whole, and what it makes can be said in tokens as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde_json::Value;

use super::mapped_claim::attribute_name;
use super::profile::Profile;
use super::profile_claim::{InvalidClaim, ProfileClaim, text_can_be_shown};
use super::text::is_misleading;
use super::user::{User, plausible_email};

/// What is said of a user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// The claim `name`.
    pub name: Option<String>,
    /// The claim `email`.
    pub email: Option<String>,
    /// The claim `email_verified`.
    pub email_verified: bool,
    /// The claim `phone_number`.
    pub phone_number: Option<String>,
    /// The claim `phone_number_verified`.
    pub phone_number_verified: bool,
    /// The other standard claims.
    pub profile: Profile,
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Attributes.
    pub attributes: BTreeMap<String, Value>,
}

impl From<User> for Details {
    fn from(user: User) -> Self {
        let User { name, email, email_verified, phone_number, phone_number_verified, profile, roles, attributes, .. } = user;
        Self { name, email, email_verified, phone_number, phone_number_verified, profile, roles, attributes }
    }
}

impl Details {
    /// What these say otherwise than others did: names of claims and attributes without their values, and each role.
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let one = |name: &str, same: bool| (!same).then(|| name.to_owned());
        let named = [
            one("name", self.name == before.name),
            one("email", self.email == before.email),
            one("email_verified", self.email_verified == before.email_verified),
            one("phone_number", self.phone_number == before.phone_number),
            one("phone_number_verified", self.phone_number_verified == before.phone_number_verified),
        ];
        let claims = |profile: &Profile| match serde_json::to_value(profile) {
            Ok(Value::Object(claims)) => claims.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            Ok(_) | Err(_) => BTreeMap::new(),
        };
        let (here, there) = (claims(&self.profile), claims(&before.profile));
        let claims = differing(&here, &there).into_iter().cloned();
        let given = self.roles.difference(&before.roles).map(|role| format!("role +{role}"));
        let taken = before.roles.difference(&self.roles).map(|role| format!("role -{role}"));
        let attributes = differing(&self.attributes, &before.attributes).into_iter().map(|name| format!("attribute {name}"));
        named.into_iter().flatten().chain(claims).chain(given).chain(taken).chain(attributes).collect()
    }
}

/// The names under which two maps hold different values.
fn differing<'a>(one: &'a BTreeMap<String, Value>, other: &'a BTreeMap<String, Value>) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).collect()
}

/// What is to be different; an empty text takes away.
#[derive(Debug, Clone, Default)]
pub struct DetailsChange {
    /// The claim `name`.
    pub name: Option<String>,
    /// The claim `email`.
    pub email: Option<String>,
    /// The claim `email_verified`; a new address is unverified unless this says otherwise.
    pub email_verified: Option<bool>,
    /// The claim `phone_number`.
    pub phone_number: Option<String>,
    /// The claim `phone_number_verified`; a new number is unverified unless this says otherwise.
    pub phone_number_verified: Option<bool>,
    /// Claims of the profile.
    pub claims: Vec<Setting<ProfileClaim>>,
    /// The roles instead of those there are.
    pub roles: Option<Vec<String>>,
    /// Attributes.
    pub attributes: Vec<Setting<AttributeName>>,
}

/// `NAME=VALUE`; nothing after the sign takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<N> {
    /// What.
    pub name: N,
    /// Its value.
    pub value: Option<String>,
}

/// The name of an attribute: 1 to 64 of A–Z, a–z, 0–9, underscore and hyphen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeName(String);

/// Why details cannot be as somebody wants them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDetails {
    /// No sign between name and value, or an unknown name.
    #[error("write NAME=VALUE, or NAME= to take it away: {0}")]
    Setting(String),
    /// A claim of the profile.
    #[error("{0}: {1}")]
    Claim(ProfileClaim, InvalidClaim),
    /// The name cannot be shown.
    #[error("a name has 1 to 200 characters and no control characters")]
    Name,
    /// No e-mail address.
    #[error("this is not an e-mail address: {0}")]
    Email(String),
    /// No phone number.
    #[error("a phone number is written in E.164: + and 7 to 15 digits, such as +493012345678")]
    PhoneNumber,
    /// Nothing that could have been verified.
    #[error("there is no {0} that could be verified")]
    NothingToVerify(&'static str),
    /// No name of a role.
    #[error("a role has 1 to 64 visible characters without space: {0}")]
    Role(String),
    /// Tokens would grow without end.
    #[error("a user has at most {MOST} roles and {MOST} attributes")]
    TooMany,
    /// A value that tokens should not carry.
    #[error("the attribute {0} is a text of at most 1000 characters, a number, true, false, or an array of at most 32 texts")]
    Attribute(String),
}

const MOST: usize = 64;

impl DetailsChange {
    /// Whether the change could be made to some user; what remains to be seen is whether it can be made to this one.
    pub fn check(&self) -> Result<(), InvalidDetails> {
        let somebody = Details {
            email: Some("somebody@example.com".to_owned()),
            phone_number: Some("+10000000".to_owned()),
            ..Details::default()
        };
        self.apply(somebody).map(drop)
    }

    /// The details after the change.
    pub fn apply(&self, mut details: Details) -> Result<Details, InvalidDetails> {
        if let Some(name) = &self.name {
            details.name = given(name, text_can_be_shown).map_err(|_| InvalidDetails::Name)?;
        }
        let email = self.email.as_deref().map(|email| given(email, plausible_email).map_err(InvalidDetails::Email));
        replace((&mut details.email, &mut details.email_verified), email.transpose()?, self.email_verified)
            .map_err(|()| InvalidDetails::NothingToVerify("e-mail address"))?;
        let number = self.phone_number.as_deref().map(|number| given(number, is_e164).map_err(|_| InvalidDetails::PhoneNumber));
        replace((&mut details.phone_number, &mut details.phone_number_verified), number.transpose()?, self.phone_number_verified)
            .map_err(|()| InvalidDetails::NothingToVerify("phone number"))?;
        for Setting { name, value } in &self.claims {
            details.profile.set(*name, value.as_deref()).map_err(|why| InvalidDetails::Claim(*name, why))?;
        }
        if let Some(roles) = &self.roles {
            details.roles = roles.iter().cloned().collect();
        }
        if let Some(role) = details.roles.iter().find(|role| !is_role(role)) {
            return Err(InvalidDetails::Role(role.clone()));
        }
        for Setting { name: AttributeName(name), value } in &self.attributes {
            match value {
                None => drop(details.attributes.remove(name)),
                Some(text) => drop(details.attributes.insert(name.clone(), attribute(name, text)?)),
            }
        }
        if details.roles.len() > MOST || details.attributes.len() > MOST { Err(InvalidDetails::TooMany) } else { Ok(details) }
    }
}

impl<N: FromStr> FromStr for Setting<N>
where
    N::Err: std::fmt::Display,
{
    type Err = InvalidDetails;

    fn from_str(text: &str) -> Result<Self, InvalidDetails> {
        let (name, value) = text.split_once('=').ok_or_else(|| InvalidDetails::Setting(text.to_owned()))?;
        let parsed = name.parse().map_err(|why: N::Err| InvalidDetails::Setting(format!("{name}: {why}")))?;
        Ok(Self { name: parsed, value: (!value.is_empty()).then(|| value.to_owned()) })
    }
}

impl FromStr for AttributeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let refused = "an attribute's name has 1 to 64 of A–Z, a–z, 0–9, underscore and hyphen";
        if attribute_name(text) { Ok(Self(text.to_owned())) } else { Err(refused) }
    }
}

/// A text that passes, or none where it is empty.
fn given(text: &str, passes: impl Fn(&str) -> bool) -> Result<Option<String>, String> {
    if text.is_empty() || passes(text) { Ok((!text.is_empty()).then(|| text.to_owned())) } else { Err(text.to_owned()) }
}

/// Another address or number is unverified until somebody says otherwise: a proof speaks of what was proved.
fn replace(
    (value, verified): (&mut Option<String>, &mut bool),
    new: Option<Option<String>>,
    said: Option<bool>,
) -> Result<(), ()> {
    if let Some(new) = new.filter(|new| new != value) {
        (*value, *verified) = (new, false);
    }
    *verified = said.unwrap_or(*verified);
    if *verified && value.is_none() { Err(()) } else { Ok(()) }
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

fn is_role(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.contains(|c: char| c.is_whitespace() || is_misleading(c))
}

/// Numbers, `true`, `false` and arrays are read as JSON; everything else is a text.
fn attribute(name: &str, text: &str) -> Result<Value, InvalidDetails> {
    let value = match serde_json::from_str(text) {
        Ok(Value::Null) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    };
    let short = |text: &str| text.chars().count() <= 1000 && !text.contains(is_misleading);
    let fits = match &value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => short(text),
        Value::Array(items) => items.len() <= 32 && items.iter().all(|item| item.as_str().is_some_and(short)),
        Value::Null | Value::Object(_) => false,
    };
    if fits { Ok(value) } else { Err(InvalidDetails::Attribute(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(change: DetailsChange) -> Result<Details, InvalidDetails> {
        change.apply(Details { email: Some("ada@example.com".into()), email_verified: true, ..Details::default() })
    }

    fn attributes(settings: &[&str]) -> Result<BTreeMap<String, Value>, InvalidDetails> {
        let attributes = settings.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        changed(DetailsChange { attributes, ..DetailsChange::default() }).map(|details| details.attributes)
    }

    #[test]
    fn another_address_is_unverified_unless_somebody_says_otherwise() {
        for (email, said, verified) in [
            (None, None, Ok(true)),
            (Some("ada@example.com"), None, Ok(true)),
            (Some("ada@example.org"), None, Ok(false)),
            (Some("ada@example.org"), Some(true), Ok(true)),
            (None, Some(false), Ok(false)),
            (Some(""), None, Ok(false)),
            (Some(""), Some(true), Err(InvalidDetails::NothingToVerify("e-mail address"))),
            (Some("nobody"), None, Err(InvalidDetails::Email("nobody".into()))),
        ] {
            let change = DetailsChange { email: email.map(str::to_owned), email_verified: said, ..DetailsChange::default() };
            assert_eq!(changed(change).map(|details| details.email_verified), verified, "{email:?} {said:?}");
        }
    }

    #[test]
    fn a_phone_number_is_e164() {
        for (number, good) in
            [("+493012345678", true), ("030123", false), ("+0123456789", false), ("+49 30 1234", false), ("+1", false)]
        {
            let change = DetailsChange { phone_number: Some(number.to_owned()), ..DetailsChange::default() };
            assert_eq!(changed(change).is_ok(), good, "{number}");
        }
        let verified = DetailsChange { phone_number_verified: Some(true), ..DetailsChange::default() };
        assert_eq!(changed(verified), Err(InvalidDetails::NothingToVerify("phone number")));
    }

    #[test]
    fn roles_replace_and_have_no_spaces() {
        let with = |roles: &[&str]| {
            let roles = Some(roles.iter().map(|role| (*role).to_owned()).collect());
            changed(DetailsChange { roles, ..DetailsChange::default() }).map(|details| details.roles.len())
        };
        assert_eq!((with(&["admin", "caf\u{e9}", "admin"]), with(&[])), (Ok(2), Ok(0)));
        for bad in ["", "a b", "a\u{a0}b", "a\u{202e}", &"x".repeat(65)] {
            assert_eq!(with(&[bad]), Err(InvalidDetails::Role(bad.to_owned())));
        }
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        assert_eq!(with(&many.iter().map(String::as_str).collect::<Vec<_>>()), Err(InvalidDetails::TooMany));
    }

    #[test]
    fn an_attribute_is_a_text_a_number_a_truth_or_a_list_of_texts() {
        for (text, value) in [
            ("a=Sales", json!("Sales")),
            ("a=7", json!(7)),
            ("a=true", json!(true)),
            ("a=[\"x\",\"y\"]", json!(["x", "y"])),
            ("a=\"7\"", json!("7")),
            ("a=null", json!("null")),
            ("a=b=c", json!("b=c")),
        ] {
            assert_eq!(attributes(&[text]).unwrap().get("a"), Some(&value), "{text}");
        }
        assert_eq!(attributes(&["a=1", "a="]), Ok(BTreeMap::new()));
        for bad in ["a={\"x\":1}", "a=[1]", "a=[[\"x\"]]", "a=x\u{7}", &format!("a={}", "x".repeat(1001))] {
            assert_eq!(attributes(&[bad]), Err(InvalidDetails::Attribute("a".into())), "{bad}");
        }
        for bad in ["a", "a b=1", "=1"] {
            assert!(matches!(attributes(&[bad]), Err(InvalidDetails::Setting(_))), "{bad}");
        }
    }

    #[test]
    fn differences_name_what_changed_and_no_values() {
        let settings = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let change = DetailsChange {
            email: Some("ada@example.org".into()),
            claims: vec!["given_name=Ada".parse().unwrap()],
            roles: Some(vec!["boss".into()]),
            attributes: settings(&["department=Sales"]),
            ..DetailsChange::default()
        };
        let before = Details {
            email: Some("ada@example.com".into()),
            email_verified: true,
            roles: ["clerk".to_owned()].into(),
            ..Details::default()
        };
        let after = change.apply(before.clone()).unwrap();
        let said = ["email", "email_verified", "given_name", "role +boss", "role -clerk", "attribute department"];
        assert_eq!(after.differences(&before), said);
        assert_eq!(after.differences(&after), [""; 0]);
    }

    #[test]
    fn a_change_is_judged_before_it_is_known_whose_it_is() {
        let of = |change: DetailsChange| change.check();
        let verified = DetailsChange { email_verified: Some(true), ..DetailsChange::default() };
        assert_eq!(of(verified.clone()), Ok(()), "some user has an address");
        assert!(verified.apply(Details::default()).is_err(), "this one has none");
        assert!(of(DetailsChange { email: Some(String::new()), ..verified }).is_err(), "and then nobody has");
        assert!(of(DetailsChange { roles: Some(vec!["a b".into()]), ..DetailsChange::default() }).is_err());
    }

    #[test]
    fn a_claim_that_is_wrong_is_named() {
        let claims = vec!["birthdate=tomorrow".parse().unwrap()];
        let refused = changed(DetailsChange { claims, ..DetailsChange::default() }).unwrap_err().to_string();
        assert!(refused.starts_with("birthdate: a birthdate is"), "{refused}");
        let unknown = "email_verified=true".parse::<Setting<ProfileClaim>>().unwrap_err().to_string();
        assert!(unknown.contains("must be one of: given_name"), "{unknown}");
    }
}
