//! Clients: the applications that ask for tokens, and what each registration allows. A [`Client`] exists only once its parts
//! are known to fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::ids::ClientId;
use crate::domain::life::ClientLifetimes;
use crate::domain::mapped_claim::{ClaimName, MappedClaim};
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;
use crate::domain::text::{is_misleading, named_values};

/// A registration whose parts fit together; its fields are those of [`Registration`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Registration", into = "Registration")]
pub struct Client(Registration);

/// What is registered about a client; [`Client::new`] judges it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// `client_id`.
    pub id: ClientId,
    /// Who may change the registration.
    pub origin: ClientOrigin,
    /// What people read on the consent page.
    pub name: String,
    /// How it proves who it is at the token endpoint.
    pub authentication: ClientAuthentication,
    /// Whether it belongs to whoever runs the issuer, so that people are not asked for consent.
    pub first_party: bool,
    /// Whether it must use PKCE; only a confidential client may be exempted.
    pub pkce_required: bool,
    /// Where its codes may be carried.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask the token endpoint for.
    pub grant_types: BTreeSet<GrantType>,
    /// The scopes that it may be given.
    pub scopes: ScopeSet,
    /// The resources that it may have tokens for.
    pub resources: Vec<Resource>,
    /// The resource that is meant when it names none; without one, the issuer itself.
    pub default_resource: Option<Resource>,
    /// How long its tokens live.
    pub lifetimes: ClientLifetimes,
    /// What its access tokens say about the sign-in.
    pub token_claims: BTreeSet<TokenClaim>,
    /// Where browsers may be sent after a sign-out that it began (OpenID Connect RP-Initiated Logout, section 3.1).
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Which of a user's roles and attributes it is told, by the name of the claim.
    #[serde(default)]
    pub mapped_claims: BTreeMap<ClaimName, MappedClaim>,
    /// Whether its access tokens have a place in a Token Status List, for verifiers that know nothing of Passant's feed.
    #[serde(default)]
    pub status_list: bool,
}

impl Client {
    /// The client that a registration describes, if its parts fit together.
    pub fn new(registration: Registration) -> Result<Self, ClientError> {
        let client = Self(registration);
        if !Self::name_can_be_shown(&client.name) {
            return Err(ClientError::Name);
        }
        client.grants_can_work()?;
        if client.is_public() && !client.pkce_required {
            return Err(ClientError::PublicWithoutPkce);
        }
        if let Some(uri) = client
            .redirect_uris
            .iter()
            .chain(&client.post_logout_redirect_uris)
            .find(|uri| uri.is_private_use() && !client.is_public())
        {
            return Err(ClientError::PrivateUseUri(uri.clone()));
        }
        if let Some(default) = client.default_resource.as_ref().filter(|default| !client.resources.contains(default)) {
            return Err(ClientError::DefaultResource(default.clone()));
        }
        if client.lifetimes.refresh_idle > client.lifetimes.refresh_absolute {
            return Err(ClientError::Lifetimes);
        }
        Ok(client)
    }

    /// Whether it has no secret: anybody can read its code, so it can keep none.
    pub fn is_public(&self) -> bool {
        self.authentication == ClientAuthentication::None
    }

    /// The registered redirect URI that admits the presented one.
    pub fn redirect_uri(&self, presented: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|registered| registered.admits(presented))
    }

    /// The registered URI that is the presented one, byte for byte and without any exception: where browsers may be sent after a
    /// sign-out.
    pub fn post_logout_redirect_uri(&self, presented: &str) -> Option<&RedirectUri> {
        self.post_logout_redirect_uris.iter().find(|registered| registered.as_str() == presented)
    }

    /// Whether it is registered for the grant type.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// The registration again, to make another client of.
    pub fn into_registration(self) -> Registration {
        self.0
    }

    /// Whether people can be shown a client of this name.
    pub fn name_can_be_shown(name: &str) -> bool {
        !name.trim().is_empty() && name.chars().count() <= 100 && !name.contains(is_misleading)
    }

    fn grants_can_work(&self) -> Result<(), ClientError> {
        let code = self.may_use(GrantType::AuthorizationCode);
        if self.grant_types.is_empty() {
            return Err(ClientError::NoGrantType);
        }
        if self.may_use(GrantType::ClientCredentials) && self.is_public() {
            return Err(ClientError::PublicClientCredentials);
        }
        if self.may_use(GrantType::RefreshToken) && !code {
            return Err(ClientError::RefreshWithoutCode);
        }
        if code && self.redirect_uris.is_empty() {
            return Err(ClientError::NoRedirectUri);
        }
        Ok(())
    }
}

impl TryFrom<Registration> for Client {
    type Error = ClientError;

    fn try_from(registration: Registration) -> Result<Self, ClientError> {
        Self::new(registration)
    }
}

impl From<Client> for Registration {
    fn from(client: Client) -> Self {
        client.0
    }
}

impl Deref for Client {
    type Target = Registration;

    fn deref(&self) -> &Registration {
        &self.0
    }
}

/// Why the parts of a registration do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The name cannot be shown to people.
    #[error("a client's name has 1 to 100 characters and no control characters")]
    Name,
    /// It could ask for nothing.
    #[error("a client needs at least one grant type")]
    NoGrantType,
    /// Its codes could go nowhere.
    #[error("a client with the grant type authorization_code needs at least one redirect URI")]
    NoRedirectUri,
    /// Nothing would begin what it refreshes.
    #[error("the grant type refresh_token needs authorization_code beside it")]
    RefreshWithoutCode,
    /// Anybody could be this client.
    #[error("the grant type client_credentials needs a client with a secret; authentication is none")]
    PublicClientCredentials,
    /// A stolen code would be worth a token (RFC 9700, section 2.1.1).
    #[error("a public client (authentication none) must use PKCE; pkce_required cannot be false")]
    PublicWithoutPkce,
    /// Installed applications keep no secrets, and others may claim their scheme (RFC 8252, sections 8.4 and 8.5).
    #[error("{0} has a private-use scheme, which is for public clients (authentication none) only")]
    PrivateUseUri(RedirectUri),
    /// The default would be refused if it were asked for.
    #[error("the default resource {0} is not among the client's resources")]
    DefaultResource(Resource),
    /// The idle limit would never be reached.
    #[error("refresh_idle is longer than refresh_absolute")]
    Lifetimes,
}

named_values!(
    /// Who owns a registration: each way of registering touches only its own.
    ClientOrigin {
        /// The configuration file, reconciled at every start.
        File = "file",
        /// `passant clients`.
        CommandLine = "command_line",
        /// The client itself, by dynamic registration.
        Registration = "registration",
        /// The demonstration that comes with Passant.
        Demo = "demo",
    }
);

named_values!(
    /// `token_endpoint_auth_method` (RFC 7591, section 2).
    ClientAuthentication {
        /// A public client.
        None = "none",
        /// The secret in the Authorization header.
        SecretBasic = "client_secret_basic",
        /// The secret in the form.
        SecretPost = "client_secret_post",
    }
);

named_values!(
    /// `grant_type` at the token endpoint.
    GrantType {
        /// RFC 6749, section 4.1.
        AuthorizationCode = "authorization_code",
        /// RFC 6749, section 6.
        RefreshToken = "refresh_token",
        /// RFC 6749, section 4.4.
        ClientCredentials = "client_credentials",
    }
);

named_values!(
    /// Claims about the sign-in that a client's access tokens may carry (RFC 9068, section 2.2.1).
    TokenClaim {
        /// When the user last proved who they are.
        AuthTime = "auth_time",
        /// How strong that proof was.
        Acr = "acr",
        /// What it consisted of.
        Amr = "amr",
    }
);

impl FromStr for ClientId {
    type Err = InvalidClientId;

    /// A client id that somebody chose; those that rows and tokens carry went through here before.
    fn from_str(text: &str) -> Result<Self, InvalidClientId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) { Ok(Self::new(text)) } else { Err(InvalidClientId) }
    }
}

/// The text is no client id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a client id has 1 to 64 characters out of A–Z, a–z, 0–9, dot, underscore, tilde and hyphen")]
pub struct InvalidClientId;

#[cfg(test)]
mod tests {
    use super::*;

    fn web_app() -> Registration {
        Registration {
            id: "shop-web".parse().unwrap(),
            origin: ClientOrigin::File,
            name: "Shop".to_owned(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: false,
            pkce_required: true,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            scopes: "openid orders:read".parse().unwrap(),
            resources: vec!["https://api.example.com".parse().unwrap()],
            default_resource: None,
            lifetimes: ClientLifetimes::default(),
            token_claims: BTreeSet::new(),
            post_logout_redirect_uris: vec![],
            mapped_claims: BTreeMap::new(),
            status_list: false,
        }
    }

    fn refusal(change: impl FnOnce(&mut Registration)) -> Option<ClientError> {
        let mut registration = web_app();
        change(&mut registration);
        Client::new(registration).err()
    }

    #[test]
    fn parts_that_do_not_fit_make_no_client() {
        use ClientError::*;
        let public = |r: &mut Registration| r.authentication = ClientAuthentication::None;
        let elsewhere: Resource = "https://elsewhere.example".parse().unwrap();
        let app: RedirectUri = "com.example.app:/cb".parse().unwrap();
        assert_eq!(refusal(|_| ()), None);
        assert_eq!(refusal(public), None);
        assert_eq!(refusal(|r| r.pkce_required = false), None);
        assert_eq!(refusal(|r| (public(r), r.pkce_required = false).1), Some(PublicWithoutPkce));
        assert_eq!(
            refusal(|r| (public(r), r.grant_types = [GrantType::ClientCredentials].into()).1),
            Some(PublicClientCredentials)
        );
        assert_eq!(refusal(|r| r.grant_types = [GrantType::RefreshToken].into()), Some(RefreshWithoutCode));
        assert_eq!(refusal(|r| r.grant_types.clear()), Some(NoGrantType));
        assert_eq!(refusal(|r| r.redirect_uris.clear()), Some(NoRedirectUri));
        assert_eq!(refusal(|r| (r.redirect_uris.clear(), r.grant_types = [GrantType::ClientCredentials].into()).1), None);
        assert_eq!(refusal(|r| r.redirect_uris.push(app.clone())), Some(PrivateUseUri(app.clone())));
        assert_eq!(refusal(|r| (public(r), r.redirect_uris.push(app.clone())).1), None);
        assert_eq!(refusal(|r| r.default_resource = Some(elsewhere.clone())), Some(DefaultResource(elsewhere.clone())));
        assert_eq!(refusal(|r| r.lifetimes.refresh_absolute = "1h".parse().unwrap()), Some(Lifetimes));
        for name in ["", "  ", "a\nb", "Shop\u{202e}knaB", &"x".repeat(101)] {
            assert_eq!(refusal(|r| r.name = name.to_owned()), Some(Name), "{name:?}");
        }
    }

    #[test]
    fn a_presented_uri_is_looked_up_among_all_registered_ones() {
        let mut registration = web_app();
        registration.redirect_uris.push("http://127.0.0.1/cb".parse().unwrap());
        let client = Client::new(registration).unwrap();
        assert_eq!(client.redirect_uri("http://127.0.0.1:5000/cb").unwrap().as_str(), "http://127.0.0.1/cb");
        assert_eq!(client.redirect_uri("https://shop.example/CB"), None);
    }

    #[test]
    fn a_client_id_is_short_and_plain() {
        for good in ["a", "shop-web", "A.b_c~9", &"x".repeat(64)] {
            assert_eq!(good.parse::<ClientId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "a:b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(bad.parse::<ClientId>(), Err(InvalidClientId), "{bad:?}");
        }
    }

    #[test]
    fn values_have_one_text_in_rows_requests_and_json() {
        for value in GrantType::ALL {
            assert_eq!(value.as_str().parse(), Ok(*value));
            assert_eq!(serde_json::to_string(value).unwrap(), format!("\"{value}\""));
        }
        assert_eq!(
            "password".parse::<GrantType>().unwrap_err().to_string(),
            "the value must be one of: authorization_code, refresh_token, client_credentials"
        );
    }
}
