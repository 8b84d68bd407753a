//! Proofs that the database was put back in time: messages of this issuer's own that its history contradicts. Anybody may send
//! one, so the signature is checked before the database is asked, and each address has a budget.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::{Feed, FeedError, Sources, TYPE};
use crate::domain::alarm::{Alarm, HIGHEST_PROVABLE, Witness};
use crate::domain::feed::{Position, Standing, locate};
use crate::domain::ids::{FeedId, Tick};
use crate::store::Db;
use crate::store::feed_alarms::{self, Proof};

/// How many proofs an address may send at once,
const BURST: u32 = 10;
/// and how long until it may send a further one.
const REFILL: Duration = Duration::from_secs(6);
/// How many addresses are remembered.
const ADDRESSES: usize = 1024;

/// What a proof came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The history never had what it says, and was begun anew.
    Contradiction(Box<Alarm>),
    /// It says nothing.
    Nothing(&'static str),
}

impl Feed {
    /// Whether this address may send a proof now; otherwise after how long.
    pub fn may_prove(&self, holder: IpAddr, now: Duration) -> Result<(), Duration> {
        self.budgets.spend(holder, now)
    }

    /// Judges a message that is said to contradict the history. `db` is written to on behalf of whoever sent it.
    pub async fn prove(&self, sources: &Sources<'_>, db: &Db, message: &str) -> Result<Verdict, FeedError> {
        #[derive(Deserialize)]
        struct Claims {
            iss: String,
            feed: String,
            tick: Tick,
            chain: String,
        }
        let (claims, kid) = match sources.keys.verify_within::<Claims>(message, TYPE, message.len()) {
            Ok(verified) => verified,
            Err(why) => {
                tracing::info!(%why, "ignored a proof against the revocation feed");
                return Ok(Verdict::Nothing("no living key of this issuer signed it"));
            }
        };
        if claims.iss != self.issuer {
            return Ok(Verdict::Nothing("it is another issuer's"));
        }
        if claims.tick > HIGHEST_PROVABLE {
            tracing::error!(tick = claims.tick.get(), "a signing key of this issuer has signed a tick that it never had");
            return Ok(Verdict::Nothing("no history has come that far"));
        }
        let position = Position { feed: FeedId::new(claims.feed), tick: claims.tick, link: claims.chain };
        if !self.contradicts(sources, &position).await? {
            return Ok(Verdict::Nothing("the history does not contradict it"));
        }
        let proof = Proof { position, signed_by: Some(kid), witness: Witness::Follower };
        Ok(match feed_alarms::contradict(db, proof, sources.on_contradiction, sources.clock.now()).await? {
            Some(alarm) => {
                tell(&alarm);
                Verdict::Contradiction(Box::new(alarm))
            }
            None => Verdict::Nothing("the history does not contradict it any more"),
        })
    }

    /// Whether the history as it is read after the call never had a position. Who asks at the same moment shares the read.
    async fn contradicts(&self, sources: &Sources<'_>, position: &Position) -> Result<bool, FeedError> {
        let tail = self.read(sources).await?;
        let head = tail.last()?.head.clone();
        if matches!(locate(position, &head, tail.entries()), Standing::Contradicted(_)) {
            return Ok(true);
        }
        let old = tail.is_newer_than(position);
        drop(tail);
        Ok(old && super::contradicted(sources.db, &head, position).await?.is_some())
    }
}

/// Tells the log of an alarm.
pub(super) fn tell(alarm: &Alarm) {
    tracing::error!(
        lost = %format_args!("{}.{}", alarm.feed, alarm.lost_tick),
        reason = alarm.reason,
        tick = alarm.tick.get(),
        "the database was put back in time; {}; see `passant feed show`",
        match alarm.cut_off {
            true => "everything from before is cut off",
            false => "nothing was cut off, as feed.on_contradiction says",
        }
    );
}

/// What each address has left.
#[derive(Debug, Default)]
pub(super) struct Budgets(Mutex<VecDeque<Budget>>);

#[derive(Debug)]
struct Budget {
    holder: IpAddr,
    /// How much of it is spent, as the time after which it is whole again.
    whole_at: Duration,
}

impl Budgets {
    /// Spends one; or says after how long there is one.
    fn spend(&self, holder: IpAddr, now: Duration) -> Result<(), Duration> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.retain(|budget| budget.whole_at > now);
        let at = budgets.iter().position(|budget| budget.holder == holder);
        let whole_at = at.and_then(|at| budgets.remove(at)).map_or(now, |budget| budget.whole_at);
        let (spent, after) = (whole_at.saturating_sub(now), REFILL * (BURST - 1));
        let outcome = if spent <= after { Ok(()) } else { Err(spent.saturating_sub(after)) };
        if budgets.len() == ADDRESSES {
            budgets.pop_front();
        }
        budgets.push_back(Budget { holder, whole_at: if outcome.is_ok() { whole_at + REFILL } else { whole_at } });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_spends_its_budget_and_has_one_more_each_six_seconds() {
        let (budgets, one, other) = (Budgets::default(), "203.0.113.1".parse().unwrap(), "203.0.113.2".parse().unwrap());
        let at = Duration::from_secs;
        for _ in 0..10 {
            assert_eq!(budgets.spend(one, at(100)), Ok(()));
        }
        assert_eq!(budgets.spend(one, at(100)), Err(at(6)));
        assert_eq!(budgets.spend(one, at(105)), Err(at(1)), "to ask costs nothing");
        assert_eq!(budgets.spend(other, at(105)), Ok(()));
        assert_eq!((budgets.spend(one, at(106)), budgets.spend(one, at(106))), (Ok(()), Err(at(6))));
        for _ in 0..10 {
            assert_eq!(budgets.spend(one, at(166)), Ok(()));
        }
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded() {
        let budgets = Budgets::default();
        for number in 0..3000_u32 {
            assert_eq!(budgets.spend(IpAddr::from(number.to_be_bytes()), Duration::from_secs(1)), Ok(()));
        }
        assert_eq!(budgets.0.lock().unwrap().len(), ADDRESSES);
        assert_eq!(budgets.spend(IpAddr::from([0; 4]), Duration::from_secs(100)), Ok(()));
        assert_eq!(budgets.0.lock().unwrap().len(), 1, "whole ones are forgotten");
    }
}
