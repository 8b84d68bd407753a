//! What followers say about themselves, gathered until it is written to the database together: one who reports costs no write of its
//! own, and a crowd no more than a bounded piece of memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Feed;
use crate::clock::UnixTime;
use crate::domain::follower::{Heard, Report};
use crate::domain::ids::Tick;
use crate::store::followers::{MOST, MOST_OF_ADDRESS};
use crate::store::{Db, StoreError, followers, wake};

/// How many are written in one transaction.
const BATCH: usize = 500;

type Key = (String, String, String);

/// What was heard and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<HashMap<Key, Heard>>);

impl Feed {
    /// Notes a report; `holder` is whose address it comes from.
    pub fn note(&self, report: Report, holder: IpAddr, db: &Db, now: UnixTime) {
        self.reports.note(heard(report, holder, wake::highest(db), now));
    }

    /// Writes what was noted since the last time. What cannot be written is let go: followers say it again.
    pub async fn write_reports(&self, db: &Db) -> Result<(), StoreError> {
        for _ in 0..=bound(MOST) / BATCH {
            let batch = self.reports.take(BATCH);
            if batch.is_empty() {
                break;
            }
            followers::note(db, batch).await?;
        }
        Ok(())
    }
}

fn heard(report: Report, holder: IpAddr, head: Tick, now: UnixTime) -> Heard {
    Heard {
        address: holder.to_string(),
        name: report.name,
        instance: report.instance,
        feed: report.position.feed,
        tick: report.position.tick,
        head,
        keys: report.keys,
        keys_at: now - report.keys_age,
        seen_at: now,
    }
}

impl Reports {
    fn note(&self, heard: Heard) {
        let mut waiting = self.waiting();
        let key = (heard.address.clone(), heard.name.clone(), heard.instance.clone());
        if !waiting.contains_key(&key) {
            let of_address = waiting.values().filter(|other| other.address == heard.address).count();
            if of_address >= bound(MOST_OF_ADDRESS) {
                forget_oldest(&mut waiting, |other| other.address == heard.address);
            } else if waiting.len() >= bound(MOST) {
                forget_oldest(&mut waiting, |_| true);
            }
        }
        waiting.insert(key, heard);
    }

    fn take(&self, most: usize) -> Vec<Heard> {
        let mut waiting = self.waiting();
        let keys: Vec<Key> = waiting.keys().take(most).cloned().collect();
        keys.iter().filter_map(|key| waiting.remove(key)).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Key, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_oldest(waiting: &mut HashMap<Key, Heard>, among: impl Fn(&Heard) -> bool) {
    let oldest = waiting.iter().filter(|(_, heard)| among(heard)).min_by_key(|(_, heard)| heard.seen_at);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        waiting.remove(&key);
    }
}

fn bound(most: u32) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instance: usize) -> Report {
        let position = format!("feed.7.{}", "l".repeat(43));
        let keys = "k".repeat(43);
        let json = format!(r#"{{"name":"n","instance":"i{instance}","position":"{position}","keys":"{keys}","keys_age":5}}"#);
        Report::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_goes_first() {
        let reports = Reports::default();
        let note = |address: u32, instance: usize, second: i64| {
            let (holder, now) = (IpAddr::from(address.to_be_bytes()), UnixTime::from_seconds(second));
            reports.note(heard(report(instance), holder, Tick::new(7), now));
        };
        note(1, 0, 100);
        note(1, 1, 50);
        note(1, 0, 200);
        assert_eq!(reports.waiting().len(), 2, "one that reports again is one");
        for instance in 2..=256 {
            note(1, instance, 300);
        }
        assert_eq!(reports.waiting().len(), 256);
        assert!(reports.waiting().values().all(|it| it.instance != "i1"), "the one that was heard the longest ago");
        for address in 2..5000 {
            note(address, 0, 400);
        }
        assert_eq!(reports.waiting().len(), 4096);
        assert!(reports.waiting().values().all(|it| it.instance != "i0" || it.seen_at > UnixTime::from_seconds(200)));

        let mut taken = 0;
        while let batch @ 1.. = reports.take(BATCH).len() {
            assert!(batch <= BATCH);
            taken += batch;
        }
        assert_eq!((taken, reports.waiting().len()), (4096, 0));
    }
}
