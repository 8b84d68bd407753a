//! Places in status lists: one token each, at random; and lists judged as a whole by what judges single tokens.

use std::collections::BTreeSet;
use std::time::Duration;

use passant::clock::{Clock, SystemClock, TOLERANCE, UnixTime};
use passant::domain::audit::{Action, Event};
use passant::domain::client::ClientOrigin;
use passant::domain::cutoff::{Target, revoked};
use passant::domain::ids::{ClientId, KeyId, StatusListId, Tick, TokenId, UserId};
use passant::domain::status_list::{Bits, SERVED_AFTER_END, SPAN, list_end, size};
use passant::store::feed_head::TokenCutOff;
use passant::store::signing_keys::{Applied, KeyChange};
use passant::store::status_lists::{self, NewEntry, TakenPlace};
use passant::store::sweep::LISTS_AFTER_SERVED;
use passant::store::{Db, accounts, consents, evidence, feed_head, grants, registrations, sessions, signing_keys, sweep, users};
use passant_tests::world::Engine;

use super::rows::{HOUR, approval, client, password_hash, signing_key};
use super::{NOW, Replicas, count, execute, execute_with, rows};

const LIFE: Duration = Duration::from_secs(600);

/// What a client's own token is judged by; its key is known to nobody unless it is given.
fn entry(client: &ClientId, key: &str, born: Tick) -> NewEntry {
    NewEntry {
        token: TokenId::random(),
        key: KeyId::new(key),
        client: client.clone(),
        user: None,
        session: None,
        grant: None,
        born,
        expires_at: NOW + LIFE,
    }
}

async fn key(db: &Db, epoch: i64) -> String {
    let key = signing_key(epoch);
    let change = KeyChange { insert: Some(key.clone()), ..KeyChange::default() };
    assert_ne!(signing_keys::apply(db, change, NOW).await.unwrap(), Applied::TooLate);
    key.kid.to_string()
}

/// A client and a key that are alive, for tokens of its own.
async fn robot(it: &Replicas) -> NewEntry {
    let (declared, tick) = client(&it.db).await;
    entry(&declared.client.id, &key(&it.db, 1).await, tick)
}

fn another(of: &NewEntry) -> NewEntry {
    NewEntry { token: TokenId::random(), ..of.clone() }
}

/// A token of an approval with user, session, client and grant of its own.
async fn of_approval(it: &Replicas, key: &str) -> NewEntry {
    let grant = approval(&it.db).await.grant;
    NewEntry {
        user: Some(grant.user_id),
        session: Some(grant.session_id),
        grant: Some(grant.id),
        ..entry(&grant.client_id, key, it.tick().await)
    }
}

async fn take(db: &Db, entry: &NewEntry) -> TakenPlace {
    status_lists::take_place(db, entry.clone()).await.unwrap()
}

async fn judged(it: &Replicas, list: &StatusListId) -> status_lists::JudgedList {
    read!(it.db, conn => status_lists::judge(conn, list, it.now())).expect("the list is served")
}

/// The whole list with these places invalid.
fn invalid(size: u32, places: &[u32]) -> Bits {
    let mut bits = Bits::all_valid(size);
    assert!(places.iter().all(|idx| bits.invalidate(*idx)));
    bits
}

async fn revoke_token(it: &Replicas, token: &TokenId) {
    let event = Event::done(Action::TokenRevoke);
    feed_head::cut_off_token(&it.db, token.clone(), event, NOW).await.unwrap();
}

async fn cut_off(it: &Replicas, target: Target) {
    feed_head::cut_off(&it.db, vec![target], Event::done(Action::IssuerCutOff), NOW).await.unwrap();
}

on_both_databases! {
    async fn no_place_is_given_twice_however_many_ask_at_once(it) {
        let robot = robot(&it).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let (db, robot) = (if task % 2 == 0 { it.db.clone() } else { it.other.clone() }, robot.clone());
            tasks.spawn(async move {
                let mut places = Vec::new();
                for _ in 0..40 {
                    places.push(take(&db, &another(&robot)).await);
                }
                places
            });
        }
        let places: Vec<TakenPlace> = tasks.join_all().await.into_iter().flatten().collect();
        let lists: BTreeSet<&StatusListId> = places.iter().map(|place| &place.list).collect();
        let distinct: BTreeSet<(&StatusListId, u32)> = places.iter().map(|place| (&place.list, place.idx)).collect();
        assert_eq!((lists.len(), distinct.len()), (1, 320), "tokens that end together share a list");
        assert!(places.iter().all(|place| place.idx < size(0)));
        let rising = places.windows(2).filter(|pair| pair[0].idx < pair[1].idx).count();
        assert!((80..240).contains(&rising), "places come in no order: {rising} of 319 rise");
    }

    async fn a_full_list_opens_a_larger_one_and_nobody_takes_a_taken_place(it) {
        let robot = robot(&it).await;
        let first = take(&it.db, &robot).await;
        // Every place but one in a hundred is taken.
        execute(
            &it.db,
            "INSERT INTO status_entries (list_id, idx, token, client_id, kid, born)
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 8191)
             SELECT l.id, n.i, 't', 'c', 'k', 0 FROM n, status_lists l WHERE n.i % 100 <> 7
             ON CONFLICT (list_id, idx) DO NOTHING",
        ).await;
        let mut second = BTreeSet::new();
        for _ in 0..200 {
            let place = take(&it.db, &another(&robot)).await;
            if place.list == first.list {
                assert_eq!(place.idx % 100, 7, "a free place");
            } else {
                second.insert(place.list);
            }
        }
        assert_eq!(second.len(), 1, "one more list is enough");
        let sizes: Vec<(i64, i64)> = rows(&it.db, "SELECT number, size FROM status_lists ORDER BY number").await;
        assert_eq!(sizes, [(0, 1 << 13), (1, 1 << 15)]);
    }

    async fn lists_that_are_needed_at_once_are_made_once(it) {
        let robot = robot(&it).await;
        it.race(async || (), {
            let robot = robot.clone();
            move |db, (), _| {
                let robot = another(&robot);
                async move { take(&db, &robot).await }
            }
        }).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM status_lists").await, 1);
        let later = NewEntry { expires_at: NOW + LIFE + HOUR, ..another(&robot) };
        assert_ne!(take(&it.db, &later).await.list, take(&it.db, &robot).await.list, "tokens that end later have another one");
        assert_eq!(read!(it.db, conn => status_lists::served(conn, NOW)).len(), 2);
    }

    async fn no_row_holds_a_token_or_its_id(it) {
        let robot = robot(&it).await;
        take(&it.db, &robot).await;
        let kept: Vec<(String,)> = rows(&it.db, "SELECT token FROM status_entries").await;
        assert!(kept.len() == 1 && kept[0].0 != robot.token.as_str() && kept[0].0.len() == 22);
    }

    async fn each_cause_reaches_its_own_tokens_and_no_others(it) {
        let (first, second) = (key(&it.db, 1).await, key(&it.db, 2).await);
        let bystander = of_approval(&it, &first).await;
        let spared = take(&it.db, &bystander).await;
        let (mut dead, list) = (Vec::new(), spared.list.clone());
        let causes = [
            "token", "grant", "session", "consent", "client disabled", "client removed", "user", "user disabled", "user deleted",
            "password", "key",
        ];
        let mut tick = it.tick().await;
        for cause in causes {
            let entry = of_approval(&it, if cause == "key" { &second } else { &first }).await;
            // The session of an offline grant is not judged: it has none here.
            let offline = NewEntry { session: None, ..another(&entry) };
            let (place, beside) = (take(&it.db, &entry).await, take(&it.db, &offline).await);
            assert_eq!((&place.list, &beside.list), (&list, &list));
            assert_eq!(judged(&it, &list).await.bits, invalid(size(0), &dead), "before {cause}");
            let (user, session, grant) = (entry.user.clone().unwrap(), entry.session.clone().unwrap(), entry.grant.clone().unwrap());
            let client = entry.client.clone();
            match cause {
                "token" => revoke_token(&it, &entry.token).await,
                "grant" => drop(grants::revoke(&it.db, grant, NOW).await.unwrap().unwrap()),
                "session" => drop(sessions::end(&it.db, session, NOW).await.unwrap().unwrap()),
                "consent" => drop(consents::withdraw(&it.db, user, client, NOW).await.unwrap()),
                "client disabled" => drop(registrations::disable(&it.db, client, NOW).await.unwrap().unwrap()),
                "client removed" => drop(registrations::remove(&it.db, client, ClientOrigin::CommandLine, NOW).await.unwrap().unwrap()),
                "user" => drop(users::log_out_everywhere(&it.db, user, NOW).await.unwrap().unwrap()),
                "user disabled" => drop(accounts::disable(&it.db, user, accounts::LastAdministrator::Spare, NOW).await.unwrap()),
                "user deleted" => drop(accounts::delete(&it.db, user, accounts::LastAdministrator::Spare, NOW).await.unwrap()),
                "password" => drop(users::set_password(&it.db, user, password_hash("new"), NOW).await.unwrap().unwrap()),
                _ => {
                    let change = KeyChange { revoke: vec![entry.key.clone()], ..KeyChange::default() };
                    assert_ne!(signing_keys::apply(&it.db, change, NOW).await.unwrap(), Applied::TooLate);
                }
            }
            dead.push(place.idx);
            if !["token", "session"].contains(&cause) {
                dead.push(beside.idx);
            }
            let after = judged(&it, &list).await;
            assert_eq!(after.bits, invalid(size(0), &dead), "after {cause}");
            assert!(after.tick > tick && after.tick == it.tick().await, "{cause}");
            tick = after.tick;
        }
        let (found, levels) = (it.tick().await, bystander.levels());
        let evidence = read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence;
        assert_eq!((revoked(bystander.born, &evidence), evidence.tick), (None, found));
    }

    async fn a_list_is_what_was_committed_at_its_own_tick(it) {
        let robot = robot(&it).await;
        let mut tokens = Vec::new();
        for _ in 0..40 {
            let token = another(&robot);
            tokens.push((take(&it.db, &token).await, token.token));
        }
        let (list, db) = (tokens[0].0.list.clone(), it.other.clone());
        let writer = tokio::spawn(async move {
            let mut revoked = Vec::new();
            for (place, token) in tokens {
                let cut_off = feed_head::cut_off_token(&db, token, Event::done(Action::TokenRevoke), NOW).await.unwrap();
                let TokenCutOff::Now(tick) = cut_off else { panic!("it was not revoked before") };
                revoked.push((tick, place.idx));
            }
            revoked
        });
        let mut seen = Vec::new();
        while !writer.is_finished() {
            seen.push(judged(&it, &list).await);
        }
        let revoked = writer.await.unwrap();
        for judged in &seen {
            let dead: Vec<u32> = revoked.iter().filter(|(tick, _)| *tick <= judged.tick).map(|(_, idx)| *idx).collect();
            assert!(judged.bits == invalid(size(0), &dead), "{}: another number than {} are dead", judged.tick, dead.len());
        }
        let ticks: BTreeSet<Tick> = seen.iter().map(|judged| judged.tick).collect();
        assert!(ticks.len() > 5, "the reader saw the writer at work: {ticks:?}");
    }

    async fn what_was_switched_on_again_stays_dead(it) {
        let key = key(&it.db, 1).await;
        let entry = of_approval(&it, &key).await;
        let place = take(&it.db, &entry).await;
        registrations::disable(&it.db, entry.client.clone(), NOW).await.unwrap().unwrap();
        assert!(registrations::enable(&it.db, entry.client.clone(), NOW).await.unwrap());
        assert_eq!(judged(&it, &place.list).await.bits, invalid(size(0), &[place.idx]));
        let reborn = NewEntry { born: it.tick().await, ..another(&entry) };
        take(&it.db, &reborn).await;
        assert_eq!(judged(&it, &place.list).await.bits, invalid(size(0), &[place.idx]));
    }

    async fn a_list_from_before_the_issuers_cut_off_is_wholly_invalid_and_takes_no_more(it) {
        let robot = robot(&it).await;
        let before = take(&it.db, &robot).await;
        // As a backup would lose them.
        execute(&it.db, "DELETE FROM status_entries").await;
        assert_eq!(judged(&it, &before.list).await.bits, Bits::all_valid(size(0)));
        cut_off(&it, Target::Issuer).await;
        assert_eq!(judged(&it, &before.list).await.bits, Bits::all_invalid(size(0)));
        let after = take(&it.db, &NewEntry { born: it.tick().await, ..another(&robot) }).await;
        assert_ne!(after.list, before.list);
        assert_eq!(judged(&it, &after.list).await.bits, Bits::all_valid(size(1)));
        let late = take(&it.db, &another(&robot)).await;
        assert_eq!(judged(&it, &late.list).await.bits, invalid(size(1), &[late.idx]), "born before it, and listed after");
    }

    async fn a_list_is_served_until_its_last_token_is_over_everywhere_and_then_goes_with_its_places(it) {
        let robot = robot(&it).await;
        let place = take(&it.db, &robot).await;
        let (list, end) = (place.list, list_end(robot.expires_at));
        assert!((robot.expires_at..robot.expires_at + SPAN).contains(&end));
        let last = end + SERVED_AFTER_END - Duration::from_millis(1);
        let over = end + SERVED_AFTER_END;
        let served = async |now: UnixTime| {
            let all = read!(it.db, conn => status_lists::served(conn, now));
            let one = read!(it.db, conn => status_lists::served_until(conn, &list, now));
            assert!(one.is_none_or(|until| until == over));
            let one = one.is_some();
            let judged = read!(it.db, conn => status_lists::judge(conn, &list, now)).is_some();
            assert_eq!((all.contains(&list), one), (judged, judged));
            judged
        };
        assert!(served(NOW).await && served(last).await && !served(over).await);
        assert_eq!(read!(it.db, conn => status_lists::served_until(conn, &StatusListId::new("unknown"), NOW)), None);
        // By the clock of another replica, a minute behind the database's, it is served for two minutes more than by one a minute ahead.
        let elsewhere = over + LISTS_AFTER_SERVED;
        assert_eq!(sweep::batch(&it.db, elsewhere - Duration::from_millis(1)).await.unwrap(), 0);
        assert_eq!(sweep::batch(&it.db, elsewhere).await.unwrap(), 2, "the place and the list");
        assert_eq!(count(&it.db, "SELECT (SELECT COUNT(*) FROM status_lists) + (SELECT COUNT(*) FROM status_entries)").await, 0);
    }

    async fn a_dead_token_is_invalid_for_as_long_as_any_verifier_may_take_it_whatever_replica_sweeps(it) {
        // The most by which a verifier forgives a clock, and by which two replicas' clocks are apart.
        let (leeway, apart) = (Duration::from_secs(300), TOLERANCE * 2);
        // One that ends with its list has the least of it.
        let robot = NewEntry { expires_at: list_end(NOW + LIFE), ..robot(&it).await };
        let place = take(&it.db, &robot).await;
        cut_off(&it, Target::Token(robot.token.clone())).await;
        // When the verifier takes it last, by a clock that may be ahead; and the last moment at which it is served.
        let moments = [robot.expires_at + leeway + TOLERANCE, robot.expires_at + SERVED_AFTER_END];
        for moment in moments.map(|moment| moment - Duration::from_millis(1)) {
            assert_eq!(sweep::batch(&it.db, moment + apart).await.unwrap(), 0);
            let list = read!(it.db, conn => status_lists::judge(conn, &place.list, moment)).expect("it is served");
            assert_eq!(list.bits, invalid(size(0), &[place.idx]));
        }
    }

    async fn a_list_is_judged_by_looking_its_own_tokens_up(it) {
        let judgement = status_lists::JUDGEMENT.replace("$1", "'list'").replace("$2", "0");
        let (explained, expected): (Vec<String>, _) = match it.engine {
            Engine::Sqlite => {
                let steps: Vec<(i64, i64, i64, String)> = rows(&it.db, leaked(format!("EXPLAIN QUERY PLAN {judgement}"))).await;
                let expected = "SEARCH t USING COVERING INDEX cutoffs_by_identifier (level=? AND identifier=?)";
                (steps.into_iter().map(|(.., step)| step).collect(), expected)
            }
            Engine::Postgres => {
                let steps: Vec<(String,)> = rows(&it.db, leaked(format!("EXPLAIN {judgement}"))).await;
                (steps.into_iter().map(|(step,)| step).collect(), "SubPlan")
            }
        };
        let plan = explained.join("\n");
        assert!(plan.contains(expected) && !plan.contains("Group Key"), "{plan}");
    }

    async fn a_long_list_goes_in_batches_and_lists_that_live_stay(it) {
        let robot = robot(&it).await;
        let (old, young) = (take(&it.db, &robot).await, take(&it.db, &NewEntry { expires_at: NOW + HOUR * 9, ..another(&robot) }).await);
        fill(&it.db, &old.list, 2_500).await;
        let over = list_end(robot.expires_at) + SERVED_AFTER_END + LISTS_AFTER_SERVED;
        // The one place that was taken may be one of those.
        let all = count(&it.db, "SELECT COUNT(*) FROM status_entries").await - 1;
        assert_eq!(sweep::batch(&it.db, over).await.unwrap(), 2_000);
        assert_eq!(i64::try_from(sweep::batch(&it.db, over).await.unwrap()).unwrap(), all - 2_000 + 1);
        assert_eq!(read!(it.db, conn => status_lists::served(conn, over)), [young.list]);
    }

    async fn a_hundred_thousand_places_are_judged_in_one_statement(it) {
        let entry = of_approval(&it, &key(&it.db, 1).await).await;
        let place = take(&it.db, &entry).await;
        execute(&it.db, "UPDATE status_lists SET size = 262144").await;
        let many = "INSERT INTO status_entries (list_id, idx, token, user_id, client_id, session_id, grant_id, kid, born)
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
             SELECT e.list_id, n.i * 2, 'token' || CAST(n.i AS TEXT), e.user_id, e.client_id, e.session_id, e.grant_id, e.kid, e.born
             FROM n, status_entries e WHERE e.idx = $1 ON CONFLICT (list_id, idx) DO NOTHING";
        execute_with(&it.db, many, i64::from(place.idx)).await;
        let clock = SystemClock::new();
        let list = judged(&it, &place.list).await;
        println!("100,000 places on {:?}: {:?}", it.engine, clock.monotonic());
        assert_eq!(list.bits, Bits::all_valid(1 << 18));
        grants::revoke(&it.db, entry.grant.unwrap(), NOW).await.unwrap().unwrap();
        let places: Vec<u32> = (0..100_000).map(|place| place * 2).chain([place.idx]).collect();
        assert_eq!(judged(&it, &place.list).await.bits, invalid(1 << 18, &places));
    }

    async fn rows_that_passant_would_not_write_are_faults(it) {
        let robot = robot(&it).await;
        let place = take(&it.db, &NewEntry { client: ClientId::new("unknown"), ..robot }).await;
        assert_eq!(judged(&it, &place.list).await.bits, invalid(size(0), &[place.idx]), "an unknown client is dead");
        for broken in ["UPDATE status_entries SET idx = 8192", "UPDATE status_lists SET size = 1000", "UPDATE status_lists SET size = -8"] {
            execute(&it.db, broken).await;
            let mut reader = it.db.reader().await.unwrap();
            assert!(status_lists::judge(&mut reader.conn(), &place.list, NOW).await.is_err(), "{broken}");
        }
    }

    async fn an_entry_reads_the_levels_of_its_token(it) {
        let entry = of_approval(&it, &key(&it.db, 1).await).await;
        let levels = entry.levels();
        assert_eq!((levels.user, levels.client), (entry.user.clone(), Some(entry.client.clone())));
        assert_eq!((levels.session, levels.grant), (entry.session.clone(), entry.grant.clone()));
        assert_eq!((levels.token, levels.key), (Some(entry.token.clone()), Some(entry.key.clone())));
        let missing = NewEntry { user: Some(UserId::random()), ..entry };
        let place = take(&it.db, &missing).await;
        assert_eq!(judged(&it, &place.list).await.bits, invalid(size(0), &[place.idx]), "an unknown user is dead");
    }
}

/// Puts places into a list behind the store's back.
async fn fill(db: &Db, list: &StatusListId, places: i64) {
    let many = format!(
        "INSERT INTO status_entries (list_id, idx, token, client_id, kid, born)
         WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         SELECT $1, n.i, 't', 'c', 'k', 0 FROM n WHERE TRUE ON CONFLICT (list_id, idx) DO NOTHING",
        places - 1
    );
    execute_with(db, leaked(many), list.as_str().to_owned()).await;
}

fn leaked(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}
