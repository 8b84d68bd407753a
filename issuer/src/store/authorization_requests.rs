//! The `authorization_requests` table: requests kept while the person signs in and decides.

use futures_util::FutureExt;

use super::{Conn, Db, StoreError, Tx, audit};
use crate::clock::UnixTime;
use crate::domain::audit::Event;
use crate::domain::authorization_request::AuthorizationRequest;
use crate::secret::TokenHash;

/// A kept request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// SHA-256 of the handle in the pages' addresses.
    pub handle_hash: TokenHash,
    /// SHA-256 of the cookie of the browser that brought it; nobody else's browser may go on with it. Missing while a request
    /// that came by POST, from another site and so without our cookie, has not been followed yet.
    pub browser_hash: Option<TokenHash>,
    /// The request.
    pub request: AuthorizationRequest,
    /// When it arrived: a later sign-in satisfies `prompt=login`.
    pub created_at: UnixTime,
    /// Its end.
    pub expires_at: UnixTime,
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    browser_hash: Option<String>,
    request: String,
    created_at: i64,
    expires_at: i64,
}

/// Keeps a request.
pub async fn keep(db: &Db, kept: KeptRequest) -> Result<(), StoreError> {
    let json = serde_json::to_string(&kept.request).map_err(|why| StoreError::impossible("authorization_requests", why))?;
    db.write((kept, json), |tx, (kept, json)| {
        async move {
            sql!(
                tx,
                execute,
                "INSERT INTO authorization_requests (handle_hash, browser_hash, request, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5)",
                kept.handle_hash.as_str(),
                kept.browser_hash.as_ref().map(TokenHash::as_str),
                json.as_str(),
                kept.created_at.millis(),
                kept.expires_at.millis(),
            )
            .map(drop)
        }
        .boxed()
    })
    .await
}

/// The kept request of a handle that is neither answered nor expired.
pub async fn find(conn: &mut Conn<'_>, handle: &TokenHash, now: UnixTime) -> Result<Option<KeptRequest>, StoreError> {
    let row = sql!(
        conn,
        optional as RequestRow,
        "SELECT browser_hash, request, created_at, expires_at FROM authorization_requests
         WHERE handle_hash = $1 AND consumed_at IS NULL AND expires_at > $2",
        handle.as_str(),
        now.millis(),
    )?;
    row.map(|row| {
        Ok(KeptRequest {
            handle_hash: handle.clone(),
            browser_hash: row.browser_hash.map(TokenHash::from_stored),
            request: serde_json::from_str(&row.request).map_err(|why| StoreError::impossible("authorization_requests", why))?,
            created_at: UnixTime::from_millis(row.created_at),
            expires_at: UnixTime::from_millis(row.expires_at),
        })
    })
    .transpose()
}

/// Binds a request to the browser that follows it first, and lets it begin there and then; `false` when another one was faster.
pub async fn claim(db: &Db, handle: TokenHash, browser: TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    db.write((handle, browser, now), |tx, (handle, browser, now)| {
        async move {
            let claimed = sql!(
                tx,
                execute,
                "UPDATE authorization_requests SET browser_hash = $2, created_at = $3 WHERE handle_hash = $1 AND browser_hash IS NULL",
                handle.as_str(),
                browser.as_str(),
                now.millis(),
            )?;
            Ok(claimed == 1)
        }
        .boxed()
    })
    .await
}

/// Takes a request out of circulation, whatever the answer; `false` when another answer was faster.
pub async fn consume(tx: &mut Tx<'_>, handle: &TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    let consumed = sql!(
        tx,
        execute,
        "UPDATE authorization_requests SET consumed_at = $2 WHERE handle_hash = $1 AND consumed_at IS NULL",
        handle.as_str(),
        now.millis(),
    )?;
    Ok(consumed == 1)
}

/// Takes a request out of circulation that was denied; `false` when another answer was faster.
pub async fn refuse(db: &Db, handle: TokenHash, event: Event, now: UnixTime) -> Result<bool, StoreError> {
    db.write((handle, event, now), |tx, (handle, event, now)| {
        async move {
            let refused = consume(tx, handle, *now).await?;
            if refused {
                audit::append(tx, event, *now).await?;
            }
            Ok(refused)
        }
        .boxed()
    })
    .await
}
