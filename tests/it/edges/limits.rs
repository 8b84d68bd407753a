//! Who opens connections and sends nothing, or too much, takes nothing from others.

use std::future::poll_fn;

use axum::http::Request;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_are_closed_and_others_are_served_meanwhile() {
    let listening = Listening::new(|config| {
        (config.limits.connections, config.limits.connections_per_address) = (500, 150);
    })
    .await;
    let mut half_open = Vec::new();
    for (number, beginning) in ["", "G", "GET /healthz HTTP/1.1\r\nHost: auth", "PRI * HT", "POST /token HTTP/1.1\r\n"]
        .iter()
        .cycle()
        .take(100)
        .enumerate()
    {
        let mut stream = listening.connect_from(&format!("127.0.0.{}", 2 + number % 2)).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        half_open.push(stream);
    }
    for _ in 0..20 {
        let mut good = listening.connect().await;
        good.write_all(HEALTH).await.unwrap();
        assert!(answer(&mut good).await.starts_with("http/1.1 200"));
    }
    listening.world.advance(Duration::from_secs(9));
    // A byte now and then gains no time.
    for stream in &mut half_open {
        stream.write_all(b"X").await.unwrap();
    }
    listening.world.advance(Duration::from_secs(2));
    for mut stream in half_open {
        let said = rest(&mut stream).await;
        assert!(!said.contains("200"), "{said}");
    }
    let mut good = listening.connect_from("127.0.0.2").await;
    good.write_all(HEALTH).await.unwrap();
    assert!(answer(&mut good).await.starts_with("http/1.1 200"), "their places are free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_connection_may_idle_for_a_minute_and_no_longer() {
    let listening = Listening::new(|_| {}).await;
    let mut stream = listening.connect().await;
    for _ in 0..3 {
        stream.write_all(HEALTH).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("http/1.1 200"));
        listening.world.advance(Duration::from_secs(59));
    }
    let closed = rest(&mut stream);
    assert_eq!(listening.while_time_goes_on(closed).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_its_most_connections_and_trusted_proxies_have_no_such_most() {
    let listening = Listening::new(|config| {
        config.limits.connections_per_address = 3;
        config.http.trusted_proxies = passant::domain::client_address::TrustedProxies::parse(["127.0.0.9"]).unwrap();
    })
    .await;
    for (address, served) in [("127.0.0.2", 3), ("127.0.0.3", 3), ("127.0.0.9", 10)] {
        let mut held = Vec::new();
        for _ in 0..served {
            let mut stream = listening.connect_from(address).await;
            stream.write_all(HEALTH).await.unwrap();
            assert!(answer(&mut stream).await.starts_with("http/1.1 200"), "{address}");
            held.push(stream);
        }
        if served == 3 {
            let mut one_more = listening.connect_from(address).await;
            assert_eq!(rest(&mut one_more).await, "", "{address}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_something_gets_the_place_of_who_does_not() {
    let listening = Listening::new(|config| config.limits.connections = 32).await;
    let mut silent = Vec::new();
    for number in 0..200 {
        silent.push(listening.connect_from(&format!("127.0.0.{}", 2 + number % 4)).await);
        if number % 10 == 0 {
            let mut good = listening.connect().await;
            good.write_all(HEALTH).await.unwrap();
            assert!(answer(&mut good).await.starts_with("http/1.1 200"), "{number}");
        }
    }
    assert_eq!(rest(&mut silent[0]).await, "", "the first has left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_comes_to_the_end_of_a_body_holds_no_place_that_others_need() {
    let listening = Listening::new(|config| config.limits.connections = 8).await;
    let head = "POST /token HTTP/1.1\r\nHost: auth.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 1000\r\n\r\ngrant_type=";
    let mut dripping = Vec::new();
    for number in 0..8 {
        let mut stream = listening.connect_from(&format!("127.0.0.{}", 2 + number % 4)).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        dripping.push(stream);
    }
    let mut good = listening.connect().await;
    good.write_all(HEALTH).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(200), good.peek(&mut [0])).await.is_err(), "they may be here in a moment");
    listening.world.advance(Duration::from_secs(1));
    assert!(answer(&mut good).await.starts_with("http/1.1 200"));
    assert_eq!(rest(&mut dripping[0]).await, "", "the first has left, and was answered nothing");
}

#[tokio::test]
async fn head_that_is_too_large_is_414_or_431_with_our_headers() {
    let listening = Listening::new(|_| {}).await;
    let ask = async |target: &str, fields: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n{fields}\r\n");
        listening.ask(head.as_bytes()).await.to_ascii_lowercase()
    };
    let target = |length: usize| format!("/login?x={}", "a".repeat(length - 9));
    let fields = |count: usize| "X: y\r\n".repeat(count);
    let large = |length: usize| format!("X: {}\r\n", "a".repeat(length));
    for (said, status) in [
        (ask(&target(8192), "").await, 200),
        (ask(&target(8193), "").await, 414),
        (ask(&target(20_000), "").await, 414),
        (ask("/login", &fields(98)).await, 200),
        (ask("/login", &fields(99)).await, 431),
        (ask("/login", &large(32_000)).await, 200),
        (ask("/login", &large(33_000)).await, 431),
        (ask("/token", &large(33_000)).await, 431),
        (ask("/healthz", &large(33_000)).await, 431),
        (ask("/jwks.json", &fields(110)).await, 431),
    ] {
        assert!(said.starts_with(&format!("http/1.1 {status} ")), "{status}: {said}");
        for header in ["x-content-type-options: nosniff", "strict-transport-security", "x-request-id", "cache-control: no-store"]
        {
            assert!(said.contains(header), "{header}: {said}");
        }
    }
    for fields in [fields(1000), large(200_000)] {
        let said = ask("/login", &fields).await;
        assert!(said.starts_with("http/1.1 431 ") || said.is_empty(), "far beyond, the connection just ends: {said}");
    }
}

pub(super) async fn http2(
    listening: &Listening,
) -> (h2::client::SendRequest<axum::body::Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (client, connection) = h2::client::handshake(listening.connect().await).await.unwrap();
    (client, tokio::spawn(connection))
}

pub(super) fn asking(path: &str) -> Request<()> {
    Request::builder().uri(format!("https://auth.example.com{path}")).body(()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_idles_for_a_minute_and_is_then_told_goodbye() {
    let listening = Listening::new(|_| {}).await;
    let (mut client, connection) = http2(&listening).await;
    for _ in 0..3 {
        client = client.ready().await.unwrap();
        let (answer, _) = client.send_request(asking("/healthz"), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
        listening.world.advance(Duration::from_secs(59));
    }
    let outcome = listening.while_time_goes_on(connection).await.unwrap();
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// A client that asks, lets no byte of an answer's body come, and stays lively.
async fn taking_nothing(listening: &Listening, address: &str) -> JoinHandle<()> {
    let stream = listening.connect_from(address).await;
    let (mut client, mut connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, axum::body::Bytes>(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let connection = tokio::spawn(connection);
    let (answer, _) = client.send_request(asking("/jwks.json"), true).unwrap();
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("a head comes in time").unwrap();
    assert_eq!(answer.status(), 200);
    tokio::spawn(async move {
        while pings.ping(h2::Ping::opaque()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!answer.into_body().is_end_stream(), "it has taken nothing");
        drop((client, connection.await));
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_client_that_takes_no_answer_is_closed_in_time_however_often_it_pings() {
    let listening = Listening::new(|_| {}).await;
    let pinging = taking_nothing(&listening, "127.0.0.2").await;
    let begun = listening.world.app.clock().monotonic();
    listening.while_time_goes_on(pinging).await.unwrap();
    let lasted = listening.world.app.clock().monotonic() - begun;
    assert!(lasted >= Duration::from_secs(90), "an answer may be taken slowly: {lasted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_of_those_who_take_no_answer_are_given_to_others() {
    let listening = Listening::new(|config| config.limits.connections = 8).await;
    let mut pinging = Vec::new();
    for number in 0..8 {
        pinging.push(taking_nothing(&listening, &format!("127.0.0.{}", 2 + number % 4)).await);
    }
    let mut good = listening.connect().await;
    good.write_all(HEALTH).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(200), good.peek(&mut [0])).await.is_err(), "all are busy yet");
    listening.world.advance(Duration::from_secs(31));
    assert!(answer(&mut good).await.starts_with("http/1.1 200"));
    assert!(pinging.iter().any(|pinging| !pinging.is_finished()), "no more of them leave than must");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_client_may_have_a_hundred_streams() {
    let listening = Listening::new(|_| {}).await;
    let (mut client, _connection) = http2(&listening).await;
    client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(asking("/healthz"), true).unwrap();
    answer.await.unwrap();
    assert_eq!(client.current_max_send_streams(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_client_that_opens_streams_only_to_reset_them_is_cut_off() {
    let listening = Listening::new(|_| {}).await;
    let (mut client, connection) = http2(&listening).await;
    let mut refused = None;
    for _ in 0..10_000 {
        match poll_fn(|cx| client.poll_ready(cx)).await {
            Ok(()) => {}
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
        match client.send_request(asking("/healthz"), true) {
            Ok((answer, mut stream)) => {
                stream.send_reset(h2::Reason::CANCEL);
                drop(answer);
            }
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
    }
    let why = refused.expect("nobody may do that for long");
    // The goodbye may be lost with the connection.
    let reason = why.reason().or(connection.await.unwrap().err().and_then(|why| why.reason()));
    assert!(matches!(reason, None | Some(h2::Reason::ENHANCE_YOUR_CALM)), "{reason:?}");
    let (mut other, _connection) = http2(&listening).await;
    let (answer, _) = other.send_request(asking("/healthz"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200, "others are served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_waits_for_no_connection_that_asks_for_nothing() {
    let listening = Listening::new(|_| {}).await;
    let (mut silent, mut half_open, mut kept) = (listening.connect().await, listening.connect().await, listening.connect().await);
    half_open.write_all(b"GET /healthz HT").await.unwrap();
    kept.write_all(HEALTH).await.unwrap();
    answer(&mut kept).await;
    let (_client, connection) = http2(&listening).await;
    listening.end();
    listening.world.advance(Duration::from_secs(2));
    for stream in [&mut silent, &mut half_open, &mut kept] {
        assert_eq!(rest(stream).await, "");
    }
    drop(tokio::time::timeout(PATIENCE, connection).await.expect("it is closed"));
    listening.ended().await;
}
