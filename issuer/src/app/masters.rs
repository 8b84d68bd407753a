//! The master keys that this process knows, and the secrets derived from the one in force. Which one that is, the database says: all
//! replicas change at once, and a process that does not know it asks the place that its own came from.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::keys::{KeyError, MasterKey, MasterKeyError, MasterKeyPlace, master, seal};
use crate::secret::DerivedKey;
use crate::store::master_keys::MasterKeys;

/// How long after a command was run for a master key that it did not print it is run again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What this process knows.
pub struct Masters {
    place: MasterKeyPlace,
    current: RwLock<Arc<Current>>,
    asked: Mutex<Option<(String, Duration)>>,
}

/// All of one moment.
#[derive(Clone)]
struct Current {
    seen: MasterKeys,
    known: Vec<MasterKey>,
    in_force: MasterKey,
    at_hand: bool,
    csrf: DerivedKey,
    devices: DerivedKey,
    lanes: DerivedKey,
    refresh: DerivedKey,
    /// Those of master keys that were in force before, by their names.
    retired_refresh: Vec<(String, DerivedKey)>,
}

impl Current {
    fn new(seen: MasterKeys, known: Vec<MasterKey>, in_force: MasterKey) -> Self {
        let retired = seen.retired.iter().filter_map(|it| it.sealed_refresh_key.as_ref().map(|sealed| (&it.id, sealed)));
        let opened = retired.filter_map(|(id, sealed)| match seal::open_refresh_key(sealed, id, &in_force) {
            Ok(key) => Some((id.clone(), key)),
            Err(fault) => {
                tracing::error!(%fault, "what a retired master key derived cannot be used: a retry of this minute is refused");
                None
            }
        });
        Self {
            retired_refresh: opened.collect(),
            csrf: in_force.derive(master::CSRF),
            devices: in_force.derive(master::DEVICES),
            lanes: in_force.derive(master::LANES),
            refresh: in_force.derive(master::REFRESH_SUCCESSORS),
            at_hand: true,
            seen,
            known,
            in_force,
        }
    }
}

impl Masters {
    /// The keys of this place. The one in force must be among them; where none is, the first comes into force.
    pub(super) async fn open(place: MasterKeyPlace, seen: &MasterKeys) -> Result<Self, KeyError> {
        let known = read(&place).await?;
        let name = seen.in_force.as_deref();
        let found = known.iter().find(|key| name.is_none_or(|name| key.id() == name));
        let in_force = found.ok_or_else(|| unknown(&place, name.unwrap_or_default(), &known, "put it there"))?;
        let current = Current::new(seen.clone(), known.clone(), in_force.clone());
        Ok(Self { place, current: RwLock::new(Arc::new(current)), asked: Mutex::default() })
    }

    /// Follows the database to the master key that it says is in force. Where that is not at hand, the one before stays in use here, and
    /// the place is asked: a file each time, a command once in a while, and what was given once is not asked again.
    pub(super) async fn follow(&self, seen: &MasterKeys, monotonic: Duration) -> Result<(), KeyError> {
        let current = self.current();
        let Some(name) = &seen.in_force else { return Ok(()) };
        if current.at_hand && current.seen == *seen {
            return Ok(());
        }
        let mut known = current.known.clone();
        if known.iter().all(|key| key.id() != name) && self.may_ask(name, monotonic) {
            known = read(&self.place).await?;
        }
        match known.iter().find(|key| key.id() == name).cloned() {
            Some(in_force) => {
                if in_force.id() != current.in_force.id() {
                    tracing::info!(master_key_id = name, "another master key is in force");
                }
                self.set(Current::new(seen.clone(), known, in_force));
                Ok(())
            }
            None => {
                self.set(Current { at_hand: false, ..current.as_ref().clone() });
                Err(unknown(&self.place, name, &known, self.place.remedy()))
            }
        }
    }

    /// Where they come from.
    pub fn place(&self) -> &MasterKeyPlace {
        &self.place
    }

    /// Whether the master key in force is at hand.
    pub fn at_hand(&self) -> bool {
        self.current().at_hand
    }

    /// The master key in force, as far as it is at hand.
    pub fn in_force(&self) -> MasterKey {
        self.current().in_force.clone()
    }

    /// All that are at hand.
    pub fn known(&self) -> Vec<MasterKey> {
        self.current().known.clone()
    }

    /// Whether this one was ever in force.
    pub fn has_been_used(&self, key: &MasterKey) -> bool {
        let current = self.current();
        current.seen.in_force.as_deref() == Some(key.id()) || current.seen.retired.iter().any(|retired| retired.id == key.id())
    }

    /// The keys by which successors that may still be asked for were derived: of the master key in force, and of those before.
    pub(super) fn all_refresh(&self) -> Vec<(String, DerivedKey)> {
        let current = self.current();
        let own = (current.in_force.id().to_owned(), current.refresh.clone());
        std::iter::once(own).chain(current.retired_refresh.iter().cloned()).collect()
    }

    /// The key that forms are protected with.
    pub(super) fn csrf(&self) -> DerivedKey {
        self.current().csrf.clone()
    }

    /// The key behind device cookies.
    pub(super) fn devices(&self) -> DerivedKey {
        self.current().devices.clone()
    }

    /// The key that lanes of attempts are named under.
    pub(super) fn lanes(&self) -> DerivedKey {
        self.current().lanes.clone()
    }

    /// The key that refresh tokens' successors are derived by, and the name of its master key.
    pub(super) fn refresh(&self) -> (String, DerivedKey) {
        let current = self.current();
        (current.in_force.id().to_owned(), current.refresh.clone())
    }

    /// The key that successors were derived by under this master key.
    pub(super) fn refresh_of(&self, name: &str) -> Option<DerivedKey> {
        self.all_refresh().into_iter().find(|(known, _)| known == name).map(|(_, key)| key)
    }

    fn may_ask(&self, name: &str, monotonic: Duration) -> bool {
        match &self.place {
            MasterKeyPlace::Given { .. } => false,
            MasterKeyPlace::File(_) => true,
            MasterKeyPlace::Command(_) => {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                let recently =
                    asked.as_ref().is_some_and(|(asked, at)| asked == name && monotonic.saturating_sub(*at) < ASK_AGAIN);
                if !recently {
                    *asked = Some((name.to_owned(), monotonic));
                }
                !recently
            }
        }
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
    }
}

/// The name of the master key that is in force in a database that does not say so: the one that its keys are sealed under, or the
/// place's first.
pub(super) async fn first(place: &MasterKeyPlace, sealed_under: Option<String>) -> Result<String, KeyError> {
    match (sealed_under, read(place).await?.first()) {
        (Some(sealed_under), _) => Ok(sealed_under),
        (None, Some(first)) => Ok(first.id().to_owned()),
        (None, None) => Err(MasterKeyError::Malformed.into()),
    }
}

/// Asks the place, off the async threads.
async fn read(place: &MasterKeyPlace) -> Result<Vec<MasterKey>, KeyError> {
    let place = place.clone();
    let read = tokio::task::spawn_blocking(move || place.read()).await;
    Ok(read.map_err(|fault| MasterKeyError::Command(std::io::Error::other(fault)))??)
}

fn unknown(place: &MasterKeyPlace, in_force: &str, given: &[MasterKey], remedy: &'static str) -> KeyError {
    let (in_force, given) = (in_force.to_owned(), master::names(given));
    KeyError::MasterKeyUnknown { in_force, place: place.place(), given, remedy }
}
