//! A world on a real socket, for real browsers: a plain-http issuer on loopback.

use std::sync::Arc;

use passant::config::Config;
use passant::domain::client::{ClientAuthentication, GrantType};
use passant::domain::issuer_url::IssuerUrl;
use passant::http::pages::demo;
use passant::http::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Engine, Tailing, World};

/// A world that answers at an address until it is dropped.
pub struct Served {
    /// The world.
    pub world: Arc<World>,
    /// Its issuer, such as `http://localhost:49152`.
    pub issuer: String,
    port: u16,
    serving: JoinHandle<()>,
    _tailing: Tailing,
    ending: watch::Sender<bool>,
}

impl Served {
    /// Serves a new world on this engine.
    pub async fn new(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(engine, change, false).await
    }

    /// Serves a new world with the page of `serve --dev` and the client behind it.
    pub async fn demonstrating(engine: Engine) -> Self {
        let served = Self::begin(engine, |_| {}, true).await;
        served
            .world
            .client(demo::CLIENT_ID, |it| {
                it.authentication = ClientAuthentication::None;
                it.grant_types.remove(&GrantType::ClientCredentials);
                (it.first_party, it.default_resource) = (false, None);
                it.redirect_uris = vec![format!("{}/demo", served.issuer).parse().expect("a redirect URI")];
                it.resources = vec![demo::RESOURCE.parse().expect("a resource")];
                it.scopes = demo::SCOPE.parse().expect("scopes");
            })
            .await;
        served
    }

    async fn begin(engine: Engine, change: impl FnOnce(&mut Config), demo: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let issuer = format!("http://localhost:{port}");
        let change = |config: &mut Config| {
            config.issuer = issuer.parse::<IssuerUrl>().expect("a loopback issuer");
            change(config);
        };
        let world = World::begin(engine, change, demo).await;
        let listening = Listener::new(listener, &world.app, None);
        let ending = watch::Sender::new(false);
        let serving = tokio::spawn(listening.serve(ending.subscribe()));
        let tailing = Tailing::start(&world.app);
        Self { world: Arc::new(world), issuer, port, serving, _tailing: tailing, ending }
    }

    /// Stops answering: the issuer is gone, its database stays.
    pub async fn stop(&mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }

    /// Answers again where it was.
    pub async fn answer_again(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is free again");
        let listening = Listener::new(listener, &self.world.app, None);
        self.serving = tokio::spawn(listening.serve(self.ending.subscribe()));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
