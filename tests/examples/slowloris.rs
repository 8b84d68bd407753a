//! Measures what 5,000 slow connections do to good requests (issuer-requirements, I122). Run by hand, never by `./tests/run`:
//!
//! ```sh
//! ulimit -n 20000
//! cargo build --release -p passant
//! cargo run --release -p passant-tests --example slowloris -- target/release/passant
//! ```
//!
//! Without a path it measures the binary of the tests' own profile. It starts an issuer with the limits that are there by default, on
//! plain http and then over TLS, and asks for the key set, a token and the sign-in page, each on a connection of its own: undisturbed,
//! beside slow connections of either kind, and undisturbed again. It prints the 50th and 99th percentile and their ratio within the
//! run; where a ratio of the 99th reaches 2 or a good request fails it ends with 1. An issuer has fewer places than there are slow
//! connections: those that it turns away or cuts off come again, 50 in a second. Nothing leaves 127.0.0.0/8, and each phase has an end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: what cannot go on must end it loudly, and what it measures is real time"
)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use passant_tests::authority::Authority;
use passant_tests::binary::passant;
use passant_tests::running::Running;
use passant_tests::world::Directory;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How many slow connections there are at a time.
const SLOW: usize = 5_000;
/// From how many addresses: each stays below what one address may have.
const ADDRESSES: usize = 25;
/// How many are opened in a second at first.
const A_SECOND: u32 = 500;
/// How many of those that were closed come again in a second; it is what slowhttptest does by itself.
const AGAIN_A_SECOND: u32 = 50;
/// How long a slow connection waits between two bytes.
const DRIP: Duration = Duration::from_secs(1);
/// How often each kind of good request is asked in one phase.
const ROUNDS: usize = 1000;
/// How long it is between two rounds: a phase lasts longer than a body may take to come.
const PAUSE: Duration = Duration::from_millis(15);
/// How long after the last of the slow connections was opened the measurement begins.
const SETTLING: Duration = Duration::from_secs(5);
/// How long a phase may last, however many rounds are done by then.
const PHASE: Duration = Duration::from_secs(60);
/// A good request that takes so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

const ATTACKERS: &str = "attackers";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How a connection is slow.
#[derive(Debug, Clone, Copy)]
enum Slow {
    /// It says nothing at all.
    Silent,
    /// A head whose bytes drip.
    Head,
    /// A whole head, and a body whose bytes drip.
    Body,
    /// One good request, and then nothing.
    Idle,
}

/// Those that ask for nothing, and those whose request never comes to its end.
const ATTACKS: [(&str, &[Slow]); 2] = [("silence and heads", &[Slow::Silent, Slow::Head, Slow::Idle]), ("bodies", &[Slow::Body])];

/// The issuer under attack.
struct Target {
    address: SocketAddr,
    host: String,
    tls: Option<TlsConnector>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Target {
    async fn tcp(&self, from: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(from)?;
        socket.connect(self.address).await
    }

    async fn connect(&self, from: SocketAddr) -> std::io::Result<Box<dyn Stream>> {
        let stream = self.tcp(from).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost").unwrap(), stream).await?),
        })
    }

    /// One good request on a connection of its own, from its beginning to the end of the answer.
    async fn ask(&self, head: &str, body: &str) -> Result<Duration, String> {
        let begun = Instant::now();
        let whole = async {
            let mut stream = self.connect(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            let host = &self.host;
            let length = body.len();
            let request = format!("{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n");
            let form = "Content-Type: application/x-www-form-urlencoded\r\n";
            let basic = Base64::encode_string(format!("robot:{SECRET}").as_bytes());
            stream.write_all(format!("{request}{form}Authorization: Basic {basic}\r\n\r\n{body}").as_bytes()).await?;
            let mut answer = Vec::new();
            match stream.read_to_end(&mut answer).await {
                Err(fault) if fault.kind() != std::io::ErrorKind::UnexpectedEof => return Err(fault),
                Ok(_) | Err(_) => {}
            }
            Ok(answer)
        };
        match tokio::time::timeout(PATIENCE, whole).await {
            Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.1 200 ") => Ok(begun.elapsed()),
            Ok(Ok(answer)) => Err(format!("answered {:?}", String::from_utf8_lossy(&answer[..answer.len().min(80)]))),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    /// Is slow until the other side has had enough.
    async fn be_slow(&self, from: SocketAddr, how: Slow, open: &AtomicUsize) -> std::io::Result<()> {
        let host = &self.host;
        if let Slow::Silent = how {
            let mut stream = self.tcp(from).await?;
            open.fetch_add(1, Ordering::Relaxed);
            return stream.read(&mut [0]).await.map(drop);
        }
        let mut stream = self.connect(from).await?;
        open.fetch_add(1, Ordering::Relaxed);
        match how {
            Slow::Silent | Slow::Head => {}
            Slow::Body => {
                let head = format!("POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n");
                let form = "Content-Type: application/x-www-form-urlencoded\r\n\r\n";
                stream.write_all(format!("{head}{form}").as_bytes()).await?;
            }
            Slow::Idle => stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?,
        }
        let mut bytes = [0; 1024];
        let mut drops = b"GET /login HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'a'));
        loop {
            match tokio::time::timeout(DRIP, stream.read(&mut bytes)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0)) => return Ok(()),
                Ok(Err(fault)) => return Err(fault),
                Err(_) if matches!(how, Slow::Idle) => {}
                Err(_) => stream.write_all(&[*drops.next().unwrap()]).await?,
            }
        }
    }
}

/// Slow connections until it is dropped.
struct Attack {
    opened: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
    _all: JoinSet<()>,
}

impl Attack {
    fn begin(runtime: &Handle, target: &Arc<Target>, kinds: &'static [Slow]) -> Self {
        let (opened, held) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let tickets = Arc::new(tokio::sync::Semaphore::new(0));
        let mut all = JoinSet::new();
        let begun = tokio::time::Instant::now();
        let pacing = {
            let tickets = Arc::clone(&tickets);
            async move {
                let mut given = Duration::ZERO;
                for a_second in std::iter::repeat_n(A_SECOND, SLOW).chain(std::iter::repeat(AGAIN_A_SECOND)) {
                    tokio::time::sleep_until(begun + given).await;
                    given += Duration::from_secs(1) / a_second;
                    tickets.add_permits(1);
                }
            }
        };
        all.spawn_on(pacing, runtime);
        for number in 0..SLOW {
            let (target, tickets) = (Arc::clone(target), Arc::clone(&tickets));
            let (opened, held) = (Arc::clone(&opened), Arc::clone(&held));
            let connection = async move {
                let from = SocketAddr::from(([127, 0, 1, u8::try_from(1 + number % ADDRESSES).unwrap()], 0));
                loop {
                    tickets.acquire().await.unwrap().forget();
                    held.fetch_add(1, Ordering::Relaxed);
                    // Refused or cut off: it comes again when it is its turn.
                    drop(target.be_slow(from, kinds[number / ADDRESSES % kinds.len()], &opened).await);
                    held.fetch_sub(1, Ordering::Relaxed);
                }
            };
            all.spawn_on(connection, runtime);
        }
        Self { opened, held, _all: all }
    }
}

const GOOD: [(&str, &str, &str); 3] = [
    ("key set", "GET /jwks.json", ""),
    ("token", "POST /token", "grant_type=client_credentials&scope=orders:read"),
    ("sign-in page", "GET /login", ""),
];

/// How long each kind of good request took, in the order of [`GOOD`].
async fn measure(target: &Target) -> [Vec<Duration>; 3] {
    let (mut taken, begun): ([Vec<Duration>; 3], _) = (Default::default(), Instant::now());
    for _ in 0..ROUNDS {
        if begun.elapsed() > PHASE {
            break;
        }
        for (taken, (name, head, body)) in taken.iter_mut().zip(GOOD) {
            taken.push(target.ask(head, body).await.unwrap_or_else(|why| {
                println!("  a good request failed ({name}): {why}");
                PATIENCE
            }));
        }
        tokio::time::sleep(PAUSE).await;
    }
    taken
}

fn percentile(taken: &[Duration], percent: usize) -> Duration {
    let mut sorted = taken.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Measures one issuer; whether every ratio is good.
async fn run(attackers: &Handle, target: Arc<Target>) -> bool {
    // The first requests pay for what is made once.
    measure(&target).await;
    let mut undisturbed = measure(&target).await;
    let mut disturbed = Vec::new();
    for (name, kinds) in ATTACKS {
        let (attack, begun) = (Attack::begin(attackers, &target, kinds), Instant::now());
        while attack.opened.load(Ordering::Relaxed) < SLOW && begun.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(SETTLING).await;
        let held = attack.held.load(Ordering::Relaxed);
        let during = measure(&target).await;
        let (opened, still) = (attack.opened.load(Ordering::Relaxed), attack.held.load(Ordering::Relaxed));
        let (asked, lasted) = (during[0].len(), begun.elapsed());
        println!("  {name}: {opened} opened in {lasted:.1?}; {held} at a time before and {still} after {asked} rounds");
        disturbed.push((name, during));
        drop(attack);
        tokio::time::sleep(SETTLING).await;
    }
    for (taken, again) in undisturbed.iter_mut().zip(measure(&target).await) {
        taken.extend(again);
    }
    let mut good = true;
    for (attack, during) in &disturbed {
        for ((without, with), (name, ..)) in undisturbed.iter().zip(during).zip(GOOD) {
            let [_, p99] = [50, 99].map(|percent| {
                let (without, with) = (percentile(without, percent), percentile(with, percent));
                let ratio = with.as_secs_f64() / without.as_secs_f64();
                println!("  {attack:17} {name:12} p{percent}: {without:>9.2?} without, {with:>9.2?} beside, ratio {ratio:.2}");
                ratio
            });
            good &= p99 < 2.0 && with.iter().all(|taken| *taken < PATIENCE);
        }
    }
    good
}

/// Starts an issuer that is configured as little as can be.
async fn start(program: &PathBuf, encrypted: bool) -> (Running, Directory, Arc<Target>) {
    let directory = Directory::new();
    let place = |name: &str| directory.0.join(name).display().to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().unwrap();
    drop(listener);
    let authority = Authority::of_this_process();
    let host = format!("localhost:{}", address.port());
    let scheme = if encrypted { "https" } else { "http" };
    let hash = Base64UrlUnpadded::encode_string(&Sha256::digest(SECRET));
    let mut file = format!(
        "issuer = \"{scheme}://{host}\"\nlisten = \"{address}\"\ndata_dir = {:?}\n[log]\nfilter = \"warn\"\n\
         [scopes]\n\"orders:read\" = \"Read your orders\"\n\
         [[clients]]\nid = \"robot\"\nname = \"Robot\"\nauthentication = \"client_secret_basic\"\nsecret_hash = \"{hash}\"\n\
         grant_types = [\"client_credentials\"]\nscopes = [\"orders:read\"]\n",
        place("data")
    );
    if encrypted {
        file.push_str(&format!("[tls]\ncertificate = {:?}\nprivate_key = {:?}\n", place("server.pem"), place("server.key")));
    }
    for (name, text) in [("passant.toml", &file), ("server.pem", &authority.certificate), ("server.key", &authority.private_key)]
    {
        let mut options = std::fs::OpenOptions::new();
        let file = std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        file.open(directory.0.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let mut command = tokio::process::Command::new(program);
    command.args(["--config", &place("passant.toml"), "serve"]).kill_on_drop(true);
    let mut running = Running::start(command);
    running.until("Passant is ready").await;
    let tls = encrypted.then(|| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.root.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    });
    (running, directory, Arc::new(Target { address, host, tls }))
}

/// Attackers sit on machines of their own. Here they have threads of their own, which get what the issuer and the good requests leave:
/// what is measured is the issuer, and not how much of this machine its attackers use. How many they opened is printed.
fn attackers() -> Runtime {
    let runtime = Builder::new_multi_thread().thread_name(ATTACKERS).enable_all().build().unwrap();
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap();
        if std::fs::read_to_string(thread.path().join("comm")).unwrap().trim_end() == ATTACKERS {
            let mut renice = std::process::Command::new("renice");
            let done = renice.args(["-n", "19", "-p"]).arg(thread.file_name()).stdout(Stdio::null()).status();
            assert!(done.expect("renice is there").success());
        }
    }
    runtime
}

#[tokio::main]
async fn main() -> ExitCode {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let program = given.unwrap_or_else(|| passant().clone()).canonicalize().expect("there is such a program");
    let attackers = attackers();
    let mut good = true;
    for encrypted in [false, true] {
        println!("{}: {SLOW} slow connections from {ADDRESSES} addresses", if encrypted { "TLS" } else { "plain http" });
        let (_running, _directory, target) = start(&program, encrypted).await;
        good &= run(attackers.handle(), target).await;
    }
    attackers.shutdown_background();
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
