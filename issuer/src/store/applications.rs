//! What a user's applications may do: their grants and consents read together, and judged by the one function.

use std::collections::BTreeMap;

use super::evidence::cut_off;
use super::{Conn, StoreError, clients};
use crate::clock::UnixTime;
use crate::domain::client::Client;
use crate::domain::cutoff::{Evidence, Standing, revoked};
use crate::domain::ids::{Tick, UserId};
use crate::domain::scope::{Scope, ScopeSet};

/// An application with a living consent or grant of a user.
#[derive(Debug, Clone)]
pub struct Application {
    /// The application.
    pub client: Client,
    /// All that it was allowed.
    pub scopes: ScopeSet,
    /// Since when.
    pub since: UnixTime,
    /// Whether a grant of it outlives the browser's session.
    pub offline: bool,
}

#[derive(sqlx::FromRow)]
struct AllowedRow {
    tick: i64,
    issuer_cutoff: i64,
    client_id: String,
    registration: String,
    client_cutoff: i64,
    client_disabled_at: Option<i64>,
    user_cutoff: Option<i64>,
    user_disabled_at: Option<i64>,
    consent_cutoff: Option<i64>,
    scopes: String,
    born: i64,
    since: i64,
    session_id: Option<String>,
    session_ended_at: Option<i64>,
    session_until: Option<i64>,
    remembered: bool,
}

impl AllowedRow {
    fn evidence(&self, offline: bool) -> Evidence {
        let session = match (self.remembered || offline, &self.session_id, self.session_ended_at) {
            (true, ..) => Standing::NotJudged,
            (false, None, _) => Standing::Missing,
            (false, Some(_), Some(_)) => Standing::Ended,
            (false, Some(_), None) => Standing::CutOff(Tick::ZERO),
        };
        Evidence {
            client: cut_off(true, Some(self.client_cutoff), self.client_disabled_at),
            // A remembered answer dies with its user's cut-off as grants do: see `evidence::remembered`.
            user: cut_off(true, self.user_cutoff, self.user_disabled_at),
            session,
            consent: Standing::CutOff(Tick::new(self.consent_cutoff.unwrap_or(0))),
            ..Evidence::of_issuer(Tick::new(self.tick), Tick::new(self.issuer_cutoff))
        }
    }
}

/// The applications of a user, by name.
pub async fn of_user(conn: &mut Conn<'_>, user: &UserId, now: UnixTime) -> Result<Vec<Application>, StoreError> {
    let rows = sql!(
        conn,
        all as AllowedRow,
        "SELECT h.tick, h.issuer_cutoff, a.client_id, c.registration, c.cutoff AS client_cutoff,
                c.disabled_at AS client_disabled_at, u.cutoff AS user_cutoff, u.disabled_at AS user_disabled_at,
                o.cutoff AS consent_cutoff, a.scopes, a.born, a.since, s.id AS session_id, s.ended_at AS session_ended_at,
                CASE WHEN s.idle_until < s.expires_at THEN s.idle_until ELSE s.expires_at END AS session_until, a.remembered
         FROM (SELECT g.user_id, g.client_id, g.session_id, g.scopes, g.born, g.created_at AS since, FALSE AS remembered
               FROM grants g WHERE g.user_id = $1 AND g.ended_at IS NULL AND g.refresh_until > $2
               UNION ALL
               SELECT r.user_id, r.client_id, NULL, r.scopes, r.born, r.updated_at, TRUE
               FROM consents r WHERE r.user_id = $1 AND r.scopes <> '') a
         JOIN feed_head h ON h.id = 1
         JOIN clients c ON c.id = a.client_id
         LEFT JOIN users u ON u.id = a.user_id
         LEFT JOIN consents o ON o.user_id = a.user_id AND o.client_id = a.client_id
         LEFT JOIN sessions s ON s.id = a.session_id",
        user.as_str(),
        now.millis(),
    )?;
    let mut found: BTreeMap<String, Application> = BTreeMap::new();
    for row in rows {
        let scopes: ScopeSet = row.scopes.parse().map_err(|why| StoreError::impossible("grants", why))?;
        let offline = !row.remembered && scopes.contains(&Scope::OFFLINE_ACCESS);
        let judged = !row.remembered && !offline;
        let over = judged && row.session_until.is_none_or(|until| now.millis() >= until);
        if over || revoked(Tick::new(row.born), &row.evidence(offline)).is_some() {
            continue;
        }
        let since = UnixTime::from_millis(row.since);
        match found.get_mut(&row.client_id) {
            Some(known) => {
                known.scopes = known.scopes.iter().chain(&scopes).cloned().collect();
                known.since = known.since.min(since);
                known.offline |= offline;
            }
            None => {
                let client = clients::parse(&row.registration)?;
                found.insert(row.client_id, Application { client, scopes, since, offline });
            }
        }
    }
    let mut all: Vec<Application> = found.into_values().collect();
    all.sort_by(|one, other| one.client.name.cmp(&other.client.name));
    Ok(all)
}
