//! The listener: bound before anything is promised, drained before the process ends.

mod activity;
mod connection;
mod framing;
mod places;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) use self::places::one_holder;
pub use self::tls::{Tls, TlsError};

use self::connection::Connection;
use self::places::{Place, Places};
use super::{metrics, router};
use crate::app::App;

/// How long requests in flight may take once the process has been asked to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the machine had no more files or memory for a connection.
const SHORTAGE: Duration = Duration::from_secs(1);

/// A bound listener that answers nobody yet.
pub struct Server {
    listener: Listener,
    address: SocketAddr,
    metrics: Option<(Listener, SocketAddr)>,
    signals: Signals,
}

impl Server {
    /// Binds the addresses that the configuration names. From here on SIGTERM and SIGINT are waited for, no longer deadly.
    pub async fn bind(app: &Arc<App>, tls: Option<Tls>) -> io::Result<Self> {
        let (socket, address) = bind(app.config.listen).await?;
        let metrics = match app.config.metrics.listen {
            Some(listen) => {
                let (socket, address) = bind(listen).await?;
                Some((Listener::of_metrics(socket, app), address))
            }
            None => None,
        };
        Ok(Self { address, listener: Listener::new(socket, app, tls), metrics, signals: Signals::new()? })
    }

    /// Where it listens; a port that was given as 0 has become one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
    }

    /// Answers requests until SIGTERM or SIGINT, then finishes those in flight: for 10 seconds at most, or until a second signal.
    pub async fn run(mut self) {
        let ending = watch::Sender::new(false);
        let (listener, ended) = (self.listener, ending.subscribe());
        let metrics = self.metrics.map(|(listener, _)| listener.serve(ending.subscribe()));
        let serving = async {
            match metrics {
                Some(metrics) => drop(tokio::join!(listener.serve(ended), metrics)),
                None => listener.serve(ended).await,
            }
        };
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => return,
            () = self.signals.next() => tracing::info!("asked to end: finishing the requests in flight"),
        }
        ending.send_replace(true);
        tokio::select! {
            () = &mut serving => {}
            () = self.signals.next() => tracing::warn!("asked again: the requests in flight are cut off"),
            () = tokio::time::sleep(DRAIN) => tracing::warn!("requests still in flight after 10 s are cut off"),
        }
    }
}

/// A socket, and its address: a port that was given as 0 has become one.
async fn bind(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let named = |fault: io::Error| io::Error::new(fault.kind(), format!("{listen} cannot be listened on: {fault}"));
    let socket = TcpListener::bind(listen).await.map_err(named)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// A socket and what answers on it.
pub struct Listener {
    socket: TcpListener,
    app: Arc<App>,
    router: Router,
    tls: Option<Arc<Tls>>,
}

impl Listener {
    /// An issuer on a socket that is bound already, with TLS or without.
    pub fn new(socket: TcpListener, app: &Arc<App>, tls: Option<Tls>) -> Self {
        Self { socket, app: Arc::clone(app), router: router(app), tls: tls.map(Arc::new) }
    }

    /// The metrics on a socket of their own, by plain http.
    pub fn of_metrics(socket: TcpListener, app: &Arc<App>) -> Self {
        Self { socket, app: Arc::clone(app), router: metrics::router(app), tls: None }
    }

    /// Answers requests until it is told to end, and returns when those in flight are answered. Dropping the future cuts them off.
    pub async fn serve(self, mut ending: watch::Receiver<bool>) {
        let Self { socket, app, router, tls } = self;
        let places = Places::new(&app.config, app.clock());
        let renewal = tls::renew(tls.clone(), Arc::clone(app.clock()));
        tokio::pin!(renewal);
        let mut connections = JoinSet::new();
        let ended = ending.clone();
        loop {
            tokio::select! {
                accepted = accept(&socket, &places) => if let Some((stream, peer, place)) = accepted {
                    let (router, ending) = (router.clone(), ended.clone());
                    let connection = Connection { router, peer, place, ending };
                    connections.spawn(connection.serve(stream, tls.as_ref().map(|tls| tls.acceptor())));
                },
                () = &mut renewal => {}
                _ = ending.wait_for(|ending| *ending) => break,
            }
            while connections.try_join_next().is_some() {}
        }
        drop(socket);
        // Streams have no end of their own, and who follows finds another replica.
        app.feed.end();
        while connections.join_next().await.is_some() {}
    }
}

/// The next connection, once there is a place for it. Others wait in the machine's own queue.
async fn accept(socket: &TcpListener, places: &Places) -> Option<(TcpStream, SocketAddr, Place)> {
    match socket.accept().await {
        Ok((stream, peer)) => {
            let place = places.take(peer.ip()).await?;
            // Answers are small and whole: waiting to fill a packet would only delay them.
            drop(stream.set_nodelay(true));
            Some((stream, peer, place))
        }
        Err(fault) if is_the_peers(&fault) => None,
        Err(fault) => {
            tracing::error!(%fault, "no connection can be accepted just now");
            tokio::time::sleep(SHORTAGE).await;
            None
        }
    }
}

fn is_the_peers(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(fault.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
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
