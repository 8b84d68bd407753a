//! `[[clients]]`: the registrations that the file declares. The file holds a secret's hash, or says where the secret lies.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::declared::{Declared, Undeclared};
use super::error::ConfigError;
use super::secrets;
use super::source::{Source, Step, Step::At, Step::Key};
use crate::domain::client::{Client, ClientAuthentication, ClientError, ClientOrigin, GrantType, Registration, TokenClaim};
use crate::domain::ids::ClientId;
use crate::domain::life::{AccessTokenLife, ClientLifetimes, RefreshLife, RetryWindow};
use crate::domain::mapped_claim::{ClaimName, MappedClaim};
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::resource::Resource;
use crate::domain::scope::Scope;
use crate::secret::{Secret, TokenHash};

/// A client as the file declares it.
#[derive(Clone, Debug)]
pub struct DeclaredClient {
    /// The registration.
    pub client: Client,
    /// The hash of its secret; a public client has none, any other has one.
    pub secret: Option<TokenHash>,
}

/// A client whose section is right, and where its secret is to be found.
pub(super) struct JudgedClient {
    index: usize,
    client: Client,
    secret: SecretSource,
}

enum SecretSource {
    /// A public client has none.
    None,
    Hash(TokenHash),
    Variable(String),
    File(PathBuf),
}

/// What the rest of the configuration means to a client.
pub(super) struct Surroundings<'a> {
    pub(super) declared: Declared<'a>,
    pub(super) lifetimes: ClientLifetimes,
}

/// One `[[clients]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a client's section, [[clients]]")]
pub(super) struct ClientEntry {
    #[serde(deserialize_with = "client_id")]
    id: ClientId,
    name: String,
    authentication: ClientAuthentication,
    #[serde(default, deserialize_with = "secret_hash")]
    secret_hash: Option<TokenHash>,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    #[serde(default)]
    first_party: bool,
    #[serde(default = "yes")]
    pkce_required: bool,
    #[serde(default)]
    redirect_uris: Vec<RedirectUri>,
    #[serde(default = "authorization_code")]
    grant_types: BTreeSet<GrantType>,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    resources: Vec<Resource>,
    default_resource: Option<Resource>,
    access_token: Option<AccessTokenLife>,
    refresh_idle: Option<RefreshLife>,
    refresh_absolute: Option<RefreshLife>,
    refresh_retry_window: Option<RetryWindow>,
    #[serde(default)]
    token_claims: BTreeSet<TokenClaim>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<RedirectUri>,
    #[serde(default)]
    mapped_claims: BTreeMap<ClaimName, MappedClaim>,
    #[serde(default)]
    status_list: bool,
}

/// Turns the entries into clients, or names the first one that cannot be.
pub(super) fn judge(
    entries: Vec<ClientEntry>,
    source: &Source<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<JudgedClient>, ConfigError> {
    let mut ids = BTreeSet::new();
    let judge_one = |(index, entry): (usize, ClientEntry)| {
        let place = Entry { source, index };
        if !ids.insert(entry.id.clone()) {
            return Err(place.fault(&[Key("id")], "another client has this id already"));
        }
        place.check_references(&entry, &surroundings.declared)?;
        let secret = place.secret(&entry)?;
        let client = Client::new(entry.registration(surroundings.lifetimes))
            .map_err(|error| place.fault(&[Key(key_of(&error))], error))?;
        Ok(JudgedClient { index, client, secret })
    };
    entries.into_iter().enumerate().map(judge_one).collect()
}

impl JudgedClient {
    /// With its secret, which must be there now.
    pub(super) fn with_secret(
        self,
        source: &Source<'_>,
        variable: impl Fn(&str) -> Option<String>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<DeclaredClient, ConfigError> {
        let place = Entry { source, index: self.index };
        let secret = match self.secret {
            SecretSource::None => None,
            SecretSource::Hash(hash) => Some(hash),
            SecretSource::Variable(name) => match variable(&name) {
                Some(secret) => Some(place.strong("secret_env", Secret::new(secret))?),
                None => return Err(place.fault(&[Key("secret_env")], format!("the environment has no variable {name}"))),
            },
            SecretSource::File(path) => match read(&path) {
                Ok(secret) => Some(place.strong("secret_file", Secret::new(secret))?),
                Err(error) => {
                    return Err(place.fault(&[Key("secret_file")], format!("{} cannot be read: {error}", path.display())));
                }
            },
        };
        Ok(DeclaredClient { client: self.client, secret })
    }
}

struct Entry<'a> {
    source: &'a Source<'a>,
    index: usize,
}

impl Entry<'_> {
    fn fault(&self, path: &[Step<'_>], reason: impl ToString) -> ConfigError {
        self.source.fault(&[&[Key("clients"), At(self.index)], path].concat(), reason)
    }

    fn check_references(&self, entry: &ClientEntry, declared: &Declared<'_>) -> Result<(), ConfigError> {
        let refused = |(key, (at, why)): (&str, (usize, Undeclared))| self.fault(&[Key(key), At(at)], why);
        declared.scopes(&entry.scopes).map_err(|why| refused(("scopes", why)))?;
        declared.resources(&entry.resources).map_err(|why| refused(("resources", why)))
    }

    fn secret(&self, entry: &ClientEntry) -> Result<SecretSource, ConfigError> {
        let public = entry.authentication == ClientAuthentication::None;
        match (&entry.secret_hash, &entry.secret_env, &entry.secret_file) {
            (None, None, None) if public => Ok(SecretSource::None),
            _ if public => Err(self.fault(&[Key("authentication")], "a client with authentication none has no secret")),
            (Some(hash), None, None) => Ok(SecretSource::Hash(hash.clone())),
            (None, Some(name), None) => Ok(SecretSource::Variable(name.clone())),
            (None, None, Some(path)) => Ok(SecretSource::File(path.clone())),
            _ => {
                Err(self
                    .fault(&[Key("authentication")], "this client needs exactly one of secret_hash, secret_env and secret_file"))
            }
        }
    }

    fn strong(&self, key: &str, secret: Secret<String>) -> Result<TokenHash, ConfigError> {
        secrets::of_strong(&secret).map_err(|why| self.fault(&[Key(key)], why))
    }
}

impl ClientEntry {
    fn registration(self, default: ClientLifetimes) -> Registration {
        Registration {
            id: self.id,
            origin: ClientOrigin::File,
            name: self.name,
            authentication: self.authentication,
            first_party: self.first_party,
            pkce_required: self.pkce_required,
            redirect_uris: self.redirect_uris,
            grant_types: self.grant_types,
            scopes: self.scopes.into_iter().collect(),
            resources: self.resources,
            default_resource: self.default_resource,
            lifetimes: ClientLifetimes {
                access_token: self.access_token.unwrap_or(default.access_token),
                refresh_idle: self.refresh_idle.unwrap_or(default.refresh_idle),
                refresh_absolute: self.refresh_absolute.unwrap_or(default.refresh_absolute),
                refresh_retry_window: self.refresh_retry_window.unwrap_or(default.refresh_retry_window),
            },
            token_claims: self.token_claims,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            mapped_claims: self.mapped_claims,
            status_list: self.status_list,
        }
    }
}

fn key_of(error: &ClientError) -> &'static str {
    match error {
        ClientError::Name => "name",
        ClientError::NoGrantType | ClientError::RefreshWithoutCode | ClientError::PublicClientCredentials => "grant_types",
        ClientError::NoRedirectUri | ClientError::PrivateUseUri(_) => "redirect_uris",
        ClientError::PublicWithoutPkce => "pkce_required",
        ClientError::DefaultResource(_) => "default_resource",
        ClientError::Lifetimes => "refresh_idle",
    }
}

fn client_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn secret_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TokenHash>, D::Error> {
    secrets::written(&String::deserialize(deserializer)?).map(Some).map_err(de::Error::custom)
}

fn yes() -> bool {
    true
}

fn authorization_code() -> BTreeSet<GrantType> {
    [GrantType::AuthorizationCode].into()
}
