//! The judgement of a presented access token: signature, type, issuer, time, and every level that it hangs on. One place, so that
//! /userinfo, /introspect and /revoke cannot differ.

use serde_json::Value;

use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::claims::{ACCESS_TOKEN_TYP, AccessToken};
use crate::domain::cutoff::{Level, revoked};
use crate::domain::ids::{KeyId, UserId};
use crate::keys::NotOurs;
use crate::store::StoreError;
use crate::store::evidence::{self, Levels};

/// Why a presented text is no live access token of ours. For the log: whoever presented it learns only that it is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotLive {
    /// No token of that type that this issuer signed with a key that still counts.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// Signed by us, and yet not what we write.
    #[error("its claims are not ours")]
    Claims,
    /// The name of another issuer.
    #[error("another issuer")]
    Issuer,
    /// Its time is up.
    #[error("expired")]
    Expired,
    /// It was cut off.
    #[error("revoked at level {0:?}")]
    Revoked(Level),
}

/// Judges a token.
pub(super) async fn live(app: &App, token: &str, now: UnixTime) -> Result<Result<AccessToken, NotLive>, StoreError> {
    let (claims, kid) = match ours(app, token) {
        Ok(ours) => ours,
        Err(why) => return Ok(Err(why)),
    };
    if claims.expired(now) {
        return Ok(Err(NotLive::Expired));
    }
    let mut reader = app.db.reader().await?;
    let found = evidence::read(&mut reader.conn(), &levels(&claims, kid), now).await?;
    Ok(match revoked(claims.born, &found.evidence) {
        Some(level) => Err(NotLive::Revoked(level)),
        None => Ok(claims),
    })
}

/// The claims of a token that we signed, dead or alive, and the key that did.
pub(super) fn ours(app: &App, token: &str) -> Result<(AccessToken, KeyId), NotLive> {
    let (claims, kid) = app.keys.verify(token, ACCESS_TOKEN_TYP)?;
    let claims: AccessToken = serde_json::from_value(Value::Object(claims)).map_err(|_| NotLive::Claims)?;
    if claims.iss == app.config.issuer.as_str() { Ok((claims, kid)) } else { Err(NotLive::Issuer) }
}

fn levels(claims: &AccessToken, kid: KeyId) -> Levels {
    Levels {
        // A client's own token has no grant and speaks of no user.
        user: claims.gid.is_some().then(|| UserId::new(claims.sub.clone())),
        client: Some(claims.client_id.clone()),
        session: claims.sid.clone(),
        grant: claims.gid.clone(),
        token: Some(claims.jti.clone()),
        key: Some(kid),
    }
}
