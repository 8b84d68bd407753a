//! Streams of the revocation feed on real connections: a healthy one lives for as long as it is taken, others go.

use passant::feed::HEARTBEAT;
use passant_tests::world::Tailing;

use super::limits::{asking, http2};
use super::*;

const STREAM: &[u8] = b"GET /revocations/stream HTTP/1.1\r\nHost: auth.example.com\r\n\r\n";

/// Reads until an event has come whole.
async fn event(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let whole = async {
        while !text.ends_with(b"\n\n\r\n") {
            text.push(stream.read_u8().await.expect("the stream goes on"));
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an event comes in time");
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_stream_outlives_every_timeout_of_requests_and_idle_connections() {
    let listening = Listening::new(|config| {
        let brief = Duration::from_secs(2);
        (config.limits.request_timeout, config.limits.idle_timeout, config.limits.head_timeout) = (brief, brief, brief);
    })
    .await;
    let _tailing = Tailing::start(&listening.world.app);
    let mut stream = listening.connect().await;
    stream.write_all(STREAM).await.unwrap();
    assert!(event(&mut stream).await.starts_with("HTTP/1.1 200"));
    for _ in 0..12 {
        assert!(event(&mut stream).await.contains("data: "));
        listening.world.advance(HEARTBEAT);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_of_which_nothing_is_taken_is_closed_and_the_one_beside_it_stays() {
    let listening = Listening::new(|_| {}).await;
    let _tailing = Tailing::start(&listening.world.app);
    let mut healthy = listening.connect().await;
    healthy.write_all(STREAM).await.unwrap();
    let socket = listening.connect().await;
    let (mut client, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, axum::body::Bytes>(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let (answer, _) = client.send_request(asking("/revocations/stream"), true).unwrap();
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let begun = listening.world.app.clock().monotonic();
    let going_on = async {
        loop {
            event(&mut healthy).await;
            listening.world.advance(HEARTBEAT);
        }
    };
    tokio::select! {
        ended = connection => drop(ended.unwrap()),
        () = going_on => unreachable!("it has no end"),
    }
    let lasted = listening.world.app.clock().monotonic() - begun;
    assert!(lasted >= Duration::from_secs(60), "{lasted:?}");
    event(&mut healthy).await;
    drop(answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_ends_after_an_hour_and_its_connection_is_good_for_the_next_request() {
    let listening = Listening::new(|_| {}).await;
    let _tailing = Tailing::start(&listening.world.app);
    let (mut client, _connection) = http2(&listening).await;
    client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(asking("/revocations/stream"), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    for _ in 0..3 {
        body.data().await.unwrap().unwrap();
        listening.world.advance(HEARTBEAT);
    }
    listening.world.clock.advance(Duration::from_secs(3600));
    let rest = async { while body.data().await.is_some_and(|piece| piece.is_ok()) {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_leave_connections_for_others_and_places_when_they_hang_up() {
    let listening = Listening::new(|config| {
        (config.limits.connections, config.limits.streams) = (4, 3);
    })
    .await;
    let mut following = Vec::new();
    for _ in 0..3 {
        let mut stream = listening.connect().await;
        stream.write_all(STREAM).await.unwrap();
        assert!(event(&mut stream).await.starts_with("HTTP/1.1 200"));
        following.push(stream);
    }
    let mut one_more = listening.connect().await;
    one_more.write_all(STREAM).await.unwrap();
    assert!(answer(&mut one_more).await.starts_with("http/1.1 503"));
    one_more.write_all(HEALTH).await.unwrap();
    assert!(answer(&mut one_more).await.starts_with("http/1.1 200"));
    drop(following);
    let places_are_free = async {
        loop {
            one_more.write_all(b"HEAD /revocations/stream HTTP/1.1\r\nHost: auth.example.com\r\n\r\n").await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(one_more.read_u8().await.unwrap());
            }
            if head.starts_with(b"HTTP/1.1 200") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, places_are_free).await.expect("who hangs up leaves the place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_ends_waits_for_no_stream() {
    let listening = Listening::new(|_| {}).await;
    let mut stream = listening.connect().await;
    stream.write_all(STREAM).await.unwrap();
    event(&mut stream).await;
    listening.end();
    assert_eq!(rest(&mut stream).await, "0\r\n\r\n", "the stream ends as it should");
    listening.ended().await;
}
