//! Who is signed in in the browser behind a request: the cookie's session, found alive.

use axum::http::HeaderMap;

use super::cookies::Cookie;
use crate::app::App;
use crate::clock::UnixTime;
use crate::domain::audit::{Actor, Source};
use crate::domain::cutoff::revoked;
use crate::domain::session::{Session, TOUCH_AFTER};
use crate::domain::user::User;
use crate::secret::OpaqueToken;
use crate::store::{Db, StoreError, sessions};

/// The proof that a browser is signed in; only [`find`] makes one.
pub(crate) struct SignedIn {
    /// The session.
    pub(crate) session: Session,
    /// Who it is.
    pub(crate) user: User,
    /// The cookie, to which forms are bound.
    pub(crate) cookie: OpaqueToken,
}

impl SignedIn {
    /// The database, on behalf of this user.
    pub(crate) fn db(&self, app: &App, source: &Source) -> Db {
        app.db.by(source.with(Actor::User(self.user.id.clone())))
    }
}

/// The live session of the request's cookie. What was revoked, ended, cut off or has expired is nobody.
pub(crate) async fn find(app: &App, headers: &HeaderMap, now: UnixTime) -> Result<Option<SignedIn>, StoreError> {
    let Some(cookie) = Cookie::Session.read(app, headers) else { return Ok(None) };
    let mut reader = app.db.reader().await?;
    let found = sessions::find_by_cookie(&mut reader.conn(), &cookie.hash()).await?;
    drop(reader);
    let Some(record) = found else { return Ok(None) };
    if revoked(record.session.born, &record.evidence).is_some() || record.session.expired(now) {
        return Ok(None);
    }
    if now.since(record.session.last_seen_at) >= TOUCH_AFTER {
        let idle_until = now + app.config.sessions.idle;
        sessions::touch(&app.db, record.session.id.clone(), now, idle_until).await?;
    }
    Ok(Some(SignedIn { session: record.session, user: record.user, cookie }))
}
