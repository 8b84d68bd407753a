//! Resources: the services that tokens are meant for, named by absolute URIs (RFC 8707).

use url::Url;

use crate::domain::text::{checked_text, is_uri_text, split_scheme};

checked_text!(
    /// A resource indicator (RFC 8707, section 2): an absolute URI without a fragment, at most 512 bytes. Compared byte for byte.
    Resource,
    InvalidResource
);

impl Resource {
    fn check(text: &str) -> Result<(), InvalidResource> {
        if text.contains('#') {
            return Err(InvalidResource::Fragment);
        }
        let absolute = split_scheme(text).is_some_and(|(_, rest)| !rest.is_empty());
        if !absolute || text.len() > 512 || !is_uri_text(text) || Url::parse(text).is_err() {
            return Err(InvalidResource::NotAbsolute);
        }
        Ok(())
    }
}

/// Why a text names no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// It has a fragment (RFC 8707, section 2).
    #[error("a resource has no fragment (the part after #)")]
    Fragment,
    /// It is no absolute URI.
    #[error("a resource is an absolute URI of at most 512 bytes, such as https://api.example.com")]
    NotAbsolute,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        for good in ["https://api.example.com", "https://api.example.com/orders?x=1", "urn:example:orders", "api:orders"] {
            assert_eq!(Resource::try_from(good).unwrap().as_str(), good);
        }
        for bad in ["", "orders", "/orders", "//api.example", "https://", "urn:", "https://a b", "https://a\\b", "HTTPS://a"] {
            assert_eq!(Resource::try_from(bad), Err(InvalidResource::NotAbsolute), "{bad:?}");
        }
        assert_eq!(Resource::try_from("https://a.example/#x"), Err(InvalidResource::Fragment));
        assert!(Resource::try_from(format!("https://a.example/{}", "x".repeat(512))).is_err());
    }
}
