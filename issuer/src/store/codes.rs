//! The `codes` table: redemption, decided by one compare-and-set.

use futures_util::FutureExt;

use super::evidence::{self, Levels};
use super::refresh_tokens::{self, NewRefreshToken};
use super::{Conn, Db, StoreError, Tx, audit, grants};
use crate::clock::UnixTime;
use crate::domain::audit::{Action, Event, Outcome};
use crate::domain::code::{Code, Decision, Presented, decide};
use crate::domain::cutoff::{Level, revoked};
use crate::domain::grant::{Asked, Excess, Grant};
use crate::domain::ids::{ClientId, GrantId};
use crate::domain::pkce::CodeChallenge;
use crate::secret::TokenHash;

/// A code as a client presents it, and the refresh token to go with its tokens. No Debug: the verifier is a secret.
#[derive(Clone)]
pub struct Redemption {
    /// SHA-256 of the code.
    pub code_hash: TokenHash,
    /// The authenticated client.
    pub client_id: ClientId,
    /// The redirect URI of the token request.
    pub redirect_uri: Option<String>,
    /// The verifier of the token request.
    pub code_verifier: Option<String>,
    /// Which of the grant's resources the tokens are for.
    pub asked: Asked,
    /// The first refresh token, for clients that get one.
    pub refresh: Option<NewRefreshToken>,
    /// Now: taken before anything was read, and so the tokens' `iat`.
    pub now: UnixTime,
}

/// What became of it. Each of these commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// Unknown, another client's, another redirect URI, too late, a wrong verifier: the reason is for the log.
    Refused(&'static str),
    /// Used before; its grant is dead now, if it was not before.
    Replayed(GrantId),
    /// Its grant, session, user or client was revoked.
    Dead(Level),
    /// More was asked for than granted; the code is as good as before.
    Exceeds(Excess),
    /// Good: tokens may be made, born with the grant.
    Tokens {
        /// What was allowed.
        grant: Box<Grant>,
        /// The nonce to echo.
        nonce: Option<String>,
    },
}

#[derive(sqlx::FromRow)]
struct CodeRow {
    grant_id: String,
    client_id: String,
    redirect_uri: String,
    code_challenge: Option<String>,
    nonce: Option<String>,
    expires_at: i64,
    consumed_at: Option<i64>,
}

impl TryFrom<CodeRow> for Code {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        let challenge = row.code_challenge.as_deref().map(CodeChallenge::parse).transpose();
        Ok(Self {
            grant_id: GrantId::new(row.grant_id),
            client_id: ClientId::new(row.client_id),
            redirect_uri: row.redirect_uri,
            code_challenge: challenge.map_err(|why| StoreError::impossible("codes", why))?,
            nonce: row.nonce,
            expires_at: UnixTime::from_millis(row.expires_at),
            consumed: row.consumed_at.is_some(),
        })
    }
}

/// Redeems a code: one success under any concurrency, and every other valid use ends the grant.
pub async fn redeem(db: &Db, redemption: Redemption) -> Result<Redeemed, StoreError> {
    db.write(redemption, |tx, redemption| async move { redeem_in(tx, redemption).await }.boxed()).await
}

/// An unknown code is told to nobody but the log: anybody can make those up.
async fn redeem_in(tx: &mut Tx<'_>, redemption: &Redemption) -> Result<Redeemed, StoreError> {
    let Some(code) = find(tx, &redemption.code_hash).await? else { return Ok(Redeemed::Refused("unknown code")) };
    let gid = code.grant_id.clone();
    let redeemed = judge_in(tx, redemption, code).await?;
    let told = |outcome| Event::new(Action::CodeRedeem, outcome).of_client(&redemption.client_id).of_grant(&gid);
    let refused = match &redeemed {
        Redeemed::Tokens { .. } => {
            audit::append(tx, &told(Outcome::Done), redemption.now).await?;
            return Ok(redeemed);
        }
        Redeemed::Replayed(_) => return Ok(redeemed),
        Redeemed::Refused(why) => told(Outcome::Refused).saying(*why),
        Redeemed::Dead(level) => told(Outcome::Refused).saying(format!("revoked at level {level:?}")),
        Redeemed::Exceeds(_) => told(Outcome::Refused).saying("more was asked for than granted"),
    };
    audit::append_of_token(tx, &redemption.code_hash, &refused, redemption.now).await?;
    Ok(redeemed)
}

async fn judge_in(tx: &mut Tx<'_>, redemption: &Redemption, code: Code) -> Result<Redeemed, StoreError> {
    let now = redemption.now;
    let presented = Presented {
        client_id: &redemption.client_id,
        redirect_uri: redemption.redirect_uri.as_deref(),
        code_verifier: redemption.code_verifier.as_deref(),
    };
    match decide(&code, presented, now) {
        Decision::WrongClient => return Ok(Redeemed::Refused("another client's code")),
        Decision::WrongRedirectUri => return Ok(Redeemed::Refused("another redirect_uri")),
        Decision::Expired => return Ok(Redeemed::Refused("expired code")),
        Decision::Replay => return replayed(tx, redemption, code.grant_id).await,
        Decision::WrongVerifier => {
            consume(tx, &redemption.code_hash, now).await?;
            return Ok(Redeemed::Refused("wrong code_verifier"));
        }
        Decision::Redeem => {}
    }
    let Some(grant) = grants::find(tx, &code.grant_id).await? else { return Ok(Redeemed::Refused("no grant")) };
    if let Err(excess) = grant.narrowed(&redemption.asked) {
        return Ok(Redeemed::Exceeds(excess));
    }
    if !consume(tx, &redemption.code_hash, now).await? {
        return replayed(tx, redemption, code.grant_id).await;
    }
    let found = evidence::read(tx, &Levels::of(&grant), now).await?;
    if let Some(level) = revoked(grant.born, &found.evidence) {
        return Ok(Redeemed::Dead(level));
    }
    if found.session_expired {
        return Ok(Redeemed::Dead(Level::Session));
    }
    if let Some(refresh) = &redemption.refresh {
        refresh_tokens::insert(tx, &grant, 0, refresh).await?;
    }
    Ok(Redeemed::Tokens { grant: Box::new(grant), nonce: code.nonce })
}

/// The code of this hash.
pub async fn find(conn: &mut Conn<'_>, code: &TokenHash) -> Result<Option<Code>, StoreError> {
    let row = sql!(
        conn,
        optional as CodeRow,
        "SELECT c.grant_id, g.client_id, c.redirect_uri, c.code_challenge, c.nonce, c.expires_at, c.consumed_at
         FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.code_hash = $1",
        code.as_str(),
    )?;
    row.map(Code::try_from).transpose()
}

/// Takes a code out of circulation; `false` when another request was faster.
pub async fn consume(tx: &mut Tx<'_>, code: &TokenHash, now: UnixTime) -> Result<bool, StoreError> {
    let consumed = sql!(
        tx,
        execute,
        "UPDATE codes SET consumed_at = $2 WHERE code_hash = $1 AND consumed_at IS NULL",
        code.as_str(),
        now.millis(),
    )?;
    Ok(consumed == 1)
}

/// Told where the grant ends by it: a code may be presented again any number of times, and its grant ends once.
async fn replayed(tx: &mut Tx<'_>, redemption: &Redemption, grant: GrantId) -> Result<Redeemed, StoreError> {
    if let Some(tick) = grants::end(tx, &grant, redemption.now).await? {
        let event = Event::new(Action::CodeRedeem, Outcome::Replayed).of_client(&redemption.client_id).of_grant(&grant).at(tick);
        audit::append(tx, &event, redemption.now).await?;
    }
    Ok(Redeemed::Replayed(grant))
}
