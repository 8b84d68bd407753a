//! The logout request of an application (OpenID Connect RP-Initiated Logout 1.0, section 2): judged once into a type, and handed on
//! from page to page under our seal, so that nothing of it changes on the way.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use super::ids::{ClientId, SessionId, UserId};
use super::session::Session;
use crate::clock::UnixTime;
use crate::secret::{DerivedKey, constant_time_eq};

/// How long a person may take to confirm.
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// A logout request whose parts agree with each other and with the client's registration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutRequest {
    /// The application, where it can be known.
    pub client_id: Option<ClientId>,
    /// Whose sign-in an `id_token_hint` of ours names.
    pub hint: Option<LogoutHint>,
    /// One of the client's own `post_logout_redirect_uris`.
    pub post_logout_redirect_uri: Option<String>,
    /// Echoed untouched.
    pub state: Option<String>,
}

/// What an ID token that we signed says of a sign-in, be it long over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutHint {
    /// `sub`
    pub user: UserId,
    /// `sid`
    pub session: SessionId,
}

/// What a logout request needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutStep {
    /// The user's word: whoever asks has not shown that it knows this sign-in.
    Confirm,
    /// The session's end.
    End,
    /// Nothing: nobody is signed in in this browser.
    Done,
}

impl LogoutRequest {
    /// The next step, with the live session of the browser.
    pub fn step(&self, session: Option<&Session>) -> LogoutStep {
        let fits =
            |session: &Session| self.hint.as_ref().is_some_and(|hint| hint.session == session.id || hint.user == session.user_id);
        match session {
            None => LogoutStep::Done,
            Some(session) if fits(session) => LogoutStep::End,
            Some(_) => LogoutStep::Confirm,
        }
    }

    /// Where the browser goes in the end. Nobody is sent on by a mere client id, which anybody knows, unless the user said so.
    pub fn destination(&self, confirmed: bool) -> Option<&str> {
        self.post_logout_redirect_uri.as_deref().filter(|_| self.hint.is_some() || confirmed)
    }

    /// The request as text that only this issuer can make, good until [`LIFE`] is over.
    pub fn seal(&self, key: &DerivedKey, now: UnixTime) -> Result<String, serde_json::Error> {
        let sealed = Sealed { request: self.clone(), until: (now + LIFE).millis() };
        let payload = Base64UrlUnpadded::encode_string(&serde_json::to_vec(&sealed)?);
        Ok(format!("{payload}.{}", mac(key, &payload)))
    }

    /// The request of such a text; none of any other.
    pub fn open(sealed: &str, key: &DerivedKey, now: UnixTime) -> Option<Self> {
        let (payload, presented) = sealed.split_once('.')?;
        if !constant_time_eq(mac(key, payload).as_bytes(), presented.as_bytes()) {
            return None;
        }
        let sealed: Sealed = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(payload).ok()?).ok()?;
        (now.millis() < sealed.until).then_some(sealed.request)
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    request: LogoutRequest,
    until: i64,
}

fn mac(key: &DerivedKey, payload: &str) -> String {
    Base64UrlUnpadded::encode_string(&key.mac(&[b"logout request", payload.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Tick;
    use crate::secret::Secret;

    const NOW: UnixTime = UnixTime::from_seconds(1_000);

    fn request(hint: Option<(&str, &str)>) -> LogoutRequest {
        LogoutRequest {
            client_id: Some(ClientId::new("shop")),
            hint: hint.map(|(user, session)| LogoutHint { user: UserId::new(user), session: SessionId::new(session) }),
            post_logout_redirect_uri: Some("https://shop.example/bye".to_owned()),
            state: Some("s".to_owned()),
        }
    }

    fn session() -> Session {
        Session {
            id: SessionId::new("sid"),
            user_id: UserId::new("ada"),
            born: Tick::new(1),
            auth_time: NOW,
            amr: vec![],
            last_seen_at: NOW,
            idle_until: NOW,
            expires_at: NOW,
        }
    }

    #[test]
    fn only_a_hint_that_fits_the_session_ends_it_without_a_question() {
        for (what, hint, expected) in [
            ("the same session", Some(("ada", "sid")), LogoutStep::End),
            ("an earlier session of the same user", Some(("ada", "before")), LogoutStep::End),
            ("another user", Some(("grace", "hers")), LogoutStep::Confirm),
            ("no hint", None, LogoutStep::Confirm),
        ] {
            assert_eq!(request(hint).step(Some(&session())), expected, "{what}");
            assert_eq!(request(hint).step(None), LogoutStep::Done, "{what}, signed out");
        }
    }

    #[test]
    fn a_client_id_alone_sends_nobody_on_unless_the_user_said_so() {
        let to = Some("https://shop.example/bye");
        for (hint, confirmed, expected) in [(Some(("grace", "hers")), false, to), (None, true, to), (None, false, None)] {
            assert_eq!(request(hint).destination(confirmed), expected, "{hint:?} {confirmed}");
        }
    }

    #[test]
    fn a_sealed_request_comes_back_whole_and_in_time_or_not_at_all() {
        let key = |byte| DerivedKey::derive(&Secret::new([byte; 32]), "csrf");
        let sealed = request(Some(("ada", "sid"))).seal(&key(1), NOW).unwrap();
        let (last, over) = (NOW + LIFE - Duration::from_millis(1), NOW + LIFE);
        assert_eq!(LogoutRequest::open(&sealed, &key(1), last), Some(request(Some(("ada", "sid")))));
        assert_eq!(LogoutRequest::open(&sealed, &key(1), over), None);
        assert_eq!(LogoutRequest::open(&sealed, &key(2), NOW), None, "another issuer's");
        let (_, seal) = sealed.split_once('.').unwrap();
        let other = LogoutRequest::default().seal(&key(1), NOW).unwrap();
        let swapped = format!("{}.{seal}", other.split_once('.').unwrap().0);
        for odd in ["", ".", "x", &swapped, &sealed[1..], &sealed[..sealed.len() - 1], &format!("{sealed}x")] {
            assert_eq!(LogoutRequest::open(odd, &key(1), NOW), None, "{odd}");
        }
    }
}
