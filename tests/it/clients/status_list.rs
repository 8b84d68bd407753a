//! A verifier of another vendor, which knows Token Status Lists and nothing of Passant: `tests/clients/node/status_list.mjs`.

use passant::secret::TokenHash;
use passant_tests::clients::Program;
use passant_tests::issuer::Prepared;

use super::Registration;

on_both_engines! {
    /// npm: @sd-jwt/jwt-status-list, with jose.
    async fn sd_jwt_status_list(engine) {
        let secret = Registration::PLAIN.secret;
        let configuration = format!(
            "[[clients]]\nid = \"batch\"\nname = \"Nightly batch\"\nauthentication = \"client_secret_basic\"\n\
             secret_hash = {:?}\ngrant_types = [\"client_credentials\"]\nstatus_list = true\n",
            TokenHash::of(secret).as_str()
        );
        let issuer = Prepared::new(engine, &configuration).await.serve().await;
        let environment = [("ISSUER", issuer.url.as_str()), ("CLIENT_ID", "batch"), ("CLIENT_SECRET", secret)];
        let seen = Program::node("status_list.mjs").run(&issuer.root(), &environment).await;
        let seen = seen.unwrap_or_else(|why| panic!("{why}\nthe issuer's log:\n{}", issuer.log()));
        for (when, statuses) in [("before", [0, 0]), ("after", [1, 0])] {
            for (number, status) in statuses.into_iter().enumerate() {
                let one = &seen[when][number];
                assert_eq!((&one["status"], &one["ttl"]), (&status.into(), &60.into()), "{seen}");
                assert_eq!(one["media_type"], "application/statuslist+jwt");
                assert!(one["uri"].as_str().unwrap().starts_with(&format!("{}/status-lists/", issuer.url)), "{seen}");
            }
        }
        assert_ne!(seen["before"][0]["idx"], seen["before"][1]["idx"]);
    }
}
