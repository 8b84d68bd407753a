//! What each command ends with: 0 when what was asked for holds, 1 when it cannot be done, 2 when arguments, input or configuration
//! are wrong. One table, run from top to bottom on one database.

use super::Place;

const FILE: &str = "[scopes]\n\"orders:read\" = \"Read your orders\"\n[resources]\n\"https://api.example.com\" = \"the orders\"\n\
                    [[clients]]\nid = \"shop\"\nname = \"The shop\"\nauthentication = \"client_secret_basic\"\n\
                    secret_hash = \"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"\ngrant_types = [\"client_credentials\"]\n";

/// A command line, what is typed, and the exit code.
type Row = (&'static str, &'static str, i32);

const GOOD: &str = "an engine that weaves\n";

const USERS: &[Row] = &[
    ("users add root --administrator --password-stdin", GOOD, 0),
    ("users add ada --password-stdin", GOOD, 0),
    ("users add ada --password-stdin", GOOD, 1),
    ("users add bob --password-stdin", "short\n", 2),
    ("users add bob --password-stdin", "", 2),
    ("users add bob --password-stdin --generate-password", "", 2),
    ("users add bob --generate-password --email nobody", "", 2),
    ("users add bob --generate-password --email-verified", "", 2),
    ("users add bob --generate-password --email-verified=perhaps", "", 2),
    ("users add bob --generate-password --phone-number 030123", "", 2),
    ("users add bob --generate-password --role=", "", 2),
    ("users add bob --generate-password --claim birthdate=tomorrow", "", 2),
    ("users add bob --generate-password --claim shoe_size=7", "", 2),
    ("users add bob --generate-password --attribute x={}", "", 2),
    ("users add bob --generate-password --attribute x", "", 2),
    ("users add a\u{7}b --generate-password", "", 2),
    ("users add", "", 2),
    ("users list", "", 0),
    ("users list --limit 0", "", 2),
    ("users list --after zoe", "", 0),
    ("users show ada", "", 0),
    ("users show bob", "", 1),
    ("users show --sub nobody", "", 1),
    ("users show ada --sub nobody", "", 2),
    ("users show", "", 2),
    ("users update ada --email ada@example.com --role clerk --attribute floor=3", "", 0),
    ("users update ada --email ada@example.com --role clerk --attribute floor=3", "", 0),
    ("users update ada --phone-number-verified", "", 1),
    ("users update ada --role clerk --no-role", "", 2),
    ("users update ada --claim picture=http://a.example/", "", 2),
    ("users update bob --name Bob", "", 1),
    ("users update bob --email nobody", "", 2),
    ("users set-password ada --password-stdin", GOOD, 0),
    ("users set-password ada --password-stdin", "short\n", 2),
    ("users set-password bob --generate-password", "", 1),
    ("users grant-admin ada", "", 0),
    ("users grant-admin ada", "", 0),
    ("users grant-admin ada --revoke", "", 0),
    ("users grant-admin ada --revoke", "", 0),
    ("users grant-admin bob", "", 1),
    ("users grant-admin root --revoke", "", 1),
    ("users disable root", "", 1),
    ("users delete root", "", 1),
    ("users disable ada", "", 0),
    ("users disable ada", "", 0),
    ("users enable ada", "", 0),
    ("users enable ada", "", 0),
    ("users enable bob", "", 1),
    ("users disable bob", "", 1),
    ("users delete bob", "", 1),
];

const CLIENTS: &[Row] = &[
    ("clients apply", "", 0),
    ("clients apply", "", 0),
    ("clients add batch --name Batch --grant-type client_credentials --scope orders:read", "", 0),
    ("clients add batch --name Batch --grant-type client_credentials", "", 1),
    ("clients add shop --name Shop --grant-type client_credentials", "", 1),
    ("clients add a/b --name x --grant-type client_credentials", "", 2),
    ("clients add other --grant-type client_credentials", "", 2),
    ("clients add other --name x", "", 2),
    ("clients add other --name= --grant-type client_credentials", "", 2),
    ("clients add other --name x --grant-type password", "", 2),
    ("clients add other --name x --grant-type client_credentials --public", "", 2),
    ("clients add other --name x --grant-type client_credentials --scope undeclared", "", 2),
    ("clients add other --name x --grant-type client_credentials --scope a\u{e9}", "", 2),
    ("clients add other --name x --grant-type client_credentials --resource https://elsewhere.example", "", 2),
    ("clients add other --name x --grant-type client_credentials --default-resource https://api.example.com", "", 2),
    ("clients add other --name x --redirect-uri http://x.example/cb", "", 2),
    ("clients add other --name x --redirect-uri https://x.example/*", "", 2),
    ("clients add other --name x --grant-type client_credentials --access-token 2h", "", 2),
    ("clients add other --name x --grant-type client_credentials --secret-expires-in soon", "", 2),
    ("clients add other --name x --public --redirect-uri https://x.example/cb --secret-expires-in 9d", "", 2),
    ("clients add other --name x --public --redirect-uri https://x.example/cb --without-pkce", "", 2),
    ("clients add other --name x --grant-type client_credentials --mapped-claim sub=roles", "", 2),
    ("clients add spa --name Spa --public --redirect-uri https://spa.example/cb", "", 0),
    ("clients list", "", 0),
    ("clients show batch", "", 0),
    ("clients show other", "", 1),
    ("clients update batch --name Nightly", "", 0),
    ("clients update batch --name Nightly", "", 0),
    ("clients update batch --name=", "", 2),
    ("clients update batch --scope undeclared", "", 2),
    ("clients update batch --clear everything", "", 2),
    ("clients update batch --public", "", 1),
    ("clients update batch --grant-type authorization_code", "", 1),
    ("clients update shop --name x", "", 1),
    ("clients update other --name x", "", 1),
    ("clients update other --scope undeclared", "", 2),
    ("clients rotate-secret batch", "", 0),
    ("clients rotate-secret batch", "", 0),
    ("clients rotate-secret batch --leaked", "", 0),
    ("clients rotate-secret batch --old-until 2020-01-01", "", 2),
    ("clients rotate-secret other --old-until 2020-01-01", "", 2),
    ("clients rotate-secret batch --old-for 7d --leaked", "", 2),
    ("clients rotate-secret batch --old-for never", "", 2),
    ("clients rotate-secret spa", "", 1),
    ("clients rotate-secret shop", "", 1),
    ("clients rotate-secret other", "", 1),
    ("clients disable batch", "", 0),
    ("clients disable batch", "", 0),
    ("clients enable batch", "", 0),
    ("clients enable batch", "", 0),
    ("clients disable shop", "", 0),
    ("clients enable shop", "", 0),
    ("clients rotate-secret shop --leaked", "", 0),
    ("clients rotate-secret shop --leaked", "", 0),
    ("clients disable other", "", 1),
    ("clients enable other", "", 1),
];

const REST: &[Row] = &[
    ("sessions list", "", 0),
    ("sessions list --user ada", "", 0),
    ("sessions list --user bob", "", 1),
    ("sessions list --user ada --sub x", "", 2),
    ("sessions end nothing", "", 1),
    ("sessions end", "", 2),
    ("sessions end --user ada", "", 2),
    ("sessions end --user ada --all", "", 0),
    ("sessions end --user ada --all", "", 0),
    ("sessions end --user bob --all", "", 1),
    ("consents list", "", 0),
    ("consents list --user ada --client batch", "", 0),
    ("consents list --user bob", "", 1),
    ("consents list --client a/b", "", 2),
    ("consents revoke --user ada --client batch", "", 0),
    ("consents revoke --user ada --client batch", "", 0),
    ("consents revoke --user ada --client other", "", 1),
    ("consents revoke --sub nobody --client batch", "", 1),
    ("consents revoke --client batch", "", 2),
    ("consents revoke --user ada", "", 2),
    ("audit", "", 0),
    ("audit --user ada --client batch --action client_create --since 1h --limit 5", "", 0),
    ("audit --sub nobody", "", 0),
    ("audit --user bob", "", 1),
    ("audit --since soon", "", 2),
    ("audit --action dance", "", 2),
    ("audit --limit 0", "", 2),
    ("keys list", "", 0),
    ("keys rotate", "", 0),
    ("keys rotate", "", 0),
    ("keys revoke nothing", "", 1),
    ("keys revoke", "", 2),
    ("check-config", "", 0),
    ("check-config --sample", "", 0),
    ("--config /no/such/file users list", "", 2),
    ("users dance", "", 2),
    ("dance", "", 2),
    ("--version", "", 0),
    ("clients --help", "", 0),
    ("clients remove shop", "", 1),
    ("clients remove batch", "", 0),
    ("clients remove batch", "", 1),
    ("users delete ada", "", 0),
    ("users delete ada", "", 1),
];

on_both_engines_by_command! {
    fn every_command_ends_as_it_should(engine) {
        let place = Place::on(engine, FILE);
        for (line, typed, code) in [USERS, CLIENTS, REST].concat() {
            let output = place.run_with(&line.split(' ').collect::<Vec<_>>(), typed);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{line}: {said}");
            assert_eq!(said.is_empty(), code == 0, "{line}: {said}");
        }
        let key = place.json(&["keys", "list"], "")["keys"][0]["kid"].as_str().unwrap().to_owned();
        assert_eq!(place.json(&["keys", "revoke", &key], "")["changed"], true);
        assert_eq!(place.json(&["keys", "revoke", &key], "")["changed"], false, "the key is dead, as was asked");
    }
}

#[test]
fn wrong_arguments_are_noticed_before_anything_is_made() {
    let place = Place::new(FILE);
    let before_a_database = |line: &str| !["show", "list"].iter().any(|word| line.contains(word));
    for (line, typed, _) in
        [USERS, CLIENTS, REST].concat().into_iter().filter(|(line, _, code)| *code == 2 && before_a_database(line))
    {
        let output = place.run_with(&line.split(' ').collect::<Vec<_>>(), typed);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!place.path("data").exists());
}
