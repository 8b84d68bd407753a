//! A token that is good unless it is told otherwise.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::TestIssuer;
use super::key::Key;

/// A token that is still being written. Unless it is changed it passes.
#[must_use = "it becomes a token only when it is signed"]
pub struct TestToken<'i> {
    issuer: &'i TestIssuer,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signed_by: SignedBy,
}

enum SignedBy {
    CurrentKey,
    /// Under the current key's name, by another.
    Forger,
    /// Under a name that nobody knows.
    Stranger,
}

impl<'i> TestToken<'i> {
    pub(super) fn new(issuer: &'i TestIssuer, typ: &str, claims: Value) -> Self {
        let claims = if let Value::Object(claims) = claims { claims } else { Map::new() };
        Self { issuer, header: Map::from_iter([("typ".to_owned(), json!(typ))]), claims, signed_by: SignedBy::CurrentKey }
    }

    /// `sub`; otherwise `user-1`.
    pub fn subject(self, sub: &str) -> Self {
        self.claim("sub", sub)
    }

    /// `client_id`; otherwise `client-1`.
    pub fn client(self, client_id: &str) -> Self {
        self.claim("client_id", client_id)
    }

    /// `scope`, values with spaces between; otherwise there is none.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// How long it lives from now; otherwise ten minutes.
    pub fn lasting(self, span: Duration) -> Self {
        let begins = self.claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        let ends = begins.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX));
        self.claim("exp", ends)
    }

    /// Any claim, of any type; one that it has is replaced.
    ///
    /// # Panics
    /// When the value has no form in JSON.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.insert(name.to_owned(), as_json(name, value));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Any header member, such as another `typ`; `alg` and `kid` are those of the key unless they are given.
    ///
    /// # Panics
    /// When the value has no form in JSON.
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        self.header.insert(name.to_owned(), as_json(name, value));
        self
    }

    /// Lets somebody else sign it under the current key's name: a bad signature.
    pub fn forged(mut self) -> Self {
        self.signed_by = SignedBy::Forger;
        self
    }

    /// Lets a key sign it that is not published.
    pub fn of_an_unknown_key(mut self) -> Self {
        self.signed_by = SignedBy::Stranger;
        self
    }

    /// The token, in its compact form.
    pub fn sign(mut self) -> String {
        let Some(current) = self.issuer.current_key() else { return String::new() };
        let stranger = || Key::new("unknown-key", current.algorithm);
        let (kid, key) = match self.signed_by {
            SignedBy::CurrentKey => (current.kid.clone(), None),
            SignedBy::Forger => (current.kid.clone(), Some(stranger())),
            SignedBy::Stranger => ("unknown-key".to_owned(), Some(stranger())),
        };
        for (name, value) in [("alg", current.algorithm.name()), ("kid", &*kid)] {
            self.header.entry(name).or_insert_with(|| json!(value));
        }
        let [header, claims] = [self.header, self.claims].map(|members| Value::Object(members).to_string());
        key.as_ref().unwrap_or(&current).sign(&header, &claims)
    }
}

fn as_json(name: &str, value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|why| panic!("{name} has no form in JSON: {why}"))
}
