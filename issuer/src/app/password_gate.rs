//! The gate before argon2id: a bounded number of hashes at once, off the async threads, and a bounded queue before them, so that
//! a storm of sign-ins can exhaust neither memory nor the patience of token requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64Unpadded, Encoding};
use tokio::sync::Semaphore;

use crate::domain::password::{Cost, HashFault, Password, PasswordHash, Workspace};
use crate::secret::random_bytes;

/// How much hashing goes on at once.
#[derive(Debug, Clone, Copy)]
pub struct GateSize {
    /// Hashes at once.
    pub permits: usize,
    /// How many may wait for one.
    pub queue: usize,
    /// How long one may wait.
    pub wait: Duration,
}

/// The gate.
pub struct PasswordGate {
    permits: Arc<Semaphore>,
    places: Arc<Semaphore>,
    size: GateSize,
    cost: Cost,
    decoy: PasswordHash,
    workspaces: Arc<Mutex<Vec<Workspace>>>,
    evaluated: AtomicU64,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Too many wait already, or it took too long: try again later.
    #[error("too many passwords are being checked")]
    Busy,
    /// The hash could not be computed.
    #[error(transparent)]
    Fault(#[from] HashFault),
}

impl PasswordGate {
    /// A gate of this size for hashes of this cost.
    pub fn new(size: GateSize, cost: Cost) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size.permits)),
            places: Arc::new(Semaphore::new(size.permits.saturating_add(size.queue))),
            size,
            cost,
            decoy: decoy(cost),
            workspaces: Arc::default(),
            evaluated: AtomicU64::new(0),
        }
    }

    /// How many hashes have been begun since the start.
    pub fn evaluated(&self) -> u64 {
        self.evaluated.load(Ordering::Relaxed)
    }

    /// How many wait for their turn.
    pub fn waiting(&self) -> usize {
        // Who is at it holds a place and a permit, who waits a place alone.
        let taken = self.size.permits.saturating_add(self.size.queue).saturating_sub(self.places.available_permits());
        taken.saturating_sub(self.size.permits.saturating_sub(self.permits.available_permits()))
    }

    /// Whether this is the hash of the password. Without a hash (an unknown user) it does the same work and answers no.
    pub async fn verify(&self, hash: Option<PasswordHash>, password: Password) -> Result<bool, GateError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let right = self.run(move |workspace| hash.verify(&password, workspace)).await?;
        Ok(right && known)
    }

    /// Hashes a password at the cost in force.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, GateError> {
        let cost = self.cost;
        self.run(move |workspace| PasswordHash::compute(&password, cost, workspace)).await
    }

    /// Whether a hash that was just verified should be replaced by one of the cost in force.
    pub fn outgrown(&self, hash: &PasswordHash) -> bool {
        hash.weaker_than(self.cost)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Workspace) -> Result<T, HashFault> + Send + 'static,
    ) -> Result<T, GateError> {
        let _place = self.places.try_acquire().map_err(|_| GateError::Busy)?;
        let permit = tokio::time::timeout(self.size.wait, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| GateError::Busy)?
            .map_err(|_| GateError::Busy)?;
        self.evaluated.fetch_add(1, Ordering::Relaxed);
        // The permit goes along: a request that is given up does not free the memory its hash still uses.
        let (workspaces, cost) = (Arc::clone(&self.workspaces), self.cost);
        let done = tokio::task::spawn_blocking(move || {
            let shelf = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
            let mut workspace = shelf().pop().unwrap_or_default();
            let outcome = work(&mut workspace);
            workspace.trim(cost);
            // Back on the shelf before the permit: there are never more workspaces than permits.
            shelf().push(workspace);
            drop(permit);
            outcome
        });
        Ok(done.await.map_err(|fault| HashFault(fault.to_string()))??)
    }
}

/// A hash that no password has, at the cost in force.
fn decoy(cost: Cost) -> PasswordHash {
    PasswordHash::from_stored(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        cost.memory_kib,
        cost.iterations,
        cost.parallelism,
        Base64Unpadded::encode_string(&random_bytes::<16>()),
        Base64Unpadded::encode_string(&random_bytes::<32>()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };

    fn gate(permits: usize, queue: usize) -> PasswordGate {
        PasswordGate::new(GateSize { permits, queue, wait: Duration::from_secs(5) }, SMALL)
    }

    fn password(text: &str) -> Password {
        Password::typed(text).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_passes_and_a_wrong_or_unknown_one_does_not() {
        let gate = gate(1, 1);
        let hash = gate.hash(password("right")).await.unwrap();
        assert!(gate.verify(Some(hash.clone()), password("right")).await.unwrap());
        assert!(!gate.verify(Some(hash), password("wrong")).await.unwrap());
        assert!(!gate.verify(None, password("right")).await.unwrap());
    }

    #[test]
    fn an_unknown_user_costs_what_a_known_one_costs() {
        let decoy = decoy(SMALL);
        assert!(!decoy.weaker_than(SMALL) && decoy.weaker_than(Cost { memory_kib: 9, ..SMALL }));
        assert!(!decoy.verify(&password("x"), &mut Workspace::default()).unwrap());
    }

    #[tokio::test]
    async fn there_are_never_more_workspaces_than_permits() {
        let gate = Arc::new(gate(2, 100));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let gate = Arc::clone(&gate);
            all.spawn(async move { gate.verify(None, password("x")).await.unwrap() });
        }
        all.join_all().await;
        assert!((1..=2).contains(&gate.workspaces.lock().unwrap().len()));
    }

    #[tokio::test]
    async fn past_the_queue_the_answer_is_busy_at_once() {
        let gate = gate(1, 0);
        let holding = Arc::clone(&gate.permits).try_acquire_owned().unwrap();
        let place = Arc::clone(&gate.places).try_acquire_owned().unwrap();
        assert!(matches!(gate.hash(password("x")).await, Err(GateError::Busy)));
        drop((holding, place));
        assert!(gate.hash(password("x")).await.is_ok());
    }
}
