//! Private keys at rest: a compact JWE (RFC 7516), `dir` with A256GCM, under a key derived from the master key.
//!
//! The protected header is a fixed text around `kid` and the master key's id. It is the authenticated data, and opening demands
//! it byte for byte: a sealed key moved to another row does not open, and nothing in the header steers how it is opened.

use base64ct::{Base64UrlUnpadded, Encoding};
use josekit::jwe::JweContentEncryption;
use josekit::jwe::enc::A256GCM;

use super::master::SEALING;
use super::{KeyError, MasterKey};
use crate::domain::ids::KeyId;
use crate::domain::signing_key::SigningKey;
use crate::secret::{DerivedKey, Secret, random_bytes};

/// Seals a private JWK for the row of `kid`.
pub fn seal(private_jwk: &Secret<String>, kid: &KeyId, master: &MasterKey) -> Result<String, KeyError> {
    let header = protected_header(kid, master);
    let iv = random_bytes::<12>();
    let sealed = A256GCM.encrypt(master.derive(SEALING).expose(), Some(&iv), private_jwk.expose().as_bytes(), header.as_bytes());
    let Ok((ciphertext, Some(tag))) = sealed else {
        return Err(KeyError::Seal { kid: kid.clone() });
    };
    let [iv, ciphertext, tag] = [&iv[..], &ciphertext, &tag].map(Base64UrlUnpadded::encode_string);
    Ok(format!("{header}..{iv}.{ciphertext}.{tag}"))
}

/// Opens what [`seal`] made for this `kid` under this master key, and nothing else.
pub fn open(sealed: &str, kid: &KeyId, master: &MasterKey) -> Result<Secret<String>, KeyError> {
    opened(sealed, kid, master).ok_or_else(|| KeyError::Sealed { kid: kid.clone() })
}

/// The same row with its private key under another master key.
pub fn reseal(row: &SigningKey, from: &MasterKey, to: &MasterKey) -> Result<SigningKey, KeyError> {
    let sealed_private_key = seal(&open(&row.sealed_private_key, &row.kid, from)?, &row.kid, to)?;
    Ok(SigningKey { sealed_private_key, master_key_id: to.id().to_owned(), ..row.clone() })
}

/// Seals the key that a master key derived refresh tokens' successors by, under the one that follows it.
pub fn seal_refresh_key(key: &DerivedKey, of: &str, under: &MasterKey) -> Result<String, KeyError> {
    seal(&key.to_text(), &refresh_key_name(of), under)
}

/// Opens what [`seal_refresh_key`] made for this master key's.
pub fn open_refresh_key(sealed: &str, of: &str, under: &MasterKey) -> Result<DerivedKey, KeyError> {
    let name = refresh_key_name(of);
    let text = open(sealed, &name, under)?;
    DerivedKey::from_text(&text).ok_or(KeyError::Sealed { kid: name })
}

/// A name that no signing key has: those have no colon.
fn refresh_key_name(of: &str) -> KeyId {
    KeyId::new(format!("refresh-successors:{of}"))
}

fn opened(sealed: &str, kid: &KeyId, master: &MasterKey) -> Option<Secret<String>> {
    let (header, rest) = sealed.split_once("..")?;
    if header != protected_header(kid, master) {
        return None;
    }
    let mut parts = rest.split('.').map(|part| Base64UrlUnpadded::decode_vec(part).ok());
    let (Some(Some(iv)), Some(Some(ciphertext)), Some(Some(tag)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    // OpenSSL compares as many bytes of the tag as it is given: a tag of one byte would be guessed in 256 tries.
    if iv.len() != 12 || tag.len() != 16 {
        return None;
    }
    let key = master.derive(SEALING);
    let clear = A256GCM.decrypt(key.expose(), Some(&iv), &ciphertext, header.as_bytes(), Some(&tag)).ok()?;
    match String::from_utf8(clear) {
        Ok(text) => Some(Secret::new(text)),
        Err(bytes) => {
            drop(Secret::new(bytes.into_bytes()));
            None
        }
    }
}

fn protected_header(kid: &KeyId, master: &MasterKey) -> String {
    let header = serde_json::json!({ "alg": "dir", "enc": "A256GCM", "kid": kid.as_str(), "mkid": master.id() });
    Base64UrlUnpadded::encode_string(header.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use josekit::jwe::{Dir, JweContext};

    use super::*;

    fn sealed() -> (String, KeyId, MasterKey) {
        let (kid, master) = (KeyId::new("one"), MasterKey::random());
        (seal(&Secret::new("private".to_owned()), &kid, &master).unwrap(), kid, master)
    }

    #[test]
    fn a_sealed_key_opens_for_its_own_kid_and_master_key_only() {
        let (text, kid, master) = sealed();
        assert_eq!(open(&text, &kid, &master).unwrap().expose(), "private");
        assert!(open(&text, &KeyId::new("other"), &master).is_err());
        assert!(open(&text, &kid, &MasterKey::random()).is_err());
        assert!(!text.contains("private"));
    }

    #[test]
    fn a_retired_refresh_key_opens_under_its_successor_and_by_its_own_name_only() {
        let (old, new) = (MasterKey::random(), MasterKey::random());
        let key = old.derive(super::super::master::REFRESH_SUCCESSORS);
        let sealed = seal_refresh_key(&key, old.id(), &new).unwrap();
        assert_eq!(open_refresh_key(&sealed, old.id(), &new).unwrap().mac(&[b"x"]), key.mac(&[b"x"]));
        assert!(open_refresh_key(&sealed, new.id(), &new).is_err());
        assert!(open_refresh_key(&sealed, old.id(), &old).is_err());
    }

    #[test]
    fn no_flipped_bit_and_no_shortened_part_opens() {
        let (text, kid, master) = sealed();
        for place in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let altered = String::from_utf8(bytes).unwrap();
                assert!(open(&altered, &kid, &master).is_err(), "byte {place} bit {bit}");
            }
            assert!(open(&text[..place], &kid, &master).is_err(), "cut at {place}");
        }
        assert!(open(&format!("{text}."), &kid, &master).is_err());
    }

    #[test]
    fn a_truncated_tag_is_refused_though_openssl_would_take_it() {
        let (text, kid, master) = sealed();
        let (front, tag) = text.rsplit_once('.').unwrap();
        for length in 0..16 {
            let short = Base64UrlUnpadded::encode_string(&Base64UrlUnpadded::decode_vec(tag).unwrap()[..length]);
            assert!(open(&format!("{front}.{short}"), &kid, &master).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn any_other_implementation_of_rfc_7516_opens_it_with_the_derived_key() {
        let (text, kid, master) = sealed();
        let decrypter = Dir.decrypter_from_bytes(master.derive(SEALING).expose()).unwrap();
        let (clear, header) = JweContext::new().deserialize_compact(&text, &decrypter).unwrap();
        assert_eq!((clear.as_slice(), header.key_id(), header.claims_set().len()), (&b"private"[..], Some(kid.as_str()), 4));
    }

    #[test]
    fn sealing_twice_never_gives_the_same_text() {
        let (text, kid, master) = sealed();
        assert_ne!(seal(&Secret::new("private".to_owned()), &kid, &master).unwrap(), text);
    }
}
