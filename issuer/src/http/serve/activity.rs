//! What a connection is doing, and since when: hyper times the head of a request and an idle connection with one clock, and while it
//! still guesses the protocol with none, so both are measured here.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use crate::clock::Clock;
use crate::config::Limits;

/// How long a request's body may be on its way before its connection could be closed for the sake of others: one that is sent at once
/// is here by then.
const AT_ONCE: Duration = Duration::from_millis(250);

/// How a connection that speaks HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI ";

/// One connection's doings, shared by those that see them.
#[derive(Clone)]
pub(super) struct Activity {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    patience: Patience,
}

/// How patient a server is.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    head: Duration,
    idle: Duration,
    answer: Duration,
    stalled: Duration,
    stream: Duration,
}

impl Patience {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            head: limits.head_timeout,
            idle: limits.idle_timeout,
            answer: limits.request_timeout,
            stalled: limits.request_timeout + limits.idle_timeout,
            // Something is said every ten seconds.
            stream: Duration::from_secs(60),
        }
    }
}

/// Since when a connection could be closed for the sake of others; those that come first are closed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dispensable {
    /// It has asked for nothing, or for something that does not come to its end. The two are one, so that the oldest go first: while
    /// others drip bodies, those that have asked for nothing are those that have just come.
    Waiting(Duration),
    /// An answer has been on its way for longer than a request may take.
    NotTaking(Duration),
}

/// All times are of the monotonic clock.
struct State {
    /// What is being answered. Bytes prolong none: over HTTP/2, a client that takes no answer may exchange pings for ever.
    answering: BTreeMap<u64, Request>,
    next_request: u64,
    /// When the last byte went in or out.
    byte_at: Duration,
    /// When the head began that is being read; that of the first request at once.
    head_since: Option<Duration>,
    idle_since: Duration,
    beginning: Beginning,
}

/// A request that is being answered.
struct Request {
    /// When it began; of a stream, when a piece of it was last taken.
    since: Duration,
    /// Whether all of it has come, or nothing more of it is waited for.
    whole: bool,
    stream: bool,
}

enum Beginning {
    /// So many bytes of the preface have come.
    Preface(usize),
    Http2,
    Http1,
}

impl State {
    fn new(now: Duration) -> Self {
        Self {
            answering: BTreeMap::new(),
            next_request: 0,
            byte_at: now,
            head_since: Some(now),
            idle_since: now,
            beginning: Beginning::Preface(0),
        }
    }

    fn read(&mut self, bytes: &[u8], now: Duration) {
        self.byte_at = now;
        if let Beginning::Preface(come) = self.beginning {
            let rest = PREFACE.get(come..).unwrap_or_default();
            let same = bytes.iter().zip(rest).take_while(|(one, other)| one == other).count();
            self.beginning = match (same == rest.len(), same == bytes.len()) {
                (true, _) => Beginning::Http2,
                (false, true) => Beginning::Preface(come + same),
                (false, false) => Beginning::Http1,
            };
        }
        // Between requests an HTTP/2 connection has frames of its own to exchange: they begin no head.
        match self.beginning {
            Beginning::Http2 => self.head_since = None,
            Beginning::Http1 | Beginning::Preface(_) if self.answering.is_empty() => {
                self.head_since.get_or_insert(now);
            }
            Beginning::Http1 | Beginning::Preface(_) => {}
        }
    }

    /// The number of the request that begins.
    fn request_begins(&mut self, now: Duration) -> u64 {
        let number = self.next_request;
        self.next_request += 1;
        self.answering.insert(number, Request { since: now, whole: false, stream: false });
        self.head_since = None;
        number
    }

    fn request_is_whole(&mut self, number: u64) {
        if let Some(request) = self.answering.get_mut(&number) {
            request.whole = true;
        }
    }

    fn request_ends(&mut self, number: u64, now: Duration) {
        self.answering.remove(&number);
        self.idle_since = now;
    }

    /// An answer goes on for as long as its pieces are taken.
    fn streams(&mut self, number: u64, now: Duration) {
        if let Some(request) = self.answering.get_mut(&number) {
            *request = Request { since: now, whole: true, stream: true };
        }
    }

    fn overdue(&self, now: Duration, patience: Patience) -> Option<&'static str> {
        let past = |since: Duration, limit: Duration| now.saturating_sub(since) >= limit;
        match (self.answering.is_empty(), self.head_since) {
            (true, Some(since)) => past(since, patience.head).then_some("the head of a request did not come in time"),
            (true, None) => past(self.idle_since, patience.idle).then_some("idle"),
            (false, _) => {
                let limit = |request: &Request| if request.stream { patience.stream } else { patience.stalled };
                let late = self.answering.values().any(|request| past(request.since, limit(request)));
                late.then_some("an answer was not taken in time")
            }
        }
    }

    fn dispensable(&self, now: Duration, patience: Patience) -> Option<Dispensable> {
        let Some(oldest) = self.answering.values().map(|request| request.since).min() else {
            return Some(Dispensable::Waiting(self.head_since.unwrap_or(self.idle_since)));
        };
        if self.answering.values().all(|request| !request.whole) {
            return (now.saturating_sub(oldest) > AT_ONCE).then_some(Dispensable::Waiting(oldest));
        }
        let limit = |request: &Request| if request.stream { patience.stream } else { patience.answer };
        let late = self.answering.values().filter(|request| now.saturating_sub(request.since) > limit(request));
        late.map(|request| Dispensable::NotTaking(request.since)).min()
    }
}

/// A request that is being answered, until it is dropped.
pub(super) struct Answering {
    activity: Activity,
    number: u64,
}

impl Answering {
    /// Notes that the answer has no end, and that a piece of it was taken.
    pub(super) fn streams(&self) {
        let now = self.activity.clock.monotonic();
        self.activity.state().streams(self.number, now);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let now = self.activity.clock.monotonic();
        self.activity.state().request_ends(self.number, now);
    }
}

impl Answering {
    /// Notes that nothing of the request is to come any more.
    pub(super) fn has_come_whole(&self) {
        self.activity.state().request_is_whole(self.number);
    }

    /// The body of the request, watched until the last of it was read or nobody wants more of it.
    pub(super) fn coming(&self, body: Incoming) -> Coming {
        if body.is_end_stream() {
            self.has_come_whole();
        }
        Coming { body, activity: self.activity.clone(), number: self.number }
    }
}

/// A body that is on its way.
pub(super) struct Coming {
    body: Incoming,
    activity: Activity,
    number: u64,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.activity.state().request_is_whole(self.number);
    }
}

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Activity {
    pub(super) fn new(clock: Arc<dyn Clock>, patience: Patience) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(clock.monotonic()))), clock, patience }
    }

    /// Notes that a request has come.
    pub(super) fn answering(&self) -> Answering {
        let now = self.clock.monotonic();
        let number = self.state().request_begins(now);
        Answering { activity: self.clone(), number }
    }

    /// Notes that the connection can be spoken on from now: its first head has its time.
    pub(super) fn opened(&self) {
        let now = self.clock.monotonic();
        *self.state() = State::new(now);
    }

    /// Since when the connection could be closed for the sake of others, if it could.
    pub(super) fn dispensable(&self) -> Option<Dispensable> {
        let now = self.clock.monotonic();
        self.state().dispensable(now, self.patience)
    }

    /// Why the connection has to be closed, if it has.
    pub(super) fn overdue(&self) -> Option<&'static str> {
        let now = self.clock.monotonic();
        self.state().overdue(now, self.patience)
    }

    /// Whether nothing is being answered, and the last answer has gone out.
    pub(super) fn quiet(&self, last_byte: Duration) -> bool {
        let now = self.clock.monotonic();
        let state = self.state();
        state.answering.is_empty() && now.saturating_sub(state.byte_at) >= last_byte
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose bytes are noticed, and read beside hyper.
pub(super) struct Watched<S> {
    stream: S,
    activity: Activity,
    framing: Framing,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled_mut().get_mut(before..).filter(|bytes| !bytes.is_empty()) {
            let now = self.activity.clock.monotonic();
            self.activity.state().read(bytes, now);
            self.framing.read(bytes);
        }
        outcome
    }
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: &Activity) -> Self {
        Self { stream, activity: activity.clone(), framing: Framing::new() }
    }

    fn noted(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(1..)) = outcome {
            let now = self.activity.clock.monotonic();
            self.activity.state().byte_at = now;
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(outcome)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.noted(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body whose request is being answered until the last of it was taken.
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) answering: Answering,
    /// Whether it has no end.
    pub(super) streams: bool,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let piece = Pin::new(&mut self.body).poll_frame(cx);
        if self.streams && piece.is_ready() {
            self.answering.streams();
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        answer: Duration::from_secs(30),
        stalled: Duration::from_secs(90),
        stream: Duration::from_secs(60),
    };

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    /// The first second at which the connection is closed.
    fn closed_at(state: &State) -> u64 {
        (0..1000).find(|second| state.overdue(at(*second), PATIENCE).is_some()).unwrap()
    }

    #[test]
    fn first_head_has_its_time_from_the_beginning_whether_bytes_come_or_not() {
        let mut state = State::new(at(5));
        assert_eq!(closed_at(&state), 15);
        for second in 6..15 {
            state.read(b"G", at(second));
            assert_eq!(closed_at(&state), 15, "a byte a second gains no time");
        }
    }

    #[test]
    fn kept_connection_may_idle_and_its_next_head_has_its_own_time() {
        let mut state = State::new(at(0));
        state.read(b"GET / HTTP/1.1\r\n\r\n", at(1));
        let request = state.request_begins(at(1));
        state.request_ends(request, at(2));
        assert_eq!(closed_at(&state), 62);
        state.read(b"GET", at(50));
        assert_eq!(closed_at(&state), 60);
        state.read(b" / HTTP/1.1\r\n\r\n", at(51));
        state.request_begins(at(51));
        assert_eq!(closed_at(&state), 51 + 90);
    }

    #[test]
    fn frames_between_requests_of_http_2_begin_no_head_and_keep_nobody_longer() {
        let mut state = State::new(at(0));
        for (piece, second) in [(&b"PR"[..], 1), (b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n", 2), (b"ping", 30), (b"ping", 59)] {
            state.read(piece, at(second));
            assert_eq!(closed_at(&state), if second == 1 { 10 } else { 60 });
        }
        let (one, other) = (state.request_begins(at(59)), state.request_begins(at(60)));
        assert_eq!(closed_at(&state), 59 + 90);
        state.request_ends(one, at(61));
        assert_eq!(closed_at(&state), 60 + 90, "one of the two is still being answered");
        state.request_ends(other, at(62));
        assert_eq!(closed_at(&state), 122);
    }

    #[test]
    fn what_only_begins_like_the_preface_is_http_1() {
        for head in ["PROPFIND / HTTP/1.1", "PUT / HTTP/1.1", "P", "PRI"] {
            let mut state = State::new(at(0));
            state.read(head.as_bytes(), at(1));
            assert_eq!(closed_at(&state), 10, "{head}");
        }
    }

    #[test]
    fn answer_that_nobody_takes_holds_no_connection_for_good() {
        let mut state = State::new(at(0));
        state.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", at(1));
        state.request_begins(at(7));
        for second in 8..97 {
            state.read(b"ping", at(second));
            let another = state.request_begins(at(second));
            assert_eq!(closed_at(&state), 97, "neither pings nor other requests gain time");
            state.request_ends(another, at(second));
        }
        assert_eq!(closed_at(&state), 97);
    }

    #[test]
    fn stream_lasts_for_as_long_as_it_is_taken() {
        let mut state = State::new(at(0));
        let stream = state.request_begins(at(1));
        for second in (10..1000).step_by(10) {
            state.streams(stream, at(second));
            let late = at(second + 59);
            assert_eq!((state.overdue(late, PATIENCE), state.dispensable(late, PATIENCE)), (None, None), "{second}");
        }
        assert!(state.overdue(at(990 + 60), PATIENCE).is_some());
        assert_eq!(state.dispensable(at(990 + 61), PATIENCE), Some(Dispensable::NotTaking(at(990))));
        let other = state.request_begins(at(900));
        assert!(state.overdue(at(990), PATIENCE).is_some(), "it excuses no answer beside it that is not taken");
        state.request_ends(other, at(990));
        state.request_ends(stream, at(991));
        state.streams(stream, at(2000));
        assert_eq!(state.dispensable(at(2000), PATIENCE), Some(Dispensable::Waiting(at(991))), "what has ended stays so");
    }

    #[test]
    fn who_waits_leaves_before_who_takes_no_answer_and_who_is_being_answered_stays() {
        let mut state = State::new(at(0));
        assert_eq!(state.dispensable(at(5), PATIENCE), Some(Dispensable::Waiting(at(0))));
        let (one, other) = (state.request_begins(at(5)), state.request_begins(at(20)));
        [one, other].into_iter().for_each(|number| state.request_is_whole(number));
        assert_eq!(state.dispensable(at(35), PATIENCE), None);
        state.read(b"ping", at(36));
        assert_eq!(state.dispensable(at(36), PATIENCE), Some(Dispensable::NotTaking(at(5))));
        state.request_ends(one, at(36));
        assert_eq!(state.dispensable(at(36), PATIENCE), None);
        state.request_ends(other, at(40));
        assert_eq!(state.dispensable(at(40), PATIENCE), Some(Dispensable::Waiting(at(40))));
        assert!(Dispensable::Waiting(at(2)) < Dispensable::NotTaking(at(1)));
    }

    #[test]
    fn who_does_not_come_to_the_end_of_a_body_can_leave_and_who_has_sent_it_all_stays() {
        let mut state = State::new(at(0));
        let one = state.request_begins(at(5));
        assert_eq!(state.dispensable(at(5) + AT_ONCE, PATIENCE), None, "it may be here in a moment");
        assert_eq!(state.dispensable(at(6), PATIENCE), Some(Dispensable::Waiting(at(5))));
        let other = state.request_begins(at(7));
        state.request_is_whole(other);
        assert_eq!(state.dispensable(at(8), PATIENCE), None, "another request of it is being answered");
        state.request_ends(other, at(8));
        assert_eq!(state.dispensable(at(8), PATIENCE), Some(Dispensable::Waiting(at(5))), "bytes and answers gain no time");
        state.request_is_whole(one);
        assert_eq!(state.dispensable(at(8), PATIENCE), None);
        state.request_ends(one, at(9));
        state.request_is_whole(one);
        assert_eq!(state.dispensable(at(9), PATIENCE), Some(Dispensable::Waiting(at(9))), "what is over stays over");
    }
}
