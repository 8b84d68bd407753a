//! What users' applications may do: their grants and consents read together, and judged by the one function, for the page of whose
//! they are and for whoever administers the issuer.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::cut_off;
use super::{Conn, StoreError, clients, consents};
use crate::clock::UnixTime;
use crate::domain::claims_request::ClaimsRequest;
use crate::domain::client::Client;
use crate::domain::consent::Consent;
use crate::domain::cutoff::{Evidence, Standing, revoked};
use crate::domain::ids::{ClientId, Tick, UserId};
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

/// The same as whoever administers the issuer sees it.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// Whose.
    pub user_id: UserId,
    /// The name they sign in with.
    pub username: String,
    /// The application.
    pub client: Client,
    /// All that it was allowed, by the remembered answer and by living grants.
    pub consent: Consent,
    /// Since when.
    pub since: UnixTime,
    /// Whether an answer is remembered: an application that asks every time has grants alone.
    pub remembered: bool,
    /// How many grants live.
    pub grants: usize,
    /// Whether one of them outlives the browser's session.
    pub offline: bool,
}

#[derive(sqlx::FromRow)]
struct AllowedRow {
    tick: i64,
    issuer_cutoff: i64,
    user_id: String,
    username: Option<String>,
    client_id: String,
    registration: String,
    client_cutoff: i64,
    client_disabled_at: Option<i64>,
    user_cutoff: Option<i64>,
    user_disabled_at: Option<i64>,
    consent_cutoff: Option<i64>,
    scopes: String,
    resources: String,
    claims: String,
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

    /// Whether it is alive now.
    fn lives(&self, offline: bool, now: UnixTime) -> bool {
        let judged = !self.remembered && !offline;
        let over = judged && self.session_until.is_none_or(|until| now.millis() >= until);
        !over && revoked(Tick::new(self.born), &self.evidence(offline)).is_none()
    }

    /// What it allows. A grant keeps the claims as they were asked for: those that its scopes do not open are what it adds.
    fn consent(&self) -> Result<Consent, StoreError> {
        let (scopes, resources) = (self.scopes.clone(), self.resources.clone());
        if self.remembered {
            return consents::parse(Some(scopes), Some(resources), Some(self.claims.clone()));
        }
        let mut consent = consents::parse(Some(scopes), Some(resources), Some("[]".to_owned()))?;
        let asked: ClaimsRequest = serde_json::from_str(&self.claims).map_err(|why| StoreError::impossible("grants", why))?;
        consent.claims = asked.beyond(&consent.scopes).into_iter().map(|claim| claim.to_string()).collect::<BTreeSet<_>>();
        Ok(consent)
    }
}

/// What is said of each grant and each answer that these conditions choose; `$2` is now.
macro_rules! allowed {
    ($of_grants:literal, $of_answers:literal) => {
        concat!(
            "SELECT h.tick, h.issuer_cutoff, a.user_id, u.username, a.client_id, c.registration, c.cutoff AS client_cutoff,
                    c.disabled_at AS client_disabled_at, u.cutoff AS user_cutoff, u.disabled_at AS user_disabled_at,
                    o.cutoff AS consent_cutoff, a.scopes, a.resources, a.claims, a.born, a.since, s.id AS session_id,
                    s.ended_at AS session_ended_at,
                    CASE WHEN s.idle_until < s.expires_at THEN s.idle_until ELSE s.expires_at END AS session_until, a.remembered
             FROM (SELECT g.user_id, g.client_id, g.session_id, g.scopes, g.resources, g.claims, g.born, g.created_at AS since,
                          FALSE AS remembered
                   FROM grants g WHERE ",
            $of_grants,
            " AND g.ended_at IS NULL AND g.refresh_until > $2
                   UNION ALL
                   SELECT r.user_id, r.client_id, NULL, r.scopes, r.resources, r.claims, r.born, r.updated_at, TRUE
                   FROM consents r WHERE ",
            $of_answers,
            " AND r.scopes <> '') a
             JOIN feed_head h ON h.id = 1
             JOIN clients c ON c.id = a.client_id
             LEFT JOIN users u ON u.id = a.user_id
             LEFT JOIN consents o ON o.user_id = a.user_id AND o.client_id = a.client_id
             LEFT JOIN sessions s ON s.id = a.session_id"
        )
    };
}

/// The applications of a user, by name.
pub async fn of_user(conn: &mut Conn<'_>, user: &UserId, now: UnixTime) -> Result<Vec<Application>, StoreError> {
    let application =
        |Allowed { client, consent, since, offline, .. }| Application { client, scopes: consent.scopes, since, offline };
    let mut all: Vec<Application> = allowed_by(conn, user, now).await?.into_iter().map(application).collect();
    all.sort_by(|one, other| one.client.name.cmp(&other.client.name));
    Ok(all)
}

/// What a user allows to whom, by `client_id`.
pub async fn allowed_by(conn: &mut Conn<'_>, user: &UserId, now: UnixTime) -> Result<Vec<Allowed>, StoreError> {
    let rows = sql!(conn, all as AllowedRow, allowed!("g.user_id = $1", "r.user_id = $1"), user.as_str(), now.millis())?;
    united(rows, now)
}

/// What everybody allows, to one client or to all, by user name and `client_id`.
pub async fn allowed_by_everybody(
    conn: &mut Conn<'_>,
    client: Option<&ClientId>,
    now: UnixTime,
) -> Result<Vec<Allowed>, StoreError> {
    let rows = sql!(
        conn,
        all as AllowedRow,
        allowed!("(CAST($1 AS TEXT) IS NULL OR g.client_id = $1)", "(CAST($1 AS TEXT) IS NULL OR r.client_id = $1)"),
        client.map(ClientId::as_str),
        now.millis(),
    )?;
    united(rows, now)
}

/// What lives of the rows, one entry for each user and application.
fn united(rows: Vec<AllowedRow>, now: UnixTime) -> Result<Vec<Allowed>, StoreError> {
    let mut found: BTreeMap<(String, String), Allowed> = BTreeMap::new();
    for row in rows {
        let consent = row.consent()?;
        let offline = !row.remembered && consent.scopes.contains(&Scope::OFFLINE_ACCESS);
        let Some(username) = row.username.clone().filter(|_| row.lives(offline, now)) else { continue };
        let (since, grants) = (UnixTime::from_millis(row.since), usize::from(!row.remembered));
        match found.get_mut(&(username.clone(), row.client_id.clone())) {
            Some(known) => {
                known.consent = known.consent.with(&consent);
                known.since = known.since.min(since);
                known.offline |= offline;
                known.remembered |= row.remembered;
                known.grants += grants;
            }
            None => {
                let client = clients::parse(&row.registration)?;
                let (user_id, remembered) = (UserId::new(row.user_id), row.remembered);
                let place = (username.clone(), row.client_id);
                found.insert(place, Allowed { user_id, username, client, consent, since, remembered, grants, offline });
            }
        }
    }
    Ok(found.into_values().collect())
}
