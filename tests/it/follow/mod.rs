//! The two halves together: the real verifier follows the real issuer over a socket.

mod attacks;
mod causes;
mod forged;
mod killed;
mod outages;
mod tls;

use std::time::Duration;

use passant::clock::ManualClock;
use passant::config::Config;
use passant_tests::world::{Engine, Registered, Served, Tokens};
use passant_verifier::{Clock, Given, Reason, RevocationHealth, Verifier, VerifierBuilder};

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const AUDIENCE: &str = "https://api.example.com";

/// How long a test waits for what must come, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The issuer's time, for a verifier.
struct SameTime(ManualClock);

impl Clock for SameTime {
    fn unix_millis(&self) -> i64 {
        passant::clock::Clock::now(&self.0).millis()
    }

    fn monotonic(&self) -> Duration {
        passant::clock::Clock::monotonic(&self.0)
    }
}

/// An issuer that answers at an address, with a user and a client.
struct Site {
    served: Served,
    client: Registered,
}

impl Site {
    async fn new(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let served = Served::new(engine, change).await;
        served.world.user(ADA.0, ADA.1).await;
        let client = served.world.client("shop-web", |_| {}).await;
        Self { served, client }
    }

    /// A verifier that has yet to be built.
    fn builder(&self) -> VerifierBuilder<Given, Given> {
        builder(&self.served)
    }

    /// A verifier that follows.
    async fn verifier(&self) -> Verifier {
        let verifier = self.builder().build().unwrap();
        verifier.ready(PATIENCE).await.unwrap();
        verifier
    }

    /// Signs in with a new browser.
    async fn tokens(&self) -> Tokens {
        self.served.world.agent().tokens(&self.client, ADA, &[]).await
    }

    /// The client's own token.
    async fn own_token(&self) -> Tokens {
        Tokens::of(&self.client.token(&self.served.world, &[("grant_type", "client_credentials")]).await)
    }

    /// Lets enough time pass for the next message.
    fn pass(&self) {
        self.served.world.advance(Duration::from_millis(200));
    }
}

/// A verifier of this issuer's tokens that has yet to be built, and that lives in its time.
pub(crate) fn builder(served: &Served) -> VerifierBuilder<Given, Given> {
    let clock = SameTime(served.world.clock.clone());
    Verifier::builder().issuer(&served.issuer).audience(AUDIENCE).clock(clock)
}

/// Why a token is refused.
pub(crate) fn reason(verifier: &Verifier, tokens: &Tokens) -> Option<Reason> {
    verifier.verify(tokens.access()).err().map(|error| error.reason())
}

pub(crate) fn health(verifier: &Verifier) -> RevocationHealth {
    verifier.health().revocations.expect("a feed is followed")
}

/// Waits for what another task brings about.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        let mut glance = tokio::time::interval(Duration::from_millis(5));
        while !is_so() {
            glance.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Makes a module of each test, with one case for each engine.
macro_rules! on_each_engine {
    ($(async fn $name:ident($engine:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test names something of its file")]
            use super::*;

            async fn case($engine: passant_tests::world::Engine) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case(passant_tests::world::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                case(passant_tests::world::Engine::Postgres).await;
            }
        }
    )*};
}
use on_each_engine;
