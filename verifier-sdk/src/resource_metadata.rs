//! OAuth 2.0 Protected Resource Metadata (RFC 9728): the document by which a client that was refused learns whose tokens it needs.
//! Served by a small service of its own, which any router takes.

use std::fmt;

use serde_json::{Map, Value};

use crate::issuer_url::check_address;

/// Where the document is, in front of the resource's own path (RFC 9728, section 3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What this resource says about itself.
///
/// ```
/// # fn main() -> Result<(), passant_verifier::ResourceError> {
/// let metadata = passant_verifier::ResourceMetadata::new("https://api.example.com/orders")?
///     .authorization_server("https://id.example.com")
///     .scopes(["orders:read", "orders:write"])
///     .name("Orders");
/// assert_eq!(metadata.url(), "https://api.example.com/.well-known/oauth-protected-resource/orders");
/// assert_eq!(metadata.path(), "/.well-known/oauth-protected-resource/orders");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct ResourceMetadata {
    origin: String,
    rest: String,
    members: Map<String, Value>,
}

impl ResourceMetadata {
    /// Begins with the resource's identifier, which is also its audience: a URL of https, or http on localhost, without a fragment.
    /// Tokens are taken in the header `Authorization`, and the document says so.
    ///
    /// # Errors
    /// When that is no identifier of a resource (RFC 9728, section 1.2).
    pub fn new(resource: &str) -> Result<Self, ResourceError> {
        check_address(resource, false).map_err(ResourceError)?;
        if resource.contains('#') {
            return Err(ResourceError("it has a fragment"));
        }
        let host_at = resource.find("://").map_or(0, |at| at + "://".len());
        let end = resource.get(host_at..).and_then(|rest| rest.find(['/', '?'])).map_or(resource.len(), |at| host_at + at);
        let (origin, rest) = resource.split_at_checked(end).unwrap_or((resource, ""));
        // A slash that ends the host makes no path (RFC 9728, section 3.1).
        let rest = match rest.strip_prefix('/') {
            Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
            _ => rest,
        };
        let mut metadata = Self { origin: origin.to_owned(), rest: rest.to_owned(), members: Map::new() };
        metadata.members.insert("resource".to_owned(), resource.into());
        Ok(metadata.member("bearer_methods_supported", ["header"].as_slice()))
    }

    /// Names an issuer whose tokens are taken here.
    pub fn authorization_server(self, issuer: &str) -> Self {
        self.listing("authorization_servers", [issuer])
    }

    /// Names scopes that this resource knows.
    pub fn scopes(self, scopes: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.listing("scopes_supported", scopes)
    }

    /// The resource's name, for people.
    pub fn name(self, name: &str) -> Self {
        self.member("resource_name", name)
    }

    /// Where developers read about it.
    pub fn documentation(self, url: &str) -> Self {
        self.member("resource_documentation", url)
    }

    /// Any other member of RFC 9728, section 2, or of the service's own.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    fn listing(mut self, name: &str, more: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let list = self.members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.extend(more.into_iter().map(|item| Value::from(item.as_ref())));
        }
        self
    }

    /// Where the document is, for the challenge.
    pub fn url(&self) -> String {
        format!("{}{WELL_KNOWN}{}", self.origin, self.rest)
    }

    /// The path of [`url`](Self::url), for the router.
    pub fn path(&self) -> String {
        format!("{WELL_KNOWN}{}", self.rest.split('?').next().unwrap_or_default())
    }

    /// The document.
    pub fn to_json(&self) -> String {
        Value::Object(self.members.clone()).to_string()
    }
}

impl fmt::Display for ResourceMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl crate::verifier::Verifier {
    /// The metadata of the resource that this verifier guards: its first audience that is a URL, and the issuers of tokens for it.
    ///
    /// # Errors
    /// When no audience is a URL; [`ResourceMetadata::new`] takes one.
    pub fn resource_metadata(&self) -> Result<ResourceMetadata, ResourceError> {
        let policies = || self.issuers().map(|issuer| &issuer.policy);
        let mut audiences = policies().flat_map(|policy| policy.audiences.iter().flatten());
        let found = audiences.find_map(|audience| Some((audience, ResourceMetadata::new(audience).ok()?)));
        let (resource, metadata) = found.ok_or(ResourceError("no audience of the verifier is a URL"))?;
        let theirs = policies().filter(|policy| policy.audiences.as_ref().is_some_and(|audiences| audiences.contains(resource)));
        Ok(theirs.filter_map(|policy| policy.issuer.as_deref()).fold(metadata, ResourceMetadata::authorization_server))
    }
}

/// Something is not the identifier of a protected resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the identifier of a protected resource: {0}")]
pub struct ResourceError(&'static str);

#[cfg(feature = "tower")]
pub use service::MetadataService;

#[cfg(feature = "tower")]
mod service {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
    use http::{Method, Request, Response, StatusCode};
    use tower_service::Service;

    use super::ResourceMetadata;

    impl ResourceMetadata {
        /// A service that answers with the document, for [`path`](Self::path): in axum,
        /// `router.route_service(&metadata.path(), metadata.service())`. It stands outside the layer that demands tokens.
        pub fn service(&self) -> MetadataService {
            MetadataService { document: self.to_json().into() }
        }
    }

    /// Serves one document; made by [`ResourceMetadata::service`].
    #[derive(Debug, Clone)]
    pub struct MetadataService {
        document: Arc<str>,
    }

    impl<B> Service<Request<B>> for MetadataService {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<B>) -> Self::Future {
            let mut response = Response::new(String::new());
            if matches!(*request.method(), Method::GET | Method::HEAD) {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
                *response.body_mut() = self.document.to_string();
            } else {
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            ready(Ok(response))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_goes_between_host_and_path() {
        for (resource, rest, path) in [
            ("https://a.example", "", ""),
            ("https://a.example/", "", ""),
            ("https://a.example:8443/x/", "/x/", "/x/"),
            ("https://a.example/x?y=/z", "/x?y=/z", "/x"),
            ("https://a.example/?y", "?y", ""),
            ("https://a.example?y", "?y", ""),
            ("http://localhost:8081", "", ""),
        ] {
            let metadata = ResourceMetadata::new(resource).unwrap();
            let origin = resource.split_inclusive('/').take(3).collect::<String>();
            let origin = origin.split('?').next().unwrap().trim_end_matches('/');
            assert_eq!(metadata.url(), format!("{origin}/.well-known/oauth-protected-resource{rest}"));
            assert_eq!(metadata.path(), format!("/.well-known/oauth-protected-resource{path}"));
            assert_eq!(metadata.members["resource"], resource, "the identifier itself stays as it is");
        }
        for bad in ["orders-api", "http://a.example", "https://a.example/#x", "urn:x"] {
            assert!(ResourceMetadata::new(bad).is_err(), "{bad}");
        }
    }
}
