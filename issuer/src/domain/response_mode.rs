//! How the answer to an authorization request travels to the client (`response_mode`): in the redirect URI's query, or in a form
//! that the browser posts there (OAuth 2.0 Form Post Response Mode 1.0).

use super::authorization_request::RequestError;
use super::params::Params;
use crate::domain::text::named_values;

named_values!(
    /// A way back. The fragment is none: a code in it reaches no server, and tokens are never sent by way of the browser.
    ResponseMode {
        /// In the query.
        Query = "query",
        /// In a posted form.
        FormPost = "form_post",
    }
);

#[expect(clippy::derivable_impls, reason = "the macro that makes the enum marks no variant")]
impl Default for ResponseMode {
    fn default() -> Self {
        Self::Query
    }
}

impl ResponseMode {
    /// The way that a request asks for; the query where it asks for none.
    pub fn asked(params: &Params, redirect_uri: &str) -> Result<Self, RequestError> {
        let refuse = |why: &str| Err(RequestError::new("invalid_request", why));
        let web = redirect_uri.starts_with("https://") || redirect_uri.starts_with("http://");
        match params.get("response_mode").map(str::parse) {
            None => Ok(Self::default()),
            Some(Ok(Self::FormPost)) if !web => refuse("a form can be posted to an http or https redirect_uri alone"),
            Some(Ok(mode)) => Ok(mode),
            Some(Err(_)) => refuse("response_mode must be query or form_post"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_taken_at_its_word() {
        for (query, redirect_uri, expected) in [
            ("", "https://shop.example/cb", Some(ResponseMode::Query)),
            ("response_mode=", "https://shop.example/cb", Some(ResponseMode::Query)),
            ("response_mode=query", "com.example.app:/cb", Some(ResponseMode::Query)),
            ("response_mode=form_post", "https://shop.example/cb", Some(ResponseMode::FormPost)),
            ("response_mode=form_post", "http://127.0.0.1:7000/cb", Some(ResponseMode::FormPost)),
            ("response_mode=form_post", "com.example.app:/cb", None),
            ("response_mode=fragment", "https://shop.example/cb", None),
            ("response_mode=Query", "https://shop.example/cb", None),
        ] {
            let params = Params::parse(query.as_bytes()).unwrap();
            assert_eq!(ResponseMode::asked(&params, redirect_uri).ok(), expected, "{query} {redirect_uri}");
        }
    }
}
