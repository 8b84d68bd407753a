//! Real clients, untouched, against the binary over TLS, on both engines. Each signs in, refreshes, verifies, revokes and logs out
//! through its own library, and says what it did; here it is judged.
//!
//! The programs are in `tests/clients`; the crate and the client in the browser are beside this file.

/// Makes a test of each client on each engine.
macro_rules! on_both_engines {
    ($($(#[$note:meta])* async fn $name:ident($engine:ident) $body:block)*) => {$(
        $(#[$note])*
        mod $name {
            #[allow(unused_imports, reason = "not every client needs something of its file")]
            use super::*;

            async fn case($engine: passant_tests::world::Engine) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case(passant_tests::world::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                case(passant_tests::world::Engine::Postgres).await;
            }
        }
    )*};
}

mod browser;
mod oidc_client_ts;
mod openidconnect;
mod programs;
mod status_list;

use std::collections::BTreeMap;

use passant::secret::TokenHash;
use passant_tests::issuer::{Issuer, Prepared, User};
use passant_tests::world::Engine;
use serde::Deserialize;
use serde_json::{Map, Value};

const CLIENT_ID: &str = "shop-web";
const RESOURCE: &str = "https://api.example.com";
const SCOPE: &str = "openid profile email orders:read";

/// How the client of a test is registered.
struct Registration<'t> {
    authentication: &'t str,
    secret: &'t str,
    redirect_uri: &'t str,
    post_logout_redirect_uri: &'t str,
}

impl Registration<'static> {
    /// By HTTP Basic, with a secret that is not itself once it is form-encoded, as RFC 6749 section 2.3.1 wants it to be.
    const BASIC: Self = Self {
        authentication: "client_secret_basic",
        secret: "a+secret/that=must:be%2encoded&well-enough!",
        redirect_uri: "https://shop.example.com/cb",
        post_logout_redirect_uri: "https://shop.example.com/bye",
    };
    /// By HTTP Basic, with a secret that no encoding changes, for clients that leave the encoding out.
    const PLAIN: Self = Self { secret: "a-secret-like-those-that-passant-makes-0123", ..Self::BASIC };
    /// In the body.
    const POST: Self = Self { authentication: "client_secret_post", ..Self::BASIC };
}

/// An issuer with one client and one user.
struct Shop<'t> {
    issuer: Issuer,
    user: User,
    client: Registration<'t>,
}

/// What a client says it did.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    /// The issuer in the metadata.
    issuer: String,
    /// What the library said to answers and tokens that belong to somebody else, by what was wrong with them.
    mixed_up: BTreeMap<String, String>,
    /// The claims of the ID token, verified.
    id_token: Map<String, Value>,
    userinfo: Map<String, Value>,
    /// Whether a refresh brought another refresh token.
    rotated: bool,
    /// The claims of the ID token that came with the refresh, verified.
    refreshed_id_token: Map<String, Value>,
    /// The claims of the access token that came with the refresh, verified with the key set.
    access_token: Map<String, Value>,
    revoked: Option<Revoked>,
    logged_out: Option<LoggedOut>,
}

/// What was answered after the refresh token was revoked.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    /// The error of another refresh.
    refresh: String,
    /// The status of the user info.
    userinfo: u16,
}

/// What was answered after the logout.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedOut {
    /// Whether the browser came back with the client's state.
    state_returned: bool,
    /// The error of a silent sign-in.
    prompt_none: String,
}

impl<'t> Shop<'t> {
    /// Starts an issuer for a client.
    async fn open(engine: Engine, client: Registration<'t>) -> Self {
        let Registration { authentication, secret, redirect_uri, post_logout_redirect_uri } = client;
        let hash = TokenHash::of(secret);
        let secret = if secret.is_empty() { String::new() } else { format!("secret_hash = {:?}\n", hash.as_str()) };
        let configuration = format!(
            "[scopes]\n\"orders:read\" = \"Read your orders\"\n[resources]\n{RESOURCE:?} = \"the orders service\"\n\
             [[clients]]\nid = {CLIENT_ID:?}\nname = \"The shop\"\nauthentication = {authentication:?}\n{secret}\
             redirect_uris = [{redirect_uri:?}]\npost_logout_redirect_uris = [{post_logout_redirect_uri:?}]\n\
             grant_types = [\"authorization_code\", \"refresh_token\"]\n\
             scopes = [\"openid\", \"profile\", \"email\", \"orders:read\"]\n\
             resources = [{RESOURCE:?}]\ndefault_resource = {RESOURCE:?}\n"
        );
        let prepared = Prepared::new(engine, &configuration).await;
        let more = ["--name", "Ada Lovelace", "--email", "ada@example.com"];
        let user = prepared.user("ada", "an engine that weaves algebra", &more);
        Self { issuer: prepared.serve().await, user, client }
    }

    /// What every client is told.
    fn environment(&self) -> [(&'static str, &str); 9] {
        [
            ("ISSUER", &self.issuer.url),
            ("CLIENT_ID", CLIENT_ID),
            ("CLIENT_SECRET", self.client.secret),
            ("REDIRECT_URI", self.client.redirect_uri),
            ("POST_LOGOUT_REDIRECT_URI", self.client.post_logout_redirect_uri),
            ("RESOURCE", RESOURCE),
            ("SCOPE", SCOPE),
            ("LOGIN_NAME", &self.user.name),
            ("LOGIN_PASSWORD", &self.user.password),
        ]
    }

    /// Judges what a client says it did; it must have been refused each of the mix-ups.
    fn judge(&self, report: &Report, mixed_up: &[&str]) {
        let refused: Vec<&str> = report.mixed_up.keys().map(String::as_str).collect();
        assert_eq!(refused, mixed_up);
        assert!(report.mixed_up.values().all(|why| !why.is_empty()), "{:?}", report.mixed_up);

        assert_eq!(report.issuer, self.issuer.url);
        for claims in [&report.id_token, &report.refreshed_id_token] {
            assert_eq!((&claims["iss"], &claims["sub"]), (&self.issuer.url.as_str().into(), &self.user.sub.as_str().into()));
            assert!(contains(&claims["aud"], CLIENT_ID), "{claims:?}");
            assert!(!claims.contains_key("email"), "what scopes ask for is told at userinfo: {claims:?}");
        }
        assert_eq!(report.id_token["auth_time"], report.refreshed_id_token["auth_time"]);
        for (name, value) in [("sub", &*self.user.sub), ("name", "Ada Lovelace"), ("email", "ada@example.com")] {
            assert_eq!(report.userinfo[name], value);
        }

        assert!(report.rotated);
        let access = &report.access_token;
        for (name, value) in [("iss", &*self.issuer.url), ("sub", &self.user.sub), ("client_id", CLIENT_ID)] {
            assert_eq!(access[name], value);
        }
        assert!(contains(&access["aud"], RESOURCE), "{access:?}");
        assert!(access["scope"].as_str().unwrap().split(' ').any(|scope| scope == "orders:read"), "{access:?}");

        assert_eq!(report.revoked, Some(Revoked { refresh: "invalid_grant".to_owned(), userinfo: 401 }));
        assert_eq!(report.logged_out, Some(LoggedOut { state_returned: true, prompt_none: "login_required".to_owned() }));
    }
}

/// Whether an audience, which may be one text or several, is or has this one.
fn contains(audience: &Value, wanted: &str) -> bool {
    audience == wanted || audience.as_array().is_some_and(|all| all.iter().any(|one| one == wanted))
}
