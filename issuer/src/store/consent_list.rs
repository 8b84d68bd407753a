//! The `consents` table as whoever administers the issuer sees it: who allows which client what, as far as it is alive.

use super::consents::{GivenConsent, parse};
use super::evidence::{cut_off, remembered};
use super::{Conn, StoreError};
use crate::clock::UnixTime;
use crate::domain::cutoff::{Evidence, Standing};
use crate::domain::ids::{ClientId, Tick, UserId};

/// A live answer and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConsent {
    /// The name the user signs in with.
    pub username: String,
    /// The answer.
    pub given: GivenConsent,
}

#[derive(sqlx::FromRow)]
struct Row {
    tick: i64,
    issuer_cutoff: i64,
    user_cutoff: i64,
    user_disabled_at: Option<i64>,
    client_cutoff: i64,
    client_disabled_at: Option<i64>,
    cutoff: i64,
    born: i64,
    user_id: String,
    username: String,
    client_id: String,
    scopes: String,
    resources: String,
    claims: String,
    updated_at: i64,
}

/// The live answers of a user or of everybody, to a client or to all.
pub async fn live(
    conn: &mut Conn<'_>,
    user: Option<&UserId>,
    client: Option<&ClientId>,
) -> Result<Vec<ListedConsent>, StoreError> {
    let rows = sql!(
        conn,
        all as Row,
        "SELECT h.tick, h.issuer_cutoff, u.cutoff AS user_cutoff, u.disabled_at AS user_disabled_at, c.cutoff AS client_cutoff,
                c.disabled_at AS client_disabled_at, o.cutoff, o.born, o.user_id, u.username, o.client_id, o.scopes, o.resources,
                o.claims, o.updated_at
         FROM feed_head h JOIN consents o ON h.id = 1 JOIN users u ON u.id = o.user_id JOIN clients c ON c.id = o.client_id
         WHERE (CAST($1 AS TEXT) IS NULL OR o.user_id = $1) AND (CAST($2 AS TEXT) IS NULL OR o.client_id = $2)
         ORDER BY u.username, o.client_id",
        user.map(UserId::as_str),
        client.map(ClientId::as_str),
    )?;
    let alive = |row: &Row| {
        let evidence = Evidence {
            user: cut_off(true, Some(row.user_cutoff), row.user_disabled_at),
            client: cut_off(true, Some(row.client_cutoff), row.client_disabled_at),
            consent: Standing::CutOff(Tick::new(row.cutoff)),
            ..Evidence::of_issuer(Tick::new(row.tick), Tick::new(row.issuer_cutoff))
        };
        remembered(Tick::new(row.born), &evidence) && !row.scopes.is_empty()
    };
    let listed = |row: Row| {
        let consent = parse(Some(row.scopes), Some(row.resources), Some(row.claims))?;
        let (user_id, client_id) = (UserId::new(row.user_id), ClientId::new(row.client_id));
        let given = GivenConsent { user_id, client_id, consent, updated_at: UnixTime::from_millis(row.updated_at) };
        Ok(ListedConsent { username: row.username, given })
    };
    rows.into_iter().filter(alive).map(listed).collect()
}
