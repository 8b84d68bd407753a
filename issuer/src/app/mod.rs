//! What every handler, job and command is handed: configuration, store, key ring, password gate, clock and the derived secrets,
//! behind one Arc.

pub mod attempts;
pub mod checkpoint;
pub mod password_gate;
pub mod rotation;
pub mod status_lists;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::clock::{Clock, UnixTime};
use crate::config::Config;
use crate::domain::password::Cost;
use crate::domain::signing_key::{KeyPolicy, KeyPolicyError, KeyTimes};
use crate::feed::{Feed, Sources};
use crate::keys::{GenerateKey, KeyError, KeyRing, MasterKey, Signer, master};
use crate::measures::Measures;
use crate::secret::DerivedKey;
use crate::store::{Db, StoreError, signing_keys};
use checkpoint::{Checkpoint, Checkpoints};
use password_gate::{GateSize, PasswordGate};
use rotation::RotationError;
use status_lists::StatusLists;

/// How far a replica's clock may be from the database's before it signs nothing.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// Everything a request needs.
pub struct App {
    /// The configuration in force.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The signing keys.
    pub keys: KeyRing,
    /// The revocation feed.
    pub feed: Feed,
    /// What is counted.
    pub measures: Measures,
    /// The gate before argon2id.
    pub passwords: PasswordGate,
    /// Whether the demonstration's page is shown.
    pub demo: bool,
    status_lists: StatusLists,
    clock: Arc<dyn Clock>,
    checkpoints: Arc<dyn Checkpoints>,
    generator: Arc<dyn GenerateKey>,
    csrf_key: DerivedKey,
    refresh_key: DerivedKey,
    device_key: DerivedKey,
    lane_key: DerivedKey,
    clock_off: AtomicBool,
}

/// The keys' durations must agree with each other.
fn policy(config: &Config) -> Result<KeyPolicy, OpenError> {
    let keys = &config.keys;
    let times = KeyTimes { period: keys.period, lead: keys.lead, jwks_max_age: keys.jwks_max_age, ..KeyTimes::default() };
    Ok(KeyPolicy::new(times)?)
}

fn password_gate(config: &Config) -> PasswordGate {
    let passwords = &config.passwords;
    let size = GateSize {
        permits: usize::try_from(passwords.permits).unwrap_or(usize::MAX),
        queue: usize::try_from(passwords.queue).unwrap_or(usize::MAX),
        wait: passwords.wait,
    };
    let cost = Cost { memory_kib: passwords.memory_kib, iterations: passwords.iterations, parallelism: passwords.parallelism };
    PasswordGate::new(size, cost)
}

/// What an App is made from, beside its configuration.
pub struct Parts {
    /// The open database.
    pub db: Db,
    /// The master key.
    pub master: MasterKey,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where new signing keys come from.
    pub generator: Arc<dyn GenerateKey>,
    /// Whether the demonstration's page is shown.
    pub demo: bool,
    /// Who may hold requests between judgement and deed: [`checkpoint::Unattended`], except in tests.
    pub checkpoints: Arc<dyn Checkpoints>,
}

/// Why the issuer cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys' durations.
    #[error("[keys]: {0}")]
    KeyPolicy(#[from] KeyPolicyError),
    /// The first rotation.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

/// Why a token cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// This replica's clock is too far from the database's: nothing it signs could be trusted to end in time.
    #[error("this machine's clock is more than 60 s off the database's")]
    ClockOff,
    /// The key ring.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl App {
    /// Brings the parts together; makes the first signing key where there is none.
    pub async fn open(config: Config, parts: Parts) -> Result<Arc<Self>, OpenError> {
        let Parts { db, master, clock, generator, demo, checkpoints } = parts;
        let rows = {
            let mut reader = db.reader().await?;
            signing_keys::all(&mut reader.conn()).await?
        };
        let keys = KeyRing::new(rows, master, policy(&config)?)?;
        let app = Arc::new(Self {
            feed: Feed::new(&config),
            measures: Measures::default(),
            passwords: password_gate(&config),
            csrf_key: keys.master().derive(master::CSRF),
            refresh_key: keys.master().derive(master::REFRESH_SUCCESSORS),
            device_key: keys.master().derive(master::DEVICES),
            lane_key: keys.master().derive(master::LANES),
            clock_off: AtomicBool::new(false),
            demo,
            status_lists: StatusLists::default(),
            checkpoints,
            config,
            db,
            keys,
            clock,
            generator,
        });
        app.compare_clocks().await?;
        rotation::plan(&app).await?;
        Ok(app)
    }

    /// Now: to be taken once a request, at its edge, and passed down.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The clock itself, for jobs.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Says that a request has come to a checkpoint.
    pub async fn reached(&self, checkpoint: Checkpoint) {
        self.checkpoints.reached(checkpoint).await;
    }

    /// The key that forms are protected with.
    pub fn csrf_key(&self) -> &DerivedKey {
        &self.csrf_key
    }

    /// The key that refresh tokens are derived with, and its id.
    pub fn refresh_key(&self) -> (&str, &DerivedKey) {
        (self.keys.master().id(), &self.refresh_key)
    }

    /// The fewest characters of a password.
    pub fn least_password(&self) -> usize {
        usize::try_from(self.config.passwords.minimum_length).unwrap_or(usize::MAX)
    }

    /// Whether this replica may sign at all.
    pub fn may_sign(&self) -> Result<(), SignError> {
        if self.clock_off() { Err(SignError::ClockOff) } else { Ok(()) }
    }

    /// Signs claims with the key of this moment.
    pub fn sign(&self, now: UnixTime, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        self.may_sign()?;
        let claims = serde_json::to_value(claims).map_err(|_| KeyError::Malformed("the claims do not serialise"))?;
        let (token, _) = self.keys.sign(now, typ, &claims)?;
        Ok(token)
    }

    /// The key of this moment, for whoever must name it before it signs.
    pub fn signer(&self, now: UnixTime) -> Result<Signer, SignError> {
        self.may_sign()?;
        Ok(self.keys.signer(now)?)
    }

    /// What the feed is made from at this moment.
    pub fn feed_sources(&self) -> Sources<'_> {
        Sources {
            db: &self.db,
            keys: &self.keys,
            clock: &*self.clock,
            may_sign: !self.clock_off(),
            on_contradiction: self.config.feed.on_contradiction,
        }
    }

    /// Whether this replica's clock was too far off when it was last compared.
    pub fn clock_off(&self) -> bool {
        self.clock_off.load(Ordering::Relaxed)
    }

    /// Compares this replica's clock with the database's.
    pub async fn compare_clocks(&self) -> Result<(), StoreError> {
        let off = self.db.clock_difference().await?.is_some_and(|difference| difference > CLOCK_TOLERANCE);
        if off != self.clock_off.swap(off, Ordering::Relaxed) {
            match off {
                true => tracing::error!("this machine's clock is more than 60 s off the database's: nothing is signed here"),
                false => tracing::info!("this machine's clock agrees with the database's again"),
            }
        }
        Ok(())
    }
}
