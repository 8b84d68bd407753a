//! What a refused peer is told in `WWW-Authenticate`: RFC 6750, section 3, with the step-up of RFC 9470 and the pointer to the
//! metadata of RFC 9728. The one place where these words are put together.

use std::fmt::Write as _;
use std::time::Duration;

use crate::error::VerifyError;

/// How a service words its challenges; the default names the realm `api` and no metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges {
    realm: String,
    resource_metadata: Option<String>,
}

impl Challenges {
    /// Names another realm. What a quoted text cannot hold is left out.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = realm.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
        self
    }

    /// Adds where the metadata of this resource is (RFC 9728, section 5.1): the [`url`](crate::ResourceMetadata::url) of its document.
    #[must_use]
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.resource_metadata = Some(url.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect());
        self
    }

    /// The value of `WWW-Authenticate` for a refusal; `None` where the token is not at fault.
    pub fn challenge(&self, refusal: &VerifyError) -> Option<String> {
        if !refusal.is_token_fault() {
            return None;
        }
        let mut text = format!("Bearer realm=\"{}\"", self.realm);
        let mut add = |name, value: &str| {
            let _ = write!(text, ", {name}=\"{value}\"");
        };
        if let Some(error) = refusal.oauth_error() {
            add("error", error);
            add("error_description", refusal.reason().sentence());
        }
        if let Some(scope) = refusal.required_scope() {
            add("scope", scope);
        }
        if let Some(acr_values) = refusal.required_acr_values() {
            add("acr_values", acr_values);
        }
        if let Some(max_age) = refusal.required_max_age() {
            add("max_age", &max_age.as_secs().to_string());
        }
        if let Some(url) = &self.resource_metadata {
            add("resource_metadata", url);
        }
        Some(text)
    }
}

impl Default for Challenges {
    fn default() -> Self {
        Self { realm: "api".to_owned(), resource_metadata: None }
    }
}

/// What a caller would need to be admitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) scope: Option<String>,
    pub(crate) acr_values: Option<String>,
    pub(crate) max_age: Option<Duration>,
}

impl Needed {
    pub(crate) fn scopes<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Self {
        Self { scope: list(scopes), ..Self::default() }
    }

    pub(crate) fn sign_in(acr_values: &[String], max_age: Option<Duration>) -> Self {
        Self { acr_values: list(acr_values.iter().map(String::as_str)), max_age, ..Self::default() }
    }
}

/// The values come from the service, yet they stand in a quoted header value: what RFC 6749, appendix A.4 does not allow is left out.
fn list<'s>(values: impl IntoIterator<Item = &'s str>) -> Option<String> {
    let mut list = String::new();
    for value in values {
        let told = value.chars().filter(|c| matches!(c, '!' | '#'..='[' | ']'..='~'));
        if !list.is_empty() {
            list.push(' ');
        }
        list.extend(told);
    }
    Some(list).filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn nothing_breaks_out_of_the_quotes() {
        let challenges = Challenges::default().realm("a\", b=\"\\\r\n\u{e4}").resource_metadata("https://x/\" \\\n\u{e4}");
        let told = challenges.challenge(&VerifyError::lacks_scope(["a\", evil=\"b\r\n", "c d"])).unwrap();
        assert_eq!(
            told,
            "Bearer realm=\"a, b=\", error=\"insufficient_scope\", error_description=\"The token lacks a required scope.\", \
             scope=\"a,evil=b cd\", resource_metadata=\"https://x/\""
        );
    }

    #[test]
    fn a_step_up_names_all_that_would_do() {
        let values = ["urn:x:mfa".to_owned(), "urn:x:key".to_owned()];
        let refusal = VerifyError::asks_to_sign_in(Reason::AuthTooOld, &values, Some(Duration::from_millis(300_900)));
        assert_eq!(
            refusal.challenge().unwrap(),
            "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
             error_description=\"The user proved who they are too long ago.\", acr_values=\"urn:x:mfa urn:x:key\", max_age=\"300\""
        );
        assert_eq!(refusal.http_status(), 401);
    }
}
