//! One connection from its handshake to its end: HTTP/1.1 or HTTP/2, within limits that no client of good will meets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::activity::{Answer, Watched};
use super::places::Place;
use crate::http::intake::{HEAD_BYTES, HEADERS};
use crate::http::revocations::Streamed;

/// How often a connection is looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// What hyper lets pass of a head beyond what we do: so that what is a little too much gets an answer of ours.
const MARGIN: usize = 2;
/// The requests of one HTTP/2 connection at a time.
const STREAMS: u32 = 100;
/// The streams that a client may have taken back before they were looked at (CVE-2023-44487).
const TAKEN_BACK: usize = 20;
/// The streams that we may have had to take back for a client's mistakes (CVE-2025-8671).
const MISTAKES: usize = 100;

/// What is needed to answer a connection.
pub(super) struct Connection {
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
    pub(super) ending: watch::Receiver<bool>,
}

impl Connection {
    /// Answers its requests until either side ends it.
    pub(super) async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(acceptor) = tls else { return self.speak(stream).await };
        let handshake = acceptor.accept(stream);
        tokio::pin!(handshake);
        let mut glance = tokio::time::interval(GLANCE);
        let stream = loop {
            tokio::select! {
                outcome = &mut handshake => match outcome {
                    Ok(stream) => break stream,
                    Err(fault) => return tracing::debug!(%fault, "no TLS came about"),
                },
                _ = glance.tick() => if self.place.activity().overdue().is_some() {
                    return tracing::debug!("no TLS came about in time");
                },
                () = self.place.must_be_left() => return,
                _ = self.ending.wait_for(|ending| *ending) => return,
            }
        };
        self.speak(stream).await;
    }

    async fn speak(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = self.place.activity().clone();
        activity.opened();
        let (router, peer) = (self.router, self.peer);
        let service = {
            let activity = activity.clone();
            service_fn(move |request: Request<Incoming>| {
                let (router, answering) = (router.clone(), activity.answering());
                async move {
                    let mut request = request.map(|body| Body::new(answering.coming(body)));
                    request.extensions_mut().insert(ConnectInfo(peer));
                    // Behind chunks nothing is read any more: see `framing`.
                    let last = request.version() < Version::HTTP_2 && request.headers().contains_key(header::TRANSFER_ENCODING);
                    let mut answer: Response = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
                    if last {
                        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    let streams = answer.extensions().get::<Streamed>().is_some();
                    if streams {
                        answering.streams();
                    }
                    Ok::<_, Infallible>(answer.map(|body| Answer { body, answering, streams }))
                }
            })
        };
        let builder = builder();
        let connection = builder.serve_connection(TokioIo::new(Watched::new(stream, &activity)), service);
        tokio::pin!(connection);
        let mut glance = tokio::time::interval(GLANCE);
        let mut end = End::Open;
        loop {
            tokio::select! {
                outcome = &mut connection => {
                    if let Err(fault) = outcome {
                        tracing::debug!(fault = &*fault, "a connection broke off");
                    }
                    return;
                }
                _ = glance.tick() => match end {
                    End::Due => return,
                    // Asked to end and with nothing to finish, it has had a moment to say goodbye.
                    End::Asked if activity.quiet(GLANCE) => return,
                    End::Open | End::Asked => if let Some(why) = activity.overdue() {
                        tracing::debug!(why, "closed a connection");
                        connection.as_mut().graceful_shutdown();
                        end = End::Due;
                    },
                },
                () = self.place.must_be_left() => return,
                _ = self.ending.wait_for(|ending| *ending), if matches!(end, End::Open) => {
                    connection.as_mut().graceful_shutdown();
                    end = End::Asked;
                }
            }
        }
    }
}

enum End {
    Open,
    /// The process ends.
    Asked,
    /// Its time is over.
    Due,
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_headers(HEADERS * MARGIN).max_buf_size(HEAD_BYTES * MARGIN);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(MISTAKES)
        .max_header_list_size(u32::try_from(HEAD_BYTES * MARGIN).unwrap_or(u32::MAX));
    builder
}
