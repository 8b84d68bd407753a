//! A history that was put back in time: proved once, whoever proves it, and never to the cost of the clock.

use passant::domain::alarm::{Alarm, HIGHEST_PROVABLE, OnContradiction, Witness};
use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::domain::feed::Position;
use passant::domain::ids::{FeedId, KeyId, Tick, TokenId};
use passant::store::evidence::{self, Levels};
use passant::store::feed_alarms::{self, Proof};
use passant::store::signing_keys::{self, Applied, KeyChange};
use passant::store::{Db, feed_head};

use super::feed_head::the_chain_holds;
use super::rows::signing_key;
use super::{NOW, Replicas, count};

const CUT_OFF: OnContradiction = OnContradiction::CutOff;

async fn head(it: &Replicas) -> Position {
    let head = read!(it.db, conn => feed_head::read(conn));
    Position { feed: head.feed_id, tick: head.tick, link: head.chain }
}

fn ahead(position: &Position, ticks: i64) -> Position {
    Position { tick: Tick::new(position.tick.get() + ticks), ..position.clone() }
}

fn proof(position: Position) -> Proof {
    Proof { position, signed_by: None, witness: Witness::Process }
}

async fn contradict(db: &Db, proof: Proof) -> Option<Alarm> {
    feed_alarms::contradict(db, proof, CUT_OFF, NOW).await.unwrap()
}

async fn issuer_cutoff(it: &Replicas) -> Tick {
    read!(it.db, conn => evidence::read(conn, &Levels::default(), NOW)).evidence.issuer
}

async fn revoke(it: &Replicas) -> Tick {
    let event = Event::done(Action::TokenRevoke);
    feed_head::cut_off(&it.db, vec![Target::Token(TokenId::random())], event, NOW).await.unwrap()
}

async fn key(it: &Replicas, epoch: i64) -> KeyId {
    let key = signing_key(epoch);
    let insert = KeyChange { insert: Some(key.clone()), ..KeyChange::default() };
    assert_eq!(signing_keys::apply(&it.db, insert, NOW).await.unwrap(), Applied::Done(None));
    key.kid
}

on_both_databases! {
    async fn what_the_history_never_had_begins_another_one_past_it(it) {
        revoke(&it).await;
        let before = head(&it).await;
        let lost = ahead(&before, 5_000_000_000);
        let alarm = contradict(&it.db, proof(lost.clone())).await.unwrap();
        let after = head(&it).await;
        assert_eq!((alarm.lost_tick, alarm.tick, &alarm.feed), (lost.tick, after.tick, &before.feed));
        assert!(after.tick.get() == lost.tick.get() + 1 && after.feed != before.feed);
        assert_eq!(issuer_cutoff(&it).await, after.tick, "everything from before is dead");
        assert_eq!(read!(it.other, conn => feed_alarms::standing(conn)), [alarm]);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'history_contradict' AND tick IS NOT NULL").await, 1);
        assert_eq!(contradict(&it.db, proof(lost)).await, None, "the second time it says nothing");
        assert_eq!(head(&it).await, after);
        assert!(revoke(&it).await > after.tick);
        the_chain_holds(&it).await;
    }

    async fn what_the_history_has_or_had_contradicts_nothing(it) {
        let mut had = vec![head(&it).await];
        for _ in 0..3 {
            revoke(&it).await;
            had.push(head(&it).await);
        }
        let now = head(&it).await;
        let elsewhere = Position { feed: FeedId::new("elsewhere"), ..ahead(&now, 9) };
        for position in had.into_iter().chain([elsewhere]) {
            assert_eq!(contradict(&it.db, proof(position.clone())).await, None, "{position}");
        }
        assert_eq!(head(&it).await, now);
        assert_eq!(read!(it.db, conn => feed_alarms::standing(conn)), []);
    }

    async fn alarm_alone_cuts_nothing_off(it) {
        let lost = proof(ahead(&head(&it).await, 1));
        let alarm = feed_alarms::contradict(&it.db, lost, OnContradiction::Alarm, NOW).await.unwrap().unwrap();
        assert!(!alarm.cut_off && head(&it).await.tick == alarm.tick);
        assert_eq!(issuer_cutoff(&it).await, Tick::ZERO);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM cutoffs").await, 0);
    }

    async fn key_that_is_dead_by_now_proves_nothing(it) {
        let (alive, dead) = (key(&it, 1).await, key(&it, 2).await);
        let kill = KeyChange { revoke: vec![dead.clone()], ..KeyChange::default() };
        assert!(matches!(signing_keys::apply(&it.other, kill, NOW).await.unwrap(), Applied::Done(Some(_))));
        let lost = ahead(&head(&it).await, 10);
        let by = |kid: KeyId| Proof { signed_by: Some(kid), ..proof(lost.clone()) };
        assert_eq!(contradict(&it.db, by(dead)).await, None);
        assert_eq!(contradict(&it.db, by(KeyId::new("nobodys"))).await, None);
        assert!(contradict(&it.db, by(alive)).await.is_some());
    }

    async fn proofs_cannot_use_up_the_ticks(it) {
        let at = |head: &Position, tick: i64| Position { tick: Tick::new(tick), ..head.clone() };
        let above = at(&head(&it).await, HIGHEST_PROVABLE.get() + 1);
        assert_eq!(contradict(&it.db, proof(above)).await, None);
        let highest = at(&head(&it).await, HIGHEST_PROVABLE.get());
        let alarm = contradict(&it.db, proof(highest)).await.unwrap();
        assert_eq!(alarm.tick.get(), HIGHEST_PROVABLE.get() + 1);
        for ahead_by in [0, 1, 1 << 50] {
            let again = at(&head(&it).await, HIGHEST_PROVABLE.get() + 1 + ahead_by);
            assert_eq!(contradict(&it.db, proof(again)).await, None);
        }
        let raised = revoke(&it).await;
        assert_eq!(raised.get(), HIGHEST_PROVABLE.get() + 2, "each change takes one, as before");
        assert!(Tick::MAX.get() - raised.get() >= (1 << 51) - 2, "and as many are left as no history uses");
    }

    async fn one_of_two_proofs_is_the_first(it) {
        let lost = async || proof(ahead(&head(&it).await, 10));
        it.one_wins(lost, |db, proof, _| async move { contradict(&db, proof).await.is_some() }).await;
        assert_eq!(read!(it.db, conn => feed_alarms::standing(conn)).len(), 40, "one alarm a round");
    }

    async fn head_below_what_was_seen_is_overtaken_once(it) {
        let before = head(&it).await;
        assert_eq!(feed_alarms::overtake(&it.db, before.tick, CUT_OFF, NOW).await.unwrap(), None, "it is where it was");
        let seen = Tick::new(before.tick.get() + 1_000_000_000);
        let alarm = feed_alarms::overtake(&it.db, seen, CUT_OFF, NOW).await.unwrap().unwrap();
        assert!(alarm.tick > seen && alarm.witness == Witness::Process && head(&it).await.feed != before.feed);
        assert_eq!(issuer_cutoff(&it).await, alarm.tick);
        assert_eq!(feed_alarms::overtake(&it.other, seen, CUT_OFF, NOW).await.unwrap(), None, "another process was faster");
        the_chain_holds(&it).await;
    }

    async fn one_of_two_processes_overtakes(it) {
        it.one_wins(async || Tick::new(it.tick().await.get() + 10), |db, seen, _| async move {
            feed_alarms::overtake(&db, seen, CUT_OFF, NOW).await.unwrap().is_some()
        }).await;
    }

    async fn alarms_stand_until_they_are_acknowledged_and_later_ones_go_on(it) {
        let first = contradict(&it.db, proof(ahead(&head(&it).await, 10))).await.unwrap();
        let looked = head(&it).await.tick;
        let second = contradict(&it.db, proof(ahead(&head(&it).await, 10))).await.unwrap();
        assert_eq!(read!(it.db, conn => feed_alarms::standing(conn)), [first, second.clone()]);
        assert_eq!(feed_alarms::acknowledge(&it.db, looked, NOW).await.unwrap(), 1);
        assert_eq!(read!(it.db, conn => feed_alarms::standing(conn)), [second]);
        assert_eq!(feed_alarms::acknowledge(&it.db, head(&it).await.tick, NOW).await.unwrap(), 1);
        assert_eq!(feed_alarms::acknowledge(&it.db, head(&it).await.tick, NOW).await.unwrap(), 0);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'alarm_acknowledge'").await, 2);
    }
}
