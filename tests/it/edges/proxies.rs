//! Behind nginx and HAProxy, real and configured as the README shows: no request is smuggled past them, and clients, links and the
//! issuer are who and what they are.

use std::collections::BTreeMap;
use std::sync::Mutex;

use passant::domain::client_address::TrustedProxies;
use passant_tests::proxy::{Certificate, Kind, Proxy};
use passant_tests::world::{Answer, authorize_path};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::rustls::version::TLS13;

use super::forwarded::addresses;
use super::framing::ambiguous;
use super::tls::encrypt;
use super::*;

/// What went over one connection between a proxy and the issuer.
#[derive(Default)]
struct Passage {
    asked: Vec<u8>,
    answered: Vec<u8>,
}

/// Stands between a proxy and the issuer, and writes down what both say.
struct Tap {
    address: SocketAddr,
    passages: Arc<Mutex<Vec<Arc<Mutex<Passage>>>>>,
    connections: Arc<tokio::sync::Mutex<tokio::task::JoinSet<()>>>,
}

impl Tap {
    async fn new(issuer: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Self { address: socket.local_addr().unwrap(), passages: Arc::default(), connections: Arc::default() };
        let (passages, connections) = (Arc::clone(&tap.passages), Arc::clone(&tap.connections));
        tokio::spawn(async move {
            while let Ok((proxy, _)) = socket.accept().await {
                let passage = Arc::<Mutex<Passage>>::default();
                passages.lock().unwrap().push(Arc::clone(&passage));
                connections.lock().await.spawn(async move {
                    let Ok(issuer) = TcpStream::connect(issuer).await else { return };
                    let ((ask, answer), (asked, answered)) = (proxy.into_split(), issuer.into_split());
                    let forward = written_down(ask, answered, |bytes| passage.lock().unwrap().asked.extend(bytes));
                    let back = written_down(asked, answer, |bytes| passage.lock().unwrap().answered.extend(bytes));
                    tokio::join!(forward, back);
                });
            }
        });
        tap
    }

    /// Waits until nobody is connected any more; what went over each connection.
    async fn ended(self) -> Vec<Passage> {
        let all_gone = async { while self.connections.lock().await.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, all_gone).await.expect("the proxy is gone, and so are its connections");
        self.passages.lock().unwrap().drain(..).map(|passage| std::mem::take(&mut *passage.lock().unwrap())).collect()
    }
}

/// Hands on what comes, once it is written down. The end is handed on too.
async fn written_down(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut write_down: impl FnMut(&[u8])) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        write_down(&bytes[..length]);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// An issuer behind a tap behind a proxy.
struct Behind {
    listening: Listening,
    tap: Tap,
    proxy: Proxy,
}

impl Behind {
    async fn new(kind: Kind) -> Self {
        let trusting = |config: &mut Config| config.http.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        let listening = Listening::new(trusting).await;
        let tap = Tap::new(listening.address).await;
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
        let [chain, key] = ["first.pem", "first.key"].map(|name| std::fs::read_to_string(fixture(name)).unwrap());
        let proxy = Proxy::start(kind, &readme, tap.address, &Certificate { chain: &chain, key: &key }).await;
        Self { listening, tap, proxy }
    }

    /// Sends this over TLS from an address, and reads until the proxy closes.
    async fn say(&self, from: &str, text: &str) -> String {
        let mut stream = encrypt(connect_from(from, self.proxy.address).await, &[&TLS13], &[]).await.unwrap();
        // A proxy that has read enough closes; what it said before can still be read.
        drop(stream.write_all(text.as_bytes()).await);
        rest(&mut stream).await
    }

    async fn ask(&self, from: &str, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let said = self
            .say(
                from,
                &format!("{method} {path} HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n{fields}{length}\r\n{body}"),
            )
            .await;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {said:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { status, headers, body: body.to_owned() }
    }
}

/// The ids of the requests that an issuer answered, as the answers say.
fn answered(said: &str) -> Vec<String> {
    let fields = said.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id")).map(|(_, id)| id.trim().to_owned()).collect()
}

/// The states that came back, each with one answer.
fn states(said: &str) -> Vec<&str> {
    let after = said.split("state=").skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()).collect()
}

/// What was answered without anybody having got it, and what somebody got that was answered to somebody else or twice.
fn astray(answered: &[String], got: &[String]) -> Vec<String> {
    let mut balance = BTreeMap::<&str, i32>::new();
    answered.iter().for_each(|id| *balance.entry(id).or_default() += 1);
    got.iter().for_each(|id| *balance.entry(id).or_default() -= 1);
    balance.into_iter().filter(|(_, count)| *count != 0).map(|(id, count)| format!("{id}: {count:+}")).collect()
}

async fn nothing_is_smuggled_past(kind: Kind) {
    let behind = Behind::new(kind).await;
    let client = behind.listening.world.client("shop-web", |_| {}).await;
    let get = |state: &str| {
        let path = authorize_path(&client, &[("prompt", "none"), ("state", state)]);
        format!("GET {path} HTTP/1.1\r\nHost: auth.example.com\r\n\r\n")
    };
    let last = |state: &str| get(state).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let (mut got, mut cases, mut taken, mut refused) = (Vec::new(), 0, 0, 0);
    let all = ambiguous(&get("smuggled"));
    for (number, head) in all.iter().enumerate() {
        cases += 1;
        let head = head.replace("smuggled", &format!("smuggled-{number:02}"));
        // One client's answers are its own, and in the order in which it asked.
        let said = behind.say("127.0.0.2", &format!("{head}{}", last(&format!("after-{number:02}")))).await;
        let expected = [format!("smuggled-{number:02}"), format!("after-{number:02}")];
        let mut rest = expected.iter();
        assert!(states(&said).iter().all(|state| rest.any(|expected| expected == state)), "{kind:?} {head:?}: {said}");
        match answered(&said).len() {
            0 => refused += 1,
            _ => taken += 1,
        }
        got.extend(answered(&said));
        // And another client's are its own, whichever connection the proxy keeps to the issuer they come by.
        for round in ["one", "two"] {
            let state = format!("victim-{round}-{number:02}");
            let said = behind.say("127.0.0.3", &last(&state)).await;
            assert_eq!(states(&said), [state.as_str()], "{kind:?} {head:?}: {said}");
            got.extend(answered(&said));
        }
    }
    assert!(cases >= 30 && refused > 0 && taken > 0, "{kind:?}: {refused} refused, {taken} taken of {cases}");
    drop(behind.proxy);
    let passages = behind.tap.ended().await;
    let said: Vec<String> = passages.iter().map(|passage| String::from_utf8_lossy(&passage.answered).into_owned()).collect();
    let answers: Vec<String> = said.iter().flat_map(|said| answered(said)).collect();
    assert_eq!(astray(&answers, &got), [""; 0], "{kind:?}");
    for (said, passage) in said.iter().zip(&passages) {
        let asked = String::from_utf8_lossy(&passage.asked);
        let (before, refusal) = said.split_once("HTTP/1.1 400 ").unwrap_or((said, ""));
        assert!(!refusal.contains("HTTP/1.1 "), "{kind:?}: nothing is answered behind a refusal on {before}: {asked}");
    }
    assert!(passages.len() < cases * 3, "{kind:?}: connections to the issuer are kept: {} for {cases} cases", passages.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_past_nginx() {
    nothing_is_smuggled_past(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_past_haproxy() {
    nothing_is_smuggled_past(Kind::Haproxy).await;
}

#[test]
fn answer_that_went_astray_is_noticed() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(astray(&ids(&["a", "b"]), &ids(&["b", "a"])), [""; 0]);
    assert_eq!(astray(&ids(&["a", "b"]), &ids(&["a"])), ["b: +1"], "answered, and got by nobody");
    assert_eq!(astray(&ids(&["a"]), &ids(&["a", "a"])), ["a: -1"]);
    let said = "HTTP/1.1 303 See Other\r\nX-Request-Id: a\r\nlocation: /?error=x&state=one-1&iss=y\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n";
    assert_eq!((answered(said), states(said)), (ids(&["a"]), vec!["one-1"]));
}

async fn client_and_issuer_are_right_behind(kind: Kind) {
    let behind = Behind::new(kind).await;
    let world = &behind.listening.world;
    world.user("ada", "an engine that weaves algebra").await;
    let evil = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9;host=evil.example;proto=http\r\n\
                X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\nX-Real-IP: 198.51.100.9\r\n";
    for path in ["/.well-known/openid-configuration", "/login", "/none", "/"] {
        let answer = behind.ask("127.0.0.7", "GET", path, evil, "").await;
        assert!(!format!("{} {:?}", answer.body, answer.headers).contains("evil"), "{kind:?} {path}");
        assert!(answer.headers.contains_key("strict-transport-security"), "{kind:?} {path}");
    }
    let metadata = behind.ask("127.0.0.7", "GET", "/.well-known/openid-configuration", evil, "").await.json();
    assert_eq!(metadata["issuer"], "https://auth.example.com");
    assert_eq!(metadata["token_endpoint"], "https://auth.example.com/token");
    assert_eq!(
        behind.say("127.0.0.7", "GET /login HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await.split(' ').nth(1),
        Some("421")
    );

    let page = behind.ask("127.0.0.7", "GET", "/login", "", "").await;
    let cookie = page.header("set-cookie").and_then(|line| line.split(';').next()).expect("a browser gets a cookie").to_owned();
    let fields =
        [("csrf", page.field("csrf").unwrap()), ("username", "ada".into()), ("password", "an engine that weaves algebra".into())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://auth.example.com\r\n";
    let answer = behind.ask("127.0.0.7", "POST", "/login", &format!("{evil}{form}Cookie: {cookie}\r\n"), &body).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/")), "{kind:?}: {}", answer.body);
    assert_eq!(addresses(world).await, ["127.0.0.7"], "{kind:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_and_issuer_are_right_behind_nginx() {
    client_and_issuer_are_right_behind(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_and_issuer_are_right_behind_haproxy() {
    client_and_issuer_are_right_behind(Kind::Haproxy).await;
}
