//! The requests of a follower. Whatever answers is taken for hostile: bounded in size and time, never followed elsewhere, and
//! believed only as far as its signature goes.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

use crate::builder::BuildError;
use crate::http::fetch::{FetchError, Roots, client_for, read};
use crate::revocation::message::MAX_MESSAGE_LEN;

const MESSAGE_TYPE: &str = "application/passant-revocations+jwt";

/// How long the issuer may keep a poll waiting, and how long it may take altogether.
const POLL_WAIT: &str = "25";
const POLL_WITHIN: Duration = Duration::from_secs(40);
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const MAX_ANSWER_LEN: usize = 16 * 1024;

/// Speaks to one feed.
#[derive(Debug)]
pub(in crate::http) struct Wire {
    client: Client,
    bearer: Option<HeaderValue>,
}

impl Wire {
    /// `first`: an address of the feed's scheme. `bearer`: the whole header value, marked as sensitive.
    pub(in crate::http) fn new(first: &Url, roots: &Roots, bearer: Option<HeaderValue>) -> Result<Self, BuildError> {
        let client = client_for(first, roots).build().map_err(|error| BuildError::HttpClient(error.to_string()))?;
        Ok(Self { client, bearer })
    }

    pub(super) async fn snapshot(&self, feed: &Url) -> Result<String, FetchError> {
        let request = self.request(Method::GET, feed.clone()).header(ACCEPT, MESSAGE_TYPE);
        within(SNAPSHOT_WITHIN, async { message(request.send().await?).await }).await
    }

    pub(super) async fn poll(&self, feed: &Url, position: &str) -> Result<String, FetchError> {
        let mut address = feed.clone();
        address.query_pairs_mut().append_pair("after", position).append_pair("wait", POLL_WAIT);
        let request = self.request(Method::GET, address).header(ACCEPT, MESSAGE_TYPE);
        within(POLL_WITHIN, async { message(request.send().await?).await }).await
    }

    /// Opens the stream; what then comes has no end.
    pub(super) async fn stream(&self, feed: &Url, position: &str) -> Result<Response, FetchError> {
        let request = self.request(Method::GET, below(feed, "stream")).header(ACCEPT, "text/event-stream");
        within(ANSWER_WITHIN, async {
            let response = request.header("last-event-id", position).send().await?;
            if response.status() == StatusCode::OK { Ok(response) } else { Err(FetchError::of_status(&response)) }
        })
        .await
    }

    /// Shows the issuer a message of its own.
    pub(super) async fn prove(&self, feed: &Url, message: String) -> Result<(), FetchError> {
        let request = self.request(Method::POST, below(feed, "proof")).header(CONTENT_TYPE, MESSAGE_TYPE).body(message);
        within(ANSWER_WITHIN, async { read(request.send().await?, MAX_ANSWER_LEN).await }).await.map(drop)
    }

    /// Tells the issuer who follows it, a JSON object.
    pub(super) async fn report(&self, feed: &Url, report: String) -> Result<(), FetchError> {
        let request = self.request(Method::POST, below(feed, "followers")).header(CONTENT_TYPE, "application/json").body(report);
        within(ANSWER_WITHIN, async {
            let response = request.send().await?;
            if response.status().is_success() { Ok(()) } else { Err(FetchError::of_status(&response)) }
        })
        .await
    }

    fn request(&self, method: Method, address: Url) -> RequestBuilder {
        let request = self.client.request(method, address).header(CACHE_CONTROL, "no-cache");
        match &self.bearer {
            Some(bearer) => request.header(AUTHORIZATION, bearer),
            None => request,
        }
    }
}

async fn within<T>(time: Duration, attempt: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
    tokio::time::timeout(time, attempt).await.unwrap_or(Err(FetchError::TimedOut(time.as_secs())))
}

async fn message(response: Response) -> Result<String, FetchError> {
    let body = read(response, MAX_MESSAGE_LEN).await?;
    String::from_utf8(body).map_err(|_| FetchError::Request("the answer is not text"))
}

/// The address of a part of the feed.
fn below(feed: &Url, part: &str) -> Url {
    let mut address = feed.clone();
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty().push(part);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_feed_lie_below_it() {
        for (feed, stream) in [
            ("https://a/revocations", "https://a/revocations/stream"),
            ("https://a/t/revocations/", "https://a/t/revocations/stream"),
            ("https://a/revocations?x=1", "https://a/revocations/stream?x=1"),
        ] {
            assert_eq!(below(&Url::parse(feed).unwrap(), "stream").as_str(), stream);
        }
    }
}
