//! The `claims` parameter (OpenID Connect Core, section 5.5): claims asked for by name, and where they are wanted. It is read
//! strictly, but what it names beyond our knowledge is ignored, as the standard has it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scope::ScopeSet;
use super::standard_claim::StandardClaim;

/// Claims asked for by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// Wanted from /userinfo.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<ClaimRequest>>,
    /// Wanted in the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<ClaimRequest>>,
}

/// How one claim is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimRequest {
    /// Whether the client cannot do without; never a reason for an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The value that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values of which one is wanted, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

/// Why a `claims` parameter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// Longer than [`ClaimsRequest::LONGEST`].
    #[error("claims is longer than {} bytes", ClaimsRequest::LONGEST)]
    TooLong,
    /// No JSON, or of another shape.
    #[error("claims is not the JSON object that OpenID Connect Core describes")]
    Malformed,
    /// Several users cannot all be the one who signs in.
    #[error("claims asks for sub with more than one value")]
    Subjects,
}

impl ClaimsRequest {
    /// The longest text, in bytes: all standard claims in both places fit several times.
    pub const LONGEST: usize = 4096;

    /// Reads the parameter.
    pub fn parse(text: &str) -> Result<Self, InvalidClaims> {
        if text.len() > Self::LONGEST {
            return Err(InvalidClaims::TooLong);
        }
        let members: Map<String, Value> = serde_json::from_str(text).map_err(|_| InvalidClaims::Malformed)?;
        let section = |name: &str| members.get(name).map_or(Ok(BTreeMap::new()), section);
        Ok(Self { userinfo: section("userinfo")?, id_token: section("id_token")? })
    }

    /// The one user who is asked for, if `sub` is asked for with a value: nobody else's sign-in will do (section 5.5.1).
    pub fn subject(&self) -> Result<Option<&str>, InvalidClaims> {
        let asked = [&self.userinfo, &self.id_token].into_iter().filter_map(|section| section.get("sub")?.as_ref());
        let mut wanted = asked.flat_map(ClaimRequest::wanted);
        let Some(first) = wanted.next() else { return Ok(None) };
        if wanted.any(|other| other != first) {
            return Err(InvalidClaims::Subjects);
        }
        first.as_str().map(Some).ok_or(InvalidClaims::Malformed)
    }

    /// Whether a sign-in that reaches this `acr` is good enough: one that is asked for as essential, with values, must be among them
    /// (section 5.5.1.1).
    pub fn admits_acr(&self, reached: &str) -> bool {
        let asked = self.id_token.get("acr").and_then(Option::as_ref).filter(|asked| asked.essential);
        asked.is_none_or(|asked| asked.wanted().next().is_none() || asked.wanted().any(|value| value == reached))
    }

    /// What of it can be heeded: standard claims, of the scopes that the client may ask for. The values of `sub` and `acr` have been
    /// judged by then, and no other claim's are: anybody may send a request that is kept, so they are not kept with it.
    pub fn within(mut self, allowed: &ScopeSet) -> Self {
        let heeded = |name: &str| name.parse().is_ok_and(|claim: StandardClaim| allowed.contains(&claim.scope()));
        self.userinfo.retain(|name, _| heeded(name));
        self.id_token.retain(|name, _| heeded(name));
        for asked in self.userinfo.values_mut().chain(self.id_token.values_mut()).flatten() {
            (asked.value, asked.values) = (None, Vec::new());
        }
        self
    }

    /// The standard claims wanted from /userinfo.
    pub fn of_userinfo(&self) -> impl Iterator<Item = StandardClaim> {
        self.userinfo.keys().filter_map(|name| name.parse().ok())
    }

    /// The standard claims wanted in the ID token.
    pub fn of_id_token(&self) -> impl Iterator<Item = StandardClaim> {
        self.id_token.keys().filter_map(|name| name.parse().ok())
    }

    /// The claims that the scopes of the same request do not open anyway.
    pub fn beyond(&self, scopes: &ScopeSet) -> BTreeSet<StandardClaim> {
        self.of_userinfo().chain(self.of_id_token()).filter(|claim| !scopes.contains(&claim.scope())).collect()
    }
}

impl ClaimRequest {
    fn parse(members: &Map<String, Value>) -> Result<Self, InvalidClaims> {
        Ok(Self {
            essential: match members.get("essential") {
                None => false,
                Some(essential) => essential.as_bool().ok_or(InvalidClaims::Malformed)?,
            },
            value: members.get("value").filter(|value| !value.is_null()).cloned(),
            values: match members.get("values") {
                None => Vec::new(),
                Some(values) => values.as_array().ok_or(InvalidClaims::Malformed)?.clone(),
            },
        })
    }

    fn wanted(&self) -> impl Iterator<Item = &Value> {
        self.value.iter().chain(&self.values)
    }
}

fn section(value: &Value) -> Result<BTreeMap<String, Option<ClaimRequest>>, InvalidClaims> {
    let one = |(name, asked): (&String, &Value)| match asked {
        Value::Null => Ok((name.clone(), None)),
        Value::Object(members) => Ok((name.clone(), Some(ClaimRequest::parse(members)?))),
        _ => Err(InvalidClaims::Malformed),
    };
    value.as_object().ok_or(InvalidClaims::Malformed)?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example_is_understood() {
        let text = r#"{
            "userinfo": {
                "given_name": {"essential": true}, "nickname": null, "email": {"essential": true},
                "email_verified": {"essential": true}, "picture": null, "http://example.info/claims/groups": null
            },
            "id_token": {"auth_time": {"essential": true}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}}
        }"#;
        let request = ClaimsRequest::parse(text).unwrap();
        assert!(request.admits_acr("1"), "a wish is no condition");
        let heeded = request.within(&"openid profile".parse().unwrap());
        let named: Vec<_> = heeded.of_userinfo().collect();
        assert_eq!(named, [StandardClaim::GivenName, StandardClaim::Nickname, StandardClaim::Picture]);
        assert_eq!(heeded.of_id_token().count(), 0);
        assert_eq!(heeded.beyond(&"openid".parse().unwrap()).len(), 3);
        assert!(heeded.beyond(&"openid profile".parse().unwrap()).is_empty());
    }

    #[test]
    fn values_that_decide_nothing_are_not_kept() {
        let text =
            r#"{"userinfo": {"email": {"essential": true, "value": "long"}}, "id_token": {"email": {"values": ["long"]}}}"#;
        let kept = ClaimsRequest::parse(text).unwrap().within(&"openid email".parse().unwrap());
        let expected = serde_json::json!({"userinfo": {"email": {"essential": true}}, "id_token": {"email": {}}});
        assert_eq!(serde_json::to_value(&kept).unwrap(), expected);
    }

    #[test]
    fn unknown_members_are_ignored_and_another_shape_is_refused() {
        for good in [
            "{}",
            " { } ",
            r#"{"later": [1], "userinfo": {}}"#,
            r#"{"id_token": {"email": {"purpose": "post", "essential": false}}}"#,
            r#"{"userinfo": {"name": {"value": null}}}"#,
        ] {
            assert!(ClaimsRequest::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "null",
            "[]",
            "[{},{}]",
            "{} {}",
            "{",
            "userinfo",
            r#"{"userinfo": null}"#,
            r#"{"userinfo": ["name"]}"#,
            r#"{"id_token": {"email": true}}"#,
            r#"{"id_token": {"email": [true]}}"#,
            r#"{"id_token": {"email": {"essential": "true"}}}"#,
            r#"{"id_token": {"email": {"values": "a"}}}"#,
        ] {
            assert_eq!(ClaimsRequest::parse(bad), Err(InvalidClaims::Malformed), "{bad}");
        }
        let long = format!("{{{}}}", " ".repeat(ClaimsRequest::LONGEST - 1));
        assert_eq!(ClaimsRequest::parse(&long), Err(InvalidClaims::TooLong));
        let deep = format!("{{\"x\": {}1{}}}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(ClaimsRequest::parse(&deep), Err(InvalidClaims::Malformed));
    }

    #[test]
    fn one_user_can_be_asked_for() {
        for (text, expected) in [
            (r#"{"id_token": {"sub": null}}"#, Ok(None)),
            (r#"{"id_token": {"sub": {"essential": true}}}"#, Ok(None)),
            (r#"{"id_token": {"sub": {"value": "u"}}}"#, Ok(Some("u"))),
            (r#"{"userinfo": {"sub": {"values": ["u"]}}, "id_token": {"sub": {"value": "u"}}}"#, Ok(Some("u"))),
            (r#"{"userinfo": {"sub": {"value": "v"}}, "id_token": {"sub": {"value": "u"}}}"#, Err(InvalidClaims::Subjects)),
            (r#"{"id_token": {"sub": {"values": ["u", "v"]}}}"#, Err(InvalidClaims::Subjects)),
            (r#"{"id_token": {"sub": {"value": 7}}}"#, Err(InvalidClaims::Malformed)),
        ] {
            assert_eq!(ClaimsRequest::parse(text).unwrap().subject(), expected, "{text}");
        }
    }

    #[test]
    fn an_essential_acr_must_be_reached() {
        for (acr, admitted) in [
            ("null", true),
            (r#"{"essential": true}"#, true),
            (r#"{"value": "9"}"#, true),
            (r#"{"essential": true, "values": ["9", "1"]}"#, true),
            (r#"{"essential": true, "value": "9"}"#, false),
            (r#"{"essential": true, "values": ["9", 1]}"#, false),
        ] {
            let request = ClaimsRequest::parse(&format!(r#"{{"id_token": {{"acr": {acr}}}}}"#)).unwrap();
            assert_eq!(request.admits_acr("1"), admitted, "{acr}");
        }
    }
}
