//! What is left of a test process that is killed: nothing, though no destructor of it ever runs.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passant_tests::browser::Browser;
use passant_tests::postgres::{database, directory};
use passant_tests::proxy::{Certificate, Kind, Proxy};

/// Plays both parts: run again with the variable set, it is the process that gets killed.
#[tokio::test]
async fn a_killed_process_leaves_no_server_no_browser_and_no_directory() {
    const VICTIM: &str = "PASSANT_TESTS_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        let _page = Browser::shared().await.page().await;
        let _database = database("empty", async |_| {}).await;
        let nginx = proxy(Kind::Nginx).await;
        let haproxy = proxy(Kind::Haproxy).await;
        // A child that outlives its parent must not keep anything alive by an inherited pipe.
        let mut sleeper = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        println!("\nvictim {} {} {} {}", sleeper.id(), directory().await.display(), nginx.address, haproxy.address);
        sleeper.wait().unwrap();
    }
    let temporary = std::env::temp_dir().join(format!("passant-tests-{}", std::process::id()));
    std::fs::create_dir(&temporary).unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["harness::killed::a_killed_process_leaves_no_server_no_browser_and_no_directory", "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let [sleeper, directory, nginx, haproxy] = announced(&mut victim);
    let server = std::fs::read_to_string(format!("{directory}/data/postmaster.pid")).unwrap();
    let server = format!("/proc/{}", server.lines().next().unwrap());
    assert!(Path::new(&server).exists());
    assert!(!is_empty(&temporary), "the browser's profile and the proxies' files are where they are looked for");
    let answers = |address: &str| TcpStream::connect(address).is_ok();
    assert!(answers(&nginx) && answers(&haproxy));

    victim.kill().unwrap();
    victim.wait().unwrap();
    let gone = [
        comes_true(|| !Path::new(&directory).exists()),
        comes_true(|| !Path::new(&server).exists()),
        comes_true(|| is_empty(&temporary)),
        comes_true(|| !answers(&nginx) && !answers(&haproxy)),
    ];
    Command::new("kill").arg(sleeper).status().unwrap();
    std::fs::remove_dir_all(&temporary).unwrap();
    assert_eq!(gone, [true; 4], "{directory}, {server}, the browser's profile and the proxies' files, the proxies");
}

async fn proxy(kind: Kind) -> Proxy {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (chain, key) = (read("fixtures/tls/first.pem"), read("fixtures/tls/first.key"));
    Proxy::start(kind, &read("../README.md"), ([127, 0, 0, 1], 9).into(), &Certificate { chain: &chain, key: &key }).await
}

fn announced(victim: &mut Child) -> [String; 4] {
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find_map(|line| line.strip_prefix("victim ").map(str::to_owned)).expect("the victim starts its servers");
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    words.try_into().unwrap()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

/// Looks again and again for at most twenty seconds: the process that a keeper could tell of its end is the one that died.
fn comes_true(condition: impl Fn() -> bool) -> bool {
    (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        condition()
    })
}
