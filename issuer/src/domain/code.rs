//! The authorization code: bound to client, redirect URI, PKCE challenge, session and nonce, each checked on its own; one
//! success, and a replay kills what it gave.

use std::time::Duration;

use super::ids::{ClientId, GrantId};
use super::pkce::CodeChallenge;
use crate::clock::UnixTime;

/// The prefix by which an authorization code is recognised.
pub const PREFIX: &str = "psc_";

/// How long a code lives.
pub const LIFE: Duration = Duration::from_secs(60);

/// A code as the database shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What the user allowed.
    pub grant_id: GrantId,
    /// Whom the user allowed it.
    pub client_id: ClientId,
    /// Where the code was sent, byte for byte.
    pub redirect_uri: String,
    /// What the holder must prove; absent only for a client exempted by name.
    pub code_challenge: Option<CodeChallenge>,
    /// To be echoed in the ID token.
    pub nonce: Option<String>,
    /// Its end.
    pub expires_at: UnixTime,
    /// Whether it has been redeemed or burned.
    pub consumed: bool,
}

/// What a client presents with a code. No Debug: the verifier is a secret.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The authenticated client.
    pub client_id: &'a ClientId,
    /// The redirect URI of the token request.
    pub redirect_uri: Option<&'a str>,
    /// The verifier of the token request.
    pub code_verifier: Option<&'a str>,
}

/// What to do with a presented code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another client's: nothing changes.
    WrongClient,
    /// Another redirect URI, or none: nothing changes.
    WrongRedirectUri,
    /// Too late: nothing changes.
    Expired,
    /// Used before: the grant ends.
    Replay,
    /// A wrong, missing or uncalled-for verifier: the code is burned.
    WrongVerifier,
    /// Consume it; who wins the consumption gets the tokens.
    Redeem,
}

/// Judges a presented code.
pub fn decide(code: &Code, presented: Presented<'_>, now: UnixTime) -> Decision {
    if code.client_id != *presented.client_id {
        return Decision::WrongClient;
    }
    if presented.redirect_uri != Some(code.redirect_uri.as_str()) {
        return Decision::WrongRedirectUri;
    }
    if code.consumed {
        return Decision::Replay;
    }
    if now >= code.expires_at {
        return Decision::Expired;
    }
    let proved = match (&code.code_challenge, presented.code_verifier) {
        (Some(challenge), Some(verifier)) => challenge.proved_by(verifier),
        (None, None) => true,
        // RFC 9700, section 4.8: a verifier where no challenge was given is a downgrade attack, and so is the reverse.
        (Some(_), None) | (None, Some(_)) => false,
    };
    if proved { Decision::Redeem } else { Decision::WrongVerifier }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn code() -> Code {
        Code {
            grant_id: GrantId::new("g"),
            client_id: ClientId::new("shop"),
            redirect_uri: "https://shop.example/cb".into(),
            code_challenge: CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").ok(),
            nonce: None,
            expires_at: UnixTime::from_seconds(60),
            consumed: false,
        }
    }

    #[test]
    fn each_bound_field_fails_alone_and_the_right_ones_pass() {
        let (shop, other) = (ClientId::new("shop"), ClientId::new("other"));
        let uri = Some("https://shop.example/cb");
        let unchallenged = Code { code_challenge: None, ..code() };
        let used = Code { consumed: true, ..code() };
        for (what, code, client, redirect_uri, verifier, seconds, expect) in [
            ("all right", &code(), &shop, uri, Some(VERIFIER), 59, Decision::Redeem),
            ("wrong client", &code(), &other, uri, Some(VERIFIER), 0, Decision::WrongClient),
            (
                "wrong redirect_uri",
                &code(),
                &shop,
                Some("https://shop.example/cb/"),
                Some(VERIFIER),
                0,
                Decision::WrongRedirectUri,
            ),
            ("no redirect_uri", &code(), &shop, None, Some(VERIFIER), 0, Decision::WrongRedirectUri),
            ("expired", &code(), &shop, uri, Some(VERIFIER), 60, Decision::Expired),
            ("wrong verifier", &code(), &shop, uri, Some("x"), 0, Decision::WrongVerifier),
            ("empty verifier", &code(), &shop, uri, Some(""), 0, Decision::WrongVerifier),
            ("no verifier", &code(), &shop, uri, None, 0, Decision::WrongVerifier),
            ("uncalled-for verifier", &unchallenged, &shop, uri, Some(VERIFIER), 0, Decision::WrongVerifier),
            ("exempted client", &unchallenged, &shop, uri, None, 0, Decision::Redeem),
            ("used", &used, &shop, uri, Some(VERIFIER), 0, Decision::Replay),
            ("used and expired", &used, &shop, uri, Some(VERIFIER), 60, Decision::Replay),
            ("used, by another client", &used, &other, uri, Some(VERIFIER), 0, Decision::WrongClient),
        ] {
            let presented = Presented { client_id: client, redirect_uri, code_verifier: verifier };
            assert_eq!(decide(code, presented, UnixTime::from_seconds(seconds)), expect, "{what}");
        }
    }
}
