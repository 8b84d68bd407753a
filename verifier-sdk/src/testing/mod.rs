//! An issuer in the test's own process (feature `testing`): keys, tokens with whatever claims, rotation, revocation, outages, and a clock
//! that stands still. No network, no runtime, no files.
//!
//! ```
//! use std::time::Duration;
//!
//! use passant_verifier::Reason;
//! use passant_verifier::testing::{Target, TestIssuer};
//!
//! let issuer = TestIssuer::new();
//! let verifier = issuer.verifier("orders-api"); // what the service is given in place of its own
//!
//! let token = issuer.token("orders-api").subject("ada").scope("orders:read").sign();
//! assert_eq!(verifier.verify(&token).unwrap().subject(), "ada");
//!
//! issuer.revoke(Target::User("ada"));
//! assert_eq!(verifier.verify(&token).unwrap_err().reason(), Reason::Revoked);
//!
//! let token = issuer.token("orders-api").subject("ada").lasting(Duration::from_secs(600)).sign();
//! assert!(verifier.verify(&token).is_ok(), "it was born after the revocation");
//! issuer.advance(Duration::from_secs(600 + 60));
//! assert_eq!(verifier.verify(&token).unwrap_err().reason(), Reason::Expired);
//! ```
//!
//! A service whose verifier has settings of its own begins with [`TestIssuer::builder`] and hands the result to
//! [`connect`](TestIssuer::connect):
//!
//! ```
//! use std::time::Duration;
//!
//! use passant_verifier::Reason;
//! use passant_verifier::testing::TestIssuer;
//!
//! let issuer = TestIssuer::new();
//! let verifier = issuer.builder("orders-api").issued_to("shop-web").max_stale(Duration::from_secs(3_600)).build().unwrap();
//! issuer.connect(&verifier);
//! let token = || issuer.token("orders-api").client("shop-web").sign();
//!
//! issuer.rotate();
//! assert!(verifier.verify(&token()).is_ok());
//!
//! issuer.go_down();
//! issuer.advance(Duration::from_secs(1_800));
//! assert!(verifier.verify(&token()).is_ok(), "the last good keys count");
//! issuer.advance(Duration::from_secs(1_801));
//! let refused = verifier.verify(&token()).unwrap_err();
//! assert_eq!((refused.reason(), refused.http_status()), (Reason::KeysTooOld, 503));
//!
//! issuer.come_back();
//! assert!(verifier.verify(&token()).is_ok());
//! ```
//!
//! **Not for production.** The keys are made on the spot and known to whoever has the issuer, and its clock is a hand's. Switch the feature on
//! for tests alone: under `[dev-dependencies]`, where Cargo's resolver keeps it out of what is shipped.
//!
//! It brings the backend `aws-lc-rs`, which is the first that is asked: a service that ships another one is tested with this one.
//!
//! Where something cannot be made (a key, a verifier of an issuer whose name is none, a claim without a form in JSON) the test panics.

mod feed;
mod key;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::json;

use self::feed::Feed;
use self::key::Key;
pub use self::token::TestToken;
use crate::algorithm::Algorithm;
use crate::builder::{Given, VerifierBuilder};
use crate::clock::{Clock as _, ManualClock};
use crate::issuer::TrustedIssuer;
use crate::keys::Confirmed;
use crate::keys::jwks::KeySet;
use crate::verifier::Verifier;

/// An issuer in the test's own process.
pub struct TestIssuer {
    url: String,
    algorithm: Algorithm,
    clock: ManualClock,
    state: Mutex<State>,
}

/// Whose tokens a revocation kills: all that were born before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// Everybody's.
    Everything,
    /// Those of this `client_id`.
    Client(&'a str),
    /// Those of this `sub`.
    User(&'a str),
    /// Those of this `sub` with this `client_id`, as of a consent that was withdrawn.
    Consent {
        /// `sub`.
        user: &'a str,
        /// `client_id`.
        client: &'a str,
    },
    /// Those of this `sid`.
    Session(&'a str),
    /// Those of this `gid`.
    Grant(&'a str),
    /// The one of this `jti`.
    Token(&'a str),
    /// All that the current key has signed, whenever it was born. The issuer goes on with a new one.
    CurrentKey,
}

struct State {
    /// Those that are published; the last one signs.
    keys: Vec<Arc<Key>>,
    feed: Feed,
    is_up: bool,
    serial: u64,
    followers: Vec<Weak<TrustedIssuer>>,
}

/// For how long keys are fresh.
const FRESH_FOR: Duration = Duration::from_secs(5 * 60);

/// When tests begin: 2030-03-17 17:46:40 UTC.
const BEGIN: i64 = 1_900_000_000;

impl TestIssuer {
    /// An issuer named `https://issuer.test` that signs by RS256.
    pub fn new() -> Self {
        Self::named("https://issuer.test", Algorithm::Rs256)
    }

    /// An issuer of another name, that signs by another algorithm.
    pub fn named(url: impl Into<String>, algorithm: Algorithm) -> Self {
        let clock = ManualClock::at(BEGIN);
        let keys = vec![Arc::new(Key::new("key-1", algorithm))];
        let state = State { keys, feed: Feed::new(), is_up: true, serial: 1, followers: Vec::new() };
        Self { url: url.into(), algorithm, clock, state: Mutex::new(state) }
    }

    /// Its name, as it stands in `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The clock that it goes by, and its verifiers.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// A verifier of its tokens for this audience, connected.
    ///
    /// # Panics
    /// When it cannot be built: the issuer's name or the audience is none.
    pub fn verifier(&self, audience: &str) -> Verifier {
        let verifier = self.builder(audience).build().unwrap_or_else(|why| panic!("the verifier cannot be built: {why}"));
        self.connect(&verifier);
        verifier
    }

    /// A builder for a verifier with other settings; [`connect`](Self::connect) what comes of it.
    pub fn builder(&self, audience: &str) -> VerifierBuilder<Given, Given> {
        let builder = Verifier::builder().issuer(&*self.url).audience(audience).clock(self.clock.clone());
        builder.algorithms([self.algorithm]).keys_handed_in().revocations_handed_in()
    }

    /// Keeps a verifier informed from now on, for as long as it lives; one of [several issuers](Verifier::any_of) as far as it concerns
    /// this one.
    pub fn connect(&self, verifier: &Verifier) {
        let mut state = self.state();
        let own = verifier.shared_issuers().filter(|issuer| issuer.is_named(&self.url));
        state.followers.extend(own.map(Arc::downgrade));
        if state.is_up {
            self.publish(&mut state);
        }
    }

    /// A token for this audience, to be changed and signed. It is born now: what is revoked later kills it, what was before does not.
    pub fn token(&self, audience: &str) -> TestToken<'_> {
        let mut state = self.state();
        state.serial += 1;
        let (id, now) = (state.serial, self.clock.unix_millis() / 1000);
        let born = state.feed.tick();
        let claims = json!({
            "iss": self.url, "sub": "user-1", "aud": audience, "client_id": "client-1", "jti": format!("token-{id}"),
            "iat": now, "exp": now + 600, "born": born,
        });
        TestToken::new(self, "at+jwt", claims)
    }

    /// An ID token for this client, to be changed and signed.
    pub fn id_token(&self, client_id: &str) -> TestToken<'_> {
        let now = self.clock.unix_millis() / 1000;
        let claims =
            json!({ "iss": self.url, "sub": "user-1", "aud": client_id, "iat": now, "exp": now + 600, "auth_time": now });
        TestToken::new(self, "JWT", claims)
    }

    /// A logout token for this client, to be changed and signed: the session `session-1` of `user-1` has ended.
    pub fn logout_token(&self, client_id: &str) -> TestToken<'_> {
        let mut state = self.state();
        state.serial += 1;
        let (id, now) = (state.serial, self.clock.unix_millis() / 1000);
        let claims = json!({
            "iss": self.url, "sub": "user-1", "sid": "session-1", "aud": client_id, "jti": format!("logout-{id}"), "iat": now, "exp": now + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        TestToken::new(self, "logout+jwt", claims)
    }

    /// Lets time pass. While the issuer is up, its verifiers hear of it at the end.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
        let mut state = self.state();
        if state.is_up {
            self.publish(&mut state);
        }
    }

    /// Signs with a new key from now on; those before stay published.
    pub fn rotate(&self) {
        let mut state = self.state();
        self.add_key(&mut state);
        if state.is_up {
            self.publish(&mut state);
        }
    }

    /// Publishes the current key alone: what others have signed is of an unknown key then.
    pub fn withdraw_old_keys(&self) {
        let mut state = self.state();
        let old = state.keys.len().saturating_sub(1);
        state.keys.drain(..old);
        if state.is_up {
            self.publish(&mut state);
        }
    }

    /// Revokes. While the issuer is down nobody hears of it.
    pub fn revoke(&self, target: Target<'_>) {
        let mut state = self.state();
        match target {
            Target::CurrentKey => {
                let kid = state.keys.pop().map_or_else(String::new, |key| key.kid.clone());
                state.feed.revoke("kid", &[&kid]);
                self.add_key(&mut state);
            }
            Target::Everything => state.feed.revoke("iss", &[]),
            Target::Client(client) => state.feed.revoke("client_id", &[client]),
            Target::User(user) => state.feed.revoke("sub", &[user]),
            Target::Consent { user, client } => state.feed.revoke("sub+client_id", &[user, client]),
            Target::Session(sid) => state.feed.revoke("sid", &[sid]),
            Target::Grant(gid) => state.feed.revoke("gid", &[gid]),
            Target::Token(jti) => state.feed.revoke("jti", &[jti]),
        }
        if state.is_up {
            self.publish(&mut state);
        }
    }

    /// From now on verifiers hear nothing: their keys and their knowledge of revocations grow old as the clock is
    /// [moved on](Self::advance). A verifier that is connected meanwhile has no keys.
    pub fn go_down(&self) {
        self.state().is_up = false;
    }

    /// Verifiers hear again, and at once of all that they missed.
    pub fn come_back(&self) {
        let mut state = self.state();
        state.is_up = true;
        self.publish(&mut state);
    }

    fn add_key(&self, state: &mut State) {
        state.serial += 1;
        state.keys.push(Arc::new(Key::new(&format!("key-{}", state.serial), self.algorithm)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that signs now.
    fn current_key(&self) -> Option<Arc<Key>> {
        self.state().keys.last().cloned()
    }

    /// Tells every verifier which keys there are and what has been revoked.
    fn publish(&self, state: &mut State) {
        let Some(key) = state.keys.last() else { return };
        let jwks = json!({ "keys": state.keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string();
        let set =
            KeySet::parse(jwks.as_bytes(), &[self.algorithm]).unwrap_or_else(|why| panic!("the keys cannot be used: {why}"));
        let set = Arc::new(set);
        let message = key.sign(
            &json!({ "alg": self.algorithm.name(), "typ": "passant-revocations+jwt", "kid": key.kid }).to_string(),
            &state.feed.snapshot(&self.url, self.clock.unix_millis() / 1000, &set.digest()).to_string(),
        );
        state.followers.retain(|follower| follower.strong_count() > 0);
        for follower in state.followers.iter().filter_map(Weak::upgrade) {
            let confirmed = Confirmed { at: follower.now().monotonic, age_then: Duration::ZERO, fresh_for: FRESH_FOR };
            follower.keys.publish(set.clone(), confirmed);
            // What it makes of the message is its own affair, and shows in its health.
            let _ = follower.take_revocations(&message);
        }
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.url).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
