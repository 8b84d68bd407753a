//! Users and clients of a test.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use base64ct::{Base64, Encoding};
use passant::domain::client::{Client, ClientAuthentication, ClientOrigin, GrantType, Registration};
use passant::domain::ids::{ClientId, UserId};
use passant::domain::life::ClientLifetimes;
use passant::domain::password::Password;
use passant::domain::user::Username;
use passant::secret::OpaqueToken;
use passant::store::clients::{self, DeclaredClient};
use passant::store::users::{self, NewUser};

use super::agent::encode;
use super::{Answer, World};

/// A client that was registered, with the secret it was given.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The registration.
    pub client: Client,
    /// Its secret, if it has one.
    pub secret: Option<String>,
}

/// A first-party, confidential client that may do everything: tests change what they are about.
pub fn registration(id: &str) -> Registration {
    Registration {
        id: ClientId::new(id),
        origin: ClientOrigin::CommandLine,
        name: "Orders".to_owned(),
        authentication: ClientAuthentication::SecretBasic,
        first_party: true,
        pkce_required: true,
        redirect_uris: vec![format!("https://{id}.example.com/cb").parse().expect("a redirect URI")],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials]),
        scopes: "openid profile email address phone offline_access orders:read orders:write".parse().expect("scopes"),
        resources: vec![
            "https://api.example.com".parse().expect("a resource"),
            "https://other.example.com".parse().expect("a resource"),
        ],
        default_resource: Some("https://api.example.com".parse().expect("a resource")),
        lifetimes: ClientLifetimes::default(),
        token_claims: BTreeSet::new(),
        post_logout_redirect_uris: vec![],
        mapped_claims: BTreeMap::new(),
        status_list: false,
    }
}

impl World {
    /// Registers a client.
    pub async fn client(&self, id: &str, change: impl FnOnce(&mut Registration)) -> Registered {
        let mut registration = registration(id);
        change(&mut registration);
        let public = registration.authentication == ClientAuthentication::None;
        let secret = (!public).then(|| OpaqueToken::random("pcs_"));
        let client = Client::new(registration).expect("the registration is sound");
        let secrets = secret.iter().map(OpaqueToken::hash).collect();
        let declared = DeclaredClient { client: client.clone(), secrets };
        clients::create(self.db(), declared, self.app.now()).await.expect("the store works").expect("the id is free");
        let secret = secret.map(|secret| secret.expose().to_owned());
        if let Some(secret) = &secret {
            self.secrets.collect("client secret", secret);
        }
        Registered { client, secret }
    }

    /// A public client, registered as such.
    pub async fn public_client(&self, id: &str) -> Registered {
        self.client(id, |it| {
            it.authentication = ClientAuthentication::None;
            it.grant_types.remove(&GrantType::ClientCredentials);
        })
        .await
    }

    /// Creates a user.
    pub async fn user(&self, name: &str, password: &str) -> UserId {
        self.secrets.collect("password", password);
        let hash = self.app.passwords.hash(Password::typed(password).expect("a password")).await.expect("it hashes");
        let user = NewUser {
            id: UserId::random(),
            username: Username::parse(name).expect("a user name"),
            name: Some("Ada Lovelace".to_owned()),
            email: Some(format!("{name}@example.com")),
            password_hash: Some(hash),
            administrator: false,
            created_at: self.app.now(),
        };
        let id = user.id.clone();
        assert!(users::create(self.db(), user).await.expect("the store works"), "the name is taken");
        id
    }
}

/// Every standard claim of a user beside name, e-mail address and phone number.
pub const PROFILE: &str = r#"{
    "given_name": "Augusta", "family_name": "Lovelace", "middle_name": "Ada", "nickname": "Lady Ada",
    "profile": "https://people.example.com/ada", "picture": "https://people.example.com/ada.png",
    "website": "https://ada.example.com", "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "address": {"street_address": "12 St James Square", "locality": "London", "postal_code": "SW1Y 4JH", "country": "GB"}
}"#;

impl World {
    /// Creates a user of whom every standard claim is known, with two roles and two attributes.
    pub async fn user_with_every_claim(&self, name: &str, password: &str) -> UserId {
        let id = self.user(name, password).await;
        let sql = format!(
            "UPDATE users SET profile = '{PROFILE}', phone_number = '+442079460123', phone_number_verified = TRUE,
                    email_verified = TRUE, roles = 'admin clerk', attributes = '{{\"department\":\"engines\",\"floor\":3}}'
             WHERE id = '{}'",
            id.as_str()
        );
        assert_eq!(self.execute(&sql).await, 1);
        id
    }
}

impl Registered {
    /// `client_id`.
    pub fn id(&self) -> &str {
        self.client.id.as_str()
    }

    /// Its first redirect URI.
    pub fn redirect_uri(&self) -> &str {
        self.client.redirect_uris[0].as_str()
    }

    /// Sends a token request, authenticated as registered.
    pub async fn token(&self, world: &std::sync::Arc<World>, fields: &[(&str, &str)]) -> Answer {
        self.post(world, "/token", fields).await
    }

    /// Sends a form to an endpoint that clients authenticate at, authenticated as registered.
    pub async fn post(&self, world: &std::sync::Arc<World>, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        let secret = self.secret.as_deref().unwrap_or_default();
        let basic = format!("Basic {}", Base64::encode_string(format!("{}:{secret}", self.id()).as_bytes()));
        match self.client.authentication {
            ClientAuthentication::None => fields.push(("client_id", self.id())),
            ClientAuthentication::SecretBasic => headers.push(("authorization", &basic)),
            ClientAuthentication::SecretPost => {
                fields.push(("client_id", self.id()));
                fields.push(("client_secret", secret));
            }
        }
        world.agent().send(Method::POST, path, &headers, encode(&fields).into()).await
    }
}
