//! Client authentication at the JSON endpoints (RFC 6749, section 2.3): exactly one method, and the registered one.

use axum::http::{HeaderMap, header};
use base64ct::{Base64, Encoding};

use super::error::OAuthError;
use crate::app::App;
use crate::app::attempts::whole_seconds;
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome, Source};
use crate::domain::client::{Client, ClientAuthentication};
use crate::domain::cutoff::{Evidence, revoked};
use crate::domain::ids::ClientId;
use crate::domain::params::Params;
use crate::secret::TokenHash;
use crate::store::attempts;
use crate::store::clients::{self, ClientRecord};

/// The proof that a client is who it says, as far as its registration asks; only [`authenticate`] makes one.
pub(crate) struct AuthenticatedClient {
    client: Client,
    evidence: Evidence,
}

impl AuthenticatedClient {
    /// Its registration.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How it stands, with the tick that was read before its secret was looked at.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

struct Presented {
    id: String,
    secret: Option<TokenHash>,
    method: ClientAuthentication,
}

/// Authenticates the client of a request. A client that is unknown, disabled, or presents another method or secret than the
/// registered one gets one and the same answer. The secrets are too long to be guessed, so they are compared first: a right one
/// always passes and costs no write. A wrong one is counted for its client and address, and waits after too many.
pub(crate) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    source: &Source,
    params: &Params,
    now: UnixTime,
) -> Result<AuthenticatedClient, OAuthError> {
    let presented = presented(headers, params)?;
    let Ok(id) = presented.id.parse::<ClientId>() else { return Err(OAuthError::invalid_client()) };
    let found = clients::find(&mut app.db.reader().await?.conn(), &id, now).await?;
    let why = match found.map(|record| (record.client.authentication, judge(record, &presented))) {
        Some((_, Ok(client))) => return Ok(client),
        // A public client has no secret to guess: were this counted, any page could stop it for all behind a visitor's address.
        Some((ClientAuthentication::None, Err(why))) => {
            tracing::info!(client_id = %id, why, "refused a public client");
            return Err(OAuthError::invalid_client());
        }
        Some((ClientAuthentication::SecretBasic | ClientAuthentication::SecretPost, Err(why))) => Some(why),
        None => None,
    };
    let known = why.map(|_| &id);
    let (db, lanes) = (app.db.by(source.clone()), app.client_lane(known, source.address.as_deref()));
    let told = |outcome| {
        let event = Event::new(Action::ClientAuthentication, outcome);
        if known.is_some() { event.of_client(&id) } else { event }
    };
    if let Some(until) = attempts::waiting(&db, &lanes, &told(Outcome::Throttled), now).await? {
        return Err(OAuthError::too_many(whole_seconds(until.since(now))));
    }
    match why {
        Some(why) => tracing::info!(client_id = %id, why, "refused a client"),
        None => tracing::info!("refused an unknown client"),
    }
    // Of one that nobody registered, only the log is told: anybody can make those up.
    attempts::fail(&db, lanes, why.map(|why| told(Outcome::Refused).saying(why)), now).await?;
    Err(OAuthError::invalid_client())
}

fn judge(record: ClientRecord, presented: &Presented) -> Result<AuthenticatedClient, &'static str> {
    let right_secret = match (record.client.authentication, &presented.secret) {
        (ClientAuthentication::None, None) => true,
        (ClientAuthentication::None, Some(_)) | (_, None) => false,
        (_, Some(secret)) => record.secrets.iter().fold(false, |found, held| found | held.matches(secret)),
    };
    // Judged at the tick that came with the evidence: only a client that is disabled or gone is dead at that moment.
    let dead = revoked(record.evidence.tick, &record.evidence).is_some();
    match (right_secret, record.client.authentication == presented.method, dead) {
        (true, true, false) => Ok(AuthenticatedClient { client: record.client, evidence: record.evidence }),
        (false, ..) => Err("wrong secret"),
        (true, false, _) => Err("another method than registered"),
        (true, true, true) => Err("disabled"),
    }
}

fn presented(headers: &HeaderMap, params: &Params) -> Result<Presented, OAuthError> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let body_secret = params.get("client_secret").map(TokenHash::of);
    match (lines.next(), lines.next()) {
        (None, _) => {
            let id = params.get("client_id").ok_or_else(OAuthError::invalid_client)?.to_owned();
            let method = match body_secret {
                Some(_) => ClientAuthentication::SecretPost,
                None => ClientAuthentication::None,
            };
            Ok(Presented { id, secret: body_secret, method })
        }
        (Some(line), None) => {
            let (id, secret) = basic(line.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
            if body_secret.is_some() {
                return Err(OAuthError::invalid_request("the client authenticates in one way, not in two"));
            }
            if params.get("client_id").is_some_and(|other| other != id) {
                return Err(OAuthError::invalid_request("client_id is not the client that authenticated"));
            }
            Ok(Presented { id, secret: Some(TokenHash::of(&secret)), method: ClientAuthentication::SecretBasic })
        }
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("there is more than one Authorization header")),
    }
}

/// Id and secret of a Basic header, each form-urlencoded before it was joined (RFC 6749, section 2.3.1).
fn basic(line: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(Base64::decode_vec(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    // A lone value reads as a name without `=`; one with `=` or `&` inside was not encoded as the standard asks.
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((name, value)), None) if value.is_empty() && !text.contains('=') => Some(name.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", Base64::encode_string(text.as_bytes())).into_bytes()
    }

    #[test]
    fn basic_credentials_are_form_decoded_after_base64() {
        assert_eq!(basic(&header("shop-web:a%2Bb+c")), Some(("shop-web".into(), "a+b c".into())));
        assert_eq!(basic(&header("shop%3Aweb:x")), Some(("shop:web".into(), "x".into())));
    }

    #[test]
    fn what_is_no_basic_header_is_none() {
        for line in [&b"Basic"[..], b"Basic !!", b"Bearer abc", &header("no colon"), &header("a:b=c"), b"\xff\xff"] {
            assert_eq!(basic(line), None);
        }
    }
}
