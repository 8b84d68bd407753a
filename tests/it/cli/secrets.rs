//! The secrets of the file's clients: needed by what brings them into the database, and by nothing else.

use serde_json::json;

use super::Place;

const FILE: &str = "[[clients]]\nid = \"shop\"\nname = \"The shop\"\nauthentication = \"client_secret_basic\"\n\
                    secret_env = \"SHOP_SECRET\"\ngrant_types = [\"client_credentials\"]\n\
                    [[clients]]\nid = \"till\"\nname = \"The till\"\nauthentication = \"client_secret_basic\"\n\
                    secret_file = \"/no/such/file\"\ngrant_types = [\"client_credentials\"]\n";
const SECRET: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_drawn";

on_both_engines_by_command! {
    fn only_what_reconciles_needs_the_secrets_of_the_files_clients(engine) {
        let place = Place::on(engine, FILE);
        for reconciling in [&["serve"][..], &["clients", "apply"], &["check-config"]] {
            let (code, said) = place.refusal(reconciling);
            assert!(code == Some(2) && said.contains("no variable SHOP_SECRET"), "{reconciling:?}: {said}");
        }
        let ada = ["users", "add", "ada", "--generate-password"];
        let sub = place.json(&ada, "")["sub"].as_str().unwrap().to_owned();
        place.json(&["clients", "add", "batch", "--name", "Batch", "--grant-type", "client_credentials"], "");
        for other in [
            &["users", "show", "ada"][..],
            &["users", "list"],
            &["users", "update", "ada", "--name", "Ada"],
            &["users", "set-password", "ada", "--generate-password"],
            &["users", "disable", "ada"],
            &["users", "enable", "ada"],
            &["users", "grant-admin", "ada"],
            &["clients", "show", "batch"],
            &["clients", "list"],
            &["clients", "update", "batch", "--name", "Night batch"],
            &["clients", "rotate-secret", "batch"],
            &["clients", "disable", "batch"],
            &["clients", "enable", "batch"],
            &["sessions", "list"],
            &["sessions", "end", "--user", "ada", "--all"],
            &["consents", "list"],
            &["consents", "revoke", "--sub", &sub, "--client", "batch"],
            &["clients", "remove", "batch"],
            &["keys", "list"],
            &["keys", "rotate"],
            &["audit"],
            &["users", "delete", "ada", "--force"],
        ] {
            place.json(other, "");
        }
    }

    fn commands_leave_the_secrets_that_a_start_brought_alone(engine) {
        let shop = FILE.split("[[clients]]\nid = \"till\"").next().unwrap();
        let place = Place::on(engine, shop);
        let applied = place.run_in(&[("SHOP_SECRET", SECRET)], &["clients", "apply", "--json"], "");
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let secrets = || place.json(&["clients", "show", "shop"], "")["secrets"].clone();
        let before = secrets();
        assert_eq!(before.as_array().unwrap().len(), 1);
        place.json(&["clients", "disable", "shop"], "");
        place.json(&["clients", "enable", "shop"], "");
        assert_eq!(secrets(), before);
        assert_eq!(place.run_in(&[("SHOP_SECRET", SECRET)], &["check-config", "--json"], "").status.code(), Some(0));
        assert_eq!(place.json(&["clients", "list"], "")["warnings"], json!([]));
    }
}
