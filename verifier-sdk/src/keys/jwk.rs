//! One published key (RFC 7517, section 4), judged: what it may be used for, and by which one algorithm. A key that is good for
//! two algorithms lets the weaker speak for the stronger (RFC 8725, section 3.1), so none is.

use crate::algorithm::{Algorithm, KeyKind};
use crate::base64url;
use crate::header::is_kid;
use crate::json::tree::{Object, Value};
use crate::keys::jwks::SkipReason;
use crate::keys::{ec, okp, rsa};
use crate::signature::{Material, VerificationKey, verification_key};

/// The members by which a key of RFC 7518, section 6 or RFC 8037 is private.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The `kid` of a key that can be used, and the key. `is_shared`: whether another key has the same `kid`.
pub(super) fn usable<'k>(
    entry: &'k Value<'_>,
    algorithms: &[Algorithm],
    is_shared: impl Fn(&str) -> bool,
) -> Result<(&'k str, VerificationKey), SkipReason> {
    let Value::Object(jwk) = entry else {
        return Err(SkipReason::Malformed);
    };
    if text(jwk, "kty")? == Some("oct") {
        return Err(SkipReason::Symmetric);
    }
    if PRIVATE_MEMBERS.iter().any(|member| jwk.get(member).is_some()) {
        return Err(SkipReason::Private);
    }
    let kind = kind(jwk)?;
    let kid = text(jwk, "kid")?.filter(|kid| is_kid(kid)).ok_or(SkipReason::NoKid)?;
    if is_shared(kid) {
        return Err(SkipReason::DuplicateKid);
    }
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") || !may_verify(jwk)? {
        return Err(SkipReason::OtherUse);
    }
    let algorithm = one_algorithm(jwk, kind, algorithms)?;
    Ok((kid, parsed(jwk, kind, algorithm)?))
}

/// The `kid` of a key that one of the algorithms could use, as it stands there.
pub(super) fn contender<'k>(entry: &'k Value<'_>, algorithms: &[Algorithm]) -> Option<&'k str> {
    let Value::Object(jwk) = entry else { return None };
    let kind = kind(jwk).ok()?;
    algorithms.iter().any(|algorithm| algorithm.key_kind() == kind).then(|| kid(entry))?
}

/// What stands for the `kid`, whether or not it can be one.
pub(super) fn kid<'k>(entry: &'k Value<'_>) -> Option<&'k str> {
    if let Value::Object(jwk) = entry { jwk.get("kid").and_then(Value::as_str) } else { None }
}

fn kind(jwk: &Object<'_>) -> Result<KeyKind, SkipReason> {
    let curve = || text(jwk, "crv")?.ok_or(SkipReason::Malformed);
    match text(jwk, "kty")?.ok_or(SkipReason::Malformed)? {
        "RSA" => Ok(KeyKind::Rsa),
        "EC" => match curve()? {
            "P-256" => Ok(KeyKind::P256),
            "P-384" => Ok(KeyKind::P384),
            "P-521" => Ok(KeyKind::P521),
            _ => Err(SkipReason::OtherType),
        },
        "OKP" if curve()? == "Ed25519" => Ok(KeyKind::Ed25519),
        _ => Err(SkipReason::OtherType),
    }
}

fn may_verify(jwk: &Object<'_>) -> Result<bool, SkipReason> {
    match jwk.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|operation| operation.as_str() == Some("verify"))),
        Some(_) => Err(SkipReason::Malformed),
    }
}

/// The algorithm that the key names, or else the first of the list that fits it. Only RSA keys leave a choice: where several of
/// their algorithms are listed, a key without `alg` is bound to the first, and a token by any other is refused.
fn one_algorithm(jwk: &Object<'_>, kind: KeyKind, algorithms: &[Algorithm]) -> Result<Algorithm, SkipReason> {
    let Some(name) = text(jwk, "alg")? else {
        return algorithms.iter().copied().find(|algorithm| algorithm.key_kind() == kind).ok_or(SkipReason::OtherAlgorithm);
    };
    let named = Algorithm::from_name(name).filter(|named| algorithms.contains(named)).ok_or(SkipReason::OtherAlgorithm)?;
    if named.key_kind() == kind { Ok(named) } else { Err(SkipReason::Malformed) }
}

fn parsed(jwk: &Object<'_>, kind: KeyKind, algorithm: Algorithm) -> Result<VerificationKey, SkipReason> {
    let bytes = |name| text(jwk, name)?.and_then(base64url::decode).ok_or(SkipReason::Malformed);
    let key = match kind {
        KeyKind::Rsa => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            rsa::check(&modulus, &exponent)?;
            verification_key(algorithm, Material::Rsa { modulus: &modulus, exponent: &exponent })
        }
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
            verification_key(algorithm, Material::Point(&ec::point(kind, &bytes("x")?, &bytes("y")?)?))
        }
        KeyKind::Ed25519 => {
            let key = bytes("x")?;
            okp::check(&key)?;
            verification_key(algorithm, Material::Point(&key))
        }
    };
    key.ok_or(SkipReason::Malformed)
}

fn text<'k>(jwk: &'k Object<'_>, member: &str) -> Result<Option<&'k str>, SkipReason> {
    jwk.get(member).map(|value| value.as_str().ok_or(SkipReason::Malformed)).transpose()
}
