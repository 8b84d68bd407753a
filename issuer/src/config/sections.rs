//! The sections of the file that say how much and how long: each key with its default and its bounds.

use std::fmt;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::domain::client_address::TrustedProxies;
use crate::domain::life::DurationIn;
use crate::domain::session::{Cap, WhenFull};
use crate::domain::text::named_values;
use crate::domain::throttle::ThrottlePolicy;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `[keys]`: the life of the signing keys.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Keys {
    /// How long each key signs; 30 days.
    #[serde(deserialize_with = "lasting::<HOUR, { 400 * DAY }, _>")]
    pub period: Duration,
    /// How long before it signs a key is published; 24 hours, at least twice `jwks_max_age` and less than `period`.
    #[serde(deserialize_with = "lasting::<MINUTE, { 30 * DAY }, _>")]
    pub lead: Duration,
    /// How long others may keep the key set before they ask again; 5 minutes.
    #[serde(deserialize_with = "lasting::<1, DAY, _>")]
    pub jwks_max_age: Duration,
    /// The length of the RSA modulus; 2048, 3072 or 4096.
    #[serde(deserialize_with = "rsa_bits")]
    pub bits: u32,
}

impl Default for Keys {
    fn default() -> Self {
        let [period, lead, jwks_max_age] = [30 * DAY, DAY, 5 * MINUTE].map(Duration::from_secs);
        Self { period, lead, jwks_max_age, bits: 2048 }
    }
}

/// `[sessions]`: the life of browser sessions at the issuer.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Sessions {
    /// How long a session may lie unused; 12 hours.
    #[serde(deserialize_with = "lasting::<MINUTE, { 365 * DAY }, _>")]
    pub idle: Duration,
    /// How long a session lives however much it is used; 7 days.
    #[serde(deserialize_with = "lasting::<MINUTE, { 365 * DAY }, _>")]
    pub absolute: Duration,
    /// How many live sessions a user may have at a time; 0, which sets no limit.
    #[serde(deserialize_with = "count::<0, 10_000, _>")]
    pub most: u32,
    /// What a sign-in does when there are as many; `evict-oldest`.
    pub when_full: WhenFull,
}

impl Default for Sessions {
    fn default() -> Self {
        let [idle, absolute] = [12 * HOUR, 7 * DAY].map(Duration::from_secs);
        Self { idle, absolute, most: 0, when_full: WhenFull::EvictOldest }
    }
}

impl Sessions {
    /// The cap on a user's sessions, if there is one.
    pub fn cap(&self) -> Option<Cap> {
        (self.most > 0).then_some(Cap { most: self.most, when_full: self.when_full })
    }
}

/// `[throttle]`: how guessing is slowed down.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Throttle {
    /// How many wrong passwords of one account, or from one device that signed in to it before, cost no time; 5.
    #[serde(deserialize_with = "count::<1, 100, _>")]
    pub free: u32,
    /// The delay after these, doubled by each further one; 1 second.
    #[serde(deserialize_with = "lasting::<1, HOUR, _>")]
    pub first_delay: Duration,
    /// The longest delay; 15 minutes.
    #[serde(deserialize_with = "lasting::<1, DAY, _>")]
    pub longest_delay: Duration,
    /// How many failures from one address, or one IPv6 /64, cost no time; 100.
    #[serde(deserialize_with = "count::<1, 1_000_000, _>")]
    pub address_free: u32,
    /// After how long without another failure all is forgotten; 24 hours.
    #[serde(deserialize_with = "lasting::<MINUTE, { 30 * DAY }, _>")]
    pub forget: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        let [first_delay, longest_delay, forget] = [1, 15 * MINUTE, DAY].map(Duration::from_secs);
        Self { free: 5, first_delay, longest_delay, address_free: 100, forget }
    }
}

impl Throttle {
    /// For an account, or a device of one.
    pub fn of_account(&self) -> ThrottlePolicy {
        let Self { free, first_delay, longest_delay, forget, .. } = *self;
        ThrottlePolicy { free, first_delay, longest_delay, forget }
    }

    /// For an address.
    pub fn of_address(&self) -> ThrottlePolicy {
        ThrottlePolicy { free: self.address_free, ..self.of_account() }
    }
}

/// `[passwords]`: what a password must be, and what checking one costs (argon2id).
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Passwords {
    /// The fewest characters of a new password; 15.
    #[serde(deserialize_with = "count::<8, 64, _>")]
    pub minimum_length: u32,
    /// Memory of one hash in KiB; 19456.
    #[serde(deserialize_with = "count::<8192, 1048576, _>")]
    pub memory_kib: u32,
    /// Passes over that memory; 2.
    #[serde(deserialize_with = "count::<1, 100, _>")]
    pub iterations: u32,
    /// Lanes; 1.
    #[serde(deserialize_with = "count::<1, 64, _>")]
    pub parallelism: u32,
    /// How many hashes are computed at a time; 2, or 1 on a machine with one core.
    #[serde(deserialize_with = "count::<1, 1024, _>")]
    pub permits: u32,
    /// How many requests may wait for one; 64.
    #[serde(deserialize_with = "count::<0, 65536, _>")]
    pub queue: u32,
    /// How long a request waits before it is turned away; 5 seconds.
    #[serde(deserialize_with = "lasting::<1, MINUTE, _>")]
    pub wait: Duration,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            minimum_length: 15,
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            permits: if available_parallelism().map_or(1, usize::from) > 1 { 2 } else { 1 },
            queue: 64,
            wait: Duration::from_secs(5),
        }
    }
}

/// `[limits]`: what one request may cost, and what one connection.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Limits {
    /// How long a request may take as a whole; 30 seconds.
    #[serde(deserialize_with = "lasting::<1, { 10 * MINUTE }, _>")]
    pub request_timeout: Duration,
    /// The largest body in bytes; 64 KiB.
    #[serde(deserialize_with = "size::<1024, { 16 << 20 }, _>")]
    pub body: usize,
    /// The most connections at a time; 1024. For a further one, those that had the longest to ask as a whole are closed.
    #[serde(deserialize_with = "count::<1, 1048576, _>")]
    pub connections: u32,
    /// The most connections of one address, trusted proxies' excepted; 256. Further ones are closed.
    #[serde(deserialize_with = "count::<1, 1048576, _>")]
    pub connections_per_address: u32,
    /// The most followers of the revocation feed at a time; 512. Further ones are answered 503. Fewer than `connections`. Where the
    /// feed is public and has secrets, half of them are kept for who sends one.
    #[serde(deserialize_with = "count::<1, 1048576, _>")]
    pub streams: u32,
    /// The most of them from one address, without a secret of the feed; 64. With one, `connections_per_address`.
    #[serde(deserialize_with = "count::<1, 1048576, _>")]
    pub streams_per_address: u32,
    /// How long the TLS handshake may take, and then the head of a request; 10 seconds.
    #[serde(deserialize_with = "lasting::<1, MINUTE, _>")]
    pub head_timeout: Duration,
    /// How long a connection may lie idle; 60 seconds. More than a load balancer in front keeps its own.
    #[serde(deserialize_with = "lasting::<1, HOUR, _>")]
    pub idle_timeout: Duration,
    /// The most authorization requests that wait for somebody to sign in; 100000. The next takes the place of another one.
    #[serde(deserialize_with = "count::<64, 10_000_000, _>")]
    pub waiting_requests: u32,
    /// The most of them that came from one address, or from one IPv6 /64; 1000.
    #[serde(deserialize_with = "count::<1, 1_000_000, _>")]
    pub waiting_requests_per_address: u32,
    /// The most codes that one browser session gets within a minute; 60. Further requests go back as `temporarily_unavailable`.
    #[serde(deserialize_with = "count::<1, 1_000_000, _>")]
    pub codes_per_session: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let [request_timeout, head_timeout, idle_timeout] = [30, 10, 60].map(Duration::from_secs);
        Self {
            request_timeout,
            body: 64 << 10,
            connections: 1024,
            connections_per_address: 256,
            streams: 512,
            streams_per_address: 64,
            head_timeout,
            idle_timeout,
            waiting_requests: 100_000,
            waiting_requests_per_address: 1_000,
            codes_per_session: 60,
        }
    }
}

/// `[http]`: who stands between Passant and the browsers.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Http {
    /// The proxies whose `X-Forwarded-For` or `Forwarded` says where a request came from; none.
    pub trusted_proxies: TrustedProxies,
}

/// `[metrics]`: what is counted, for Prometheus.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Metrics {
    /// The address to serve them on, by plain http and to everybody who reaches it; none, so that they are not served.
    #[serde(deserialize_with = "maybe_address")]
    pub listen: Option<SocketAddr>,
}

/// `[status_lists]`: Token Status Lists, for the clients whose registration asks for them.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct StatusLists {
    /// How long others may keep a list before they ask again; 60 seconds. A list itself ends after twice this.
    #[serde(deserialize_with = "lasting::<5, { 30 * MINUTE }, _>")]
    pub ttl: Duration,
    /// Whether all lists are listed at `/status-lists`, and the metadata says so; no.
    #[serde(deserialize_with = "switch")]
    pub aggregation: bool,
}

impl Default for StatusLists {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(MINUTE), aggregation: false }
    }
}

/// `[audit]`: the trail of who did what.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Audit {
    /// How long an entry is kept; 400 days.
    #[serde(deserialize_with = "lasting::<DAY, { 3650 * DAY }, _>")]
    pub keep: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { keep: Duration::from_secs(400 * DAY) }
    }
}

/// `[log]`: what is written to the standard error stream, and how.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub struct Log {
    /// The form of a line; `auto`.
    pub format: LogFormat,
    /// What is written, in the language of tracing's `EnvFilter`; `info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

named_values!(
    /// The form of a line in the log.
    LogFormat {
        /// `human` on a terminal, `json` elsewhere.
        Auto = "auto",
        /// For people.
        Human = "human",
        /// For machines.
        Json = "json",
    }
);

fn maybe_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    super::address(deserializer).map(Some)
}

fn lasting<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    DurationIn::<MIN, MAX>::deserialize(deserializer).map(DurationIn::get)
}

/// A yes or no; a variable of the environment gives it as text.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Switch)
}

struct Switch;

impl Visitor<'_> for Switch {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, given: bool) -> Result<bool, E> {
        Ok(given)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        text.parse().map_err(|_| E::custom("this is not true or false"))
    }
}

/// A number in bounds; a variable of the environment gives it as text.
pub(super) fn count<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer.deserialize_any(Number("a number", &str::parse::<u64>))?, MIN, MAX)
}

fn size<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer.deserialize_any(Number("a size such as \"64 KiB\"", &bytes))?, MIN, MAX)
}

fn rsa_bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let bits = count::<0, 65536, D>(deserializer)?;
    if [2048, 3072, 4096].contains(&bits) { Ok(bits) } else { Err(D::Error::custom("a key has 2048, 3072 or 4096 bits")) }
}

fn within<N: TryFrom<u64>, E: Error>(number: u64, min: u64, max: u64) -> Result<N, E> {
    let fits = (min..=max).contains(&number).then(|| N::try_from(number).ok()).flatten();
    fits.ok_or_else(|| E::custom(format_args!("{number} is out of range: the least is {min}, the most {max}")))
}

fn bytes(text: &str) -> Result<u64, std::num::ParseIntError> {
    let (number, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 1 << 10),
        (_, Some(number)) => (number, 1 << 20),
        _ => (text, 1),
    };
    number.trim_end().parse::<u64>().map(|number| number.saturating_mul(unit))
}

type ReadNumber = dyn Fn(&str) -> Result<u64, std::num::ParseIntError>;

struct Number<'f>(&'static str, &'f ReadNumber);

impl Visitor<'_> for Number<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::custom(format_args!("{number} is below zero")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        (self.1)(text).map_err(|_| E::custom(format_args!("this is not {}", self.0)))
    }
}
