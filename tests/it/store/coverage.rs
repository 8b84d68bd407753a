//! Nothing of the store is left out of this suite: its sources are read as text, and every public async function must be called
//! from here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The names after `pub async fn` in a source.
fn public_functions(source: &str) -> BTreeSet<&str> {
    let names = source.split("pub async fn ").skip(1);
    names.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()).collect()
}

/// What the tests never call: a module's function as `module::name(`, one of `Db` as `.name(` or `Db::name(`.
fn uncalled(module: &str, source: &str, tests: &str) -> Vec<String> {
    let called = |name: &str| match module {
        "db" => tests.contains(&format!(".{name}(")) || tests.contains(&format!("Db::{name}(")),
        _ => tests.contains(&format!(" {module}::{name}(")) || tests.contains(&format!("({module}::{name}(")),
    };
    public_functions(source).into_iter().filter(|name| !called(name)).map(|name| format!("{module}::{name}")).collect()
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .filter(|(module, _)| module != "coverage")
        .collect()
}

#[test]
fn every_public_function_of_the_store_is_called_by_this_suite() {
    let tests: String = sources("it/store").into_iter().map(|(_, text)| text).collect();
    let store = sources("../issuer/src/store");
    assert!(store.iter().map(|(_, source)| public_functions(source).len()).sum::<usize>() > 40, "the scanner sees the store");
    let missing: Vec<String> = store.iter().flat_map(|(module, source)| uncalled(module, source, &tests)).collect();
    assert!(missing.is_empty(), "no test calls {}", missing.join(", "));
}

#[test]
fn a_function_that_no_test_calls_is_noticed() {
    let source = "pub async fn find(conn: C) {}\npub async fn lose<T>(t: T) {}\nasync fn private() {}\npub fn plain() {}";
    assert_eq!(uncalled("users", source, "let a = users::find(conn).await; lose(); rogue_users::lose()"), ["users::lose"]);
    assert_eq!(uncalled("users", source, "read!(users::find(c)); commit!(users::lose(t))"), [""; 0]);
    assert_eq!(
        uncalled("db", "impl Db {\n    pub async fn ping(&self) {}\n pub async fn close() {}", "it.db.ping()"),
        ["db::close"]
    );
}
