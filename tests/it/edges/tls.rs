//! TLS of our own: what is spoken, what is refused, and a certificate that is renewed under a running server.

use passant_tests::binary::run;
use passant_tests::world::Directory;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};

use super::*;

async fn client(
    listening: &Listening,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    client_at(listening.address, versions, protocols).await
}

async fn client_at(
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    encrypt(TcpStream::connect(address).await?, versions, protocols).await
}

/// Speaks TLS on a connection, with somebody who must be auth.example.com.
pub(super) async fn encrypt(
    stream: TcpStream,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("ca.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("auth.example.com").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn modern(listening: &Listening) -> TlsStream<TcpStream> {
    client(listening, &[&version::TLS13], &[]).await.unwrap()
}

fn certificate(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn expected(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap()
}

async fn encrypted() -> Listening {
    Listening::new(|config| config.tls = Some(files("first"))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_and_1_3_are_spoken_over_http_1_and_2() {
    let listening = encrypted().await;
    for (version, number) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = client(&listening, &[version], &["http/1.1"]).await.unwrap();
        assert_eq!(
            (stream.get_ref().1.protocol_version(), stream.get_ref().1.alpn_protocol()),
            (Some(number), Some(&b"http/1.1"[..]))
        );
        stream.write_all(HEALTH).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("http/1.1 200"));

        let stream = client(&listening, &[version], &["h2", "http/1.1"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = axum::http::Request::builder().uri("https://auth.example.com/login").body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
        drop(client);
        connection.await.unwrap().unwrap();
    }
    assert!(client(&listening, &[&version::TLS13], &["ftp"]).await.is_err(), "no protocol in common");
}

/// A ClientHello as an old client sends it: of this version, without extensions.
fn client_hello(minor: u8) -> Vec<u8> {
    let suites = [0xc0, 0x13, 0xc0, 0x14, 0x00, 0x2f, 0x00, 0x35];
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.extend([0, 0, suites.len() as u8]);
    body.extend(suites);
    body.extend([1, 0]);
    let mut message = vec![1, 0, 0, body.len() as u8];
    message.extend(body);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

async fn refuses_older_versions(address: SocketAddr) {
    for minor in [0, 1, 2] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&client_hello(minor)).await.unwrap();
        let mut said = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap().unwrap();
        // An alert record: fatal, and its reason protocol_version (70) or handshake_failure (40).
        assert!(said.len() == 7 && said[0] == 21 && said[5] == 2 && [40, 70].contains(&said[6]), "3.{minor}: {said:?}");
    }
}

#[tokio::test]
async fn plain_http_gets_no_answer_where_tls_is_spoken() {
    let listening = encrypted().await;
    assert!(!listening.ask(HEALTH).await.contains("HTTP/"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshake_that_does_not_come_to_an_end_is_cut_off() {
    let listening = encrypted().await;
    let (mut silent, mut half) = (listening.connect().await, listening.connect().await);
    half.write_all(&client_hello(3)[..20]).await.unwrap();
    modern(&listening).await;
    listening.world.advance(Duration::from_secs(11));
    for stream in [&mut silent, &mut half] {
        assert_eq!(rest(stream).await, "");
    }
}

fn install(directory: &Directory, name: &str) {
    for kind in ["pem", "key"] {
        std::fs::copy(fixture(&format!("{name}.{kind}")), directory.0.join(kind)).unwrap();
    }
}

/// Moves time on until a new connection is given another certificate.
async fn renewed(listening: &Listening) -> CertificateDer<'static> {
    let before = certificate(&modern(listening).await);
    let changed = async {
        loop {
            listening.world.advance(Duration::from_secs(61));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = certificate(&modern(listening).await);
            if now != before {
                return now;
            }
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("the certificate is renewed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificate_is_taken_over_without_a_restart_and_a_broken_one_is_not() {
    let directory = Directory::new();
    install(&directory, "first");
    let at = TlsFiles { certificate: directory.0.join("pem"), private_key: directory.0.join("key") };
    let listening = Listening::new(|config| {
        config.tls = Some(at.clone());
        // Held open while hours go by.
        config.limits.idle_timeout = Duration::from_secs(1_000_000);
    })
    .await;
    let mut held = modern(&listening).await;
    assert_eq!(certificate(&held), expected("first"));
    held.write_all(HEALTH).await.unwrap();
    answer(&mut held).await;

    install(&directory, "renewed");
    assert_eq!(renewed(&listening).await, expected("renewed"));
    held.write_all(HEALTH).await.unwrap();
    assert!(answer(&mut held).await.starts_with("http/1.1 200"), "a connection of before goes on");

    std::fs::write(&at.certificate, "no certificate at all").unwrap();
    listening.world.advance(Duration::from_secs(61));
    assert_eq!(certificate(&modern(&listening).await), expected("renewed"), "the one before stays in force");
    install(&directory, "first");
    assert_eq!(renewed(&listening).await, expected("first"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_end_finishes_what_is_in_flight_over_tls_on_both_versions_of_http() {
    let listening = encrypted().await;
    let body = "grant_type=refresh_token&client_id=nobody";
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: auth.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut one = client(&listening, &[&version::TLS13], &["http/1.1"]).await.unwrap();
    one.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body only when it reads the request.
    one.write_all(&body.as_bytes()[..10]).await.unwrap();

    let two = client(&listening, &[&version::TLS13], &["h2"]).await.unwrap();
    let (mut two, connection) = h2::client::handshake(two).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = axum::http::Request::post("https://auth.example.com/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(())
        .unwrap();
    let (answer_of_two, mut stream) = two.send_request(request, false).unwrap();
    stream.send_data(body[..10].to_owned().into(), false).unwrap();
    // What was sent on a connection of before has arrived when a later one is answered.
    for _ in 0..3 {
        let mut probe = modern(&listening).await;
        probe.write_all(HEALTH).await.unwrap();
        answer(&mut probe).await;
    }

    listening.end();
    while TcpStream::connect(listening.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    one.write_all(&body.as_bytes()[10..]).await.unwrap();
    let said = rest(&mut one).await;
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    stream.send_data(body[10..].to_owned().into(), true).unwrap();
    assert_eq!(answer_of_two.await.unwrap().status(), 401);
    drop((two, stream));
    listening.ended().await;
    drop(connection.await);
}

#[test]
fn mistake_in_certificate_or_key_ends_the_start_with_code_2_before_anything_is_made() {
    let directory = Directory::new();
    let data = directory.0.join("data");
    let at = |name: &str| fixture(name).display().to_string();
    let none = directory.0.join("none").display().to_string();
    for (certificate, key, expected) in [
        (none.clone(), at("first.key"), "tls.certificate: "),
        (at("first.pem"), none.clone(), "tls.private_key: "),
        (at("first.key"), at("first.key"), "holds no certificate"),
        (at("first.pem"), at("first.pem"), "holds no private key"),
        (at("first.pem"), at("encrypted.key"), "unencrypted"),
        (at("first.pem"), at("renewed.key"), "not the key of the certificate"),
    ] {
        let environment = [
            ("PASSANT_ISSUER", "https://auth.example.com"),
            ("PASSANT_TLS__CERTIFICATE", certificate.as_str()),
            ("PASSANT_TLS__PRIVATE_KEY", key.as_str()),
        ];
        let refused = run(&["--data-dir", data.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"], "", &environment);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!data.exists(), "{expected}: nothing was made");
    }
}

/// `passant serve` with TLS, in a process of its own.
struct Serving {
    child: std::process::Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Serving {
    fn start(directory: &Directory) -> Self {
        use std::io::BufRead;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = directory.0.join("log");
        let mut child = std::process::Command::new(passant_tests::binary::passant())
            .args(["--data-dir", directory.0.join("data").to_str().unwrap(), "serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("PASSANT_ISSUER", "https://auth.example.com")
            .env("PASSANT_TLS__CERTIFICATE", directory.0.join("pem"))
            .env("PASSANT_TLS__PRIVATE_KEY", directory.0.join("key"))
            .stdout(std::process::Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = io::BufReader::new(child.stdout.take().unwrap());
        while !said.contains("Passant is ready") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it ended early: {}", std::fs::read_to_string(&log).unwrap());
        }
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), log }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_12_running_binary_speaks_nothing_older_than_tls_1_2_warns_of_an_open_key_and_ends_when_asked() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    install(&directory, "other");
    std::fs::set_permissions(directory.0.join("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(Serving::start(&directory));
    let log = std::fs::read_to_string(directory.0.join("log")).unwrap();
    for told in ["the certificate is not for the issuer's host", "everybody on this machine can read", "TLS ends here"] {
        assert!(log.contains(told), "{told}: {log}");
    }

    install(&directory, "first");
    std::fs::set_permissions(directory.0.join("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut serving = Serving::start(&directory);
    let log = std::fs::read_to_string(&serving.log).unwrap();
    assert!(!log.contains("not for the issuer's host") && !log.contains("everybody on this machine"), "{log}");
    refuses_older_versions(serving.address).await;
    for version in [&version::TLS12, &version::TLS13] {
        let mut stream = client_at(serving.address, &[version], &["http/1.1"]).await.unwrap();
        stream.write_all(HEALTH).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("http/1.1 200"));
    }
    let sent = std::process::Command::new("kill").args(["-TERM", &serving.child.id().to_string()]).status().unwrap();
    assert!(sent.success() && serving.child.wait().unwrap().success());
}
