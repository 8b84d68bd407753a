//! Secrets of others as the configuration gives them: by their hash, or where the secret itself lies. All of them rest under a fast
//! hash, so only those that cannot be guessed will do.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::secret::{Secret, TokenHash};

/// The hash of a secret that has at least 256 bits, which are 43 characters of base64url; or why it will not do.
pub(super) fn of_strong(secret: &Secret<String>) -> Result<TokenHash, &'static str> {
    let text = secret.expose().trim_end_matches(['\r', '\n']);
    if text.len() < 43 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the secret is too weak: draw 256 random bits, which are at least 43 characters without spaces");
    }
    Ok(TokenHash::of(text))
}

/// A hash as it is written in the file; or why it is none.
pub(super) fn written(text: &str) -> Result<TokenHash, &'static str> {
    let is_sha256 = Base64UrlUnpadded::decode_vec(text).is_ok_and(|bytes| bytes.len() == 32);
    let reason = "this is no SHA-256 in base64url (43 characters); the file holds the hash of a secret, never the secret";
    if is_sha256 { Ok(TokenHash::from_stored(text.to_owned())) } else { Err(reason) }
}
