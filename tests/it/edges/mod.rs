//! The edges of the server: sockets, heads, hosts, headers and the log, as strangers meet them.

mod forwarded;
mod framing;
mod hosts;
mod limits;
mod log;
mod proxies;
mod streams;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use passant::config::{Config, TlsFiles};
use passant::http::serve::{Listener, Tls};
use passant_tests::world::{Engine, World};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An issuer on a socket of its own, with the accept loop that the binary has.
struct Listening {
    world: Arc<World>,
    address: SocketAddr,
    ending: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Listening {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let world = World::with(Engine::Sqlite, change).await;
        let tls = world.app.config.tls.as_ref().map(|files| Tls::load(files, &world.app.config.issuer).unwrap());
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, ending) = (socket.local_addr().unwrap(), watch::Sender::new(false));
        let serving = tokio::spawn(Listener::new(socket, &world.app, tls).serve(ending.subscribe()));
        Self { world: Arc::new(world), address, ending, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects from another address of this machine.
    async fn connect_from(&self, address: &str) -> TcpStream {
        connect_from(address, self.address).await
    }

    /// Asks on a new connection, and reads until the server closes it.
    async fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        rest(&mut stream).await
    }

    /// Moves time on until something has happened: when exactly the server saw the last answer taken is its own affair.
    async fn while_time_goes_on<T>(&self, what: impl Future<Output = T>) -> T {
        let time = async {
            loop {
                self.world.advance(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            outcome = tokio::time::timeout(PATIENCE, what) => outcome.expect("it happens"),
            () = time => unreachable!("time has no end"),
        }
    }

    /// Tells the server to end; how it comes to an end is the caller's to see.
    fn end(&self) {
        self.ending.send_replace(true);
    }

    async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.serving).await.expect("the server ends").unwrap();
    }
}

/// Connects from one address of this machine to another.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// What comes until the other side closes; a reset is a close.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let outcome = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    match outcome {
        Ok(_) => {}
        Err(fault) if [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof].contains(&fault.kind()) => {}
        Err(fault) => panic!("{fault}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a Content-Length, of a connection that stays open.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let whole = async {
        loop {
            text.push(stream.read_u8().await.expect("an answer comes"));
            if let Some(head) = text.strip_suffix(b"\r\n\r\n") {
                let head = String::from_utf8_lossy(head).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length");
                let mut body = vec![0; length.parse().unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                return head + "\r\n\r\n" + &String::from_utf8_lossy(&body);
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer comes in time")
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: auth.example.com\r\n\r\n";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls")).join(name)
}

fn files(name: &str) -> TlsFiles {
    TlsFiles { certificate: fixture(&format!("{name}.pem")), private_key: fixture(&format!("{name}.key")) }
}
