//! What is written about the configuration's keys, held against the keys that the parser itself knows: the sample and the README.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const SAMPLE: &str = include_str!("../../../passant.sample.toml");
const README: &str = include_str!("../../../../README.md");

/// A key that no section has. The parser answers it with those that there are.
const NO_KEY: &str = "no_key_at_all";

/// What stands below a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Below {
    /// Other keys, each with what stands below it.
    Keys(BTreeMap<String, Below>),
    /// A value, or names that are data.
    Value,
}

/// Asks the parser itself, so that a key that is added to it is known here.
fn known() -> BTreeMap<String, Below> {
    match below(&[]) {
        Below::Keys(keys) => keys,
        Below::Value => panic!("the parser knows no keys"),
    }
}

fn below(path: &[&str]) -> Below {
    let header = match path {
        [] => String::new(),
        ["clients"] => "[[clients]]\n".to_owned(),
        path => format!("[{}]\n", path.join(".")),
    };
    let error = refused(&format!("{header}{NO_KEY} = 1\n"), &[]);
    let Some((_, expected)) = error.reason.split_once(&format!("unknown key `{NO_KEY}`, expected ")) else { return Below::Value };
    let names = expected.split('`').skip(1).step_by(2);
    Below::Keys(names.map(|name| (name.to_owned(), below(&[path, &[name]].concat()))).collect())
}

fn paths(keys: &BTreeMap<String, Below>, prefix: &str, all: &mut BTreeSet<String>) {
    for (name, below) in keys {
        match below {
            Below::Value => drop(all.insert(format!("{prefix}{name}"))),
            Below::Keys(keys) => paths(keys, &format!("{prefix}{name}."), all),
        }
    }
}

/// Every key, with its section: `keys.period`.
fn known_paths() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    paths(&known(), "", &mut all);
    all
}

/// The sample with its defaults in force, and with its examples as well.
fn uncommented(with_examples: bool) -> String {
    let line = |line: &str| match (line.strip_prefix("#?"), line.strip_prefix('#')) {
        (Some(example), _) if with_examples => example.to_owned(),
        (None, Some(default)) if default.starts_with(|c: char| c.is_ascii_lowercase()) => default.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The keys that stand in the sample, commented or not, in order.
fn keys_of_the_sample() -> Vec<String> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in uncommented(true).lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_matches(['[', ']']));
            if ["scopes.", "resources."].contains(&section.as_str()) {
                found.push(section.trim_end_matches('.').to_owned());
            }
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with(['#', '"'])) {
            found.push(format!("{section}{key}"));
        }
    }
    found
}

/// The keys of the README's table: `` `keys.period` ``, or `` `a.x`, `.y` or `.z` ``; and a section as a whole.
fn keys_of_the_readme() -> Vec<String> {
    let (_, configuration) = README.split_once("### Configuration").expect("README.md has a section \"Configuration\"");
    let rows = configuration.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut found = Vec::new();
    for row in rows {
        let mut section = String::new();
        for name in format!("`{row}").split('`').skip(1).step_by(2) {
            let name = name.trim_matches(['[', ']']);
            if let Some(sibling) = name.strip_prefix('.') {
                found.push(format!("{section}.{sibling}"));
            } else {
                section = name.rsplit_once('.').map(|(section, _)| section.to_owned()).unwrap_or_default();
                found.push(name.to_owned());
            }
        }
    }
    found
}

fn twice(names: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| !seen.insert(*name)).collect()
}

#[test]
fn the_parser_tells_its_keys() {
    let known = known_paths();
    for key in ["issuer", "scopes", "master_key.file", "keys.period", "clients.redirect_uris", "audit.keep"] {
        assert!(known.contains(key), "{key} is not among {known:?}");
    }
}

#[test]
fn every_key_stands_once_in_the_sample() {
    let (known, written) = (known_paths(), keys_of_the_sample());
    let names: BTreeSet<String> = written.iter().cloned().collect();
    let missing: Vec<_> = known.difference(&names).collect();
    assert!(
        missing.is_empty(),
        "issuer/passant.sample.toml lacks {missing:?}: below its [section], add a line that explains the key, and under it \
         `#key = default`, or `#?key = example` where it is not there by default"
    );
    let unknown: Vec<_> = names.difference(&known).collect();
    assert!(unknown.is_empty(), "issuer/passant.sample.toml has {unknown:?}, which the parser does not know: take them out");
    assert_eq!(twice(&written), [""; 0], "issuer/passant.sample.toml has keys twice");
}

#[test]
fn every_key_of_the_sample_is_explained_on_the_line_above() {
    let lines: Vec<&str> = SAMPLE.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = |line: &str| line.contains(" = ") && line.starts_with('#') && !line.starts_with("# ");
        let data = pair[1].starts_with("#?\"");
        assert!(!is_setting(pair[1]) || data || pair[0].starts_with("# "), "nothing explains {}", pair[1]);
    }
}

#[test]
fn the_sample_states_the_defaults() {
    let mut stated = load(&uncommented(false), &[]).unwrap_or_else(|why| panic!("the sample without its comments: {why}"));
    // The one default that depends on the machine.
    stated.passwords.permits = Passwords::default().permits;
    let defaults = Config::for_issuer(IssuerUrl::LOCAL);
    assert_eq!(format!("{stated:#?}"), format!("{defaults:#?}"), "a default of issuer/passant.sample.toml is not the parser's");
    let untouched = load(SAMPLE, &[]).unwrap_or_else(|why| panic!("the sample as it stands: {why}"));
    assert_eq!(format!("{untouched:#?}"), format!("{defaults:#?}"));
}

#[test]
fn the_examples_of_the_sample_are_understood() {
    let text = uncommented(true);
    let source = Source::parse(Some((Path::new("passant.sample.toml"), &text))).unwrap_or_else(|why| panic!("{why}"));
    let document: Document = source.read().unwrap_or_else(|why| panic!("{why}"));
    assert!(document.check(&source).is_ok() && document.clients.len() == 1);
}

#[test]
fn every_key_stands_once_in_the_readme() {
    let (known, written) = (known_paths(), keys_of_the_readme());
    let in_table = |key: &&String| !key.starts_with("clients.");
    let names: BTreeSet<String> = written.iter().filter(|name| *name != "clients").cloned().collect();
    let known_in_table: BTreeSet<String> = known.iter().filter(in_table).cloned().collect();
    let missing: Vec<_> = known_in_table.difference(&names).collect();
    assert!(
        missing.is_empty(),
        "the table under \"Configuration\" in README.md lacks {missing:?}: add `| `key` | `default` | meaning |`"
    );
    let unknown: Vec<_> = names.difference(&known_in_table).collect();
    assert!(unknown.is_empty(), "README.md has {unknown:?}, which the parser does not know: take them out");
    assert_eq!(twice(&written), [""; 0], "README.md has keys twice");
    let of_clients = known.iter().filter_map(|key| key.strip_prefix("clients."));
    let lacking: Vec<_> = of_clients.filter(|key| !README.contains(key)).collect();
    assert!(lacking.is_empty(), "the example of [[clients]] in README.md lacks {lacking:?}");
}
