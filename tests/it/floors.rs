//! The house rules that the compiler does not hold: imports go down, each driver has one place that names it, files stay small.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the ground up. What is not listed may not exist.
const FLOORS: [(&str, u8); 13] = [
    ("secret", 0),
    ("clock", 0),
    ("measures", 0),
    ("domain", 1),
    ("config", 1),
    ("keys", 2),
    ("store", 2),
    ("feed", 3),
    ("app", 4),
    ("http", 5),
    ("jobs", 5),
    ("cli", 6),
    ("main", 7),
];

/// Who alone may name what.
const PLACES: [(&str, &str); 13] = [
    ("sqlx", "store/"),
    ("axum", "http/"),
    ("askama", "http/"),
    ("tower", "http/"),
    ("tower_http", "http/"),
    ("hyper", "http/"),
    ("hyper_util", "http/"),
    ("tokio_rustls", "http/serve/"),
    ("josekit", "keys/"),
    ("metrics_exporter_prometheus", "measures.rs"),
    ("getrandom", "secret.rs"),
    ("SystemTime", "clock.rs"),
    ("clock_timestamp", "store/db.rs"),
];

/// A source file: its path below `src/` and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn top_module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many modules deep the file's own module is: `clock.rs` and `store/mod.rs` are at 1.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn before_tests(&self) -> &str {
        self.text.find("\n#[cfg(test)]\nmod ").map_or(&self.text, |tests| &self.text[..tests])
    }
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == module).map(|(_, floor)| *floor)
}

fn may_import(from: &str, to: &str) -> bool {
    match (floor(from), floor(to)) {
        (Some(here), Some(there)) => from == to || there < here || (from, to) == ("config", "domain"),
        _ => false,
    }
}

/// The code without comments, and with nothing in its strings.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| literal(rest));
        code.push(if skipped.is_some() { ' ' } else { first });
        rest = &rest[skipped.unwrap_or(first.len_utf8())..];
    }
    code
}

/// The length of the comment that the text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of the string or character that the text begins with.
fn literal(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let fence: String = raw.chars().take_while(|c| *c == '#').collect();
        let inside = raw[fence.len()..].strip_prefix('"')?;
        let end = format!("\"{fence}");
        return inside.find(&end).map(|at| 2 + fence.len() + at + end.len());
    }
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut inside = text.char_indices().skip(1);
    while let Some((at, c)) = inside.next() {
        match c {
            '\\' => drop(inside.next()),
            _ if c == quote => return Some(at + 1),
            // A lifetime, not a character.
            _ if quote == '\'' && at > 1 && !text.starts_with("'\\") => return None,
            _ => {}
        }
    }
    None
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn names(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_name(c)).filter(|name| !name.is_empty())
}

/// What follows each occurrence of a path's beginning, where it begins.
fn after<'a>(code: &'a str, beginning: &str) -> Vec<&'a str> {
    let starts = code.match_indices(beginning).filter(|(at, _)| !code[..*at].ends_with(|c| is_name(c) || c == ':'));
    starts.map(|(at, _)| &code[at + beginning.len()..]).collect()
}

/// The first names of a path or of each path of a group: `a::b` or `{a::b, c::{d, e}}`.
fn heads(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else { return names(path).take(1).collect() };
    let (mut depth, mut expecting, mut heads) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' => expecting = depth == 0,
            _ if expecting && is_name(c) => {
                expecting = false;
                heads.extend(names(&group[at..]).next());
            }
            _ => {}
        }
    }
    heads
}

/// The top modules that a file names.
fn imports(source: &Source) -> BTreeSet<String> {
    let whole = code(&source.text);
    let upwards = "super::".repeat(source.depth());
    let own = code(source.before_tests());
    let paths = after(&whole, "crate::").into_iter().chain(after(&whole, "passant::")).chain(after(&own, &upwards));
    paths.flat_map(heads).map(str::to_owned).collect()
}

fn climbs(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        for import in imports(source) {
            if !may_import(source.top_module(), &import) {
                found.push(format!("{} imports {import}", source.path));
            }
        }
    }
    found
}

fn misplaced(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        // One place asks the database for its time, inside a string.
        let (code, text) = (code(&source.text), source.text.as_str());
        for (name, place) in PLACES {
            let named = names(if name == "clock_timestamp" { text } else { &code }).any(|known| known == name);
            if named && !source.path.starts_with(place) {
                found.push(format!("{} names {name}", source.path));
            }
        }
    }
    found
}

/// Which sizes are over: the largest, the 95th percentile and the median of the lines before the tests.
fn oversized(sources: &[Source]) -> Vec<String> {
    let mut sizes: Vec<(usize, &str)> = sources
        .iter()
        .filter(|source| !source.is_test())
        .map(|source| (source.before_tests().lines().count(), source.path.as_str()))
        .collect();
    sizes.sort_unstable();
    let Some(last) = sizes.len().checked_sub(1) else { return Vec::new() };
    let measures = [("the largest", last, 500), ("the 95th percentile", last * 95 / 100, 350), ("the median", last / 2, 120)];
    let over = measures.iter().filter(|(_, place, most)| sizes[*place].0 > *most);
    over.map(|(what, place, most)| format!("{what}, {}, has {} lines, over {most}", sizes[*place].1, sizes[*place].0)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &str) -> Vec<Source> {
    let (base, mut found) = (root().join(folder), Vec::new());
    let mut folders: Vec<PathBuf> = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(&base).unwrap().to_str().unwrap().to_owned(), text });
            }
        }
    }
    assert!(found.len() > 10, "the sources are there");
    found
}

/// Whether a manifest depends on a package.
fn depends_on(manifest: &str, package: &str) -> bool {
    let named =
        |line: &str| line.trim_start().strip_prefix(package).is_some_and(|rest| !rest.starts_with(|c| is_name(c) || c == '-'));
    manifest.lines().any(|line| named(line) || line.contains(&format!("package = \"{package}\"")))
}

#[test]
fn imports_go_down() {
    assert_eq!(climbs(&sources("issuer/src")), [""; 0]);
}

#[test]
fn each_driver_has_one_place_that_names_it() {
    assert_eq!(misplaced(&sources("issuer/src")), [""; 0]);
}

#[test]
fn files_stay_small() {
    assert_eq!(oversized(&sources("issuer/src")), [""; 0]);
    assert_eq!(oversized(&sources("verifier-sdk/src")), [""; 0]);
}

#[test]
fn issuer_and_verifier_do_not_know_each_other() {
    for (folder, package, other) in [("issuer", "passant-verifier", "passant_verifier"), ("verifier-sdk", "passant", "passant")] {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        assert!(!depends_on(&manifest, package), "{folder} depends on {package}");
        for source in sources(folder) {
            let named = names(&code(&source.text)).any(|name| name == other);
            assert!(!named, "{folder}/{} names {other}", source.path);
        }
    }
}

fn planted(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

#[test]
fn an_import_that_climbs_or_goes_sideways_is_noticed() {
    for (path, text, import) in [
        ("clock.rs", "use crate::domain::ids::Tick;", "domain"),
        ("domain/user.rs", "use crate::config::Config;", "config"),
        ("store/db.rs", "use crate::{clock::Clock, http::{self, form}};", "http"),
        ("store/db.rs", "fn f() -> crate::keys::Ring {}", "keys"),
        ("app/mod.rs", "macro_rules! m { () => { $crate::http::router() } }", "http"),
        ("keys/ring.rs", "use super::super::store::Db;", "store"),
        ("clock.rs", "use super::app::App;", "app"),
        ("http/token/mod.rs", "pub(in crate::cli) fn f() {}", "cli"),
        ("cli/serve.rs", "const C: char = '\"'; use crate::main::x;", "main"),
        ("jobs/sweep.rs", "use crate::unheard_of::Thing;", "unheard_of"),
        ("drawer/mod.rs", "use crate::clock::Clock;", "clock"),
    ] {
        assert_eq!(climbs(&planted(path, text)), [format!("{path} imports {import}")]);
    }
}

#[test]
fn what_goes_down_or_stays_in_its_module_is_left_alone() {
    for (path, text) in [
        ("main.rs", "use passant::cli::{self, Command};"),
        ("http/token/mod.rs", "use crate::{app::App, http::form, store};\nuse super::form;"),
        ("config/clients.rs", "use crate::domain::client::Client;"),
        ("domain/password.rs", "//! Run through [`crate::app::gate`].\n/* crate::http:: */"),
        ("store/db.rs", "const S: &str = \"crate::http::x\"; const R: &str = r#\"\"crate::http::\"#;"),
        ("store/db.rs", "fn f<'a>(a: &'a str, b: &'a str) {} use some_crate::http::x;"),
        ("clock.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("store/mod.rs", "pub use db::{Conn, Db};"),
    ] {
        assert_eq!(climbs(&planted(path, text)), [""; 0], "{path}: {text}");
    }
}

#[test]
fn a_driver_named_elsewhere_is_noticed() {
    for (path, text, name) in [
        ("domain/ids.rs", "#[derive(sqlx::Type)] struct Id;", "sqlx"),
        ("app/mod.rs", "use axum::Router;", "axum"),
        ("keys/opened.rs", "fn f() -> std::time::SystemTime {}", "SystemTime"),
        ("store/users.rs", "const S: &str = \"SELECT clock_timestamp()\";", "clock_timestamp"),
    ] {
        assert_eq!(misplaced(&planted(path, text)), [format!("{path} names {name}")]);
    }
    assert_eq!(misplaced(&planted("store/users.rs", "use sqlx::Row; // axum\nconst S: &str = \"axum\"; struct Axum;")), [""; 0]);
}

#[test]
fn a_file_that_grew_is_noticed_and_its_tests_do_not_count() {
    let of = |lines: usize| Source { path: "x.rs".to_owned(), text: "x\n".repeat(lines) };
    let grown = |lines: [usize; 3]| oversized(&lines.map(of)).len();
    assert_eq!((grown([1, 120, 500]), grown([1, 120, 501]), grown([1, 121, 500])), (0, 1, 1));
    let mostly_large: Vec<Source> = (0..40).map(|number| of(if number < 30 { 1 } else { 351 })).collect();
    assert_eq!(oversized(&mostly_large), ["the 95th percentile, x.rs, has 351 lines, over 350"]);
    let tested = format!("x\n#[cfg(test)]\nmod tests {{\n{}}}", "x\n".repeat(900));
    assert_eq!(oversized(&planted("x.rs", &tested)), [""; 0]);
    assert_eq!(oversized(&planted("a/tests.rs", &"x\n".repeat(900))).len(), 0);
}

#[test]
fn a_dependency_of_one_crate_on_the_other_is_noticed() {
    assert!(depends_on("[dependencies]\npassant = { path = \"../issuer\" }", "passant"));
    assert!(depends_on("[dependencies]\npassant.workspace = true", "passant"));
    assert!(depends_on("[dev-dependencies]\nissuer = { package = \"passant\" }", "passant"));
    assert!(!depends_on("[package]\nname = \"passant-verifier\"\n[dependencies]\npassant-verifier = \"1\"", "passant"));
}
