//! The ring: the rows of the key table, opened, behind one pointer. Signing and verifying take a snapshot and hold no lock; a
//! change of the table puts another snapshot in its place.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::compact::{self, Unverified};
use super::opened::OpenedKey;
use super::{JwksDocument, KeyError, MasterKey, NotOurs};
use crate::clock::UnixTime;
use crate::domain::ids::KeyId;
use crate::domain::signing_key::{self, KeyPolicy, SigningKey};

/// Signs with the key whose time it is, verifies with every key that was not revoked, and keeps the JWKS ready.
pub struct KeyRing {
    policy: KeyPolicy,
    current: RwLock<Arc<Snapshot>>,
    /// Held from the look at what is there until other rows stand in its place.
    replacing: Mutex<()>,
}

/// One key, to sign with.
pub struct Signer(Arc<OpenedKey>);

impl Signer {
    /// Its `kid`.
    pub fn kid(&self) -> &KeyId {
        &self.0.kid
    }

    /// A compact JWS as by [`KeyRing::sign`].
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        compact::sign(&self.0, typ, claims)
    }
}

struct Snapshot {
    rows: Arc<[SigningKey]>,
    opened: Vec<Arc<OpenedKey>>,
    jwks: RwLock<Option<ReadyJwks>>,
}

/// A key set and the span of time in which it is the right one.
struct ReadyJwks {
    from: UnixTime,
    until: Option<UnixTime>,
    document: Arc<JwksDocument>,
}

impl KeyRing {
    /// Opens the unrevoked rows. One that does not open fails them all: an issuer that cannot use a key it announced must not
    /// start as if it could.
    pub fn new(rows: Vec<SigningKey>, masters: &[MasterKey], policy: KeyPolicy) -> Result<Self, KeyError> {
        let (snapshot, faults) = Snapshot::open(rows, masters, &[]);
        match faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self { policy, current: RwLock::new(Arc::new(snapshot)), replacing: Mutex::default() }),
        }
    }

    /// Puts the table as it now stands in the ring's place. Keys that are open already stay so, whatever master key has sealed
    /// them since. A new row that does not open is left out and told; those that were revoked go all the same. Whoever read the
    /// table earlier may come here later: a key that is held as revoked stays revoked.
    pub fn replace(&self, mut rows: Vec<SigningKey>, masters: &[MasterKey]) -> Result<(), KeyError> {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.snapshot();
        for row in rows.iter_mut().filter(|row| !row.is_revoked()) {
            row.revoked_at = held.rows.iter().find(|held| held.kid == row.kid).and_then(|held| held.revoked_at);
        }
        let (snapshot, faults) = Snapshot::open(rows, masters, &held.opened);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        faults.into_iter().next().map_or(Ok(()), Err)
    }

    /// Whether the ring holds exactly these rows; the poll of the key table asks before it replaces.
    pub fn is_current(&self, rows: &[SigningKey]) -> bool {
        let held = self.rows();
        held.len() == rows.len() && rows.iter().all(|row| held.contains(row))
    }

    /// The rows that the ring was made of, by epoch.
    pub fn rows(&self) -> Arc<[SigningKey]> {
        Arc::clone(&self.snapshot().rows)
    }

    /// A compact JWS over the claims by the key whose time it is: RS256, header `alg typ kid`. Costs a core a third of a millisecond.
    pub fn sign(&self, now: UnixTime, typ: &str, claims: &impl Serialize) -> Result<(String, KeyId), KeyError> {
        let signer = self.signer(now)?;
        Ok((signer.sign(typ, claims)?, signer.kid().clone()))
    }

    /// The key whose time it is, held fast: who must name it before it signs is sure of it, whatever becomes of the ring meanwhile.
    pub fn signer(&self, now: UnixTime) -> Result<Signer, KeyError> {
        let snapshot = self.snapshot();
        let row = signing_key::signer(&snapshot.rows, now).ok_or(KeyError::NoSigner)?;
        snapshot.opened.iter().find(|key| key.kid == row.kid).map(|key| Signer(Arc::clone(key))).ok_or(KeyError::NoSigner)
    }

    /// The claims of a token of this type that this issuer signed, with any key that was not revoked since, published or not: an
    /// ID token that comes back as a hint may be old. Nothing is said about the claims, their times included.
    pub fn verify(&self, token: &str, typ: &str) -> Result<(Map<String, Value>, KeyId), NotOurs> {
        self.verify_within(token, typ, compact::LONGEST_TOKEN)
    }

    /// The same for what is no token, of a payload and a length of its own.
    pub fn verify_within<P: DeserializeOwned>(&self, message: &str, typ: &str, longest: usize) -> Result<(P, KeyId), NotOurs> {
        let unverified = Unverified::parse(message, typ, longest)?;
        let snapshot = self.snapshot();
        let key = snapshot.key(&unverified.kid).ok_or(NotOurs::UnknownKey)?;
        Ok((unverified.verify(key)?, key.kid.clone()))
    }

    /// The key set that is published now. Written anew only when the clock or the table changes it.
    pub fn jwks(&self, now: UnixTime) -> Result<Arc<JwksDocument>, KeyError> {
        self.snapshot().jwks(now, &self.policy)
    }

    /// The digest of the key set that is published now, for the revocation feed.
    pub fn digest(&self, now: UnixTime) -> Result<String, KeyError> {
        Ok(self.jwks(now)?.digest.clone())
    }

    /// The `kid` of the key that signs now.
    pub fn signing_kid(&self, now: UnixTime) -> Option<KeyId> {
        signing_key::signer(&self.snapshot().rows, now).map(|key| key.kid.clone())
    }

    /// The date letter of the key that signs now.
    pub fn date_letter(&self, now: UnixTime) -> Option<char> {
        signing_key::signer(&self.snapshot().rows, now).map(|key| signing_key::date_letter(key.epoch))
    }

    /// How long the key that signs now has been signing past its schedule.
    pub fn overdue(&self, now: UnixTime) -> Option<Duration> {
        signing_key::overdue(&self.snapshot().rows, now)
    }

    /// The durations that the ring and its planner keep to.
    pub fn policy(&self) -> &KeyPolicy {
        &self.policy
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("rows", &self.rows()).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The rows that are revoked or open, and why the others do not.
    fn open(mut rows: Vec<SigningKey>, masters: &[MasterKey], already: &[Arc<OpenedKey>]) -> (Self, Vec<KeyError>) {
        rows.sort_by_key(|row| row.epoch);
        let (mut opened, mut faults) = (Vec::new(), Vec::new());
        rows.retain(|row| {
            if row.is_revoked() {
                return true;
            }
            let known = already.iter().find(|key| key.kid == row.kid && key.public_jwk == row.public_jwk);
            match known.map_or_else(|| OpenedKey::open(row, masters).map(Arc::new), |key| Ok(Arc::clone(key))) {
                Ok(key) => opened.push(key),
                Err(fault) => {
                    faults.push(fault);
                    return false;
                }
            }
            true
        });
        (Self { opened, rows: rows.into(), jwks: RwLock::default() }, faults)
    }

    fn key(&self, kid: &KeyId) -> Option<&OpenedKey> {
        self.opened.iter().find(|key| key.kid == *kid).map(Arc::as_ref)
    }

    fn jwks(&self, now: UnixTime, policy: &KeyPolicy) -> Result<Arc<JwksDocument>, KeyError> {
        let max_age = signing_key::jwks_max_age(&self.rows, now, policy);
        let ready = self.jwks.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|ready| ready.at(now, max_age));
        if let Some(document) = ready {
            return Ok(document);
        }
        let published = signing_key::published(&self.rows, now);
        let keys = published.iter().filter_map(|row| self.key(&row.kid)).map(OpenedKey::public).collect::<Result<_, _>>()?;
        let document = Arc::new(JwksDocument::new(keys, max_age)?);
        let ready = ReadyJwks { from: now, until: signing_key::next_change(&self.rows, now), document: Arc::clone(&document) };
        *self.jwks.write().unwrap_or_else(PoisonError::into_inner) = Some(ready);
        Ok(document)
    }
}

impl ReadyJwks {
    fn at(&self, now: UnixTime, max_age: Duration) -> Option<Arc<JwksDocument>> {
        let holds = self.from <= now && self.until.is_none_or(|until| now < until) && self.document.max_age == max_age;
        holds.then(|| Arc::clone(&self.document))
    }
}
