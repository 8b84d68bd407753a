//! A world on a real socket, for real browsers: a plain-http issuer on loopback.

use std::sync::Arc;

use passant::app::App;
use passant::config::Config;
use passant::domain::client::{ClientAuthentication, GrantType};
use passant::domain::issuer_url::IssuerUrl;
use passant::http::pages::demo;
use passant::http::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Engine, Kind, Tailing, World};

/// A world that answers at an address until it is dropped.
pub struct Served {
    /// The world.
    pub world: Arc<World>,
    /// Its issuer, such as `http://localhost:49152`.
    pub issuer: String,
    /// The process that answers.
    pub app: Arc<App>,
    port: u16,
    serving: JoinHandle<()>,
    _tailing: Tailing,
    ending: watch::Sender<bool>,
}

impl Served {
    /// Serves a new world on this engine.
    pub async fn new(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(engine, change, Kind::default()).await
    }

    /// Serves a new world with the page of `serve --dev` and the client behind it.
    pub async fn demonstrating(engine: Engine) -> Self {
        Self::demonstration(engine, Kind { demo: true, ..Kind::default() }).await
    }

    /// The same in the machine's own time, for services that live in it.
    pub async fn demonstrating_in_real_time(engine: Engine) -> Self {
        Self::demonstration(engine, Kind { demo: true, real_time: true }).await
    }

    async fn demonstration(engine: Engine, kind: Kind) -> Self {
        let served = Self::begin(engine, |_| {}, kind).await;
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

    /// Serves a new world in the machine's own time, for what is measured.
    pub async fn in_real_time(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(engine, change, Kind { real_time: true, ..Kind::default() }).await
    }

    async fn begin(engine: Engine, change: impl FnOnce(&mut Config), kind: Kind) -> Self {
        let (listener, port) = free_port().await;
        let issuer = format!("http://localhost:{port}");
        let change = |config: &mut Config| {
            config.issuer = issuer.parse::<IssuerUrl>().expect("a loopback issuer");
            change(config);
        };
        let world = Arc::new(World::begin(engine, change, kind).await);
        let app = Arc::clone(&world.app);
        Self::serve((listener, port), &app, (world, issuer))
    }

    /// Serves a second process of this world; its `issuer` is where that one answers.
    pub async fn beside(&self) -> Self {
        let (listener, port) = free_port().await;
        let app = self.world.replica().await;
        Self::serve((listener, port), &app, (Arc::clone(&self.world), format!("http://localhost:{port}")))
    }

    fn serve((listener, port): (TcpListener, u16), app: &Arc<App>, (world, issuer): (Arc<World>, String)) -> Self {
        let listening = Listener::new(listener, app, None);
        let ending = watch::Sender::new(false);
        let serving = tokio::spawn(listening.serve(ending.subscribe()));
        Self { world, issuer, app: Arc::clone(app), port, serving, _tailing: Tailing::start(app), ending }
    }

    /// Stops answering: the issuer is gone, its database stays.
    pub async fn stop(&mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }

    /// Answers again where it was.
    pub async fn answer_again(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is free again");
        let listening = Listener::new(listener, &self.app, None);
        self.serving = tokio::spawn(listening.serve(self.ending.subscribe()));
    }
}

async fn free_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    (listener, port)
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
