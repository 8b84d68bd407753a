//! The `status_lists` and `status_entries` tables: a place for each access token of a client that asks for it, and the judgement
//! of a whole list at once, by the same function that judges a single token.

use futures_util::FutureExt;

use super::evidence::{Levels, cut_off, flagged, salt};
use super::{Conn, Db, StoreError, Tx};
use crate::clock::UnixTime;
use crate::domain::claims::AccessToken;
use crate::domain::cutoff::{Evidence, Standing, Target, revoked};
use crate::domain::ids::{ClientId, GrantId, KeyId, SessionId, StatusListId, Tick, TokenId, UserId};
use crate::domain::status_list::{Bits, SERVED_AFTER_END, list_end, size};
use crate::secret::random_bytes;

/// How many places are drawn before a list counts as full. Nobody counts a list's tokens: it is full when as many draws in a row
/// hit places that are taken, which happens when about a third of it is.
const DRAWS: usize = 8;

/// What a token is to be judged by for as long as its list lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its `jti`.
    pub token: TokenId,
    /// The key that will sign it.
    pub key: KeyId,
    /// The client.
    pub client: ClientId,
    /// The user, if it speaks of one.
    pub user: Option<UserId>,
    /// The session, unless it outlives it.
    pub session: Option<SessionId>,
    /// The grant, if it has one.
    pub grant: Option<GrantId>,
    /// When its authority began.
    pub born: Tick,
    /// When it ends.
    pub expires_at: UnixTime,
}

impl NewEntry {
    /// What this token is judged by once this key has signed it.
    pub fn of(token: &AccessToken, key: &KeyId) -> Self {
        Self {
            token: token.jti.clone(),
            key: key.clone(),
            client: token.client_id.clone(),
            user: token.gid.is_some().then(|| UserId::new(token.sub.clone())),
            session: token.sid.clone(),
            grant: token.gid.clone(),
            born: token.born,
            expires_at: UnixTime::from_seconds(token.exp),
        }
    }

    /// The same, to read the evidence of this one token.
    pub fn levels(&self) -> Levels {
        Levels {
            user: self.user.clone(),
            client: Some(self.client.clone()),
            session: self.session.clone(),
            grant: self.grant.clone(),
            token: Some(self.token.clone()),
            key: Some(self.key.clone()),
        }
    }
}

/// A place that is one token's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPlace {
    /// The list.
    pub list: StatusListId,
    /// The number in it.
    pub idx: u32,
}

/// A list as it stood at a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedList {
    /// The tick that was read with all of the evidence.
    pub tick: Tick,
    /// What became of its tokens.
    pub bits: Bits,
    /// How many rows that took.
    pub rows: usize,
}

/// What one attempt to find a place works with; the draws are fit for a list of any size.
struct Attempt {
    entry: NewEntry,
    token_name: String,
    ends_at: UnixTime,
    draws: [u32; DRAWS],
    new_list: StatusListId,
}

#[derive(sqlx::FromRow)]
struct ListRow {
    id: String,
    number: i64,
    size: i64,
    open: bool,
}

/// Gives a token a place of its own, drawn at random, and keeps there what it is judged by.
pub async fn take_place(db: &Db, entry: NewEntry) -> Result<TakenPlace, StoreError> {
    let salt = salt(&mut db.reader().await?.conn()).await?;
    let token_name = Target::Token(entry.token.clone()).salted(&salt);
    let ends_at = list_end(entry.expires_at);
    loop {
        let attempt = Attempt {
            entry: entry.clone(),
            token_name: token_name.clone(),
            ends_at,
            draws: std::array::from_fn(|_| u32::from_be_bytes(random_bytes())),
            new_list: StatusListId::random(),
        };
        let taken = db.write(attempt, |tx, attempt| async move { take_place_in(tx, attempt).await }.boxed()).await?;
        if let Some(place) = taken {
            return Ok(place);
        }
    }
}

/// A place in the newest list of this end, or in another one where there is none, where it is full, or where it is older than the
/// issuer's cut-off. Nothing when every draw was taken there too.
async fn take_place_in(tx: &mut Tx<'_>, attempt: &Attempt) -> Result<Option<TakenPlace>, StoreError> {
    let newest = newest(tx, attempt.ends_at).await?;
    let number = newest.as_ref().map_or(0, |list| list.number.saturating_add(1));
    if let Some(list) = newest.filter(|list| list.open)
        && let Some(place) = place_in(tx, &list, attempt).await?
    {
        return Ok(Some(place));
    }
    make(tx, attempt, number).await?;
    match self::newest(tx, attempt.ends_at).await? {
        Some(list) if list.open => place_in(tx, &list, attempt).await,
        Some(_) | None => Ok(None),
    }
}

async fn newest(tx: &mut Tx<'_>, ends_at: UnixTime) -> Result<Option<ListRow>, StoreError> {
    sql!(
        tx,
        optional as ListRow,
        "SELECT l.id, l.number, l.size, l.tick >= h.issuer_cutoff AS open FROM feed_head h
         JOIN status_lists l ON l.ends_at = $1 WHERE h.id = 1 ORDER BY l.number DESC LIMIT 1",
        ends_at.millis(),
    )
}

/// Makes the list of this number, unless somebody else was faster.
async fn make(tx: &mut Tx<'_>, attempt: &Attempt, number: i64) -> Result<(), StoreError> {
    sql!(
        tx,
        execute,
        "INSERT INTO status_lists (id, ends_at, number, size, tick)
         SELECT $1, $2, $3, $4, tick FROM feed_head WHERE id = 1 ON CONFLICT (ends_at, number) DO NOTHING",
        attempt.new_list.as_str(),
        attempt.ends_at.millis(),
        number,
        i64::from(size(number)),
    )
    .map(drop)
}

async fn place_in(tx: &mut Tx<'_>, list: &ListRow, attempt: &Attempt) -> Result<Option<TakenPlace>, StoreError> {
    let size = list_size(list.size)?;
    let entry = &attempt.entry;
    for idx in attempt.draws.map(|draw| draw % size) {
        let taken = sql!(
            tx,
            execute,
            "INSERT INTO status_entries (list_id, idx, token, user_id, client_id, session_id, grant_id, kid, born)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (list_id, idx) DO NOTHING",
            list.id.as_str(),
            i64::from(idx),
            attempt.token_name.as_str(),
            entry.user.as_ref().map(UserId::as_str),
            entry.client.as_str(),
            entry.session.as_ref().map(SessionId::as_str),
            entry.grant.as_ref().map(GrantId::as_str),
            entry.key.as_str(),
            entry.born.get(),
        )?;
        if taken == 1 {
            return Ok(Some(TakenPlace { list: StatusListId::new(list.id.as_str()), idx }));
        }
    }
    Ok(None)
}

fn list_size(size: i64) -> Result<u32, StoreError> {
    let whole = u32::try_from(size).ok().filter(|size| size.is_power_of_two());
    whole.ok_or_else(|| StoreError::impossible("status_lists", "a size that is no power of two"))
}

/// The lists that are served now, those that end first before the others.
pub async fn served(conn: &mut Conn<'_>, now: UnixTime) -> Result<Vec<StatusListId>, StoreError> {
    let rows = sql!(
        conn,
        all as (String,),
        "SELECT id FROM status_lists WHERE ends_at > $1 ORDER BY ends_at, number",
        (now - SERVED_AFTER_END).millis(),
    )?;
    Ok(rows.into_iter().map(|(id,)| StatusListId::new(id)).collect())
}

/// Until when this one is served, if it is one of them.
pub async fn served_until(conn: &mut Conn<'_>, id: &StatusListId, now: UnixTime) -> Result<Option<UnixTime>, StoreError> {
    let since = (now - SERVED_AFTER_END).millis();
    let row =
        sql!(conn, optional as (i64,), "SELECT ends_at FROM status_lists WHERE id = $1 AND ends_at > $2", id.as_str(), since)?;
    Ok(row.map(|(ends_at,)| UnixTime::from_millis(ends_at) + SERVED_AFTER_END))
}

#[derive(sqlx::FromRow)]
struct JudgedRow {
    tick: i64,
    issuer_cutoff: i64,
    size: i64,
    list_tick: i64,
    idx: Option<i64>,
    born: Option<i64>,
    of_user: bool,
    user_cutoff: Option<i64>,
    user_disabled_at: Option<i64>,
    client_cutoff: Option<i64>,
    client_disabled_at: Option<i64>,
    consent_cutoff: Option<i64>,
    of_session: bool,
    session_found: bool,
    session_ended: bool,
    of_grant: bool,
    grant_found: bool,
    grant_ended: bool,
    token_cutoff: Option<i64>,
    key_found: bool,
    key_revoked: bool,
}

impl JudgedRow {
    fn evidence(&self) -> Evidence {
        // A missing row means that nothing was ever withdrawn.
        let or_none = |cutoff: Option<i64>| Standing::CutOff(Tick::new(cutoff.unwrap_or(0)));
        Evidence {
            tick: Tick::new(self.tick),
            issuer: Tick::new(self.issuer_cutoff),
            user: cut_off(self.of_user, self.user_cutoff, self.user_disabled_at),
            consent: if self.of_user { or_none(self.consent_cutoff) } else { Standing::NotJudged },
            client: cut_off(true, self.client_cutoff, self.client_disabled_at),
            session: flagged(self.of_session, self.session_found, self.session_ended),
            grant: flagged(self.of_grant, self.grant_found, self.grant_ended),
            token: or_none(self.token_cutoff),
            key: flagged(true, self.key_found, self.key_revoked),
        }
    }
}

/// How a list is judged. The cut-offs of single tokens are looked up row by row: how many there are beside them costs a small list
/// nothing.
pub const JUDGEMENT: &str = "SELECT h.tick, h.issuer_cutoff, l.size, l.tick AS list_tick, e.idx, e.born,
            e.user_id IS NOT NULL AS of_user, u.cutoff AS user_cutoff, u.disabled_at AS user_disabled_at,
            c.cutoff AS client_cutoff, c.disabled_at AS client_disabled_at, o.cutoff AS consent_cutoff,
            e.session_id IS NOT NULL AS of_session, s.id IS NOT NULL AS session_found,
            s.ended_at IS NOT NULL AS session_ended,
            e.grant_id IS NOT NULL AS of_grant, g.id IS NOT NULL AS grant_found, g.ended_at IS NOT NULL AS grant_ended,
            (SELECT MAX(t.tick) FROM cutoffs t WHERE t.level = 'jti' AND t.identifier = e.token) AS token_cutoff,
            k.kid IS NOT NULL AS key_found, k.revoked_at IS NOT NULL AS key_revoked
     FROM feed_head h
     JOIN status_lists l ON l.id = $1 AND l.ends_at > $2
     LEFT JOIN status_entries e ON e.list_id = l.id
     LEFT JOIN users u ON u.id = e.user_id
     LEFT JOIN clients c ON c.id = e.client_id
     LEFT JOIN consents o ON o.user_id = e.user_id AND o.client_id = e.client_id
     LEFT JOIN sessions s ON s.id = e.session_id
     LEFT JOIN grants g ON g.id = e.grant_id
     LEFT JOIN signing_keys k ON k.kid = e.kid
     WHERE h.id = 1";

/// Judges all tokens of a list; nothing where no such list is served. Tick and evidence are from one statement.
pub async fn judge(conn: &mut Conn<'_>, id: &StatusListId, now: UnixTime) -> Result<Option<JudgedList>, StoreError> {
    let rows = sql!(conn, all as JudgedRow, JUDGEMENT, id.as_str(), (now - SERVED_AFTER_END).millis())?;
    let Some(list) = rows.first() else { return Ok(None) };
    let size = list_size(list.size)?;
    let tick = Tick::new(list.tick);
    if list.list_tick < list.issuer_cutoff {
        // Whoever has a place here got it before the cut-off, also those whose rows a backup has lost.
        return Ok(Some(JudgedList { tick, bits: Bits::all_invalid(size), rows: rows.len() }));
    }
    let mut bits = Bits::all_valid(size);
    for row in &rows {
        let (Some(idx), Some(born)) = (row.idx, row.born) else { continue };
        let dead = revoked(Tick::new(born), &row.evidence()).is_some();
        if dead && !u32::try_from(idx).is_ok_and(|idx| bits.invalidate(idx)) {
            return Err(StoreError::impossible("status_entries", "a place outside of its list"));
        }
    }
    Ok(Some(JudgedList { tick, bits, rows: rows.len() }))
}
