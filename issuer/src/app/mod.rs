//! What every handler, job and command is handed: configuration, store, key ring, password gate, clock and the derived secrets,
//! behind one Arc.

pub mod attempts;
pub mod checkpoint;
pub mod password_gate;
pub mod rotation;
pub mod single_flight;
pub mod status_lists;
pub mod succession;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::clock::{Clock, TOLERANCE, UnixTime};
use crate::config::Config;
use crate::domain::password::Cost;
use crate::domain::signing_key::{KeyPolicy, KeyPolicyError, KeyTimes};
use crate::feed::{Feed, Sources};
use crate::keys::{GenerateKey, KeyError, KeyRing, MasterKeyPlace, Masters, Signer, masters};
use crate::measures::Measures;
use crate::secret::DerivedKey;
use crate::store::{Db, StoreError, master_keys};
use checkpoint::{Checkpoint, Checkpoints};
use password_gate::{GateSize, PasswordGate};
use rotation::RotationError;
use status_lists::StatusLists;

/// Everything a request needs.
pub struct App {
    /// The configuration in force.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The signing keys.
    pub keys: KeyRing,
    /// The master keys, and what is derived from the one in force.
    pub masters: Masters,
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
    /// Where the master key comes from.
    pub master: MasterKeyPlace,
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

/// Signs claims with a key that was chosen before. Each claim is written once, whatever it was made from.
pub fn sign_with(signer: &Signer, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
    let claims = serde_json::to_value(claims).map_err(|_| KeyError::Malformed("the claims do not serialise"))?;
    Ok(signer.sign(typ, &claims)?)
}

impl App {
    /// Brings the parts together; makes the first signing key where there is none.
    pub async fn open(config: Config, parts: Parts) -> Result<Arc<Self>, OpenError> {
        let Parts { db, master, clock, generator, demo, checkpoints } = parts;
        let mut seen = rotation::read(&db).await?;
        if seen.masters.in_force.is_none() {
            // An older Passant, or nobody, has been here.
            let sealed_under = seen.rows.iter().rfind(|row| !row.is_revoked()).map(|row| row.master_key_id.clone());
            master_keys::begin(&db, masters::first(&master, sealed_under).await?).await?;
            seen = rotation::read(&db).await?;
        }
        let masters = Masters::open(master, &seen.masters).await?;
        let keys = KeyRing::new(seen.rows, &masters.known(), policy(&config)?)?;
        let app = Arc::new(Self {
            feed: Feed::new(&config),
            measures: Measures::default(),
            passwords: password_gate(&config),
            clock_off: AtomicBool::new(false),
            demo,
            status_lists: StatusLists::default(),
            checkpoints,
            config,
            db,
            keys,
            masters,
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
    pub fn csrf_key(&self) -> DerivedKey {
        self.masters.csrf()
    }

    /// The key that refresh tokens are derived with, and the name of its master key.
    pub fn refresh_key(&self) -> (String, DerivedKey) {
        self.masters.refresh()
    }

    /// The key that a successor was derived with, by the name of its master key. Another replica may have moved to a master key that this
    /// one is about to hear of.
    pub async fn refresh_key_of(&self, name: &str) -> Option<DerivedKey> {
        if self.masters.refresh_of(name).is_none()
            && let Err(fault) = rotation::reload(self).await
        {
            tracing::error!(%fault, "the master key of a refresh token's successor cannot be looked for");
        }
        self.masters.refresh_of(name)
    }

    /// The fewest characters of a password.
    pub fn least_password(&self) -> usize {
        usize::try_from(self.config.passwords.minimum_length).unwrap_or(usize::MAX)
    }

    /// Whether this replica can sign at all: its clock is right, and the key of this moment is open.
    pub fn may_sign(&self, now: UnixTime) -> Result<(), SignError> {
        match self.keys.signing_kid(now) {
            _ if self.clock_off() => Err(SignError::ClockOff),
            Some(_) => Ok(()),
            None => Err(KeyError::NoSigner.into()),
        }
    }

    /// Signs claims with the key of this moment.
    pub fn sign(&self, now: UnixTime, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        sign_with(&self.signer(now)?, typ, claims)
    }

    /// The key of this moment, for whoever must name it before it signs.
    pub fn signer(&self, now: UnixTime) -> Result<Signer, SignError> {
        self.may_sign(now)?;
        Ok(self.keys.signer(now)?)
    }

    /// What the feed is made from at this moment.
    pub fn feed_sources(&self) -> Sources<'_> {
        Sources {
            db: &self.db,
            keys: &self.keys,
            masters: &self.masters,
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
        let off = self.db.clock_difference().await?.is_some_and(|difference| difference > TOLERANCE);
        if off != self.clock_off.swap(off, Ordering::Relaxed) {
            match off {
                true => tracing::error!("this machine's clock is more than 60 s off the database's: nothing is signed here"),
                false => tracing::info!("this machine's clock agrees with the database's again"),
            }
        }
        Ok(())
    }
}
