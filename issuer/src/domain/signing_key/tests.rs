//! The rules of the schedule as tables, and a random walk that tries to break them together.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

fn start() -> UnixTime {
    UnixTime::from_seconds(1_800_000_000)
}

fn key(new: NewKey) -> SigningKey {
    SigningKey {
        kid: KeyId::new(format!("k{}", new.epoch)),
        epoch: new.epoch,
        schedule: new.schedule,
        revoked_at: None,
        public_jwk: "{}".to_owned(),
        sealed_private_key: "sealed-away".to_owned(),
        master_key_id: "m".to_owned(),
    }
}

/// Applies a rotation as the store does: compare-and-set, unique epoch.
fn apply(keys: &mut Vec<SigningKey>, rotation: &Rotation) {
    for change in &rotation.reschedules {
        let row = keys.iter_mut().find(|row| row.kid == change.kid && row.schedule == change.from).unwrap();
        row.schedule = change.to;
    }
    if let Some(new) = rotation.new_key {
        assert!(keys.iter().all(|row| row.epoch != new.epoch), "an epoch was used twice");
        keys.push(key(new));
    }
}

fn tick(keys: &mut Vec<SigningKey>, now: UnixTime) -> Rotation {
    let rotation = plan(keys, now, &KeyPolicy::default());
    apply(keys, &rotation);
    rotation
}

fn kids(keys: &[SigningKey], now: UnixTime) -> Vec<&str> {
    published(keys, now).into_iter().map(|key| key.kid.as_str()).collect()
}

fn signing(keys: &[SigningKey], now: UnixTime) -> &str {
    signer(keys, now).unwrap().kid.as_str()
}

/// One key that signs and its successor, published ten minutes ago.
fn with_successor() -> (Vec<SigningKey>, UnixTime) {
    let mut keys = Vec::new();
    tick(&mut keys, start());
    let planned = start() + DAY * 29;
    tick(&mut keys, planned);
    (keys, planned + MINUTE * 10)
}

#[test]
fn debug_omits_the_sealed_key() {
    let (keys, _) = with_successor();
    assert!(!format!("{keys:?}").contains("sealed-away"));
}

#[test]
fn the_first_key_signs_at_once() {
    let mut keys = Vec::new();
    assert_eq!(tick(&mut keys, start()).new_key.unwrap().schedule, KeyPolicy::default().schedule(start(), start()));
    assert_eq!(signing(&keys, start()), "k1");
    assert!(tick(&mut keys, start()).is_nothing());
}

#[test]
fn a_successor_is_published_one_lead_ahead_and_signs_on_schedule() {
    let mut keys = Vec::new();
    tick(&mut keys, start());
    let end = keys[0].schedule.signs_until;
    assert!(tick(&mut keys, end - DAY - Duration::from_millis(1)).is_nothing());
    let rotation = tick(&mut keys, end - DAY);
    assert!(rotation.reschedules.is_empty());
    assert_eq!(keys[1].schedule, KeyPolicy::default().schedule(end - DAY, end));
    assert_eq!(signing(&keys, end - Duration::from_millis(1)), "k1");
    assert_eq!(signing(&keys, end), "k2");
    assert_eq!(kids(&keys, end), ["k2", "k1"]);
    assert!(plan(&keys, end, &KeyPolicy::default()).is_nothing());
}

#[test]
fn a_late_successor_waits_until_every_cache_knows_it_and_its_predecessor_signs_on() {
    for late in [MINUTE * 9, Duration::ZERO] {
        let mut keys = Vec::new();
        tick(&mut keys, start());
        let now = start() + DAY * 30 - late;
        tick(&mut keys, now);
        assert_eq!(keys[1].schedule.signs_from, now + MINUTE * 10);
        assert_eq!(keys[0].schedule.signs_until, now + MINUTE * 10);
        assert_eq!(keys[0].schedule.published_until, now + MINUTE * 10 + HOUR + MINUTE * 5);
    }
}

#[test]
fn after_a_long_downtime_the_overdue_key_signs_is_published_and_shows() {
    let mut keys = Vec::new();
    tick(&mut keys, start());
    let now = start() + DAY * 100;
    assert_eq!((signing(&keys, now), kids(&keys, now)), ("k1", vec!["k1"]));
    assert_eq!(overdue(&keys, now), Some(DAY * 70));
    tick(&mut keys, now);
    assert_eq!((signing(&keys, now), overdue(&keys, now)), ("k1", None));
    assert_eq!(signing(&keys, now + MINUTE * 10), "k2");
}

#[test]
fn a_clock_that_goes_back_still_finds_a_signer() {
    let (keys, _) = with_successor();
    assert_eq!(signing(&keys, start() - DAY), "k1");
    assert_eq!(kids(&keys, start() - DAY), ["k1"]);
    assert!(plan(&keys, start() - DAY, &KeyPolicy::default()).is_nothing());
}

#[test]
fn without_unrevoked_keys_nobody_signs_and_the_plan_is_a_first_key_with_a_new_epoch() {
    let (mut keys, now) = with_successor();
    keys.iter_mut().for_each(|key| key.revoked_at = Some(now));
    assert!(signer(&keys, now).is_none() && published(&keys, now).is_empty());
    let new = tick(&mut keys, now).new_key.unwrap();
    assert_eq!((new.epoch, new.schedule.signs_from), (3, now));
}

#[test]
fn rotate_lets_a_known_successor_sign_at_once() {
    let (mut keys, now) = with_successor();
    let rotation = rotate_now(&keys, now, &KeyPolicy::default());
    apply(&mut keys, &rotation);
    assert_eq!(rotation.new_key, None);
    assert_eq!(signing(&keys, now), "k2");
    assert_eq!((keys[0].schedule.signs_until, keys[0].schedule.published_until), (now, now + HOUR + MINUTE * 5));
    assert_eq!(keys[1].schedule, KeyPolicy::default().schedule(now - MINUTE * 10, now));
}

#[test]
fn rotate_makes_a_young_successor_wait_for_the_caches() {
    let (mut keys, now) = with_successor();
    let now = now - MINUTE * 4;
    let rotation = rotate_now(&keys, now, &KeyPolicy::default());
    apply(&mut keys, &rotation);
    assert_eq!(signing(&keys, now), "k1");
    assert_eq!(keys[1].schedule.signs_from, now + MINUTE * 4);
    assert_eq!(keys[0].schedule.signs_until, now + MINUTE * 4);
    assert!(rotate_now(&keys, now, &KeyPolicy::default()).is_nothing(), "asked twice, it rotates once");
}

#[test]
fn rotate_without_a_successor_plans_one() {
    let mut keys = Vec::new();
    tick(&mut keys, start());
    let rotation = rotate_now(&keys, start() + DAY, &KeyPolicy::default());
    apply(&mut keys, &rotation);
    assert_eq!(keys[1].schedule, KeyPolicy::default().schedule(start() + DAY, start() + DAY + MINUTE * 10));
    assert_eq!(keys[0].schedule.signs_until, start() + DAY + MINUTE * 10);
}

#[test]
fn when_the_signing_key_is_revoked_its_successor_signs_from_that_moment() {
    let (mut keys, now) = with_successor();
    keys[0].revoked_at = Some(now);
    let rotation = after_revocation(&keys, now, &KeyPolicy::default());
    apply(&mut keys, &rotation);
    assert_eq!((signing(&keys, now), kids(&keys, now), rotation.new_key), ("k2", vec!["k2"], None));
    assert_eq!(keys[1].schedule.signs_from, now);
}

#[test]
fn a_retired_key_does_not_come_back_when_its_successor_is_revoked() {
    let (mut keys, _) = with_successor();
    let now = start() + DAY * 30 + MINUTE;
    keys[1].revoked_at = Some(now);
    let rotation = after_revocation(&keys, now, &KeyPolicy::default());
    apply(&mut keys, &rotation);
    assert_eq!((signing(&keys, now), kids(&keys, now)), ("k3", vec!["k3", "k1"]));
}

#[test]
fn revoking_a_key_that_does_not_sign_changes_nothing_else() {
    let (mut keys, now) = with_successor();
    keys[1].revoked_at = Some(now);
    assert!(after_revocation(&keys, now, &KeyPolicy::default()).is_nothing());
    assert!(after_revocation(&keys, now + DAY * 60, &KeyPolicy::default()).new_key.is_some(), "k2 was due to sign by then");
    keys.pop();
    assert!(after_revocation(&keys, now + DAY * 60, &KeyPolicy::default()).is_nothing(), "merely overdue");
}

#[test]
fn next_change_names_every_instant_at_which_something_changes() {
    let (keys, now) = with_successor();
    let handover = keys[0].schedule.signs_until;
    assert_eq!(next_change(&keys, now), Some(handover));
    assert_eq!(next_change(&keys, handover), Some(keys[0].schedule.published_until));
    assert_eq!(next_change(&keys, keys[0].schedule.published_until), None, "an overdue signer stays published");
}

#[test]
fn caches_may_keep_a_key_set_only_until_a_key_signs_that_it_lacks() {
    let policy = KeyPolicy::default();
    let (mut keys, now) = with_successor();
    assert_eq!(jwks_max_age(&keys, now, &policy), MINUTE * 5);
    keys[1].schedule.published_from = now + MINUTE * 3;
    keys[1].schedule.signs_from = now + MINUTE * 4;
    assert_eq!(jwks_max_age(&keys, now, &policy), MINUTE * 2);
    assert_eq!(jwks_max_age(&keys, now + MINUTE * 3, &policy), MINUTE * 5);
}

#[test]
fn date_letters_go_round_the_alphabet() {
    assert_eq!([1, 2, 26, 27, 0].map(date_letter), ['a', 'b', 'z', 'a', 'z']);
}

#[test]
fn no_walk_leads_to_a_moment_without_a_signer_or_to_a_key_that_caches_do_not_know() {
    let policy = KeyPolicy::default();
    let mut seed = 20_260_731_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200 {
        let (mut keys, mut now, mut emergencies) = (Vec::new(), start(), vec![1]);
        tick(&mut keys, now);
        for _ in 0..200 {
            match draw(12) {
                0 => now = now - Duration::from_secs(draw(2 * 24 * 3600)),
                1 => now = now + DAY * u32::try_from(draw(90)).unwrap(),
                2 | 3 => now = now + Duration::from_secs(draw(20 * 60)),
                4 => apply_all(&mut keys, rotate_now, now),
                5 => {
                    let victim = usize::try_from(draw(keys.len() as u64)).unwrap();
                    keys[victim].revoked_at = Some(now);
                    let rotation = after_revocation(&keys, now, &policy);
                    let promoted = rotation.reschedules.iter().map(|change| &change.kid);
                    emergencies
                        .extend(keys.iter().filter(|row| promoted.clone().any(|kid| *kid == row.kid)).map(|row| row.epoch));
                    emergencies.extend(rotation.new_key.map(|new| new.epoch));
                    apply(&mut keys, &rotation);
                }
                _ => {
                    now = now + Duration::from_secs(draw(3 * 24 * 3600));
                    tick(&mut keys, now);
                }
            }
            let signs = signer(&keys, now).expect("there is never no signer");
            assert!(published(&keys, now).contains(&signs), "the signer is published");
            for row in &keys {
                let Schedule { published_from, signs_from, signs_until, published_until } = row.schedule;
                assert!(published_from <= signs_from && signs_from < signs_until && signs_until < published_until, "{row:?}");
                let known = signs_from >= published_from + policy.notice();
                assert!(known || emergencies.contains(&row.epoch), "{row:?} signs before every cache knows it");
            }
        }
    }
}

fn apply_all(keys: &mut Vec<SigningKey>, rule: fn(&[SigningKey], UnixTime, &KeyPolicy) -> Rotation, now: UnixTime) {
    let rotation = rule(keys, now, &KeyPolicy::default());
    apply(keys, &rotation);
}
