//! Where signing keys come from: OpenSSL in production, a list of prepared keys in tests, since making one takes long.

use std::sync::Mutex;

use josekit::jws::RS256;

use super::jwk::PrivateJwk;
use super::opened::OpenedKey;
use super::{KeyError, MasterKey, seal};
use crate::domain::ids::KeyId;
use crate::domain::signing_key::{NewKey, SigningKey};
use crate::secret::Secret;

/// A source of new signing keys.
pub trait GenerateKey: Send + Sync {
    /// A key that nobody has used before. Takes a core for up to a second: call it off the async threads.
    fn generate(&self) -> Result<FreshKey, KeyError>;
}

/// A key in the clear, on its way from the generator into its seal.
#[derive(Debug)]
pub struct FreshKey {
    kid: KeyId,
    public_jwk: String,
    private_jwk: Secret<String>,
}

impl FreshKey {
    /// A key from a private JWK; its `kid`, `use` and `alg`, if any, are replaced by Passant's own.
    ///
    /// Refuses keys that are not RSA, have fewer than 2048 bits or another exponent than 65537, or do not verify what they sign.
    pub fn from_private_jwk(text: &Secret<String>) -> Result<Self, KeyError> {
        Self::from_parsed(PrivateJwk::parse(text)?)
    }

    fn from_parsed(private: PrivateJwk) -> Result<Self, KeyError> {
        let private_jwk = private.to_text()?;
        let opened = OpenedKey::from_private(&private_jwk)?;
        Ok(Self { kid: opened.kid.clone(), public_jwk: opened.public_jwk, private_jwk })
    }

    /// The key's id.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// Canonical JSON of `kty use alg kid n e`.
    pub fn public_jwk(&self) -> &str {
        &self.public_jwk
    }

    /// Seals the key into the row that was planned for it.
    pub fn into_row(self, planned: NewKey, master: &MasterKey) -> Result<SigningKey, KeyError> {
        Ok(SigningKey {
            sealed_private_key: seal::seal(&self.private_jwk, &self.kid, master)?,
            kid: self.kid,
            epoch: planned.epoch,
            schedule: planned.schedule,
            revoked_at: None,
            public_jwk: self.public_jwk,
            master_key_id: master.id().to_owned(),
        })
    }
}

/// How long an RSA modulus is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RsaSize {
    /// 2048 bits: 112 bits of strength, tokens of about 700 bytes.
    #[default]
    Bits2048,
    /// 3072 bits: 128 bits of strength; each signature is 171 characters longer and costs about three times as much.
    Bits3072,
    /// 4096 bits: for rules that ask for them; each signature is 342 characters longer and costs about seven times as much.
    Bits4096,
}

/// Makes RSA keys with OpenSSL; e = 65537.
#[derive(Clone, Copy, Debug, Default)]
pub struct RsaGenerator {
    /// The size of the keys.
    pub size: RsaSize,
}

impl GenerateKey for RsaGenerator {
    fn generate(&self) -> Result<FreshKey, KeyError> {
        let bits = match self.size {
            RsaSize::Bits2048 => 2048,
            RsaSize::Bits3072 => 3072,
            RsaSize::Bits4096 => 4096,
        };
        let pair = RS256.generate_key_pair(bits).map_err(|error| KeyError::Generate(error.to_string()))?;
        FreshKey::from_parsed(PrivateJwk::new(pair.to_jwk_private_key()))
    }
}

/// Hands out prepared keys in turn, each once. For tests: whoever prepared them knows them.
#[derive(Debug)]
pub struct FixtureKeys(Mutex<Vec<Secret<String>>>);

impl FixtureKeys {
    /// A source of these private JWKs, first to last.
    pub fn new<T: Into<String>>(private_jwks: impl IntoIterator<Item = T>) -> Self {
        let mut keys: Vec<_> = private_jwks.into_iter().map(|text| Secret::new(text.into())).collect();
        keys.reverse();
        Self(Mutex::new(keys))
    }
}

impl GenerateKey for FixtureKeys {
    fn generate(&self) -> Result<FreshKey, KeyError> {
        let next = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        FreshKey::from_private_jwk(&next.ok_or(KeyError::NoFixtureLeft)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::FIXTURES;

    #[test]
    fn openssl_makes_a_key_that_signs_and_shows_only_its_public_half() {
        let fresh = RsaGenerator::default().generate().unwrap();
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(fresh.public_jwk()).unwrap();
        assert_eq!(members.keys().collect::<Vec<_>>(), ["kty", "use", "alg", "kid", "n", "e"]);
        assert_eq!(members["kid"], fresh.kid().as_str());
        assert_eq!(fresh.kid().as_str().len(), 16);
        assert!(format!("{fresh:?}").contains("Secret(…)"));
    }

    #[test]
    fn prepared_keys_come_each_once_and_in_order() {
        let source = FixtureKeys::new([FIXTURES[0], FIXTURES[1]]);
        let (first, second) = (source.generate().unwrap(), source.generate().unwrap());
        assert_ne!(first.kid(), second.kid());
        assert!(matches!(source.generate(), Err(KeyError::NoFixtureLeft)));
    }

    #[test]
    fn a_key_that_is_not_fit_to_sign_is_refused() {
        let good: serde_json::Value = serde_json::from_str(FIXTURES[0]).unwrap();
        let other: serde_json::Value = serde_json::from_str(FIXTURES[1]).unwrap();
        let with = |member: &str, value: &serde_json::Value| {
            let mut jwk = good.clone();
            jwk[member] = value.clone();
            FreshKey::from_private_jwk(&Secret::new(jwk.to_string())).map(|_| ())
        };
        assert!(with("kid", &"anything".into()).is_ok());
        for (member, value) in [
            ("kty", &"EC".into()),
            ("e", &"Aw".into()),
            ("n", &"AQAB".into()),
            ("n", &other["n"]),
            ("q", &good["p"]),
            ("alg", &"PS256".into()),
            ("use", &"enc".into()),
        ] {
            assert!(with(member, value).is_err(), "{member} = {value}");
        }
    }
}
