//! Token Status Lists: the place that a token gets before it is signed, and the lists as they are published. A list is signed
//! once for as long as the tick stands, and no longer than its ttl; one that takes long holds up no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use super::checkpoint::Checkpoint;
use super::single_flight::{Flight, SingleFlight};
use super::{App, SignError, sign_with};
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

/// The lists that were asked for.
#[derive(Debug, Default)]
pub struct StatusLists(Mutex<HashMap<StatusListId, Arc<Desk>>>);

/// Where one list is made.
#[derive(Debug)]
struct Desk {
    /// The one that is ready to be sent.
    ready: Mutex<Option<Arc<PublishedList>>>,
    making: SingleFlight<Option<Arc<PublishedList>>>,
    served_until: UnixTime,
}

impl StatusLists {
    fn find(&self, id: &StatusListId) -> Option<Arc<Desk>> {
        self.desks().get(id).map(Arc::clone)
    }

    /// The one desk of a list that is served until then. Those of lists that are served no longer go.
    fn open(&self, id: &StatusListId, served_until: UnixTime, now: UnixTime) -> Arc<Desk> {
        let mut desks = self.desks();
        desks.retain(|_, desk| now < desk.served_until);
        let new = || Arc::new(Desk { ready: Mutex::default(), making: SingleFlight::default(), served_until });
        Arc::clone(desks.entry(id.clone()).or_insert_with(new))
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<StatusListId, Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn ready(&self) -> MutexGuard<'_, Option<Arc<PublishedList>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    /// Somebody else's attempt of the same moment failed.
    #[error("the list could not be made")]
    Unmade,
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
    Ok(Listed::Token(sign_with(&signer, ACCESS_TOKEN_TYP, &claims)?))
}

/// The list of this id; nothing where no such list is served. Whoever waits while it is made shares the next one with all who wait.
pub async fn publish(app: &App, id: &StatusListId) -> Result<Option<Arc<PublishedList>>, StatusListError> {
    app.may_sign(app.now())?;
    let desk = match app.status_lists.find(id) {
        Some(desk) => desk,
        None => match status_lists::served_until(&mut app.db.reader().await?.conn(), id, app.now()).await? {
            Some(until) => app.status_lists.open(id, until, app.now()),
            None => return Ok(None),
        },
    };
    if let Some(ready) = ready(app, &desk).await? {
        return Ok(Some(ready));
    }
    match desk.making.share(make(app, id, &desk)).await {
        Flight::Made(list) => Ok(list),
        Flight::OtherFailed => Err(StatusListError::Unmade),
        Flight::Failed(why) => Err(why),
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
async fn ready(app: &App, desk: &Desk) -> Result<Option<Arc<PublishedList>>, StoreError> {
    let now = app.now();
    let signer = app.keys.signing_kid(now);
    let holds = |list: &&Arc<PublishedList>| {
        let age = now.since(list.made_at);
        list.made_at <= now && age < app.config.status_lists.ttl && now < desk.served_until && signer.as_ref() == Some(&list.kid)
    };
    let found = desk.ready().as_ref().filter(holds).map(Arc::clone);
    let Some(list) = found else { return Ok(None) };
    if app.clock().monotonic() < list.rests_until {
        return Ok(Some(list));
    }
    let head = feed_head::read(&mut app.db.reader().await?.conn()).await?;
    Ok((head.tick == list.tick).then_some(list))
}

/// Makes the list, unless that has become needless while others were at it.
async fn make(app: &App, id: &StatusListId, desk: &Desk) -> Result<Option<Arc<PublishedList>>, StatusListError> {
    if let Some(ready) = ready(app, desk).await? {
        return Ok(Some(ready));
    }
    let (began, now) = (app.clock().monotonic(), app.now());
    let signer = app.signer(now)?;
    let judged = status_lists::judge(&mut app.db.reader().await?.conn(), id, now).await?;
    app.reached(Checkpoint::ListJudged).await;
    let Some(JudgedList { tick, bits, rows }) = judged else { return Ok(None) };
    let ttl = app.config.status_lists.ttl;
    let claims = StatusListToken {
        iss: app.config.issuer.as_str().to_owned(),
        sub: uri(app, id),
        iat: now.seconds(),
        exp: (now + ttl * 2).seconds(),
        ttl: ttl.as_secs(),
        status_list: bits.encode(aggregation(app)).map_err(|_| malformed("the status list does not compress"))?,
    };
    let jwt = sign_with(&signer, STATUS_LIST_TYP, &claims)?;
    let ended = app.clock().monotonic();
    let list = Arc::new(PublishedList {
        etag: format!("\"{}\"", Base64UrlUnpadded::encode_string(&Sha256::digest(jwt.as_bytes()))),
        jwt,
        tick,
        kid: signer.kid().clone(),
        made_at: now,
        rests_until: ended.saturating_add(rest(rows, ended.saturating_sub(began))),
    });
    *desk.ready() = Some(Arc::clone(&list));
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
