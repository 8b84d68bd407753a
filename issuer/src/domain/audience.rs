//! Whom a token is for (RFC 8707): the resources that the request named, the client's default, or the issuer itself.

use crate::domain::client::Client;
use crate::domain::issuer_url::IssuerUrl;
use crate::domain::resource::Resource;

/// The audience that a client gets for the resources it asked for. What its registration does not allow is refused as a
/// whole, never left out in silence.
pub fn allowed_audience(requested: &[Resource], client: &Client) -> Result<Audience, InvalidTarget> {
    if requested.iter().any(|resource| !client.resources.contains(resource)) {
        return Err(InvalidTarget);
    }
    let wanted = if requested.is_empty() { client.default_resource.as_slice() } else { requested };
    let mut resources: Vec<Resource> = Vec::with_capacity(wanted.len());
    for resource in wanted {
        if !resources.contains(resource) {
            resources.push(resource.clone());
        }
    }
    Ok(if resources.is_empty() { Audience::Issuer } else { Audience::Resources(resources) })
}

/// Whom a token is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Audience {
    /// The issuer itself: `/userinfo` and nothing else.
    Issuer,
    /// These services; never empty, each once, in the order of the request.
    Resources(Vec<Resource>),
}

impl Audience {
    /// The values of `aud`; never empty.
    pub fn values<'a>(&'a self, issuer: &'a IssuerUrl) -> Vec<&'a str> {
        match self {
            Self::Issuer => vec![issuer.as_str()],
            Self::Resources(resources) => resources.iter().map(Resource::as_str).collect(),
        }
    }
}

/// The error `invalid_target` (RFC 8707, section 2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the client may not ask for tokens for this resource")]
pub struct InvalidTarget;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::{ClientAuthentication, ClientOrigin, GrantType, Registration};

    fn client(resources: &[&str], default: Option<&str>) -> Client {
        Client::new(Registration {
            id: "worker".parse().unwrap(),
            origin: ClientOrigin::File,
            name: "Worker".to_owned(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: true,
            pkce_required: true,
            redirect_uris: Vec::new(),
            grant_types: [GrantType::ClientCredentials].into(),
            scopes: Default::default(),
            resources: parsed(resources),
            default_resource: default.map(|uri| uri.parse().unwrap()),
            lifetimes: Default::default(),
            token_claims: Default::default(),
        })
        .unwrap()
    }

    fn parsed(uris: &[&str]) -> Vec<Resource> {
        uris.iter().map(|uri| uri.parse().unwrap()).collect()
    }

    #[test]
    fn an_audience_comes_from_the_request_the_default_or_the_issuer() {
        let (with_default, without) = (client(&["urn:a", "urn:b"], Some("urn:b")), client(&["urn:a"], None));
        type Row<'a> = (&'a Client, &'a [&'a str], Result<&'a [&'a str], InvalidTarget>);
        let table: [Row<'_>; 7] = [
            (&with_default, &[], Ok(&["urn:b"])),
            (&with_default, &["urn:a"], Ok(&["urn:a"])),
            (&with_default, &["urn:b", "urn:a", "urn:b"], Ok(&["urn:b", "urn:a"])),
            (&with_default, &["urn:a", "urn:c"], Err(InvalidTarget)),
            (&with_default, &["urn:A"], Err(InvalidTarget)),
            (&without, &[], Ok(&["http://localhost:8080"])),
            (&without, &["http://localhost:8080"], Err(InvalidTarget)),
        ];
        for (client, requested, expected) in table {
            let audience = allowed_audience(&parsed(requested), client);
            let values = audience.as_ref().map(|audience| audience.values(&IssuerUrl::LOCAL)).map_err(Clone::clone);
            assert_eq!(values, expected.map(<[&str]>::to_vec), "{requested:?}");
        }
    }
}
