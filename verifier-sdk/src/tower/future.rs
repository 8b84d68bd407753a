//! The answer to come: a refusal at once, or the inner service's, whose own refusals are told in the layer's words.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::refusal::reword;
use crate::challenge::Challenges;

pin_project! {
    /// The answer of [`Auth`](super::Auth) or [`PolicyService`](super::PolicyService), to come.
    #[derive(Debug)]
    pub struct AuthFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum State<F, R> {
        Inner { #[pin] future: F, challenges: Option<Arc<Challenges>> },
        Refused { response: Option<Response<R>> },
    }
}

impl<F, R> AuthFuture<F, R> {
    pub(super) fn refused(response: Response<R>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    /// `challenges`: in whose words a handler's refusals are told.
    pub(super) fn inner(future: F, challenges: Option<Arc<Challenges>>) -> Self {
        Self { state: State::Inner { future, challenges } }
    }
}

impl<F, R, E> Future for AuthFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            Projected::Inner { future, challenges } => {
                let mut answer = ready!(future.poll(cx));
                if let (Ok(response), Some(challenges)) = (&mut answer, challenges) {
                    reword(response, challenges);
                }
                Poll::Ready(answer)
            }
            // A future that was ready is not to be polled again, and one that is has nothing more to say.
            Projected::Refused { response } => response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}
