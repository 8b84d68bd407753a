//! A server that does not start and a program that fails say why.

use passant_tests::clients::Program;
use passant_tests::issuer::Prepared;
use passant_tests::world::Engine;

#[tokio::test]
#[should_panic(expected = "nonsense")]
async fn a_server_that_does_not_start_says_why() {
    Prepared::new(Engine::Sqlite, "nonsense = true\n").await.serve().await;
}

#[tokio::test]
async fn a_program_that_fails_is_quoted() {
    let prepared = Prepared::new(Engine::Sqlite, "").await;
    let nobody = [("ISSUER", "nowhere"), ("CLIENT_ID", "nobody"), ("CLIENT_SECRET", "none")];
    for (program, words) in [
        (Program::node("openid_client.mjs"), "Invalid URL"),
        (Program::python("with_pyjwt.py"), "KeyError: 'REDIRECT_URI'"),
        (Program::go(), "unsupported protocol scheme"),
    ] {
        let failure = program.run(&prepared.root(), &nobody).await.unwrap_err();
        assert!(failure.contains(words), "{failure}");
    }
}
