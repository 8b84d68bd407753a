//! The `authorization_requests` table: requests kept while the person signs in and decides. Anybody can make one, so there are only so
//! many, of one address and of all: the next takes the place of one that is missed the least.

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
    /// Whether the browser that it is bound to has come for it.
    pub followed: bool,
    /// The request.
    pub request: AuthorizationRequest,
    /// When it arrived: a later sign-in satisfies `prompt=login`.
    pub created_at: UnixTime,
    /// Its end.
    pub expires_at: UnixTime,
}

/// How many requests may wait at a time.
#[derive(Debug, Clone)]
pub struct Room {
    /// Who brings the request: an address, under a keyed hash.
    pub lane: TokenHash,
    /// The most of one lane.
    pub of_lane: u32,
    /// The most of all: each part has its equal share, and lanes fall into parts by chance.
    pub of_all: u32,
}

/// Into how many parts the lanes fall: as many as there are first characters of a hash. A part is small enough to be counted, and one
/// of so many that those who keep requests seldom wait for each other.
const PARTS: u32 = 64;

impl Room {
    fn part(&self) -> String {
        self.lane.as_str().chars().take(1).collect()
    }

    fn of_part(&self) -> i64 {
        i64::from((self.of_all / PARTS).max(1))
    }
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    browser_hash: Option<String>,
    followed_at: Option<i64>,
    request: String,
    created_at: i64,
    expires_at: i64,
}

/// Keeps a request. There is always room for it, if need be another one's; how many had to go.
pub async fn keep(db: &Db, kept: KeptRequest, room: Room) -> Result<u64, StoreError> {
    let json = serde_json::to_string(&kept.request).map_err(|why| StoreError::impossible("authorization_requests", why))?;
    db.write((kept, json, room), |tx, (kept, json, room)| {
        async move {
            let gone = make_room(tx, room, kept.created_at).await?;
            sql!(
                tx,
                execute,
                "INSERT INTO authorization_requests (handle_hash, browser_hash, request, created_at, expires_at, followed_at, lane, part)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                kept.handle_hash.as_str(),
                kept.browser_hash.as_ref().map(TokenHash::as_str),
                json.as_str(),
                kept.created_at.millis(),
                kept.expires_at.millis(),
                kept.followed.then_some(kept.created_at.millis()),
                room.lane.as_str(),
                room.part(),
            )?;
            Ok(gone)
        }
        .boxed()
    })
    .await
}

/// How those that wait in a lane or a part are counted, and how some of them go: first those whose time is over anyway, then those
/// that no browser has come for, then the others, and among each the oldest.
struct Waiting {
    count: &'static str,
    displace: &'static str,
}

const IN_LANE: Waiting = Waiting {
    count: "SELECT COUNT(*) FROM authorization_requests WHERE lane = $1 AND consumed_at IS NULL",
    displace: "DELETE FROM authorization_requests WHERE consumed_at IS NULL AND handle_hash IN
         (SELECT handle_hash FROM authorization_requests WHERE lane = $1 AND consumed_at IS NULL
          ORDER BY CASE WHEN expires_at <= $2 THEN 0 WHEN followed_at IS NULL THEN 1 ELSE 2 END, created_at, handle_hash LIMIT $3)",
};

const IN_PART: Waiting = Waiting {
    count: "SELECT COUNT(*) FROM authorization_requests WHERE part = $1 AND consumed_at IS NULL",
    displace: "DELETE FROM authorization_requests WHERE consumed_at IS NULL AND handle_hash IN
         (SELECT handle_hash FROM authorization_requests WHERE part = $1 AND consumed_at IS NULL
          ORDER BY CASE WHEN expires_at <= $2 THEN 0 WHEN followed_at IS NULL THEN 1 ELSE 2 END, created_at, handle_hash LIMIT $3)",
};

/// Makes room for one more. Whoever keeps a request holds the row of its part until the commit, so that what was counted stays so.
async fn make_room(tx: &mut Tx<'_>, room: &Room, now: UnixTime) -> Result<u64, StoreError> {
    let part = room.part();
    sql!(
        tx,
        execute,
        "INSERT INTO authorization_request_parts (part) VALUES ($1) ON CONFLICT (part) DO UPDATE SET part = excluded.part",
        part.as_str(),
    )?;
    let mut gone = 0;
    let lane = (IN_LANE, room.lane.as_str(), i64::from(room.of_lane));
    for (waiting, whose, most) in [lane, (IN_PART, part.as_str(), room.of_part())] {
        let (count,) = sql!(tx, one as (i64,), waiting.count, whose)?;
        let excess = count + 1 - most;
        if excess > 0 {
            gone += sql!(tx, execute, waiting.displace, whose, now.millis(), excess)?;
        }
    }
    Ok(gone)
}

/// The kept request of a handle that is neither answered nor expired.
pub async fn find(conn: &mut Conn<'_>, handle: &TokenHash, now: UnixTime) -> Result<Option<KeptRequest>, StoreError> {
    let row = sql!(
        conn,
        optional as RequestRow,
        "SELECT browser_hash, followed_at, request, created_at, expires_at FROM authorization_requests
         WHERE handle_hash = $1 AND consumed_at IS NULL AND expires_at > $2",
        handle.as_str(),
        now.millis(),
    )?;
    row.map(|row| {
        Ok(KeptRequest {
            handle_hash: handle.clone(),
            browser_hash: row.browser_hash.map(TokenHash::from_stored),
            followed: row.followed_at.is_some(),
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
                "UPDATE authorization_requests SET browser_hash = $2, created_at = $3, followed_at = $3
                 WHERE handle_hash = $1 AND browser_hash IS NULL",
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

/// Notes that the browser to which a request was bound when it was kept has come for it; `false` when that was noted before.
pub async fn follow(db: &Db, handle: TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    db.write((handle, now), |tx, (handle, now)| {
        async move {
            let followed = sql!(
                tx,
                execute,
                "UPDATE authorization_requests SET followed_at = $2 WHERE handle_hash = $1 AND followed_at IS NULL",
                handle.as_str(),
                now.millis(),
            )?;
            Ok(followed == 1)
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
