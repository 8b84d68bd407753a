//! nginx and HAProxy, real ones, in front of an issuer: each with the configuration that the README shows, on an address of its own.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::keeper::Keeper;
use crate::readme;
use crate::world::Directory;

/// How long a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// nginx
    Nginx,
    /// HAProxy
    Haproxy,
}

/// A proxy that ends TLS until it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    _keeper: Keeper,
    _directory: Directory,
}

/// Certificate chain and private key, both PEM.
pub struct Certificate<'a> {
    /// The chain.
    pub chain: &'a str,
    /// The key.
    pub key: &'a str,
}

impl Proxy {
    /// Starts the README's proxy in front of this address. Only where it listens, what it hands on to, and where the certificate is
    /// are other than there.
    ///
    /// Panics with a sentence that says what to do when the proxy is not installed on this machine.
    pub async fn start(kind: Kind, readme: &str, issuer: SocketAddr, certificate: &Certificate<'_>) -> Self {
        let directory = Directory::new();
        let place = |name: &str| directory.0.join(name).display().to_string();
        let both = format!("{}{}", certificate.chain, certificate.key);
        for (name, text) in [("chain.pem", certificate.chain), ("key.pem", certificate.key), ("both.pem", &both)] {
            write(&directory, name, text);
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        drop(listener);
        let (name, file) = match kind {
            Kind::Nginx => ("nginx", "nginx.conf"),
            Kind::Haproxy => ("haproxy", "haproxy.cfg"),
        };
        let shown = readme::files(readme).remove(file).unwrap_or_else(|| panic!("the README shows no {file}"));
        let changes = match kind {
            Kind::Nginx => vec![
                ("listen 443 ssl;", format!("listen {address} ssl;")),
                ("/etc/nginx/tls/fullchain.pem", place("chain.pem")),
                ("/etc/nginx/tls/key.pem", place("key.pem")),
            ],
            Kind::Haproxy => {
                vec![("bind :443 ", format!("bind {address} ")), ("/etc/haproxy/tls/auth.example.com.pem", place("both.pem"))]
            }
        };
        let here = changes.iter().chain(&[("127.0.0.1:8080", issuer.to_string())]).fold(shown, |text, (there, here)| {
            assert_eq!(text.matches(there).count(), 1, "{file} of the README holds {there:?} once: {text}");
            text.replace(there, here)
        });
        let whole = match kind {
            Kind::Nginx => {
                format!("{}http {{\naccess_log off;\n{}{here}}}\n", nginx_main(&directory), nginx_directories(&directory))
            }
            Kind::Haproxy => here,
        };
        write(&directory, file, &whole);
        let (program, file) = (program(name), place(file));
        let arguments: &[&str] = match kind {
            Kind::Nginx => &["-e", "stderr", "-c", &file],
            Kind::Haproxy => &["-db", "-f", &file],
        };
        let log = place("log");
        let kept = directory.0.display().to_string();
        let mut command = vec![kept.as_str(), log.as_str(), program.to_str().expect("a UTF-8 path")];
        command.extend(arguments);
        let (keeper, _) = Keeper::start(KEEP_PROXY, &command, "started");
        let listens = async {
            while TcpStream::connect(address).is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, listens).await.is_err() {
            panic!("{name} does not listen: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        Self { address, _keeper: keeper, _directory: directory }
    }
}

fn write(directory: &Directory, name: &str, text: &str) {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.0.join(name));
    file.expect("the directory is empty").write_all(text.as_bytes()).expect("the directory can be written");
}

/// What a configuration of nginx has around `http`.
fn nginx_main(directory: &Directory) -> String {
    format!(
        "daemon off;\nworker_processes 1;\npid {}/pid;\nerror_log stderr;\nevents {{ worker_connections 256; }}\n",
        directory.0.display()
    )
}

/// Where nginx keeps what is too large for its memory; it makes all of them.
fn nginx_directories(directory: &Directory) -> String {
    let path = directory.0.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    kinds.iter().map(|kind| format!("{kind}_temp_path {path}/{kind};\n")).collect()
}

/// Debian puts servers where not everybody's PATH looks.
fn program(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: run ./tests/run, which installs it"))
}

/// The proxy's workers are in its process group, and end with it.
const KEEP_PROXY: &str = r#"
directory=$1 log=$2
shift 2
setsid "$@" >"$log" 2>&1 </dev/null &
proxy=$!
echo started
await_end_of_tests
kill -s KILL -- "-$proxy"
wait
rm -rf "$directory"
"#;
