//! Token Status Lists: the place that a token gets before it is signed, and the lists as they are published. A list is signed
//! once for as long as the tick stands, and no longer than its ttl.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use super::checkpoint::Checkpoint;
use super::{App, SignError};
use crate::clock::UnixTime;
use crate::domain::claims::{ACCESS_TOKEN_TYP, AccessToken};
use crate::domain::cutoff::{Level, revoked};
use crate::domain::ids::{KeyId, StatusListId, Tick};
use crate::domain::status_list::{Place, STATUS_LIST_TYP, Status, StatusListToken};
use crate::keys::KeyError;
use crate::store::status_lists::{self, JudgedList, NewEntry, TakenPlace};
use crate::store::{StoreError, evidence, feed_head};

/// Where the lists are, each under its id.
pub const PATH: &str = "/status-lists";

/// Judging a long list takes at most one part in so many of this process's time, whoever asks however often.
const SHARE: u32 = 10;

/// From how many rows on a list is long. Shorter ones cost no more than other requests do, and are judged at each change of the
/// tick.
const LONG: usize = 1_000;

/// The lists that are ready to be sent.
#[derive(Debug, Default)]
pub struct StatusLists {
    ready: Mutex<HashMap<StatusListId, Arc<PublishedList>>>,
    turn: tokio::sync::Mutex<()>,
}

/// A list as it is sent.
#[derive(Debug)]
pub struct PublishedList {
    /// The signed list.
    pub jwt: String,
    /// A strong entity tag, in its quotes.
    pub etag: String,
    tick: Tick,
    kid: KeyId,
    made_at: UnixTime,
    served_until: UnixTime,
    /// The monotonic time before which it is sent without a look at the tick.
    rests_until: Duration,
}

/// What became of a token that was to get a place.
#[derive(Debug)]
pub enum Listed {
    /// It is signed.
    Token(String),
    /// It was dead before it was signed.
    Dead(Level),
}

/// Why there is no token, or no list.
#[derive(Debug, thiserror::Error)]
pub enum StatusListError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Gives a token a place and signs it. First the place is committed, then the tick is read and the token judged: a cut-off that
/// this judgement does not see comes after it, and so finds the place, in every list that is made from then on.
pub async fn sign(app: &App, mut claims: AccessToken, now: UnixTime) -> Result<Listed, StatusListError> {
    let signer = app.signer(now)?;
    let entry = NewEntry::of(&claims, signer.kid());
    let levels = entry.levels();
    let TakenPlace { list, idx } = status_lists::take_place(&app.db, entry).await?;
    app.reached(Checkpoint::PlaceTaken).await;
    let found = evidence::read(&mut app.db.reader().await?.conn(), &levels, now).await?;
    if let Some(level) = revoked(claims.born, &found.evidence) {
        return Ok(Listed::Dead(level));
    }
    claims.status = Some(Status { status_list: Place { idx, uri: uri(app, &list) } });
    let claims = serde_json::to_value(claims).map_err(|_| malformed("the claims do not serialise"))?;
    Ok(Listed::Token(signer.sign(ACCESS_TOKEN_TYP, &claims).map_err(SignError::Key)?))
}

/// The list of this id; nothing where no such list is served.
pub async fn publish(app: &App, id: &StatusListId) -> Result<Option<Arc<PublishedList>>, StatusListError> {
    app.may_sign(app.now())?;
    if let Some(ready) = ready(app, id).await? {
        return Ok(Some(ready));
    }
    if !status_lists::is_served(&mut app.db.reader().await?.conn(), id, app.now()).await? {
        return Ok(None);
    }
    let _turn = app.status_lists.turn.lock().await;
    match ready(app, id).await? {
        Some(ready) => Ok(Some(ready)),
        None => make(app, id).await,
    }
}

/// The addresses of all lists that are served.
pub async fn addresses(app: &App) -> Result<Vec<String>, StoreError> {
    let lists = status_lists::served(&mut app.db.reader().await?.conn(), app.now()).await?;
    Ok(lists.iter().map(|list| uri(app, list)).collect())
}

/// The address of all lists, where it is open to everybody.
pub fn aggregation(app: &App) -> Option<String> {
    app.config.status_lists.aggregation.then(|| app.config.issuer.join(PATH))
}

fn uri(app: &App, list: &StatusListId) -> String {
    app.config.issuer.join(&format!("{PATH}/{list}"))
}

fn malformed(what: &'static str) -> SignError {
    SignError::Key(KeyError::Malformed(what))
}

/// The list that was made before, if it still holds: by the clock, by its key, and by the tick.
async fn ready(app: &App, id: &StatusListId) -> Result<Option<Arc<PublishedList>>, StoreError> {
    let now = app.now();
    let signer = app.keys.signing_kid(now);
    let holds = |list: &&Arc<PublishedList>| {
        let age = now.since(list.made_at);
        list.made_at <= now && age < app.config.status_lists.ttl && now < list.served_until && signer.as_ref() == Some(&list.kid)
    };
    let found = app.status_lists.ready.lock().unwrap_or_else(PoisonError::into_inner).get(id).filter(holds).map(Arc::clone);
    let Some(list) = found else { return Ok(None) };
    if app.clock().monotonic() < list.rests_until {
        return Ok(Some(list));
    }
    let head = feed_head::read(&mut app.db.reader().await?.conn()).await?;
    Ok((head.tick == list.tick).then_some(list))
}

async fn make(app: &App, id: &StatusListId) -> Result<Option<Arc<PublishedList>>, StatusListError> {
    let (began, now) = (app.clock().monotonic(), app.now());
    let signer = app.signer(now)?;
    let judged = status_lists::judge(&mut app.db.reader().await?.conn(), id, now).await?;
    let Some(JudgedList { tick, bits, rows, served_until }) = judged else { return Ok(None) };
    app.reached(Checkpoint::ListJudged).await;
    let ttl = app.config.status_lists.ttl;
    let claims = StatusListToken {
        iss: app.config.issuer.as_str().to_owned(),
        sub: uri(app, id),
        iat: now.seconds(),
        exp: (now + ttl * 2).seconds(),
        ttl: ttl.as_secs(),
        status_list: bits.encode(aggregation(app)).map_err(|_| malformed("the status list does not compress"))?,
    };
    let claims = serde_json::to_value(claims).map_err(|_| malformed("the status list does not serialise"))?;
    let jwt = signer.sign(STATUS_LIST_TYP, &claims).map_err(SignError::Key)?;
    let ended = app.clock().monotonic();
    let list = Arc::new(PublishedList {
        etag: format!("\"{}\"", Base64UrlUnpadded::encode_string(&Sha256::digest(jwt.as_bytes()))),
        jwt,
        tick,
        kid: signer.kid().clone(),
        made_at: now,
        served_until,
        rests_until: ended.saturating_add(rest(rows, ended.saturating_sub(began))),
    });
    let mut ready = app.status_lists.ready.lock().unwrap_or_else(PoisonError::into_inner);
    ready.retain(|_, list| now < list.served_until);
    ready.insert(id.clone(), Arc::clone(&list));
    Ok(Some(list))
}

/// How long a list of so many rows is sent as it is after it took so long to make.
fn rest(rows: usize, took: Duration) -> Duration {
    if rows < LONG { Duration::ZERO } else { took.saturating_mul(SHARE - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judging_a_long_list_takes_a_tenth_of_the_time_and_a_short_one_waits_for_nothing() {
        let took = Duration::from_millis(300);
        assert_eq!((took + rest(LONG, took)).as_millis(), 3_000);
        assert_eq!(rest(LONG, Duration::MAX), Duration::MAX);
        assert_eq!(rest(LONG - 1, took), Duration::ZERO);
    }
}
