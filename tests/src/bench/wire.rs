//! What following costs in bytes, counted on a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::ids::TokenId;
use passant::store::feed_head;

use super::place::{self, Place};
use super::watch::now;

/// Revocations a second while a busy stream is counted.
const BUSY: f64 = 17.0;
/// How many cut-offs the snapshot has at least.
const MANY: usize = 10_000;

/// Counts for so long, and prints.
pub(super) fn count(place: &Place, span: Duration) {
    let idle = stream(place, span);
    println!("following, idle: {:.0} bytes a second", idle / span.as_secs_f64());
    let busy = std::thread::scope(|threads| {
        threads.spawn(|| {
            let end = now() + span;
            while now() < end {
                std::thread::sleep(Duration::from_secs_f64(-place::fraction().ln() / BUSY));
                cut_off(place, 1);
            }
        });
        stream(place, span)
    });
    println!("following, {BUSY} revocations a second: {:.0} bytes a second", busy / span.as_secs_f64());
    let snapshot = || body(&mut open(place, "/revocations"));
    let before = snapshot();
    for _ in 0..MANY / 1000 {
        cut_off(place, 1000);
    }
    let after = snapshot();
    let each = (after - before) as f64 / MANY as f64;
    println!("snapshot: {after} bytes, {each:.1} for each of its last {MANY} cut-offs");
}

fn cut_off(place: &Place, count: usize) {
    let scene = place.scene();
    place.issuer(async move {
        let app = &scene.served.app;
        let targets = (0..count).map(|_| Target::Token(TokenId::random())).collect();
        feed_head::cut_off(&app.db, targets, Event::done(Action::TokenRevoke), app.now()).await.expect("it is committed");
    });
}

fn open(place: &Place, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(&place.followed).expect("the issuer answers");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", place.followed);
    socket.write_all(head.as_bytes()).expect("the issuer listens");
    socket
}

/// All that comes after the answer's head and what a follower is told first.
fn stream(place: &Place, span: Duration) -> f64 {
    let mut socket = open(place, "/revocations/stream");
    let mut buffer = [0; 65_536];
    let (mut bytes, mut first) = (0, Vec::new());
    while !first.windows(4).skip(100).any(|end| end == b"\n\n\r\n") {
        let read = socket.read(&mut buffer).expect("the stream begins");
        first.extend_from_slice(&buffer[..read]);
    }
    let end = now() + span;
    while let Some(left) = end.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).expect("a time-out can be set");
        bytes += socket.read(&mut buffer).unwrap_or_default();
    }
    bytes as f64
}

fn body(socket: &mut TcpStream) -> usize {
    let mut whole = Vec::new();
    socket.read_to_end(&mut whole).expect("the answer has an end");
    let head = whole.windows(4).position(|end| end == b"\r\n\r\n").expect("an answer has a head");
    whole.len() - head - 4
}
