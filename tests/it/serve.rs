//! `passant serve` as a process: what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use passant_tests::binary::passant;
use passant_tests::world::Directory;

struct Serving {
    child: Child,
    port: u16,
    said: String,
    _data: Directory,
}

impl Serving {
    fn start() -> Self {
        let data = Directory::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(passant())
            .args(["--data-dir", data.0.to_str().unwrap(), "serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("PASSANT_ISSUER", format!("http://localhost:{port}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !said.contains("Passant is ready") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it ended early: {said}");
        }
        Self { child, port, said, _data: data }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port))
    }

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_first_start_prints_the_link_that_makes_the_first_administrator() {
    let serving = Serving::start();
    let link = format!("http://localhost:{}/set-up?token=pst_", serving.port);
    assert!(serving.said.contains(&link), "{}", serving.said);
}

#[test]
fn a_graceful_end_finishes_the_request_in_flight() {
    let mut serving = Serving::start();
    let mut stream = serving.connect().unwrap();
    let body = "grant_type=refresh_token&client_id=nobody";
    write!(
        stream,
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..10]
    )
    .unwrap();
    // Answered once the server reads requests: the one above was accepted before it, on the same listener.
    let mut probe = serving.connect().unwrap();
    write!(probe, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut healthy = String::new();
    probe.read_to_string(&mut healthy).unwrap();
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");

    serving.terminate();
    // The edge of a process: its listener closes some time after the signal.
    while serving.connect().is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "the request in flight is answered: {answer}");
    assert!(serving.child.wait().unwrap().success());
}
