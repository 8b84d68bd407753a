//! Passwords: what may become one, and argon2id in PHC form with its parameters kept in each hash. The work itself is slow on
//! purpose; run it through [`crate::app::password_gate`].

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use unicode_normalization::UnicodeNormalization;

use crate::secret::{Secret, constant_time_eq, random_bytes};

/// A password as typed, NFC-normalised (RFC 8265, OpaqueString) and bounded before anything is computed from it.
#[derive(Debug, Clone)]
pub struct Password(Secret<String>);

/// Why a text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing was given.
    #[error("a password is needed")]
    Empty,
    /// More than [`Password::LONGEST`] bytes.
    #[error("a password has at most 1024 bytes")]
    TooLong,
    /// Fewer characters than the policy asks for.
    #[error("a password has at least {0} characters; a sentence of several words is good")]
    TooShort(usize),
}

impl Password {
    /// The longest password in bytes; longer ones cost us work and the user nothing.
    pub const LONGEST: usize = 1024;

    /// A password for signing in: whatever was typed, within bounds.
    pub fn typed(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(Secret::new(text.nfc().collect())))
    }

    /// Whether both are the same password.
    pub fn is(&self, other: &Self) -> bool {
        constant_time_eq(self.0.expose().as_bytes(), other.0.expose().as_bytes())
    }

    /// A password to be set: counted in characters, no rule about their kinds (NIST SP 800-63B-4, section 3.1.1.2).
    pub fn chosen(text: &str, minimum_length: usize) -> Result<Self, PasswordError> {
        let password = Self::typed(text)?;
        if password.0.expose().chars().count() < minimum_length {
            return Err(PasswordError::TooShort(minimum_length));
        }
        Ok(password)
    }
}

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Cost {
    /// No stored hash may ask for more memory than this (1 GiB), whoever wrote it.
    const MOST_MEMORY_KIB: u32 = 1 << 20;

    fn params(self) -> Result<Params, HashFault> {
        Params::new(self.memory_kib, self.iterations, self.parallelism, None).map_err(fault)
    }
}

/// An argon2id hash in PHC form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// A hash that cannot be computed or read: a fault of ours, never of the person signing in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argon2id: {0}")]
pub struct HashFault(pub String);

impl PasswordHash {
    /// The hash that a row holds.
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Hashes a password at this cost. Slow.
    pub fn compute(password: &Password, cost: Cost, workspace: &mut Workspace) -> Result<Self, HashFault> {
        let (params, salt) = (cost.params()?, random_bytes::<16>());
        let mut out = [0_u8; Params::DEFAULT_OUTPUT_LEN];
        workspace.hash(&params, password, &salt, &mut out)?;
        let phc = Phc {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(fault)?,
            salt: Some(Salt::new(&salt).map_err(fault)?),
            hash: Some(Output::new(&out).map_err(fault)?),
        };
        Ok(Self(phc.to_string()))
    }

    /// Whether this is the hash of the password. Slow, at the cost written in the hash.
    pub fn verify(&self, password: &Password, workspace: &mut Workspace) -> Result<bool, HashFault> {
        let stored = self.cost()?;
        if stored.memory_kib > Cost::MOST_MEMORY_KIB {
            return Err(HashFault(format!("a stored hash asks for {} KiB", stored.memory_kib)));
        }
        let phc = Phc::new(&self.0).map_err(fault)?;
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
            return Err(HashFault("a stored hash lacks its salt or its output".to_owned()));
        };
        let mut out = vec![0_u8; expected.as_ref().len()];
        workspace.hash(&stored.params()?, password, salt.as_ref(), &mut out)?;
        Ok(constant_time_eq(&out, expected.as_ref()))
    }

    /// Whether this hash is weaker than the cost now in force, so that it should be replaced while the password is at hand.
    pub fn weaker_than(&self, cost: Cost) -> bool {
        self.cost().is_ok_and(|stored| {
            stored.memory_kib < cost.memory_kib || stored.iterations < cost.iterations || stored.parallelism < cost.parallelism
        })
    }

    fn cost(&self) -> Result<Cost, HashFault> {
        let phc = Phc::new(&self.0).map_err(fault)?;
        if phc.algorithm.as_str() != "argon2id" || phc.version.is_some_and(|version| version != u32::from(Version::V0x13)) {
            return Err(HashFault(format!("algorithm {}", phc.algorithm)));
        }
        let params = Params::try_from(&phc).map_err(fault)?;
        Ok(Cost { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() })
    }
}

/// The memory in which hashes are computed, used again and again: an allocator that is asked for it anew by every thread keeps much
/// more than the hashes at work need.
#[derive(Default)]
pub struct Workspace(Vec<Block>);

impl Workspace {
    /// Gives back what a hash of more than this cost has taken.
    pub fn trim(&mut self, cost: Cost) {
        let blocks = cost.params().map_or(0, |params| params.block_count());
        self.0.truncate(blocks);
        self.0.shrink_to(blocks);
    }

    fn hash(&mut self, params: &Params, password: &Password, salt: &[u8], out: &mut [u8]) -> Result<(), HashFault> {
        self.0.resize(params.block_count(), Block::new());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(password.0.expose().as_bytes(), salt, out, &mut self.0)
            .map_err(fault)
    }
}

fn fault(fault: impl std::fmt::Display) -> HashFault {
    HashFault(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };

    fn hashed(password: &Password, cost: Cost) -> PasswordHash {
        PasswordHash::compute(password, cost, &mut Workspace::default()).unwrap()
    }

    #[test]
    fn one_workspace_serves_hashes_of_any_cost() {
        let (password, mut workspace) = (Password::typed("one and the same").unwrap(), Workspace::default());
        let dear = PasswordHash::compute(&password, Cost { memory_kib: 64, ..SMALL }, &mut workspace).unwrap();
        let cheap = PasswordHash::compute(&password, SMALL, &mut workspace).unwrap();
        assert!(dear.verify(&password, &mut workspace).unwrap() && cheap.verify(&password, &mut workspace).unwrap());
        assert!(dear.verify(&password, &mut workspace).unwrap() && workspace.0.capacity() >= 64);
        workspace.trim(SMALL);
        assert!(workspace.0.capacity() < 64, "what a dearer hash took is given back");
    }

    #[test]
    fn the_right_password_in_either_unicode_form_verifies_and_a_wrong_one_does_not() {
        let hash = hashed(&Password::typed("caf\u{e9} au lait, please").unwrap(), SMALL);
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(hash.verify(&Password::typed("cafe\u{301} au lait, please").unwrap(), &mut Workspace::default()).unwrap());
        assert!(!hash.verify(&Password::typed("cafe au lait, please").unwrap(), &mut Workspace::default()).unwrap());
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let password = Password::typed("one and the same").unwrap();
        assert_ne!(hashed(&password, SMALL), hashed(&password, SMALL));
    }

    #[test]
    fn a_hash_is_weaker_when_any_parameter_is() {
        let hash = hashed(&Password::typed("x").unwrap(), Cost { memory_kib: 16, ..SMALL });
        assert!(!hash.weaker_than(SMALL) && !hash.weaker_than(Cost { memory_kib: 16, ..SMALL }));
        assert!(hash.weaker_than(Cost { memory_kib: 17, ..SMALL }) && hash.weaker_than(Cost { iterations: 2, ..SMALL }));
    }

    #[test]
    fn a_stored_hash_cannot_make_us_pay_without_bound() {
        let dear = "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE".to_owned();
        assert!(PasswordHash::from_stored(dear).verify(&Password::typed("x").unwrap(), &mut Workspace::default()).is_err());
        assert!(
            PasswordHash::from_stored("plain".to_owned())
                .verify(&Password::typed("x").unwrap(), &mut Workspace::default())
                .is_err()
        );
    }

    #[test]
    fn length_counts_characters_and_is_bounded_in_bytes() {
        assert_eq!(Password::chosen(&"é".repeat(14), 15).unwrap_err(), PasswordError::TooShort(15));
        assert!(Password::chosen(&"é".repeat(15), 15).is_ok());
        assert_eq!(Password::typed(&"x".repeat(1025)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(Password::typed("").unwrap_err(), PasswordError::Empty);
    }
}
