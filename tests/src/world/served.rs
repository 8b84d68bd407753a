//! A world on a real socket, for real browsers: a plain-http issuer on loopback.

use std::sync::Arc;

use passant::config::Config;
use passant::domain::issuer_url::IssuerUrl;
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
    serving: JoinHandle<()>,
    _tailing: Tailing,
    _ending: watch::Sender<bool>,
}

impl Served {
    /// Serves a new world on this engine.
    pub async fn new(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let issuer = format!("http://localhost:{port}");
        let world = World::with(engine, |config| {
            config.issuer = issuer.parse::<IssuerUrl>().expect("a loopback issuer");
            change(config);
        })
        .await;
        let listening = Listener::new(listener, &world.app, None);
        let ending = watch::Sender::new(false);
        let serving = tokio::spawn(listening.serve(ending.subscribe()));
        let tailing = Tailing::start(&world.app);
        Self { world: Arc::new(world), issuer, serving, _tailing: tailing, _ending: ending }
    }

    /// Stops answering: the issuer is gone, its database stays.
    pub async fn stop(&mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
