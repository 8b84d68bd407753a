//! The JOSE header, judged. It is written by whoever made the token, so it may only agree with what this verifier already
//! decided; keys and addresses that it offers (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.

use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::compact::decode;
use crate::error::{Reason, VerifyError};
use crate::json::{JsonFault, Object, Value, parse_object};

/// Longer key ids are treated as unknown.
pub(crate) const MAX_KID_LEN: usize = 128;

/// A header that was read: nothing in it changes what the token means, and its algorithm is accepted. Whether the token is of the
/// right kind is for its issuer's policy to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    typ: Typ,
    kid: Option<Arc<str>>,
    algorithm: Algorithm,
}

/// What `typ` says a JWS is, as far as any policy cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typ {
    Absent,
    /// `JWT`, which says nothing.
    Jwt,
    /// `at+jwt` (RFC 9068, section 2.1).
    AccessToken,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout 1.0, section 2.4).
    LogoutToken,
    /// `passant-revocations+jwt`: a message of the revocation feed.
    Revocations,
    Other(String),
}

impl Header {
    /// Reads a header that is still in base64url.
    pub(crate) fn parse(encoded: &str) -> Result<Self, VerifyError> {
        Self::read(&decode(encoded, "header")?)
    }

    fn read(header: &[u8]) -> Result<Self, VerifyError> {
        let header = parse_object(header).map_err(|fault| json_error(fault, "header"))?;
        let alg = text(&header, "alg")?.unwrap_or_default();
        let algorithm = Algorithm::from_name(alg).ok_or_else(|| VerifyError::quoting(Reason::AlgNotAllowed, "alg", alg))?;
        for (member, reason) in [
            ("crit", Reason::CriticalHeader),
            ("b64", Reason::UnencodedPayload),
            ("zip", Reason::Compressed),
            ("enc", Reason::Encrypted),
        ] {
            if header.get(member).is_some() {
                return Err(VerifyError::about(reason, member));
            }
        }
        if text(&header, "cty")?.is_some_and(|cty| is_media_type(cty, "jwt")) {
            return Err(VerifyError::new(Reason::Nested));
        }
        let kid = text(&header, "kid")?;
        if let Some(odd) = kid.filter(|kid| !is_kid(kid)) {
            return Err(VerifyError::quoting(Reason::UnknownKey, "kid", odd));
        }
        Ok(Self { typ: Typ::read(text(&header, "typ")?), kid: kid.map(Arc::from), algorithm })
    }

    /// Refuses a JWS that says to be something else than these.
    pub(crate) fn require_typ(&self, accepted: &[Typ]) -> Result<(), VerifyError> {
        if accepted.contains(&self.typ) {
            Ok(())
        } else {
            Err(VerifyError::quoting(Reason::TypNotAllowed, "typ", self.typ.name()))
        }
    }

    /// Refuses a JWS that is signed by another algorithm than these.
    pub(crate) fn require_algorithm(&self, accepted: &[Algorithm]) -> Result<(), VerifyError> {
        if accepted.contains(&self.algorithm) {
            Ok(())
        } else {
            Err(VerifyError::quoting(Reason::AlgNotAllowed, "alg", self.algorithm.name()))
        }
    }

    /// The algorithm that it names: one that is known, and perhaps not accepted.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that it names.
    pub(crate) fn kid(&self) -> Result<&Arc<str>, VerifyError> {
        self.kid.as_ref().ok_or_else(|| VerifyError::new(Reason::MissingKid))
    }
}

impl Typ {
    const KNOWN: [Self; 4] = [Self::AccessToken, Self::Jwt, Self::LogoutToken, Self::Revocations];

    fn read(typ: Option<&str>) -> Self {
        let Some(typ) = typ else { return Self::Absent };
        let known = Self::KNOWN.into_iter().find(|known| is_media_type(typ, known.name()));
        known.unwrap_or_else(|| Self::Other(typ.to_owned()))
    }

    fn name(&self) -> &str {
        match self {
            Self::Absent => "",
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
            Self::LogoutToken => "logout+jwt",
            Self::Revocations => "passant-revocations+jwt",
            Self::Other(typ) => typ,
        }
    }
}

/// Whether a text can be a key id at all: 1 to 128 printable ASCII characters.
pub(crate) fn is_kid(kid: &str) -> bool {
    (1..=MAX_KID_LEN).contains(&kid.len()) && kid.bytes().all(|b| (b' '..=b'~').contains(&b))
}

pub(crate) fn json_error(fault: JsonFault, part: &'static str) -> VerifyError {
    match fault {
        JsonFault::DuplicateMember => VerifyError::about(Reason::DuplicateMember, part),
        JsonFault::NotAnObject | JsonFault::TooDeep => VerifyError::about(Reason::BadJson, part),
    }
}

/// Compares media types as RFC 7515, section 4.1.9 has it: without case, `application/` implied.
fn is_media_type(given: &str, wanted: &str) -> bool {
    let bare = match given.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => given,
    };
    bare.eq_ignore_ascii_case(wanted)
}

fn text<'h>(header: &'h Object<'_>, member: &'static str) -> Result<Option<&'h str>, VerifyError> {
    match header.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(VerifyError::about(Reason::BadHeader, member)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted_kid(header: &str) -> Result<String, VerifyError> {
        let header = Header::read(header.as_bytes())?;
        header.require_algorithm(&[Algorithm::Rs256])?;
        header.require_typ(&[Typ::AccessToken])?;
        header.kid().map(|kid| kid.to_string())
    }

    fn refused(header: &str) -> Reason {
        accepted_kid(header).expect_err(header).reason()
    }

    #[test]
    fn v33_only_the_two_spellings_of_an_access_token_pass() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            assert_eq!(accepted_kid(&format!(r#"{{"alg":"RS256","typ":"{typ}","kid":"k"}}"#)).unwrap(), "k");
        }
        for typ in [
            "JWT",
            "",
            "at+jwt ",
            "dpop+jwt",
            "logout+jwt",
            "secevent+jwt",
            "client-authentication+jwt",
            "application/",
            "x/at+jwt",
        ] {
            assert_eq!(refused(&format!(r#"{{"alg":"RS256","typ":"{typ}","kid":"k"}}"#)), Reason::TypNotAllowed, "{typ}");
        }
        assert_eq!(refused(r#"{"alg":"RS256","kid":"k"}"#), Reason::TypNotAllowed);
        assert_eq!(refused(r#"{"alg":"RS256","typ":1,"kid":"k"}"#), Reason::BadHeader);
    }

    #[test]
    fn v01_v02_v06_v07_any_algorithm_but_rs256_is_refused() {
        for alg in [
            "none",
            "None",
            "NONE",
            "nOnE",
            " none",
            "none\\u0000",
            "n\\u006fne",
            "HS256",
            "HS384",
            "HS512",
            "RS384",
            "RS512",
            "PS256",
            "ES256",
            "EdDSA",
            "",
            "rs256",
            "RS256 ",
            " RS256",
            "RS256\\u0000",
        ] {
            assert_eq!(refused(&format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"k"}}"#)), Reason::AlgNotAllowed, "{alg}");
        }
        assert_eq!(refused(r#"{"typ":"at+jwt","kid":"k"}"#), Reason::AlgNotAllowed);
        for alg in ["null", "256", "[\"RS256\"]", "{}"] {
            assert_eq!(refused(&format!(r#"{{"alg":{alg},"typ":"at+jwt","kid":"k"}}"#)), Reason::BadHeader, "{alg}");
        }
    }

    #[test]
    fn v06_an_algorithm_is_accepted_only_where_it_is_listed() {
        for algorithm in Algorithm::ALL {
            let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"k"}}"#);
            let accepted_by = |listed: &[Algorithm]| {
                Header::read(header.as_bytes()).and_then(|header| header.require_algorithm(listed).map(|()| header.algorithm))
            };
            assert_eq!(accepted_by(&[*algorithm]).unwrap(), *algorithm);
            let others: Vec<_> = Algorithm::ALL.iter().copied().filter(|other| other != algorithm).collect();
            assert_eq!(accepted_by(&others).unwrap_err().reason(), Reason::AlgNotAllowed, "{algorithm}");
        }
    }

    #[test]
    fn v17_v30_v31_v32_v35_extensions_that_change_the_meaning_are_refused() {
        for (member, reason) in [
            (r#""crit":["exp"]"#, Reason::CriticalHeader),
            (r#""crit":[]"#, Reason::CriticalHeader),
            (r#""crit":null"#, Reason::CriticalHeader),
            (r#""crit":"x","x":1"#, Reason::CriticalHeader),
            (r#""crit":["b64"],"b64":false"#, Reason::CriticalHeader),
            (r#""b64":false"#, Reason::UnencodedPayload),
            (r#""b64":"false""#, Reason::UnencodedPayload),
            (r#""zip":"DEF""#, Reason::Compressed),
            (r#""enc":"A256GCM""#, Reason::Encrypted),
            (r#""cty":"JWT""#, Reason::Nested),
            (r#""cty":"application/jwt""#, Reason::Nested),
        ] {
            assert_eq!(refused(&format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"k",{member}}}"#)), reason, "{member}");
        }
    }

    #[test]
    fn v23_v24_a_kid_is_required_and_an_odd_one_is_unknown() {
        assert_eq!(refused(r#"{"alg":"RS256","typ":"at+jwt"}"#), Reason::MissingKid);
        for kid in ["", "a\\u0000", "a\\nb", "\u{1F511}", &"k".repeat(129)] {
            assert_eq!(refused(&format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#)), Reason::UnknownKey, "{kid}");
        }
        for kid in ["1", "null", "[\"k\"]"] {
            assert_eq!(refused(&format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":{kid}}}"#)), Reason::BadHeader, "{kid}");
        }
    }

    #[test]
    fn v20_v21_v22_v38_offered_keys_and_white_space_are_ignored() {
        let header = r#" { "jku":"http://169.254.169.254/", "jwk":{"kty":"RSA"}, "x5u":"file:///etc/passwd", "x5c":["MII"], "x5t":"a",
            "alg" : "RS256" , "typ":"at+jwt", "kid":"k" } "#;
        assert_eq!(accepted_kid(header).unwrap(), "k");
    }
}
