//! A server that does not start and a program that fails say why; and what is installed is pinned.

use std::path::Path;

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

#[test]
fn lock_files_pin_by_hash_and_name_no_registry() {
    let read = |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let (node, python) = (read("node/package-lock.json"), read("python/requirements.txt"));
    assert!(!node.contains("\"resolved\"") && !python.contains("://"));
    assert_eq!(node.matches("\"node_modules/").count(), node.matches("\"integrity\": \"sha512-").count());
    for package in python.split("\n").filter(|line| line.contains("==")) {
        assert!(package.ends_with('\\') && python.contains(&format!("{package}\n    --hash=sha256:")), "{package}");
    }
}
