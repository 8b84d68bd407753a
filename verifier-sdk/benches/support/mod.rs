//! What is measured: tokens as an issuer like Passant signs them, the verifier that checks them, and those that it is compared
//! with. All of them check the same tokens with the same key, parsed once.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use passant_verifier::{TokenCache, Verifier};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
const KID: &str = "k7Jw0fXvQm2RzBtL";
const EXPONENT: [u8; 3] = [1, 0, 1];

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The issuer: a 2048-bit key.
pub(crate) struct Issuer {
    key: KeyPair,
    now: u64,
}

/// A signed token, and its parts for those who want them decoded.
pub(crate) struct Token {
    pub(crate) text: String,
    signed_len: usize,
    signature: Vec<u8>,
}

impl Issuer {
    #[expect(clippy::disallowed_methods, reason = "jsonwebtoken goes by the machine's clock, so the tokens have to")]
    pub(crate) fn new() -> Outcome<Self> {
        let pem = include_str!("../../tests/fixtures/first.pem");
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let key = KeyPair::from_pkcs8(&Base64::decode_vec(&body).map_err(|_| "the key is no base64")?)?;
        Ok(Self { key, now: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() })
    }

    fn modulus(&self) -> Vec<u8> {
        self.key.public_key().modulus().big_endian_without_leading_zero().to_vec()
    }

    fn sign(&self, typ: &str, payload: &Value) -> Outcome<Token> {
        let header = json!({ "alg": "RS256", "typ": typ, "kid": KID });
        let part = |json: &Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
        let message = format!("{}.{}", part(&header), part(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)?;
        let text = format!("{message}.{}", Base64UrlUnpadded::encode_string(&signature));
        Ok(Token { text, signed_len: message.len(), signature })
    }

    /// So many different tokens, each with a user, a session and a grant of its own.
    pub(crate) fn tokens(&self, count: usize) -> Outcome<Vec<Token>> {
        let token = |id: usize| {
            let claims = json!({
                "iss": ISSUER, "sub": format!("u{id:015}"), "aud": AUDIENCE, "client_id": "shop-web", "exp": self.now + 600,
                "iat": self.now, "jti": format!("j{id:015}"), "scope": "openid profile orders:read",
                "born": self.now * 1_000, "sid": format!("s{id:015}"), "gid": format!("g{id:015}"),
            });
            self.sign("at+jwt", &claims)
        };
        (0..count).map(token).collect()
    }

    /// A token that names a key which does not exist, signed by nobody.
    pub(crate) fn forged(&self, token: &Token, id: usize) -> String {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": format!("unknown-{id}") }).to_string();
        let rest = token.text.split_once('.').map(|(_, rest)| rest).unwrap_or_default();
        format!("{}.{rest}", Base64UrlUnpadded::encode_string(header.as_bytes()))
    }

    /// A verifier for these tokens. `cutoffs`: how many revocations it holds, of targets that no token here names; `None`
    /// for a verifier that follows no feed.
    pub(crate) fn verifier(&self, cache: TokenCache, cutoffs: Option<usize>) -> Outcome<Verifier> {
        let n = Base64UrlUnpadded::encode_string(&self.modulus());
        let jwks = json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KID, "n": n, "e": "AQAB" }] });
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).static_jwks(jwks.to_string()).token_cache(cache);
        let Some(cutoffs) = cutoffs else { return Ok(builder.build()?) };
        let verifier = builder.revocations_handed_in().build()?;
        verifier.take_revocations(&self.snapshot(cutoffs)?)?;
        Ok(verifier)
    }

    /// A snapshot of the feed, its cut-offs dealt out to the six levels that a token can be hit at.
    fn snapshot(&self, cutoffs: usize) -> Outcome<String> {
        let levels = ["client_id", "sub", "sub+client_id", "sid", "gid", "jti"];
        let name = |id: usize| {
            Base64UrlUnpadded::encode_string(&(id as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
        };
        let of_level = |at: usize| -> Value {
            let ids = (0..cutoffs).filter(|id| id % levels.len() == at);
            ids.flat_map(|id| [json!(name(id)), json!(0)]).collect()
        };
        let lists = levels.iter().enumerate().map(|(at, level)| ((*level).to_owned(), of_level(at)));
        let digest = "A".repeat(43);
        let payload = json!({
            "iss": ISSUER, "iat": self.now, "feed": "f", "salt": "c2FsdHNhbHRzYWx0c2FsdA", "keys": digest, "life": 3600,
            "tick": self.now * 1_000, "chain": digest, "cutoffs": lists.filter(|_| cutoffs > 0).collect::<Value>(),
        });
        Ok(self.sign("passant-revocations+jwt", &payload)?.text)
    }

    /// The signature check alone, on signatures that are already decoded.
    pub(crate) fn bare(&self) -> Outcome<impl Fn(&Token) -> bool + use<>> {
        let components = RsaPublicKeyComponents { n: self.modulus(), e: EXPONENT.to_vec() };
        let key: ParsedPublicKey = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?;
        Ok(move |token: &Token| {
            let message = token.text.as_bytes().get(..token.signed_len).unwrap_or_default();
            key.verify_sig(message, &token.signature).is_ok()
        })
    }

    /// jsonwebtoken, as its documentation has it: the key made once, and everything validated that it can validate of these.
    pub(crate) fn jsonwebtoken(&self) -> Outcome<impl Fn(&Token) -> bool + use<>> {
        let part = Base64UrlUnpadded::encode_string;
        let key = DecodingKey::from_rsa_components(&part(&self.modulus()), &part(&EXPONENT))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        Ok(move |token: &Token| {
            jsonwebtoken::decode::<Claims>(&token.text, &key, &validation).is_ok_and(|token| token.claims.are_whole())
        })
    }
}

/// What a service would have jsonwebtoken read.
#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    client_id: String,
    jti: String,
    iat: u64,
    exp: u64,
    scope: String,
    sid: Option<String>,
    gid: Option<String>,
    born: Option<u64>,
}

impl Claims {
    fn are_whole(&self) -> bool {
        let texts = [&self.sub, &self.client_id, &self.jti, &self.scope];
        let rest = self.sid.is_some() && self.gid.is_some() && self.born.is_some();
        texts.iter().all(|text| !text.is_empty()) && self.iat < self.exp && rest
    }
}
