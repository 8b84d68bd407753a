//! Another master key: beside running servers, wherever it comes from, and wherever the move is interrupted.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use passant::app::{App, succession};
use passant::jobs::{Job, RotateKeys, Sweep};
use passant::keys::{MasterKey, MasterKeyPlace, master_file};
use passant_tests::binary::run;
use passant_tests::on_both_engines;
use passant_tests::world::{Directory, Tokens, World};
use serde_json::Value;

use super::ADA;

const SECOND: Duration = Duration::from_secs(1);

async fn in_force(world: &World) -> String {
    world.rows::<(String,)>("SELECT master_key_id FROM master_key").await.remove(0).0
}

fn ids(file: &Path) -> Vec<String> {
    master_file::load(file).unwrap().iter().map(|key| key.id().to_owned()).collect()
}

/// The master keys kept beside the file.
fn beside(file: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().contains(".retired-")).collect()
}

/// What a running server does every second.
async fn look(world: &World, app: &App) {
    world.advance(SECOND);
    RotateKeys::default().step(app).await;
}

async fn signs(world: &Arc<World>) -> StatusCode {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let client = world.client(&format!("batch-{}", ASKED.fetch_add(1, Ordering::Relaxed)), |_| {}).await;
    client.token(world, &[("grant_type", "client_credentials")]).await.status
}

async fn ready(world: &Arc<World>) -> (StatusCode, String) {
    let answer = world.agent().get("/readyz").await;
    (answer.status, answer.json()["master_key"].as_str().unwrap().to_owned())
}

on_both_engines! {
    async fn rotate_master_seals_every_key_and_loses_neither_token_nor_retry(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        let successor = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        let (old, sql) = (in_force(&world).await, "SELECT COUNT(*) FROM cutoffs");
        let cutoffs: Vec<(i64,)> = world.rows(sql).await;

        let answer = world.command(&["keys", "rotate-master"]);
        let new = in_force(&world).await;
        assert_ne!(new, old);
        assert_eq!((&answer["master_key_id"], &answer["changed"]), (&Value::from(new.clone()), &Value::from(true)));
        assert_eq!(ids(&world.master_key()), [new.clone()]);
        let kept = beside(&world.master_key());
        assert_eq!((ids(&kept[0]), kept.len()), (vec![old.clone()], 1));
        assert_eq!(std::fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed: Vec<(String,)> = world.rows("SELECT DISTINCT master_key_id FROM signing_keys WHERE revoked_at IS NULL").await;
        assert_eq!(sealed, [(new.clone(),)]);

        look(&world, &world.app).await;
        assert_eq!((world.app.masters.in_force().id(), ready(&world).await.1.as_str()), (new.as_str(), "ok"));
        assert_eq!(agent.userinfo(first.access()).await.status, StatusCode::OK, "every token lives on");
        let again = Tokens::of(&client.refresh(&agent, first.refresh()).await);
        assert_eq!(again.refresh(), successor.refresh(), "the retry of before the move brings the same successor");
        assert_eq!(signs(&world).await, StatusCode::OK);
        let (started, twice) = (world.replica().await, world.command(&["keys", "rotate-master"]));
        assert!(started.refresh_key_of(&old).await.is_some(), "a server that knows the new key alone can answer it too");
        look(&world, &started).await;
        assert_eq!(started.masters.in_force().id(), twice["master_key_id"].as_str().unwrap());
        assert!(started.refresh_key_of(&old).await.is_some(), "also after another move");
        assert_eq!(world.rows::<(i64,)>(sql).await.len(), cutoffs.len());

        world.advance(6 * 60 * SECOND);
        Sweep::default().step(&started).await;
        look(&world, &started).await;
        assert!(started.refresh_key_of(&old).await.is_none(), "nothing of it is kept when no retry can come any more");
    }

    async fn request_that_a_server_had_read_before_the_move_ends_well(world) {
        let client = world.client("batch", |_| {}).await;
        world.user(ADA.0, ADA.1).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        world.command(&["keys", "rotate-master"]);
        // This server has not looked yet: it derives by the old one.
        let successor = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        look(&world, &world.app).await;
        let again = Tokens::of(&client.refresh(&agent, tokens.refresh()).await);
        assert_eq!(again.refresh(), successor.refresh());
    }

    async fn successor_of_a_server_that_moved_first_is_found_by_one_that_has_not_looked(world) {
        let moved = world.replica().await;
        world.command(&["keys", "rotate-master"]);
        look(&world, &moved).await;
        let (name, _) = moved.refresh_key();
        assert_ne!(world.app.masters.in_force().id(), name);
        assert!(world.app.refresh_key_of(&name).await.is_some());
    }

    async fn interrupted_move_opens_at_every_point_and_the_same_command_goes_on(world) {
        let (file, old) = (world.master_key(), in_force(&world).await);
        let before = master_file::load(&file).unwrap().remove(0);
        let new = MasterKey::random();
        master_file::replace(&file, &[new.clone(), before.clone()]).unwrap();
        assert_eq!(world.replica().await.masters.in_force().id(), old, "the file is ahead of the database");
        let answer = world.command(&["keys", "rotate-master"]);
        assert_eq!((answer["master_key_id"].as_str(), answer["changed"].as_bool()), (Some(new.id()), Some(true)));

        let newer = MasterKey::random();
        master_file::replace(&file, &[newer.clone(), new.clone()]).unwrap();
        let moving = world.replica().await;
        assert!(succession::reseal(&moving, &newer).await.unwrap());
        assert!(!succession::reseal(&moving, &newer).await.unwrap(), "it is in force");
        assert_eq!(world.replica().await.masters.in_force().id(), newer.id(), "the database is ahead of the file's tidying");
        let answer = world.command(&["keys", "rotate-master"]);
        assert_eq!((answer["master_key_id"].as_str(), answer["changed"].as_bool()), (Some(newer.id()), Some(false)));
        assert_eq!((ids(&file), beside(&file).len()), (vec![newer.id().to_owned()], 2));
        look(&world, &world.app).await;
        assert_eq!(signs(&world).await, StatusCode::OK);
    }

    async fn first_key_that_was_in_force_before_and_a_stray_one_are_refused_with_words(world) {
        let (file, old) = (world.master_key(), master_file::load(&world.master_key()).unwrap().remove(0));
        world.command(&["keys", "rotate-master"]);
        let new = master_file::load(&file).unwrap().remove(0);
        for (keys, says) in [
            ([old.clone(), new.clone()], "was in force before"),
            ([new.clone(), MasterKey::random()], "put it first to move to it"),
        ] {
            master_file::replace(&file, &keys).unwrap();
            let (succeeded, answer) = world.try_command(&["keys", "rotate-master"], "");
            assert!(!succeeded && answer["error"].as_str().unwrap().contains(says), "{answer}");
            assert_eq!(in_force(&world).await, new.id());
        }
    }

    async fn revoke_all_signs_at_once_and_a_running_server_notices_at_its_next_look(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        client.refresh(&agent, first.refresh()).await;
        // Something lies in the file already: it may be stolen too.
        let lying = MasterKey::random();
        let before = master_file::load(&world.master_key()).unwrap().remove(0);
        master_file::replace(&world.master_key(), &[lying.clone(), before]).unwrap();
        let answer = world.command(&["keys", "revoke", "--all"]);
        let (new, signing) = (in_force(&world).await, answer["signing"].as_str().unwrap().to_owned());
        assert_ne!(new, lying.id());
        assert_eq!((ids(&world.master_key()), beside(&world.master_key()).len()), (vec![new], 0), "the stolen one is kept nowhere");
        look(&world, &world.app).await;
        let jwks = world.agent().get("/jwks.json").await.json();
        let published: Vec<&str> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert!(published.contains(&signing.as_str()) && !published.contains(&first.header()["kid"].as_str().unwrap()));
        let tokens = agent.tokens(&client, ADA, &[]).await;
        assert_eq!(tokens.header()["kid"].as_str(), Some(signing.as_str()));
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::OK);
        let refused = client.refresh(&agent, first.refresh()).await;
        assert_eq!(refused.error(), "invalid_grant", "what the stolen one derived is worth nothing");
    }

    async fn server_without_the_key_in_force_says_so_signs_only_with_what_it_holds_and_recovers(world) {
        let (file, before) = (world.master_key(), master_file::load(&world.master_key()).unwrap());
        world.command(&["keys", "rotate-master"]);
        let after = master_file::load(&file).unwrap();
        master_file::replace(&file, &before).unwrap();
        look(&world, &world.app).await;
        assert_eq!(ready(&world).await, (StatusCode::SERVICE_UNAVAILABLE, "failing".to_owned()));
        assert_eq!(signs(&world).await, StatusCode::OK, "the key that is open still signs");
        let why = world.refused_replica(MasterKeyPlace::File(file.clone())).await;
        assert!(why.contains(after[0].id()) && why.contains(before[0].id()), "{why}");

        master_file::replace(&file, &after).unwrap();
        world.command(&["keys", "revoke", "--all"]);
        let replaced = master_file::load(&file).unwrap();
        master_file::replace(&file, &before).unwrap();
        look(&world, &world.app).await;
        assert_eq!(ready(&world).await, (StatusCode::SERVICE_UNAVAILABLE, "failing".to_owned()));
        assert_eq!(signs(&world).await, StatusCode::SERVICE_UNAVAILABLE, "a dead key signs nothing, whatever else is missing");
        master_file::replace(&file, &replaced).unwrap();
        look(&world, &world.app).await;
        assert_eq!((ready(&world).await.1.as_str(), signs(&world).await), ("ok", StatusCode::OK));
    }

    async fn command_is_run_again_for_a_key_it_does_not_know_and_no_oftener_than_every_ten_seconds(world) {
        let home = Directory::new();
        let (keys, runs) = (home.0.join("keys"), home.0.join("runs"));
        std::fs::copy(world.master_key(), &keys).unwrap();
        let command = format!("echo x >> {}; cat {}", runs.display(), keys.display());
        let app = world.replica_from(MasterKeyPlace::Command(command)).await;
        let count = || std::fs::read_to_string(&runs).unwrap().lines().count();
        let started = count();
        look(&world, &app).await;
        assert_eq!(count(), started, "nothing is asked while all is well");
        world.command(&["keys", "rotate-master"]);
        for _ in 0..10 {
            look(&world, &app).await;
        }
        assert_eq!((count() - started, app.masters.at_hand()), (1, false));
        std::fs::copy(world.master_key(), &keys).unwrap();
        look(&world, &app).await;
        assert_eq!((count() - started, app.masters.at_hand()), (2, true));
    }

    async fn server_that_was_given_both_moves_and_one_that_was_given_the_old_one_alone_does_not(world) {
        let old = master_file::load(&world.master_key()).unwrap().remove(0);
        let given = |keys: &[MasterKey]| MasterKeyPlace::Given { name: "a variable".to_owned(), keys: keys.to_vec() };
        let new = MasterKey::random();
        let both = world.replica_from(given(&[new.clone(), old.clone()])).await;
        let alone = world.replica_from(given(&[old])).await;
        assert!(succession::reseal(&both, &new).await.unwrap());
        look(&world, &alone).await;
        assert!(both.masters.at_hand() && !alone.masters.at_hand());
        let why = passant::app::rotation::reload(&alone).await.unwrap_err().to_string();
        assert!(why.contains("a variable") && why.contains("start this server again"), "{why}");
    }
}

/// The binary with its master key in a variable, beside a database of its own.
struct Variable {
    home: Directory,
}

impl Variable {
    fn run(&self, master_keys: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let data = self.home.0.to_str().unwrap();
        let environment = [("PASSANT_MASTER_KEY__ENV", "MASTER"), ("MASTER", master_keys)];
        let output = run(&[&["--json", "--data-dir", data], arguments].concat(), "", &environment);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn variable_moves_in_two_steps_and_nothing_is_lost_between_them() {
    let place = Variable { home: Directory::new() };
    let (old, new, stolen) = (MasterKey::random(), MasterKey::random(), MasterKey::random());
    let text = |keys: &[&MasterKey]| keys.iter().map(|key| key.to_text().expose().clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(place.run(&text(&[&old]), &["users", "add", "ada", "--generate-password"]).0, Some(0));
    for arguments in [&["keys", "rotate-master"][..], &["keys", "revoke", "--all"]] {
        let (code, said) = place.run(&text(&[&old]), arguments);
        assert!(code == Some(1) && said.contains("nothing has changed") && said.contains("put it before the old one"), "{said}");
    }
    let (code, said) = place.run(&text(&[&new, &old]), &["keys", "rotate-master"]);
    assert!(code == Some(0) && said.contains(new.id()), "{said}");
    let users = |keys: &[&MasterKey]| place.run(&text(keys), &["users", "enable", "ada"]);
    assert_eq!((users(&[&new, &old]).0, users(&[&new]).0), (Some(0), Some(0)));
    let (code, said) = users(&[&old]);
    assert!(code == Some(1) && said.contains("MASTER") && said.contains(new.id()), "{said}");
    let (code, said) = place.run(&text(&[&stolen, &new]), &["keys", "revoke", "--all"]);
    assert!(code == Some(0) && said.contains("\"effective_within\":1") && said.contains(stolen.id()), "{said}");
    assert_eq!(users(&[&stolen]).0, Some(0));
}
