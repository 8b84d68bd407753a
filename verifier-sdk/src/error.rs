//! Why a token was refused. "What happened" (the [`Reason`]) and "what the peer is told" (status and RFC 6750 challenge) meet
//! in one table here, so that no adapter invents an answer of its own.

use std::fmt;
use std::time::Duration;

use crate::escape::escaped;

/// Why a request was refused.
///
/// `Display` says only the sentence of its [`code`](Self::code). Text that came from the token is in [`detail`](Self::detail) alone.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyError {
    reason: Reason,
    detail: Option<Box<str>>,
    scope: Option<Box<str>>,
}

impl VerifyError {
    /// The reason, for a program to match on.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// A stable name for the reason, fit for a metric's label: it never changes between compatible versions.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// The HTTP status to answer with: 400, 401, 403 or 503.
    pub fn http_status(&self) -> u16 {
        match self.reason.class() {
            Class::Missing | Class::Token => 401,
            Class::Request => 400,
            Class::Forbidden => 403,
            Class::Unavailable => 503,
        }
    }

    /// Whether the token is at fault. `false` where keys or revocations are missing or too old, which says something about us, and
    /// after which the same token may pass.
    pub fn is_token_fault(&self) -> bool {
        self.reason.class() != Class::Unavailable
    }

    /// The error code of RFC 6750, section 3.1; `None` where that section forbids one or the fault is ours.
    pub fn oauth_error(&self) -> Option<&'static str> {
        match self.reason.class() {
            Class::Missing | Class::Unavailable => None,
            Class::Request => Some("invalid_request"),
            Class::Token => Some("invalid_token"),
            Class::Forbidden => Some("insufficient_scope"),
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3); `None` where the token is not at fault.
    pub fn challenge(&self) -> Option<String> {
        if !self.is_token_fault() {
            return None;
        }
        let mut challenge = String::from("Bearer realm=\"api\"");
        if let Some(error) = self.oauth_error() {
            challenge.push_str(&format!(", error=\"{error}\", error_description=\"{}\"", self.reason.sentence()));
        }
        if let Some(scope) = &self.scope {
            challenge.push_str(&format!(", scope=\"{scope}\""));
        }
        Some(challenge)
    }

    /// After how long it makes sense to try again with the same token; `None` where it never does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.reason {
            Reason::KeysMissing | Reason::RevocationsMissing => Some(Duration::from_secs(1)),
            Reason::KeysTooOld | Reason::RevocationsStale | Reason::TooManyHeard => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// What exactly was wrong, for the service's own log and never for the peer. Escaped, and cut to a bounded length.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(crate) fn new(reason: Reason) -> Self {
        Self { reason, detail: None, scope: None }
    }

    pub(crate) fn about(reason: Reason, name: &'static str) -> Self {
        Self { detail: Some(name.into()), ..Self::new(reason) }
    }

    pub(crate) fn quoting(reason: Reason, name: &'static str, hostile: &str) -> Self {
        Self { detail: Some(format!("{name} \"{}\"", escaped(hostile)).into()), ..Self::new(reason) }
    }

    /// `scope` came from the service, yet it stands in a quoted header value: what RFC 6749, appendix A.4 does not allow is left out.
    pub(crate) fn lacks_scope(scope: &str) -> Self {
        let told = scope.chars().filter(|c| matches!(c, '!' | '#'..='[' | ']'..='~')).collect::<String>();
        Self { scope: Some(told.into()), ..Self::new(Reason::InsufficientScope) }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.sentence())
    }
}

impl fmt::Debug for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyError").field("code", &self.code()).field("detail", &self.detail()).finish()
    }
}

impl std::error::Error for VerifyError {}

/// Whose fault a reason is, and thereby how HTTP says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Missing,
    Request,
    Token,
    Forbidden,
    Unavailable,
}

macro_rules! reasons {
    ($($variant:ident $code:literal $class:ident $sentence:literal;)+) => {
        /// Every reason for which a request is refused. The text of each is also its public sentence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(
                #[doc = concat!($sentence, " Code: `", $code, "`.")]
                $variant,
            )+
        }

        impl Reason {
            /// All reasons of this version, for registering metrics ahead.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),+];

            /// The stable name of this reason.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code),+ }
            }

            /// One sentence that may be told to the peer: it holds nothing from the token.
            pub const fn sentence(self) -> &'static str {
                match self { $(Reason::$variant => $sentence),+ }
            }

            const fn class(self) -> Class {
                match self { $(Reason::$variant => Class::$class),+ }
            }
        }
    };
}

reasons! {
    MissingToken        "missing_token"        Missing     "The request carries no access token.";
    AmbiguousToken      "ambiguous_token"      Request     "The request carries more than one Authorization header.";
    TooLarge            "too_large"            Token       "The token is too large.";
    NotCompact          "not_compact"          Token       "The token is not three parts joined by dots.";
    Encrypted           "encrypted"            Token       "The token is encrypted.";
    BadBase64           "bad_base64"           Token       "A part of the token is not base64url.";
    BadJson             "bad_json"             Token       "A part of the token is not a JSON object, or is nested too deeply.";
    DuplicateMember     "duplicate_member"     Token       "A part of the token names a member twice.";
    BadHeader           "bad_header"           Token       "A member of the token's header has the wrong type.";
    AlgNotAllowed       "alg_not_allowed"      Token       "The token's algorithm is not accepted here.";
    TypNotAllowed       "typ_not_allowed"      Token       "The token is not of the kind that is accepted here.";
    CriticalHeader      "critical_header"      Token       "The token demands an extension that is not understood.";
    UnencodedPayload    "unencoded_payload"    Token       "The token uses the b64 option.";
    Compressed          "compressed"           Token       "The token is compressed.";
    Nested              "nested"               Token       "The token holds another token.";
    MissingKid          "missing_kid"          Token       "The token does not name its key.";
    UnknownKey          "unknown_key"          Token       "The token names a key that is not known.";
    AlgMismatch         "alg_mismatch"         Token       "The token's algorithm is not the one of the key that it names.";
    BadSignature        "bad_signature"        Token       "The token's signature is wrong.";
    ClaimMissing        "claim_missing"        Token       "The token lacks a required claim.";
    ClaimMalformed      "claim_malformed"      Token       "A claim of the token is malformed.";
    WrongIssuer         "wrong_issuer"         Token       "The token is from another issuer.";
    WrongAudience       "wrong_audience"       Token       "The token is meant for another audience.";
    WrongClient         "wrong_client"         Token       "The token was issued to another client.";
    Expired             "expired"              Token       "The token has expired.";
    NotYetValid         "not_yet_valid"        Token       "The token is not valid yet.";
    IssuedInFuture      "issued_in_future"     Token       "The token was issued in the future.";
    LivesTooLong        "lives_too_long"       Token       "The token lives longer than is accepted here.";
    WrongNonce          "wrong_nonce"          Token       "The token answers another request.";
    WrongHash           "wrong_hash"           Token       "The token was issued with another access token or code.";
    WrongAcr            "wrong_acr"            Token       "The user signed in by other means than are demanded.";
    SignInTooOld        "sign_in_too_old"      Token       "The user signed in too long ago.";
    Replayed            "replayed"             Token       "The token was used before.";
    UnsupportedBinding  "unsupported_binding"  Token       "The token is bound to a key, which is not checked here.";
    InsufficientScope   "insufficient_scope"   Forbidden   "The token lacks a required scope.";
    Revoked             "revoked"              Token       "The token was revoked.";
    KeysMissing         "keys_missing"         Unavailable "The issuer's keys are not known yet.";
    KeysTooOld          "keys_too_old"         Unavailable "The issuer's keys could not be refreshed for too long.";
    RevocationsMissing  "revocations_missing"  Unavailable "What the issuer has revoked is not known yet.";
    TooManyHeard        "too_many_heard"       Unavailable "Too many logout tokens are remembered to hear another.";
    RevocationsStale    "revocations_stale"    Unavailable "What the issuer has revoked was last heard too long ago.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_sentences_fit_a_quoted_header_value() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(reason.code().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(reason.sentence().bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'));
        }
    }

    #[test]
    fn a_missing_token_is_challenged_without_an_error_code() {
        let error = VerifyError::new(Reason::MissingToken);
        assert_eq!((error.http_status(), error.challenge().as_deref()), (401, Some("Bearer realm=\"api\"")));
    }

    #[test]
    fn what_we_lack_is_our_fault_and_never_challenges() {
        for reason in [Reason::KeysMissing, Reason::KeysTooOld, Reason::RevocationsMissing, Reason::RevocationsStale] {
            let error = VerifyError::new(reason);
            assert_eq!((error.http_status(), error.challenge(), error.is_token_fault()), (503, None, false));
            assert!(error.retry_after().is_some());
        }
    }

    #[test]
    fn hostile_text_reaches_the_detail_escaped_and_cut_and_nothing_else() {
        let error = VerifyError::quoting(Reason::UnknownKey, "kid", &format!("\n\"{}", "x".repeat(10_000)));
        let detail = error.detail().unwrap();
        assert!(detail.len() < 200 && detail.contains("\\n\\\"xxx") && !detail.contains('\n'), "{detail}");
        assert!(!error.to_string().contains('x') && !error.challenge().unwrap().contains("xxx"));
    }

    #[test]
    fn a_scope_cannot_break_out_of_the_challenge() {
        let challenge = VerifyError::lacks_scope("a\", evil=\"b\r\n").challenge().unwrap();
        assert!(challenge.ends_with(", scope=\"a,evil=b\""), "{challenge}");
    }
}
