//! Who ran a command, as the trail tells it.

use std::process::Command;

use super::Place;

on_both_engines_by_command! {
    fn the_operator_is_the_account_of_the_system_whatever_the_environment_says(engine) {
        let place = Place::on(engine, "");
        let account = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let account = account.trim();
        let environment = [("LOGNAME", "mallory"), ("USER", "mallory"), ("LOGIN", "mallory")];
        let add = |name| ["users", "add", name, "--generate-password"];
        assert!(place.run_in(&environment, &add("ada"), "").status.success());
        assert!(place.run_in(&[("SUDO_USER", "grace")], &add("bob"), "").status.success());
        let actor = |name: &str| place.json(&["audit", "--user", name], "")["entries"][0]["actor"].as_str().unwrap().to_owned();
        assert_eq!(actor("ada"), account);
        assert_eq!(actor("bob"), format!("{account} (SUDO_USER claims grace)"));
    }
}
