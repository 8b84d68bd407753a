//! One way only to read where a request ends: everything else is 400, and nothing behind it is answered.

use super::*;

const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: auth.example.com\r\n\r\n";

async fn assert_refused(listening: &Listening, request: &str) {
    let said = listening.ask(request.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{request:?}: {said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{request:?}: {said}");
}

/// Heads that two servers could read in two ways, each with a request behind it that one of the two would take for a body, or the
/// other for a request.
pub(super) fn ambiguous(smuggled: &str) -> Vec<String> {
    let host = "Host: auth.example.com\r\n";
    let get = "GET /healthz HTTP/1.1\r\n";
    let post = "POST /token HTTP/1.1\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let length = smuggled.len();
    vec![
        format!("{post}{host}{form}Content-Length: 5\r\nContent-Length: {length}\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: 0, {length}\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: +{length}\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: 0x10\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: -1\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length : 0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding: identity\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{host}{form}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{get}{host}X: a\r\n folded\r\n\r\n{smuggled}"),
        format!("{get}{host}X: a\r\n\tfolded\r\n\r\n{smuggled}"),
        format!("{get} {host}\r\n{smuggled}"),
        format!("GET /healthz HTTP/1.1\n{host}\r\n{smuggled}"),
        format!("{get}Host: auth.example.com\n\r\n{smuggled}"),
        format!("{get}{host}\n{smuggled}"),
        format!("{get}{host}X: a\nY: b\r\n\r\n{smuggled}"),
        format!("{get}{host}X: a\rY: b\r\n\r\n{smuggled}"),
        format!("{get}{host}X: a\0b\r\n\r\n{smuggled}"),
        format!("{get}{host}X\0: b\r\n\r\n{smuggled}"),
        format!("{get}{host}: b\r\n\r\n{smuggled}"),
        format!("{get}{host}no colon\r\n\r\n{smuggled}"),
        format!("GET  /healthz HTTP/1.1\r\n{host}\r\n{smuggled}"),
        format!("GET /healthz HTTP/1.1 \r\n{host}\r\n{smuggled}"),
        format!("GET /healthz HTTP/3.1\r\n{host}\r\n{smuggled}"),
        format!("GET /health z HTTP/1.1\r\n{host}\r\n{smuggled}"),
    ]
}

#[tokio::test]
async fn head_that_two_servers_could_read_in_two_ways_is_400_and_the_end() {
    let listening = Listening::new(|_| {}).await;
    for head in ambiguous(SMUGGLED) {
        assert_refused(&listening, &head).await;
    }
}

#[tokio::test]
async fn request_behind_a_good_one_is_read_as_strictly() {
    let listening = Listening::new(|_| {}).await;
    let said = listening.ask(format!("{SMUGGLED}GET /healthz HTTP/1.1\nHost: auth.example.com\n\n{SMUGGLED}").as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 200").count(), 1, "{said}");
    assert_eq!((said.matches("HTTP/1.1 400").count(), said.matches("HTTP/1.1 ").count()), (1, 2), "{said}");
    let said = listening.ask(format!("{SMUGGLED}{}", SMUGGLED.replacen("\r\n", "\r\nConnection: close\r\n", 1)).as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 200").count(), 2, "{said}");
}

#[tokio::test]
async fn nothing_is_read_behind_chunks() {
    let listening = Listening::new(|_| {}).await;
    let chunks = "POST /token HTTP/1.1\r\nHost: auth.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                  Transfer-Encoding: chunked\r\n\r\n9\r\nclient_id\r\n2\r\n=x\r\n0\r\n\r\n";
    let said = listening.ask(format!("{chunks}{SMUGGLED}").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 401 ") && said.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
}
