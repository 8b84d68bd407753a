//! The cut-off of the whole issuer, and how much it ends.

use super::{Conn, Db, StoreError, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::cutoff::Target;
use crate::domain::ids::Tick;

/// What there is to end, as the rows show it: some of it may be dead by a cut-off of its user or client already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Alive {
    /// Browser sessions that have neither ended nor expired.
    pub sessions: i64,
    /// Grants that have neither ended nor expired.
    pub grants: i64,
    /// Consents that users need not be asked for again.
    pub consents: i64,
}

/// Counts what was born since the last cut-off of the whole issuer.
pub async fn alive(conn: &mut Conn<'_>, now: UnixTime) -> Result<Alive, StoreError> {
    sql!(
        conn,
        one as Alive,
        "SELECT (SELECT COUNT(*) FROM sessions s WHERE s.born >= h.issuer_cutoff AND s.ended_at IS NULL AND s.idle_until > $1
                  AND s.expires_at > $1) AS sessions,
                (SELECT COUNT(*) FROM grants g WHERE g.born >= h.issuer_cutoff AND g.ended_at IS NULL AND g.refresh_until > $1)
                  AS grants,
                (SELECT COUNT(*) FROM consents c WHERE c.born >= h.issuer_cutoff AND c.scopes <> '') AS consents
         FROM feed_head h WHERE h.id = 1",
        now.millis(),
    )
}

/// Cuts off everything that was born before, at every level and wherever it is.
pub async fn revoke(db: &Db, now: UnixTime) -> Result<Tick, StoreError> {
    feed_head::cut_off(db, vec![Target::Issuer], Event::done(Action::IssuerCutOff), now).await
}
