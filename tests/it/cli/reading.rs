//! Commands that only read change nothing: neither a database that is there nor one that is not.

use passant_tests::world::Engine;

use super::Place;

const READING: [&[&str]; 8] = [
    &["users", "list"],
    &["users", "show", "ada"],
    &["clients", "list"],
    &["clients", "show", "batch"],
    &["sessions", "list"],
    &["consents", "list"],
    &["keys", "list"],
    &["audit"],
];

/// Commands that change what is there, and have nothing to change where nothing is.
const CHANGING: [&[&str]; 14] = [
    &["users", "update", "ada", "--name", "Ada"],
    &["users", "set-password", "ada", "--generate-password"],
    &["users", "disable", "ada"],
    &["users", "enable", "ada"],
    &["users", "delete", "ada"],
    &["users", "grant-admin", "ada"],
    &["clients", "update", "batch", "--name", "Batch"],
    &["clients", "rotate-secret", "batch"],
    &["clients", "disable", "batch"],
    &["clients", "remove", "batch"],
    &["sessions", "end", "--user", "ada", "--all"],
    &["consents", "revoke", "--user", "ada", "--client", "batch"],
    &["keys", "rotate"],
    &["keys", "revoke", "kid"],
];

on_both_engines_by_command! {
    fn what_is_not_there_is_looked_for_and_not_made(engine) {
        let place = Place::on(engine, "");
        for arguments in READING.iter().chain(&CHANGING) {
            let (code, said) = place.refusal(arguments);
            let where_it_looked = match engine {
                Engine::Sqlite => place.path("data/passant.sqlite").to_str().unwrap().to_owned(),
                Engine::Postgres => "postgres://localhost/empty_".to_owned(),
            };
            assert!(code == Some(1) && said.contains("there is no issuer yet"), "{arguments:?}: {said}");
            assert!(said.contains(&where_it_looked), "{arguments:?}: {said}");
        }
        assert!(!place.path("data").exists());
        if engine == Engine::Postgres {
            assert_eq!(place.execute("CREATE TABLE migrations (nobody TEXT)"), 0, "there was no table of that name");
        }
    }

    fn what_is_there_stays_as_it_is(engine) {
        let place = Place::on(engine, "");
        place.json(&["users", "add", "ada", "--generate-password"], "");
        place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
        place.execute("DELETE FROM signing_keys");
        let before = place.dump();
        for arguments in READING {
            place.json(arguments, "");
        }
        assert_eq!(place.json(&["keys", "list"], "")["keys"].as_array().map(Vec::len), Some(0), "no key was planned");
        assert!(place.dump() == before, "nothing was written");
    }

    fn a_database_that_waits_for_migrations_is_not_read(engine) {
        let place = Place::on(engine, "");
        place.json(&["users", "add", "ada", "--generate-password"], "");
        assert_eq!(place.execute("DELETE FROM migrations WHERE number = 2"), 1);
        for arguments in READING {
            let (code, said) = place.refusal(arguments);
            assert!(code == Some(1) && said.contains("waits for 1 migration:"), "{arguments:?}: {said}");
        }
        assert_eq!(place.execute("DELETE FROM migrations WHERE number = 2"), 0, "none was applied");
    }
}

#[test]
fn reading_needs_no_master_key() {
    let place = Place::new("");
    place.json(&["users", "add", "ada", "--generate-password"], "");
    place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
    std::fs::remove_file(place.path("data/master.key")).unwrap();
    for arguments in READING {
        place.json(arguments, "");
    }
    assert!(!place.path("data/master.key").exists());
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let place = Place::new("");
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("data/passant.sqlite"), "this is a letter to a friend of mine ".repeat(99)).unwrap();
    let (code, said) = place.refusal(&["users", "list"]);
    assert!(code == Some(1) && said.contains("data/passant.sqlite cannot be read"), "{said}");
}
