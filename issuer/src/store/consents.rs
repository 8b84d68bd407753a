//! The `consents` table: what each user allowed each client, and when it was withdrawn. Rows are never deleted, or a cut-off would be
//! forgotten with them.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::evidence::{self, Levels};
use super::{Conn, Db, StoreError, Tx, audit, feed_head};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event};
use crate::domain::consent::Consent;
use crate::domain::cutoff::{Target, revoked};
use crate::domain::ids::{ClientId, Tick, UserId};
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;

/// One user's answer to one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenConsent {
    /// Whose answer.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// What was allowed; nothing after it was withdrawn.
    pub consent: Consent,
    /// When it last changed.
    pub updated_at: UnixTime,
}

#[derive(sqlx::FromRow)]
struct ConsentRow {
    user_id: String,
    client_id: String,
    scopes: String,
    resources: String,
    claims: String,
    updated_at: i64,
}

impl TryFrom<ConsentRow> for GivenConsent {
    type Error = StoreError;

    fn try_from(row: ConsentRow) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: UserId::new(row.user_id),
            client_id: ClientId::new(row.client_id),
            consent: parse(Some(row.scopes), Some(row.resources), Some(row.claims))?,
            updated_at: UnixTime::from_millis(row.updated_at),
        })
    }
}

/// The value of a row's columns; nothing was allowed where there is no row.
pub(super) fn parse(scopes: Option<String>, resources: Option<String>, claims: Option<String>) -> Result<Consent, StoreError> {
    let (Some(scopes), Some(resources), Some(claims)) = (scopes, resources, claims) else { return Ok(Consent::default()) };
    Ok(Consent {
        scopes: scopes.parse::<ScopeSet>().map_err(|why| StoreError::impossible("consents", why))?,
        resources: serde_json::from_str::<BTreeSet<Resource>>(&resources)
            .map_err(|why| StoreError::impossible("consents", why))?,
        claims: serde_json::from_str(&claims).map_err(|why| StoreError::impossible("consents", why))?,
    })
}

/// Adds to what a user allows a client: a part of the approval's transaction, born at the approval's tick, so that what was cut off
/// while somebody still decided is not remembered as allowed. The row is locked before it is read: two approvals at once lose
/// nothing of each other. What had died of an earlier answer does not come back with a further one.
pub async fn add(tx: &mut Tx<'_>, given: &GivenConsent, born: Tick) -> Result<(), StoreError> {
    let GivenConsent { user_id: user, client_id: client, consent: further, updated_at: now } = given;
    sql!(
        tx,
        execute,
        "INSERT INTO consents (user_id, client_id, scopes, resources, claims, born, cutoff, updated_at)
         VALUES ($1, $2, '', '[]', '[]', 0, 0, $3)
         ON CONFLICT (user_id, client_id) DO UPDATE SET updated_at = excluded.updated_at",
        user.as_str(),
        client.as_str(),
        now.millis(),
    )?;
    let levels = Levels { user: Some(user.clone()), client: Some(client.clone()), ..Levels::default() };
    let found = evidence::read(tx, &levels, *now).await?;
    if revoked(born, &found.evidence).is_some() {
        return Ok(());
    }
    let Consent { scopes, resources, claims } = found.consent.with(further);
    let impossible = |why| StoreError::impossible("consents", why);
    sql!(
        tx,
        execute,
        "UPDATE consents SET scopes = $3, resources = $4, claims = $5, born = CASE WHEN born > $6 THEN born ELSE $6 END
         WHERE user_id = $1 AND client_id = $2",
        user.as_str(),
        client.as_str(),
        scopes.to_string(),
        serde_json::to_string(&resources).map_err(impossible)?,
        serde_json::to_string(&claims).map_err(impossible)?,
        born.get(),
    )
    .map(drop)
}

/// One user's answer to one client.
pub async fn find(conn: &mut Conn<'_>, user: &UserId, client: &ClientId) -> Result<Option<GivenConsent>, StoreError> {
    let row = sql!(
        conn,
        optional as ConsentRow,
        "SELECT user_id, client_id, scopes, resources, claims, updated_at FROM consents WHERE user_id = $1 AND client_id = $2",
        user.as_str(),
        client.as_str(),
    )?;
    row.map(GivenConsent::try_from).transpose()
}

/// Withdraws everything a user allowed a client: a cut-off at their own level. Always one, whatever was remembered: grants of
/// clients that are asked about every time hang on it as well.
pub async fn withdraw(db: &Db, user: UserId, client: ClientId, now: UnixTime) -> Result<Tick, StoreError> {
    db.write((user, client, now), |tx, (user, client, now)| {
        async move {
            // Locked before the head, as every row is.
            sql!(
                tx,
                execute,
                "INSERT INTO consents (user_id, client_id, scopes, resources, claims, born, cutoff, updated_at)
                 VALUES ($1, $2, '', '[]', '[]', 0, 0, $3)
                 ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = '', resources = '[]', claims = '[]', updated_at = $3",
                user.as_str(),
                client.as_str(),
                now.millis(),
            )?;
            let tick = feed_head::raise(tx, *now, &[Target::Consent(user.clone(), client.clone())]).await?;
            sql!(
                tx,
                execute,
                "UPDATE consents SET cutoff = $3 WHERE user_id = $1 AND client_id = $2",
                user.as_str(),
                client.as_str(),
                tick.get(),
            )?;
            audit::append(tx, &Event::done(Action::ConsentWithdraw).of_user(user).of_client(client).at(tick), *now).await?;
            Ok(tick)
        }
        .boxed()
    })
    .await
}
