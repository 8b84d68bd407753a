//! A relying party that knows Token Status Lists by their draft alone (draft-ietf-oauth-status-list-17): it shares nothing with
//! the issuer, and follows section 8.3 step by step.

use std::io::Read;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64ct::{Base64UrlUnpadded, Encoding};
use flate2::read::ZlibDecoder;
use serde_json::Value;

/// VALID (section 7.1).
pub const VALID: u8 = 0;
/// INVALID.
pub const INVALID: u8 = 1;

/// The most bytes that a list may have once it is decompressed.
const LARGEST: u64 = 1 << 20;

/// What was fetched from a list's address.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The media type.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// A list that was validated.
#[derive(Debug, Clone)]
pub struct StatusList {
    /// The claims.
    pub claims: Value,
    bits: u8,
    bytes: Vec<u8>,
}

/// Where a token says that its status is: address and index. Validates the claim (step 1; section 6.2).
pub fn reference(token: &Value) -> Result<(String, u64), String> {
    let list = token.get("status").ok_or("no status")?.get("status_list").ok_or("no status_list")?;
    let idx = list["idx"].as_u64().ok_or("idx is no integer from 0 on")?;
    let uri = list["uri"].as_str().ok_or("uri is no text")?;
    Ok((uri.to_owned(), idx))
}

/// Validates the list that was fetched from an address (steps 3 to 5), with the issuer's key set and at this time in seconds.
pub fn validate(uri: &str, fetched: &Fetched, jwks: &Value, now: i64) -> Result<StatusList, String> {
    if fetched.content_type != "application/statuslist+jwt" {
        return Err(format!("the media type is {}", fetched.content_type));
    }
    let (header, claims) = signed(&fetched.body, jwks)?;
    if header["typ"] != "statuslist+jwt" {
        return Err(format!("typ is {}", header["typ"]));
    }
    if claims["sub"] != uri {
        return Err(format!("sub is {} and not {uri}", claims["sub"]));
    }
    let iat = claims["iat"].as_i64().ok_or("no iat")?;
    if iat > now {
        return Err("it is from the future".to_owned());
    }
    if claims.get("exp").is_some_and(|exp| exp.as_i64().is_none_or(|exp| exp <= now)) {
        return Err("it has expired".to_owned());
    }
    if claims.get("ttl").is_some_and(|ttl| ttl.as_u64().is_none_or(|ttl| ttl == 0)) {
        return Err("its ttl is no positive number".to_owned());
    }
    let (bits, bytes) = decode(&claims["status_list"])?;
    Ok(StatusList { claims, bits, bytes })
}

impl StatusList {
    /// The status at an index (steps 6 and 7; section 4.1).
    pub fn status(&self, idx: u64) -> Result<u8, String> {
        at(self.bits, &self.bytes, idx)
    }

    /// How many tokens have room in it.
    pub fn places(&self) -> usize {
        self.bytes.len() * 8 / usize::from(self.bits)
    }

    /// How many of them are not valid.
    pub fn not_valid(&self) -> usize {
        (0..self.places() as u64).filter(|idx| self.status(*idx) != Ok(VALID)).count()
    }
}

/// Header and claims of a compact JWS by one of these keys.
fn signed(jws: &str, jwks: &Value) -> Result<(Value, Value), String> {
    let (message, signature) = jws.rsplit_once('.').ok_or("no compact JWS")?;
    let (header, payload) = message.split_once('.').ok_or("no compact JWS")?;
    let header: Value = serde_json::from_slice(&bytes(header)?).map_err(|why| why.to_string())?;
    if header["alg"] != "RS256" {
        return Err(format!("alg is {}", header["alg"]));
    }
    let keys = jwks["keys"].as_array().ok_or("no key set")?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).ok_or("the key is not in the key set")?;
    let part = |name: &str| bytes(key[name].as_str().ok_or("no RSA key")?);
    let key = RsaPublicKeyComponents { n: part("n")?, e: part("e")? };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &bytes(signature)?).map_err(|_| "the signature is wrong")?;
    Ok((header, serde_json::from_slice(&bytes(payload)?).map_err(|why| why.to_string())?))
}

/// Bits a status, and the decompressed list (section 4.2).
fn decode(list: &Value) -> Result<(u8, Vec<u8>), String> {
    let bits = list["bits"].as_u64().and_then(|bits| u8::try_from(bits).ok()).filter(|bits| [1, 2, 4, 8].contains(bits));
    let compressed = bytes(list["lst"].as_str().ok_or("no lst")?)?;
    let mut decompressed = Vec::new();
    ZlibDecoder::new(&*compressed).take(LARGEST + 1).read_to_end(&mut decompressed).map_err(|why| why.to_string())?;
    if decompressed.len() as u64 > LARGEST {
        return Err("the list is too large".to_owned());
    }
    Ok((bits.ok_or("bits is none of 1, 2, 4 and 8")?, decompressed))
}

fn at(bits: u8, bytes: &[u8], idx: u64) -> Result<u8, String> {
    let in_a_byte = u64::from(8 / bits);
    let byte = usize::try_from(idx / in_a_byte).ok().and_then(|byte| bytes.get(byte)).ok_or("idx is out of bounds")?;
    let shifted = byte >> (u8::try_from(idx % in_a_byte).map_err(|why| why.to_string())? * bits);
    Ok(shifted & u8::MAX >> (8 - bits))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| "no base64url".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Appendix C.1.
    const C1: &str = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";

    fn list(bits: u8, lst: &str) -> StatusList {
        let claims = json!({ "bits": bits, "lst": lst });
        let (bits, bytes) = decode(&claims).unwrap();
        StatusList { claims, bits, bytes }
    }

    #[test]
    fn the_drafts_vectors_are_read() {
        let small: Vec<u8> = (0..16).map(|idx| list(1, "eNrbuRgAAhcBXQ").status(idx).unwrap()).collect();
        assert_eq!(small, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
        let two_bits: Vec<u8> = (0..12).map(|idx| list(2, "eNo76fITAAPfAgc").status(idx).unwrap()).collect();
        assert_eq!(two_bits, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
        let long = list(1, C1);
        assert_eq!((long.places(), long.not_valid()), (1 << 20, 11));
        for idx in [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345] {
            assert_eq!(long.status(idx), Ok(INVALID), "{idx}");
        }
        assert!(long.status(1 << 20).is_err(), "beyond the list");
    }

    #[test]
    fn the_issuer_writes_the_drafts_long_vector() {
        use passant::domain::status_list::Bits;
        let mut bits = Bits::all_valid(1 << 20);
        for idx in [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345] {
            assert!(bits.invalidate(idx));
        }
        let written = serde_json::to_value(bits.encode(None).unwrap()).unwrap();
        // Compressors differ; what they compressed must not (section 4.1).
        assert_eq!(decode(&written), decode(&json!({ "bits": 1, "lst": C1 })));
    }

    #[test]
    fn what_the_draft_forbids_is_refused() {
        for (claims, why) in [
            (json!({}), "no status"),
            (json!({ "status": {} }), "no status_list"),
            (json!({ "status": { "status_list": { "idx": -1, "uri": "https://x" } } }), "idx"),
            (json!({ "status": { "status_list": { "idx": "1", "uri": "https://x" } } }), "idx"),
            (json!({ "status": { "status_list": { "idx": 1 } } }), "uri"),
        ] {
            assert!(reference(&claims).is_err_and(|said| said.contains(why)), "{claims}");
        }
        assert!(decode(&json!({ "bits": 3, "lst": "eNrbuRgAAhcBXQ" })).is_err());
        assert!(decode(&json!({ "bits": 1, "lst": "AAAA" })).is_err());
    }
}
