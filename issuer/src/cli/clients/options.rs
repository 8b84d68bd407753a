//! What can be said about a client on the command line, when it is made and when it changes.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::super::answer::Failure;
use crate::config::Config;
use crate::domain::client::{ClientAuthentication, GrantType, Registration, TokenClaim};
use crate::domain::life::{AccessTokenLife, RefreshLife, RetryWindow};
use crate::domain::mapped_claim::{Carrier, ClaimName, MappedClaim};
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;

#[derive(Args)]
pub(super) struct Options {
    /// It can keep no secret: a single-page or installed application
    #[arg(long, conflicts_with = "authentication")]
    public: bool,
    /// How it proves who it is: client_secret_basic (the default) or client_secret_post
    #[arg(long, value_name = "METHOD")]
    authentication: Option<ClientAuthentication>,
    /// Where its codes may be carried; may be given again
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<RedirectUri>,
    /// Where browsers may be sent after a sign-out that it began; may be given again
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// authorization_code (the default), refresh_token or client_credentials; may be given again
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<GrantType>,
    /// A scope it may be given: a standard one, or one declared in [scopes]; may be given again
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// A resource it may have tokens for, declared in [resources]; may be given again
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<Resource>,
    /// The resource that is meant when it names none
    #[arg(long, value_name = "URI")]
    default_resource: Option<Resource>,
    /// It belongs to whoever runs the issuer: people are not asked for consent
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    first_party: Option<bool>,
    /// Exempt it from PKCE; only one with a secret can be
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    without_pkce: Option<bool>,
    /// How long its access tokens live, such as 10m
    #[arg(long, value_name = "TIME")]
    access_token: Option<AccessTokenLife>,
    /// How long a refresh token may lie unused, such as 14d
    #[arg(long, value_name = "TIME")]
    refresh_idle: Option<RefreshLife>,
    /// How long a grant may be refreshed at all, such as 90d
    #[arg(long, value_name = "TIME")]
    refresh_absolute: Option<RefreshLife>,
    /// How long a used refresh token may be retried, such as 10s
    #[arg(long, value_name = "TIME")]
    refresh_retry_window: Option<RetryWindow>,
    /// What its access tokens say about the sign-in: auth_time, acr or amr; may be given again
    #[arg(long = "token-claim", value_name = "CLAIM")]
    token_claims: Vec<TokenClaim>,
    /// What it is told of a user: NAME=roles or NAME=attributes.X, and where, such as department=attributes.department@id_token,userinfo
    /// (access_token where nothing is said); may be given again
    #[arg(long = "mapped-claim", value_name = "NAME=SOURCE[@WHERE]")]
    mapped_claims: Vec<Mapping>,
    /// Its access tokens name a place in a Token Status List, for verifiers of other vendors; about 140 bytes more in each
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    status_list: Option<bool>,
}

/// What can be taken away as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum List {
    RedirectUris,
    PostLogoutRedirectUris,
    Scopes,
    Resources,
    DefaultResource,
    TokenClaims,
    MappedClaims,
}

/// `NAME=SOURCE[@WHERE]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping(ClaimName, MappedClaim);

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("write NAME=roles or NAME=attributes.X")?;
        let (source, carriers) = rest.split_once('@').map_or((rest, None), |(source, carriers)| (source, Some(carriers)));
        let carried_by = match carriers {
            Some(names) => names.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|why| format!("{why}"))?,
            None => [Carrier::AccessToken].into(),
        };
        let from = source.parse().map_err(|why| format!("{why}"))?;
        Ok(Self(name.parse().map_err(|why| format!("{why}"))?, MappedClaim { from, carried_by }))
    }
}

impl Options {
    /// Whether what is named is declared in the configuration.
    pub(super) fn check(&self, config: &Config) -> Result<(), Failure> {
        let declared = config.declared();
        declared.scopes(&self.scopes).map_err(|(_, why)| Failure::wrong(why))?;
        declared.resources(&self.resources).map_err(|(_, why)| Failure::wrong(why))
    }

    /// Changes what was given; a list that was given replaces the old one.
    pub(super) fn apply(&self, it: &mut Registration) {
        it.authentication =
            if self.public { ClientAuthentication::None } else { self.authentication.unwrap_or(it.authentication) };
        it.first_party = self.first_party.unwrap_or(it.first_party);
        it.status_list = self.status_list.unwrap_or(it.status_list);
        it.pkce_required = self.without_pkce.map_or(it.pkce_required, |without| !without);
        replace(&mut it.redirect_uris, &self.redirect_uris);
        replace(&mut it.post_logout_redirect_uris, &self.post_logout_redirect_uris);
        replace(&mut it.resources, &self.resources);
        if !self.grant_types.is_empty() {
            it.grant_types = self.grant_types.iter().copied().collect();
        }
        if !self.scopes.is_empty() {
            it.scopes = self.scopes.iter().cloned().collect();
        }
        if !self.token_claims.is_empty() {
            it.token_claims = self.token_claims.iter().copied().collect();
        }
        if !self.mapped_claims.is_empty() {
            it.mapped_claims = self.mapped_claims.iter().map(|Mapping(name, mapped)| (name.clone(), mapped.clone())).collect();
        }
        if let Some(resource) = &self.default_resource {
            it.default_resource = Some(resource.clone());
        }
        let lives = &mut it.lifetimes;
        lives.access_token = self.access_token.unwrap_or(lives.access_token);
        lives.refresh_idle = self.refresh_idle.unwrap_or(lives.refresh_idle);
        lives.refresh_absolute = self.refresh_absolute.unwrap_or(lives.refresh_absolute);
        lives.refresh_retry_window = self.refresh_retry_window.unwrap_or(lives.refresh_retry_window);
    }
}

impl List {
    /// Takes it away.
    pub(super) fn clear(self, it: &mut Registration) {
        match self {
            Self::RedirectUris => it.redirect_uris.clear(),
            Self::PostLogoutRedirectUris => it.post_logout_redirect_uris.clear(),
            Self::Scopes => it.scopes = Default::default(),
            Self::Resources => it.resources.clear(),
            Self::DefaultResource => it.default_resource = None,
            Self::TokenClaims => it.token_claims.clear(),
            Self::MappedClaims => it.mapped_claims.clear(),
        }
    }
}

fn replace<T: Clone>(list: &mut Vec<T>, given: &[T]) {
    if !given.is_empty() {
        *list = given.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_says_what_and_where() {
        let Mapping(name, mapped) = "tier=attributes.tier@id_token,userinfo".parse().unwrap();
        assert_eq!((name.as_str(), mapped.from.to_string().as_str()), ("tier", "attributes.tier"));
        assert_eq!(mapped.carried_by, [Carrier::IdToken, Carrier::UserInfo].into());
        assert_eq!("roles=roles".parse::<Mapping>().unwrap().1.carried_by, [Carrier::AccessToken].into());
        for bad in ["roles", "sub=roles", "x=y", "x=roles@", "x=roles@nowhere"] {
            assert!(bad.parse::<Mapping>().is_err(), "{bad}");
        }
    }
}
