//! The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1): parsed once into a type, kept on the
//! server while the person signs in and decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claims::ACR_PASSWORD;
use super::claims_request::{ClaimsRequest, InvalidClaims};
use super::client::{Client, GrantType};
use super::consent::Consent;
use super::ids::{ClientId, UserId};
use super::params::{Params, printable};
use super::pkce::CodeChallenge;
use super::resource::Resource;
use super::response_mode::ResponseMode;
use super::scope::{Scope, ScopeSet};
use super::session::{Reauthentication, Session};
use crate::clock::UnixTime;

/// The prefix of the handle by which a kept request is found.
pub const HANDLE_PREFIX: &str = "psa_";

/// How long a person may take to sign in and decide.
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// A request whose client and redirect URI are right, so that errors may be sent back to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes: one of the client's, byte for byte.
    pub redirect_uri: String,
    /// Echoed untouched.
    pub state: Option<String>,
    /// Echoed in the ID token.
    pub nonce: Option<String>,
    /// What is asked for: never more than the client may ask.
    pub scopes: ScopeSet,
    /// At which resources (RFC 8707).
    pub resources: Vec<Resource>,
    /// The PKCE challenge, as given.
    pub code_challenge: Option<String>,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age` in seconds.
    pub max_age: Option<u64>,
    /// `login_hint`, for the sign-in page to offer.
    pub login_hint: Option<String>,
    /// The claims asked for by name.
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// Whom `id_token_hint`, or a `sub` of `claims`, names: nobody else's sign-in will do.
    #[serde(default)]
    pub hinted_user: Option<UserId>,
    /// How the answer travels.
    #[serde(default)]
    pub response_mode: ResponseMode,
}

/// What `prompt` asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Show no page at all.
    pub none: bool,
    /// Sign in again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
}

/// An error that goes back to the client, with the standards' code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// `error`.
    pub code: &'static str,
    /// `error_description`: printable ASCII.
    pub description: String,
}

impl RequestError {
    /// An error with a code of RFC 6749, OpenID Connect Core or RFC 8707.
    pub fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }
}

impl AuthorizationRequest {
    /// Judges all but `client_id` and `redirect_uri`, which the caller has found right.
    pub fn parse(params: &Params, client: &Client, redirect_uri: &str) -> Result<Self, RequestError> {
        for (name, code) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
            ("registration", "registration_not_supported"),
        ] {
            if params.get(name).is_some() {
                return Err(RequestError::new(code, format!("{name} is not supported; give the parameters themselves")));
            }
        }
        match params.get("response_type") {
            Some("code") => {}
            Some(other) => {
                let description = format!("response_type must be code, not {}", printable(other));
                return Err(RequestError::new("unsupported_response_type", description));
            }
            None => return Err(RequestError::new("invalid_request", "response_type is missing; it must be code")),
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            return Err(RequestError::new("unauthorized_client", "this client may not use the authorization code flow"));
        }
        let response_mode = ResponseMode::asked(params, redirect_uri)?;
        let scopes = scopes(params, client)?;
        let (claims, hinted_user) = claims(params, client, &scopes)?;
        Ok(Self {
            client_id: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: bounded(params, "state", 4096)?,
            nonce: bounded(params, "nonce", 1024)?,
            scopes,
            resources: resources(params, client)?,
            code_challenge: code_challenge(params, client)?,
            prompt: Prompt::parse(params.get("prompt"))?,
            max_age: max_age(params.get("max_age"))?,
            login_hint: params.get("login_hint").filter(|hint| hint.len() <= 254).map(str::to_owned),
            claims,
            hinted_user,
            response_mode,
        })
    }

    /// Adds whom an `id_token_hint` names.
    pub fn hinted(self, user: UserId) -> Result<Self, RequestError> {
        match &self.hinted_user {
            Some(other) if *other != user => Err(RequestError::new("invalid_request", "id_token_hint and claims name two users")),
            _ => Ok(Self { hinted_user: Some(user), ..self }),
        }
    }

    /// What was asked for, and without that the client's default, which a token request may then name as well.
    pub fn asked_resources(&self, client: &Client) -> Vec<Resource> {
        match self.resources.as_slice() {
            [] => client.default_resource.iter().cloned().collect(),
            asked => asked.to_vec(),
        }
    }

    /// What the user would allow by saying yes: of the claims, those that the scopes do not open anyway, and what the registration
    /// maps, so that what is mapped later is asked about.
    pub fn asked_consent(&self, client: &Client) -> Consent {
        let resources = self.asked_resources(client).into_iter().collect();
        let named = self.claims.beyond(&self.scopes).into_iter().map(|claim| claim.as_str().to_owned());
        let claims = named.chain(client.mapped_claims.values().map(|mapping| mapping.from.to_string())).collect();
        Consent { scopes: self.scopes.clone(), resources, claims }
    }

    /// Whether the user need not be asked, by what they allowed before. Anybody can pose as a public client, so what was once
    /// allowed to it says nothing of who asks now (RFC 6749, section 10.2).
    pub fn consented(&self, client: &Client, remembered: &Consent) -> bool {
        let known = client.first_party || (!client.is_public() && remembered.covers(&self.asked_consent(client)));
        known && !self.prompt.consent
    }

    /// How fresh the sign-in must be.
    pub fn reauthentication(&self) -> Reauthentication {
        match (self.prompt.login, self.max_age) {
            (true, _) => Reauthentication::Always,
            (false, Some(seconds)) => Reauthentication::OlderThan(Duration::from_secs(seconds)),
            (false, None) => Reauthentication::None,
        }
    }
}

impl Prompt {
    fn parse(text: Option<&str>) -> Result<Self, RequestError> {
        let mut prompt = Self::default();
        for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                // One account at a time: to choose another one is to sign in again.
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err(RequestError::new("invalid_request", "prompt must be none, login, consent or select_account")),
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err(RequestError::new("invalid_request", "prompt=none stands alone"));
        }
        Ok(prompt)
    }
}

fn bounded(params: &Params, name: &'static str, most: usize) -> Result<Option<String>, RequestError> {
    match params.get(name) {
        Some(value) if value.len() > most => {
            Err(RequestError::new("invalid_request", format!("{name} is longer than {most} bytes")))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

fn scopes(params: &Params, client: &Client) -> Result<ScopeSet, RequestError> {
    let asked: ScopeSet = match params.get("scope").filter(|text| !text.trim().is_empty()) {
        None => return Err(RequestError::new("invalid_scope", "scope is missing; ask at least for openid")),
        Some(text) => text.parse().map_err(|_| RequestError::new("invalid_scope", "scope is not a list of scope names"))?,
    };
    match asked.iter().find(|scope| !client.scopes.contains(scope)) {
        Some(scope) => {
            Err(RequestError::new("invalid_scope", format!("this client may not ask for {}", printable(scope.as_str()))))
        }
        // Without refresh tokens there is nothing to be offline with, and the scope is ignored (OpenID Connect Core, section 11).
        None if !client.may_use(GrantType::RefreshToken) => {
            let heeded: ScopeSet = asked.iter().filter(|scope| **scope != Scope::OFFLINE_ACCESS).cloned().collect();
            if heeded.is_empty() {
                return Err(RequestError::new("invalid_scope", "offline_access alone asks for nothing without refresh tokens"));
            }
            Ok(heeded)
        }
        None => Ok(asked),
    }
}

/// The claims asked for by name, and whom they name. Without `openid` nothing is said of anybody (OpenID Connect Core, section 5.5).
fn claims(params: &Params, client: &Client, scopes: &ScopeSet) -> Result<(ClaimsRequest, Option<UserId>), RequestError> {
    let Some(text) = params.get("claims").filter(|_| scopes.contains(&Scope::OPENID)) else { return Ok(Default::default()) };
    let refuse = |why: InvalidClaims| RequestError::new("invalid_request", why.to_string());
    let asked = ClaimsRequest::parse(text).map_err(refuse)?;
    let user = asked.subject().map_err(refuse)?.map(UserId::new);
    if !asked.admits_acr(ACR_PASSWORD) {
        let description = "no sign-in here reaches the acr that claims calls essential";
        return Err(RequestError::new("unmet_authentication_requirements", description));
    }
    Ok((asked.within(&client.scopes), user))
}

fn resources(params: &Params, client: &Client) -> Result<Vec<Resource>, RequestError> {
    requested_resources(params, &client.resources)
}

/// The `resource` parameters, each on the allow-list (RFC 8707, section 2).
pub fn requested_resources(params: &Params, allowed: &[Resource]) -> Result<Vec<Resource>, RequestError> {
    let mut found: Vec<Resource> = Vec::new();
    for text in params.all("resource") {
        match allowed.iter().find(|resource| resource.as_str() == text) {
            Some(resource) if !found.contains(resource) => found.push(resource.clone()),
            Some(_) => {}
            None => return Err(RequestError::new("invalid_target", "this client may not ask for that resource")),
        }
    }
    Ok(found)
}

fn code_challenge(params: &Params, client: &Client) -> Result<Option<String>, RequestError> {
    let refuse = |description: &str| Err(RequestError::new("invalid_request", description));
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) if !client.pkce_required => Ok(None),
        (None, _) => refuse("code_challenge is missing; PKCE with S256 is required"),
        (Some(_), None | Some("plain")) => refuse("code_challenge_method must be S256"),
        (Some(challenge), Some("S256")) => match CodeChallenge::parse(challenge) {
            Ok(challenge) => Ok(Some(challenge.as_str().to_owned())),
            Err(why) => refuse(&why.to_string()),
        },
        (Some(_), Some(_)) => refuse("code_challenge_method must be S256"),
    }
}

fn max_age(text: Option<&str>) -> Result<Option<u64>, RequestError> {
    text.map(|text| {
        // Digits alone: u64's own parser would let a plus sign pass.
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits).ok_or_else(|| RequestError::new("invalid_request", "max_age must be whole seconds"))
    })
    .transpose()
}

/// What an authorization request needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A person who signs in, or signs in again.
    SignIn,
    /// The user's answer.
    Consent,
    /// Nothing: the code may be made.
    Approve,
    /// A sign-in that `prompt=none` forbids, or that somebody else than the hinted user has made.
    LoginRequired,
    /// An answer that `prompt=none` forbids.
    ConsentRequired,
}

/// What the next step depends on beside the request and its client.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The live session of the browser.
    pub session: Option<&'a Session>,
    /// What its user allowed the client before.
    pub remembered: &'a Consent,
    /// When the request was made.
    pub requested_at: UnixTime,
    /// Now.
    pub now: UnixTime,
}

/// The next step of a request.
pub fn next_step(request: &AuthorizationRequest, client: &Client, seen: Seen<'_>) -> Step {
    let Seen { session, remembered, requested_at, now } = seen;
    let silent = request.prompt.none;
    let wanted = |session: &Session| request.hinted_user.as_ref().is_none_or(|user| *user == session.user_id);
    if session.is_some_and(|session| !wanted(session) && session.auth_time >= requested_at) {
        // Whoever was asked to sign in is not whom the client asked for (OpenID Connect Core, section 3.1.2.1).
        return Step::LoginRequired;
    }
    let fresh = session
        .is_some_and(|session| wanted(session) && session.authenticated_since(request.reauthentication(), requested_at, now));
    match (fresh, request.consented(client, remembered)) {
        (false, _) => {
            if silent {
                Step::LoginRequired
            } else {
                Step::SignIn
            }
        }
        (true, false) => {
            if silent {
                Step::ConsentRequired
            } else {
                Step::Consent
            }
        }
        (true, true) => Step::Approve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::{ClientAuthentication, ClientOrigin, Registration};
    use crate::domain::life::ClientLifetimes;

    fn client() -> Client {
        Client::new(Registration {
            id: ClientId::new("shop"),
            origin: ClientOrigin::File,
            name: "Shop".to_owned(),
            authentication: ClientAuthentication::SecretBasic,
            first_party: false,
            pkce_required: false,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            grant_types: [GrantType::AuthorizationCode].into(),
            scopes: "openid profile email".parse().unwrap(),
            resources: ["https://api.example.com", "https://other.example.com"].map(|text| text.parse().unwrap()).into(),
            default_resource: Some("https://api.example.com".parse().unwrap()),
            lifetimes: ClientLifetimes::default(),
            token_claims: Default::default(),
            post_logout_redirect_uris: vec![],
            mapped_claims: Default::default(),
            status_list: false,
        })
        .unwrap()
    }

    fn consent(more: &str) -> Consent {
        let query = format!("response_type=code&{more}");
        let params = Params::parse(query.as_bytes()).unwrap();
        let client = client();
        AuthorizationRequest::parse(&params, &client, "https://shop.example/cb").unwrap().asked_consent(&client)
    }

    #[test]
    fn consent_is_asked_for_scopes_resources_and_the_claims_beyond_the_scopes() {
        let claims =
            "claims={\"userinfo\":{\"email\":null,\"nickname\":null,\"phone_number\":null},\"id_token\":{\"picture\":null}}";
        for (more, resource, names) in [
            ("scope=openid+email", "https://api.example.com", &[][..]),
            ("scope=openid&resource=https://other.example.com", "https://other.example.com", &[]),
            (&format!("scope=openid+email&{claims}"), "https://api.example.com", &["nickname", "picture"]),
            (&format!("scope=openid+profile&{claims}"), "https://api.example.com", &["email"]),
            (&format!("scope=profile&{claims}"), "https://api.example.com", &[]),
        ] {
            let asked = consent(more);
            assert_eq!(asked.resources, [resource.parse().unwrap()].into(), "{more}");
            assert!(asked.claims.iter().eq(names), "{more}: {:?}", asked.claims);
        }
    }
}
