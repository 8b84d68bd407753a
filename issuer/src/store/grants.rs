//! The `grants` table: approval makes one together with its code; a replay, a revocation or a withdrawal ends it.

use futures_util::FutureExt;

use super::consents::{self, GivenConsent};
use super::{Conn, Db, StoreError, Tx, audit, authorization_requests, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome};
use crate::domain::code;
use crate::domain::consent::Consent;
use crate::domain::cutoff::Target;
use crate::domain::grant::Grant;
use crate::domain::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;
use crate::secret::TokenHash;

/// An approval about to be written: the grant, its code, and the kept request that it answers.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The grant.
    pub grant: Grant,
    /// SHA-256 of its code.
    pub code_hash: TokenHash,
    /// Where the code is sent.
    pub redirect_uri: String,
    /// What the holder must prove.
    pub code_challenge: Option<String>,
    /// To be echoed in the ID token.
    pub nonce: Option<String>,
    /// The code's end.
    pub code_expires_at: UnixTime,
    /// The kept request that this answers; none where no page was needed.
    pub answers: Option<TokenHash>,
    /// What the user need not be asked about again; none where nobody was asked, or where it is asked every time.
    pub remember: Option<Consent>,
    /// The most approvals of this session, this one included, within the life of a code.
    pub room: u32,
    /// Now.
    pub now: UnixTime,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// It is written.
    Written,
    /// Nothing is written: the kept request was answered before.
    AnsweredBefore,
    /// Nothing is written: the session got as many codes as it may within the life of one.
    TooMany,
}

#[derive(sqlx::FromRow)]
struct GrantRow {
    id: String,
    user_id: String,
    client_id: String,
    session_id: String,
    scopes: String,
    resources: String,
    born: i64,
    auth_time: i64,
    amr: String,
    claims: String,
    refresh_until: i64,
}

impl TryFrom<GrantRow> for Grant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: GrantId::new(row.id),
            user_id: UserId::new(row.user_id),
            client_id: ClientId::new(row.client_id),
            session_id: SessionId::new(row.session_id),
            scopes: row.scopes.parse::<ScopeSet>().map_err(|why| StoreError::impossible("grants", why))?,
            resources: serde_json::from_str::<Vec<Resource>>(&row.resources)
                .map_err(|why| StoreError::impossible("grants", why))?,
            born: Tick::new(row.born),
            auth_time: UnixTime::from_millis(row.auth_time),
            amr: row.amr.split_whitespace().map(str::to_owned).collect(),
            claims: serde_json::from_str(&row.claims).map_err(|why| StoreError::impossible("grants", why))?,
            refresh_until: UnixTime::from_millis(row.refresh_until),
        })
    }
}

/// Writes an approval. Those that come at the same moment may not see each other, so that a few more than there is room for can be
/// written.
pub async fn approve(db: &Db, approval: Approval) -> Result<Approved, StoreError> {
    let impossible = |why| StoreError::impossible("grants", why);
    let resources = serde_json::to_string(&approval.grant.resources).map_err(impossible)?;
    let claims = serde_json::to_string(&approval.grant.claims).map_err(impossible)?;
    db.write((approval, resources, claims), |tx, (approval, resources, claims)| {
        async move {
            let grant = &approval.grant;
            let (recent,): (i64,) = sql!(
                tx,
                one as (i64,),
                "SELECT COUNT(*) FROM grants WHERE session_id = $1 AND created_at > $2",
                grant.session_id.as_str(),
                (approval.now - code::LIFE).millis(),
            )?;
            if recent >= i64::from(approval.room) {
                return Ok(Approved::TooMany);
            }
            if let Some(handle) = &approval.answers
                && !authorization_requests::consume(tx, handle, approval.now).await?
            {
                return Ok(Approved::AnsweredBefore);
            }
            sql!(
                tx,
                execute,
                "INSERT INTO grants (id, user_id, client_id, session_id, scopes, resources, born, auth_time, amr, created_at,
                                     last_used_at, refresh_until, claims)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12)",
                grant.id.as_str(),
                grant.user_id.as_str(),
                grant.client_id.as_str(),
                grant.session_id.as_str(),
                grant.scopes.to_string(),
                resources.as_str(),
                grant.born.get(),
                grant.auth_time.millis(),
                grant.amr.join(" "),
                approval.now.millis(),
                grant.refresh_until.millis(),
                claims.as_str(),
            )?;
            sql!(
                tx,
                execute,
                "INSERT INTO codes (code_hash, grant_id, redirect_uri, code_challenge, nonce, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                approval.code_hash.as_str(),
                grant.id.as_str(),
                approval.redirect_uri.as_str(),
                approval.code_challenge.as_deref(),
                approval.nonce.as_deref(),
                approval.code_expires_at.millis(),
            )?;
            if let Some(consent) = approval.remember.clone() {
                let (user_id, client_id) = (grant.user_id.clone(), grant.client_id.clone());
                let given = GivenConsent { user_id, client_id, consent, updated_at: approval.now };
                consents::add(tx, &given, grant.born).await?;
            }
            let event = event(Action::GrantApprove, Outcome::Done, grant).saying(grant.scopes.to_string());
            audit::append(tx, &event, approval.now).await?;
            Ok(Approved::Written)
        }
        .boxed()
    })
    .await
}

/// The grant of this id, dead or alive.
pub async fn find(conn: &mut Conn<'_>, id: &GrantId) -> Result<Option<Grant>, StoreError> {
    let row = sql!(
        conn,
        optional as GrantRow,
        "SELECT id, user_id, client_id, session_id, scopes, resources, born, auth_time, amr, claims, refresh_until
         FROM grants WHERE id = $1",
        id.as_str(),
    )?;
    row.map(Grant::try_from).transpose()
}

/// What a user allowed in one session and was not ended since.
pub async fn of_session(conn: &mut Conn<'_>, user: &UserId, session: &SessionId) -> Result<Vec<Grant>, StoreError> {
    let rows = sql!(
        conn,
        all as GrantRow,
        "SELECT id, user_id, client_id, session_id, scopes, resources, born, auth_time, amr, claims, refresh_until
         FROM grants WHERE user_id = $1 AND session_id = $2 AND ended_at IS NULL ORDER BY id",
        user.as_str(),
        session.as_str(),
    )?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// What is to be told of a grant.
pub(super) fn event(action: Action, outcome: Outcome, grant: &Grant) -> Event {
    Event::new(action, outcome)
        .of_user(&grant.user_id)
        .of_client(&grant.client_id)
        .of_session(&grant.session_id)
        .of_grant(&grant.id)
}

/// Ends a grant and cuts off what descends from it; `None` when it had ended before. The caller tells the audit trail why.
pub async fn end(tx: &mut Tx<'_>, id: &GrantId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    let ended =
        sql!(tx, execute, "UPDATE grants SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", id.as_str(), now.millis(),)?;
    if ended == 0 {
        return Ok(None);
    }
    feed_head::raise(tx, now, &[Target::Grant(id.clone())]).await.map(Some)
}

/// Ends a grant on its own account.
pub async fn revoke(db: &Db, id: GrantId, now: UnixTime) -> Result<Option<Tick>, StoreError> {
    db.write((id, now), |tx, (id, now)| {
        async move {
            let ended = end(tx, id, *now).await?;
            if let Some(tick) = ended {
                audit::append(tx, &Event::done(Action::GrantEnd).of_grant(id).at(tick), *now).await?;
            }
            Ok(ended)
        }
        .boxed()
    })
    .await
}

/// Locks a grant for the rest of the transaction, noting its use; `false` when there is no such row.
pub async fn lock(tx: &mut Tx<'_>, id: &GrantId, now: UnixTime) -> Result<bool, StoreError> {
    let locked = sql!(tx, execute, "UPDATE grants SET last_used_at = $2 WHERE id = $1", id.as_str(), now.millis(),)?;
    Ok(locked == 1)
}
