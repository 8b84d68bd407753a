//! The one door through which a secret is tried: which lanes an attempt counts in, and that it is counted before the hash is
//! computed. A browser that signed in to an account before counts in a lane of its own, so that an attack delays no owner.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};

use super::App;
use super::password_gate::GateError;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome};
use crate::domain::cutoff::{Evidence, revoked};
use crate::domain::ids::{ClientId, Tick, UserId};
use crate::domain::password::{Password, PasswordHash};
use crate::domain::throttle::address_prefix;
use crate::secret::{OpaqueToken, TokenHash, constant_time_eq, random_bytes};
use crate::store::attempts::{self, Counted, Lane};
use crate::store::{Db, StoreError};

/// The prefix of a device cookie's value.
pub const DEVICE_PREFIX: &str = "psd_";

/// The length in text of 128 bits: those that are random in a device cookie, and those of its MAC.
const HALF: usize = 22;

/// The length of the tick between the two, in hexadecimal digits.
const TICK: usize = 16;

/// Whose password is tried.
#[derive(Debug, Clone)]
pub enum Account<'a> {
    /// A user's.
    Known(&'a UserId),
    /// Nobody's: the name as it was mapped, or as it was typed where it cannot be one. It may be anything, so only a keyed hash of
    /// it is ever kept.
    Unknown(&'a str),
}

impl Account<'_> {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Known(id) => [b"user", id.as_str().as_bytes()],
            Self::Unknown(name) => [b"name", name.as_bytes()],
        }
    }
}

/// A password that somebody tries.
pub struct Tried<'a> {
    /// Whose.
    pub account: Account<'a>,
    /// The hash to compare with; none where there is no such user or password, which costs the same.
    pub hash: Option<PasswordHash>,
    /// How the user stands; none where there is no such user. A right password of one who is disabled is as good as a wrong one,
    /// and a device that was known before the user's cut-off is known no more.
    pub evidence: Option<&'a Evidence>,
    /// What was typed.
    pub password: Password,
    /// The device cookie that came along.
    pub device: Option<OpaqueToken>,
    /// The address it comes from.
    pub address: Option<&'a str>,
    /// What it is tried for.
    pub action: Action,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Right,
    /// It is not.
    Wrong,
    /// It came too soon after others, and was not looked at.
    Wait {
        /// How long until another one is.
        seconds: u64,
    },
    /// Too many are looked at already; it was not counted.
    Busy,
}

impl App {
    /// Looks at a password, unless it has to wait.
    pub async fn try_password(&self, db: &Db, tried: Tried<'_>, now: UnixTime) -> Result<Verdict, GateOrStore> {
        let lanes = self.lanes(&tried);
        let event = |outcome| {
            let event = Event::new(tried.action, outcome);
            match &tried.account {
                Account::Known(id) => event.of_user(id),
                Account::Unknown(_) => event,
            }
        };
        let wait = |until: UnixTime| Verdict::Wait { seconds: whole_seconds(until.since(now)) };
        if let Some(until) = attempts::waiting(db, &lanes, &event(Outcome::Throttled), now).await? {
            return Ok(wait(until));
        }
        let counted = match attempts::count(db, lanes, now).await? {
            Counted::Allowed(counted) => counted,
            Counted::Wait(until) => return Ok(wait(until)),
        };
        let right = match self.passwords.verify(tried.hash.clone(), tried.password.clone()).await {
            Ok(right) => right,
            Err(GateError::Busy) => {
                attempts::take_back(db, counted, now).await?;
                return Ok(Verdict::Busy);
            }
            Err(fault) => return Err(fault.into()),
        };
        let usable = tried.evidence.is_some_and(|evidence| revoked(evidence.tick, evidence).is_none());
        if right && usable {
            attempts::succeed(db, counted, now).await?;
            return Ok(Verdict::Right);
        }
        let why = match (&tried.account, right) {
            (Account::Unknown(_), _) => "there is no such user",
            (Account::Known(_), false) => "wrong password",
            (Account::Known(_), true) => "disabled",
        };
        attempts::fail_counted(db, counted, event(Outcome::Refused).saying(why), now).await?;
        Ok(Verdict::Wrong)
    }

    /// The lanes of a password: the device's where it is known, and otherwise the account's and the address's. A known device does
    /// not wait for its address: an attacker behind the same one could keep the owner out of the account otherwise. It costs little:
    /// a device is known for one account, in a lane of its own, and by a right password that no cut-off followed.
    fn lanes(&self, tried: &Tried<'_>) -> Vec<Lane> {
        let [kind, id] = tried.account.parts();
        let known = tried.device.as_ref().filter(|device| match (&tried.account, tried.evidence) {
            (Account::Known(user), Some(evidence)) => self.device_is_known(device, user, evidence),
            (Account::Known(_), None) | (Account::Unknown(_), _) => false,
        });
        let own = |name| Lane { name, policy: self.config.throttle.of_account(), own: true };
        match known {
            Some(device) => vec![own(self.lane(&[b"device", kind, id, device.expose().as_bytes()]))],
            None => std::iter::once(own(self.lane(&[kind, id]))).chain(self.address_lane(tried.address)).collect(),
        }
    }

    /// The lane of an address; none where there is none.
    fn address_lane(&self, address: Option<&str>) -> Option<Lane> {
        let prefix = address_prefix(address?)?;
        Some(self.shared(&[b"address", prefix.as_bytes()]))
    }

    /// The lane of a client at an address. Clients that nobody registered share one, so that no lane is made for each made-up id.
    pub fn client_lane(&self, client: Option<&ClientId>, address: Option<&str>) -> Vec<Lane> {
        let Some(prefix) = address.and_then(address_prefix) else { return vec![] };
        let client = client.map_or("", ClientId::as_str);
        vec![self.shared(&[b"client", client.as_bytes(), prefix.as_bytes()])]
    }

    /// The lane of links with a secret in them. It is another than that of passwords: a page of somebody else's can open links in a
    /// visitor's browser, which must keep nobody behind the visitor's address from signing in.
    pub fn link_lanes(&self, address: Option<&str>) -> Vec<Lane> {
        let prefix = address.and_then(address_prefix);
        prefix.into_iter().map(|prefix| self.shared(&[b"link", prefix.as_bytes()])).collect()
    }

    fn shared(&self, parts: &[&[u8]]) -> Lane {
        Lane { name: self.lane(parts), policy: self.config.throttle.of_address(), own: false }
    }

    fn lane(&self, parts: &[&[u8]]) -> TokenHash {
        TokenHash::from_stored(Base64UrlUnpadded::encode_string(&self.masters.lanes().mac(parts)))
    }

    /// A device cookie for a user who proved the password at this tick. Nothing is kept of it; it dies with the user's next cut-off,
    /// so that whoever knew the old password keeps nothing to guess the new one with.
    pub fn device_cookie(&self, user: &UserId, born: Tick) -> OpaqueToken {
        let random = Base64UrlUnpadded::encode_string(&random_bytes::<16>());
        let born = format!("{:0TICK$x}", born.get());
        let mac = self.device_mac(user, &random, &born);
        OpaqueToken::presented(&format!("{DEVICE_PREFIX}{random}{born}{mac}"))
    }

    /// Whether a device cookie was given to a browser in which this very user signed in, and since the user's last cut-off.
    fn device_is_known(&self, device: &OpaqueToken, user: &UserId, evidence: &Evidence) -> bool {
        let parts = device.expose().strip_prefix(DEVICE_PREFIX).and_then(|text| {
            let (random, rest) = text.split_at_checked(HALF)?;
            let (born, mac) = rest.split_at_checked(TICK)?;
            Some((random, born, mac))
        });
        parts.is_some_and(|(random, born, mac)| {
            constant_time_eq(self.device_mac(user, random, born).as_bytes(), mac.as_bytes())
                && i64::from_str_radix(born, 16).is_ok_and(|born| revoked(Tick::new(born), evidence).is_none())
        })
    }

    fn device_mac(&self, user: &UserId, random: &str, born: &str) -> String {
        let mac = self.masters.devices().mac(&[b"user", user.as_str().as_bytes(), random.as_bytes(), born.as_bytes()]);
        let (half, _) = mac.split_at(16);
        Base64UrlUnpadded::encode_string(half)
    }
}

/// A wait as a `Retry-After` says it: rounded up, so that nobody comes too early.
pub fn whole_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// A fault of the gate or of the database.
#[derive(Debug, thiserror::Error)]
pub enum GateOrStore {
    /// The gate's.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
}
