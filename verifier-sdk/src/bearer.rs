//! The `Authorization` header (RFC 6750, section 2.1), so that every adapter reads it alike.

use crate::compact::MAX_TOKEN_LEN;
use crate::error::{Reason, VerifyError};
use crate::observe::Event;
use crate::verified::Verified;
use crate::verifier::Verifier;

impl Verifier {
    /// Verifies the token of a request, given the values of all its `Authorization` headers.
    ///
    /// # Errors
    /// [`Reason::MissingToken`] where there is no header or another scheme, [`Reason::AmbiguousToken`] where there are two,
    /// else as [`verify`](Self::verify).
    pub fn verify_authorization<'h>(&self, values: impl IntoIterator<Item = &'h [u8]>) -> Result<Verified, VerifyError> {
        let mut values = values.into_iter();
        let token = match (values.next(), values.next()) {
            (None, _) => Err(VerifyError::new(Reason::MissingToken)),
            (Some(value), None) => bearer_token(value),
            (Some(_), Some(_)) => Err(VerifyError::new(Reason::AmbiguousToken)),
        };
        match token {
            Ok(token) => self.verify(token),
            Err(refused) => {
                self.inner.watch.tell(|| Event::Verification { refused: Some(refused.reason()) });
                Err(refused)
            }
        }
    }
}

/// The scheme is compared without case (RFC 9110, section 11.1) and followed by at least one space. Length comes first here as well.
fn bearer_token(value: &[u8]) -> Result<&str, VerifyError> {
    match value.split_at_checked("Bearer".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"Bearer") && matches!(rest.first(), None | Some(b' ')) => {
            if rest.len() > MAX_TOKEN_LEN + 1 {
                return Err(VerifyError::about(Reason::TooLarge, "token"));
            }
            std::str::from_utf8(rest.trim_ascii_start()).map_err(|_| VerifyError::new(Reason::NotCompact))
        }
        _ => Err(VerifyError::new(Reason::MissingToken)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_has_no_case_and_another_scheme_is_no_token() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"] {
            assert_eq!(bearer_token(value.as_bytes()).unwrap(), "a.b.c");
        }
        for value in ["", "Basic YTpi", "Bearera.b.c", "Bear", "DPoP a.b.c"] {
            assert_eq!(bearer_token(value.as_bytes()).unwrap_err().reason(), Reason::MissingToken, "{value}");
        }
    }

    #[test]
    fn v48_what_is_too_long_is_refused_before_it_is_read() {
        let of = |len: usize, byte: u8| {
            bearer_token(&[b"Bearer ", &*vec![byte; len]].concat()).map(str::len).map_err(|error| error.reason())
        };
        assert_eq!(of(MAX_TOKEN_LEN, b'a'), Ok(MAX_TOKEN_LEN));
        for byte in [b'a', b' ', 0xff] {
            assert_eq!(of(MAX_TOKEN_LEN + 1, byte), Err(Reason::TooLarge));
        }
    }

    #[test]
    fn v49_bytes_that_are_not_text_are_a_bad_token() {
        assert_eq!(bearer_token(b"Bearer \xff").unwrap_err().reason(), Reason::NotCompact);
    }
}
