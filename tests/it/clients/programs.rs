//! The clients of other languages, each a program in `tests/clients`.

use passant_tests::clients::Program;
use passant_tests::world::Engine;

use super::{Registration, Shop};

/// Runs a program for a client.
async fn run(engine: Engine, program: Program, client: Registration<'_>, mixed_up: &[&str]) {
    let shop = Shop::open(engine, client).await;
    let done = program.run(&shop.issuer.root(), &shop.environment()).await;
    let done = done.unwrap_or_else(|why| panic!("{why}\nthe issuer's log:\n{}", shop.issuer.log()));
    let report = serde_json::from_value(done.clone()).unwrap_or_else(|why| panic!("{why} in {done}"));
    shop.judge(&report, mixed_up);
}

on_both_engines! {
    /// npm.
    async fn openid_client(engine) {
        run(engine, Program::node("openid_client.mjs"), Registration::BASIC, &["iss", "state"]).await;
    }

    /// npm.
    async fn oauth4webapi(engine) {
        run(engine, Program::node("oauth4webapi.mjs"), Registration::POST, &["iss", "state"]).await;
    }

    /// PyPI, in Flask.
    async fn authlib(engine) {
        run(engine, Program::python("with_authlib.py"), Registration::PLAIN, &["state"]).await;
    }

    /// PyPI, with its PyJWKClient.
    async fn pyjwt(engine) {
        run(engine, Program::python("with_pyjwt.py"), Registration::PLAIN, &["aud", "state"]).await;
    }

    /// Go, with golang.org/x/oauth2.
    async fn go_oidc(engine) {
        run(engine, Program::go(), Registration::BASIC, &["aud"]).await;
    }
}
