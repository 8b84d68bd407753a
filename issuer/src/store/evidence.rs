//! Tick and evidence from one statement: how every level of something stands, beside the tick at which it was seen.

use super::{Conn, StoreError, consents};
use crate::clock::UnixTime;
use crate::domain::consent::Consent;
use crate::domain::cutoff::{Evidence, Standing, Target, revoked};
use crate::domain::grant::Grant;
use crate::domain::ids::{ClientId, GrantId, KeyId, SessionId, Tick, TokenId, UserId};

/// The levels to judge by. A level that is not asked for is not judged; one whose row is missing is dead.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// The user.
    pub user: Option<UserId>,
    /// The client.
    pub client: Option<ClientId>,
    /// The browser session, unless the grant outlives it.
    pub session: Option<SessionId>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// One access token.
    pub token: Option<TokenId>,
    /// The key that signed it.
    pub key: Option<KeyId>,
}

impl Levels {
    /// What a grant's tokens are judged by. The session of an offline grant is not.
    pub fn of(grant: &Grant) -> Self {
        Self {
            user: Some(grant.user_id.clone()),
            client: Some(grant.client_id.clone()),
            session: (!grant.offline()).then(|| grant.session_id.clone()),
            grant: Some(grant.id.clone()),
            ..Self::default()
        }
    }
}

/// Evidence, and whether the session's time has run out: a fact of the clock, which `revoked` knows nothing of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How each level stands.
    pub evidence: Evidence,
    /// Whether the session that was asked for has passed its idle or absolute limit.
    pub session_expired: bool,
    /// What the user has allowed the client so far, as far as it is alive; nothing where both were not asked for.
    pub consent: Consent,
}

#[derive(sqlx::FromRow)]
struct EvidenceRow {
    tick: i64,
    issuer_cutoff: i64,
    user_cutoff: Option<i64>,
    user_disabled_at: Option<i64>,
    client_cutoff: Option<i64>,
    client_disabled_at: Option<i64>,
    consent_cutoff: Option<i64>,
    consent_scopes: Option<String>,
    consent_resources: Option<String>,
    consent_claims: Option<String>,
    consent_born: Option<i64>,
    session_id: Option<String>,
    session_ended_at: Option<i64>,
    session_idle_until: Option<i64>,
    session_expires_at: Option<i64>,
    grant_id: Option<String>,
    grant_ended_at: Option<i64>,
    token_cutoff: Option<i64>,
    kid: Option<String>,
    key_revoked_at: Option<i64>,
}

/// Reads the evidence.
pub async fn read(conn: &mut Conn<'_>, levels: &Levels, now: UnixTime) -> Result<Found, StoreError> {
    let salted_token = match &levels.token {
        Some(token) => Some(Target::Token(token.clone()).salted(&salt(conn).await?)),
        None => None,
    };
    let row = sql!(
        conn,
        one as EvidenceRow,
        "SELECT h.tick, h.issuer_cutoff, u.cutoff AS user_cutoff, u.disabled_at AS user_disabled_at,
                c.cutoff AS client_cutoff, c.disabled_at AS client_disabled_at, o.cutoff AS consent_cutoff,
                o.scopes AS consent_scopes, o.resources AS consent_resources, o.claims AS consent_claims,
                o.born AS consent_born,
                s.id AS session_id, s.ended_at AS session_ended_at, s.idle_until AS session_idle_until,
                s.expires_at AS session_expires_at, g.id AS grant_id, g.ended_at AS grant_ended_at,
                (SELECT MAX(t.tick) FROM cutoffs t WHERE t.level = 'jti' AND t.identifier = $5) AS token_cutoff,
                k.kid AS kid, k.revoked_at AS key_revoked_at
         FROM feed_head h
         LEFT JOIN users u ON u.id = $1
         LEFT JOIN clients c ON c.id = $2
         LEFT JOIN consents o ON o.user_id = $1 AND o.client_id = $2
         LEFT JOIN sessions s ON s.id = $3
         LEFT JOIN grants g ON g.id = $4
         LEFT JOIN signing_keys k ON k.kid = $6
         WHERE h.id = 1",
        levels.user.as_ref().map(UserId::as_str),
        levels.client.as_ref().map(ClientId::as_str),
        levels.session.as_ref().map(SessionId::as_str),
        levels.grant.as_ref().map(GrantId::as_str),
        salted_token.as_deref(),
        levels.key.as_ref().map(KeyId::as_str),
    )?;
    let passed = |limit: Option<i64>| limit.is_some_and(|limit| now.millis() >= limit);
    let evidence = Evidence {
        tick: Tick::new(row.tick),
        issuer: Tick::new(row.issuer_cutoff),
        user: cut_off(levels.user.is_some(), row.user_cutoff, row.user_disabled_at),
        // A missing row means that nothing was ever withdrawn.
        consent: match levels.user.is_some() && levels.client.is_some() {
            true => Standing::CutOff(Tick::new(row.consent_cutoff.unwrap_or(0))),
            false => Standing::NotJudged,
        },
        client: cut_off(levels.client.is_some(), row.client_cutoff, row.client_disabled_at),
        session: flagged(levels.session.is_some(), row.session_id.is_some(), row.session_ended_at.is_some()),
        grant: flagged(levels.grant.is_some(), row.grant_id.is_some(), row.grant_ended_at.is_some()),
        token: match levels.token {
            Some(_) => Standing::CutOff(Tick::new(row.token_cutoff.unwrap_or(0))),
            None => Standing::NotJudged,
        },
        key: flagged(levels.key.is_some(), row.kid.is_some(), row.key_revoked_at.is_some()),
    };
    let consent = match remembered(Tick::new(row.consent_born.unwrap_or(0)), &evidence) {
        true => consents::parse(row.consent_scopes, row.consent_resources, row.consent_claims)?,
        false => Consent::default(),
    };
    Ok(Found { evidence, session_expired: passed(row.session_idle_until) || passed(row.session_expires_at), consent })
}

/// Whether an answer that was born at this tick still counts. It dies with its client and with all that its user had: whoever holds
/// a stolen session could say yes to a client of their own, and after the victim's new password that must be worth nothing. It does
/// not die with the one session in which it was given.
fn remembered(born: Tick, evidence: &Evidence) -> bool {
    let not = Standing::NotJudged;
    revoked(born, &Evidence { session: not, grant: not, token: not, key: not, ..evidence.clone() }).is_none()
}

/// How a user or client stands whose row keeps a cut-off and perhaps the time it was disabled.
pub(super) fn cut_off(asked: bool, cutoff: Option<i64>, disabled_at: Option<i64>) -> Standing {
    match (asked, cutoff, disabled_at) {
        (false, ..) => Standing::NotJudged,
        (true, None, _) => Standing::Missing,
        (true, Some(_), Some(_)) => Standing::Ended,
        (true, Some(cutoff), None) => Standing::CutOff(Tick::new(cutoff)),
    }
}

/// How a session, grant or key stands, whose row ends by a flag.
pub(super) fn flagged(asked: bool, found: bool, ended: bool) -> Standing {
    match (asked, found, ended) {
        (false, ..) => Standing::NotJudged,
        (true, false, _) => Standing::Missing,
        (true, true, true) => Standing::Ended,
        (true, true, false) => Standing::CutOff(Tick::ZERO),
    }
}

/// The feed's salt, which never changes.
pub(super) async fn salt(conn: &mut Conn<'_>) -> Result<String, StoreError> {
    sql!(conn, one as (String,), "SELECT salt FROM feed_head WHERE id = 1").map(|(salt,)| salt)
}
