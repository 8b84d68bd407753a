//! The code flow, step by step or as a whole.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

use super::agent::encode;
use super::{Agent, Answer, Registered};

/// The code verifier of the tests: RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Its challenge.
pub fn challenge() -> &'static str {
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
}

/// The parameters that came back to the client.
#[derive(Debug, Clone)]
pub struct Callback(pub Vec<(String, String)>);

impl Callback {
    /// Parses the address that the browser was sent to, which must be the client's.
    pub fn parse(location: &str, redirect_uri: &str) -> Self {
        let query = location.strip_prefix(redirect_uri).unwrap_or_else(|| panic!("{location} is not {redirect_uri}"));
        let query = query.strip_prefix(['?', '&']).expect("an answer has parameters");
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Reads the form of `response_mode=form_post`, which must lead to the client's address and nowhere else.
    pub fn posted(page: &Answer, redirect_uri: &str) -> Self {
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let actions: Vec<&str> = page.body.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(actions.iter().copied().map(unescaped).collect::<Vec<_>>(), [redirect_uri]);
        let value = |input: &str, name: &str| {
            let (_, rest) = input.split_once(&format!(" {name}=\"")).expect("a hidden field has a name and a value");
            unescaped(rest.split('"').next().unwrap_or_default())
        };
        let hidden = page.body.split("<input type=\"hidden\"").skip(1);
        Self(hidden.map(|input| (value(input, "name"), value(input, "value"))).collect())
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The code.
    pub fn code(&self) -> &str {
        self.get("code").unwrap_or_else(|| panic!("no code but {:?}", self.0))
    }
}

/// The tokens of an answer.
#[derive(Debug, Clone)]
pub struct Tokens(pub Value);

impl Tokens {
    /// The tokens of a good answer.
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        Self(answer.json())
    }

    /// The access token.
    pub fn access(&self) -> &str {
        self.0["access_token"].as_str().expect("there is an access token")
    }

    /// The refresh token.
    pub fn refresh(&self) -> &str {
        self.0["refresh_token"].as_str().expect("there is a refresh token")
    }

    /// The claims of the access token.
    pub fn claims(&self) -> Value {
        part(self.access(), 1)
    }

    /// The header of the access token.
    pub fn header(&self) -> Value {
        part(self.access(), 0)
    }

    /// The claims of the ID token.
    pub fn id_claims(&self) -> Value {
        part(self.0["id_token"].as_str().expect("there is an ID token"), 1)
    }
}

/// What an attribute says.
fn unescaped(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a token has three parts");
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).expect("base64url")).expect("JSON")
}

impl Agent {
    /// Types name and password into the sign-in page of a waiting request, or the plain one.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let page = self.get("/login").await;
        self.submit(&page, "/login", &[("username", name), ("password", password)]).await
    }

    /// Sends the browser to /authorize with the usual parameters of this client, some replaced or (empty) left out.
    pub async fn authorize(&mut self, client: &Registered, change: &[(&str, &str)]) -> Answer {
        let path = authorize_path(client, change);
        self.get(&path).await
    }

    /// Follows redirects within the issuer until a page or the client's address comes.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        while answer.status == StatusCode::SEE_OTHER && answer.location().starts_with('/') {
            let location = answer.location().to_owned();
            answer = self.get(&location).await;
        }
        answer
    }

    /// The whole way to the client's callback, signing in and consenting where a page asks for it.
    pub async fn callback(&mut self, client: &Registered, who: (&str, &str), change: &[(&str, &str)]) -> Callback {
        let answer = self.authorize(client, change).await;
        let mut answer = self.follow(answer).await;
        while answer.status == StatusCode::OK {
            answer = if answer.field("password").is_some() || answer.body.contains("name=\"password\"") {
                self.submit(&answer, "/login", &[("username", who.0), ("password", who.1)]).await
            } else {
                self.submit(&answer, "/consent", &[("answer", "allow")]).await
            };
            answer = self.follow(answer).await;
        }
        Callback::parse(answer.location(), client.redirect_uri())
    }

    /// The whole code flow.
    pub async fn tokens(&mut self, client: &Registered, who: (&str, &str), change: &[(&str, &str)]) -> Tokens {
        let callback = self.callback(client, who, change).await;
        Tokens::of(&client.redeem(self, callback.code()).await)
    }

    /// Asks /userinfo with a token.
    pub async fn userinfo(&mut self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(Method::GET, "/userinfo", &[("authorization", &bearer)], Body::empty()).await
    }
}

impl Registered {
    /// Redeems a code as it should be.
    pub async fn redeem(&self, agent: &Agent, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri()),
            ("code_verifier", VERIFIER),
        ];
        self.token(agent.world(), &fields).await
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, agent: &Agent, token: &str) -> Answer {
        self.token(agent.world(), &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

/// The address of an authorization request.
pub fn authorize_path(client: &Registered, change: &[(&str, &str)]) -> String {
    let usual = [
        ("response_type", "code"),
        ("client_id", client.id()),
        ("redirect_uri", client.redirect_uri()),
        ("scope", "openid profile orders:read"),
        ("state", "xyz-state"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual.iter().filter(|(name, _)| change.iter().all(|(other, _)| other != name));
    let fields: Vec<(&str, &str)> = kept.chain(change.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
    format!("/authorize?{}", encode(&fields))
}
