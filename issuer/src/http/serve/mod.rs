//! The listener: bound before anything is promised, drained before the process ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::router;
use crate::app::App;

/// How long requests in flight may take once the process has been asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// A bound listener that answers nobody yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    signals: Signals,
}

impl Server {
    /// Binds the address that the configuration names. From here on SIGTERM and SIGINT are waited for, no longer deadly.
    pub async fn bind(app: &Arc<App>) -> io::Result<Self> {
        let listener = TcpListener::bind(app.config.listen).await?;
        Ok(Self { address: listener.local_addr()?, listener, router: router(app), signals: Signals::new()? })
    }

    /// Where it listens; a port that was given as 0 has become one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until SIGTERM or SIGINT, then finishes those in flight: for 10 seconds at most, or until a second signal.
    pub async fn run(mut self) {
        let ending = Arc::new(Notify::new());
        let ended = {
            let ending = Arc::clone(&ending);
            async move { ending.notified().await }
        };
        let serving = async move {
            if let Err(fault) = axum::serve(self.listener, self.router.into_make_service_with_connect_info::<SocketAddr>())
                .with_graceful_shutdown(ended)
                .await
            {
                tracing::error!(%fault, "the listener failed");
            }
        };
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => return,
            () = self.signals.next() => tracing::info!("asked to end: finishing the requests in flight"),
        }
        ending.notify_one();
        tokio::select! {
            () = &mut serving => {}
            () = self.signals.next() => tracing::warn!("asked again: the requests in flight are cut off"),
            () = tokio::time::sleep(DRAIN) => tracing::warn!("requests still in flight after 10 s are cut off"),
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
