//! That no attack of the catalogue is without a test: each has a number, which the name of a test bears or a case of the corpus cites.

use std::collections::BTreeSet;
use std::path::Path;

/// The catalogue's numbers; they leave gaps between its chapters.
const CHAPTERS: [(u32, u32); 7] = [(1, 17), (20, 28), (30, 39), (40, 49), (50, 59), (60, 76), (80, 94)];

/// The text of every source file below a folder.
fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The numbers after `v` or `V` in a text such as `v42_to_v49_…` or `RFC 8725, V01 to V04`.
fn numbers(text: &str) -> BTreeSet<u32> {
    let (mut found, mut last, mut ranges) = (BTreeSet::new(), None, false);
    for word in text.split(|character: char| !character.is_ascii_alphanumeric()) {
        let number =
            word.strip_prefix(['v', 'V']).filter(|digits| digits.len() == 2).and_then(|digits| digits.parse::<u32>().ok());
        if let Some(number) = number {
            found.extend(if ranges { last.unwrap_or(number)..=number } else { number..=number });
            last = Some(number);
        }
        ranges = word == "to" && last.is_some();
    }
    found
}

#[test]
fn numbers_are_read_in_names_and_in_sentences() {
    assert_eq!(numbers("v40_v41_any_other_number"), BTreeSet::from([40, 41]));
    assert_eq!(numbers("v42_to_v44_base64url"), BTreeSet::from([42, 43, 44]));
    assert_eq!(numbers("RFC 8725 section 3.1, V01 to V04, V07"), BTreeSet::from([1, 2, 3, 4, 7]));
    assert_eq!(numbers("v4 v100 very v12x"), BTreeSet::new());
}

#[test]
fn every_attack_of_the_catalogue_has_a_test() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(&crate_folder.join(folder), &mut text);
    }
    let names =
        text.lines().filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn ")?.split('(').next());
    let mut tested: BTreeSet<u32> = names.flat_map(numbers).collect();
    let corpus: serde_json::Value = serde_json::from_str(include_str!("../../vectors/claims.json")).unwrap();
    tested.extend(corpus["cases"].as_array().unwrap().iter().flat_map(|case| numbers(case["source"].as_str().unwrap())));
    let missing: Vec<u32> = CHAPTERS.iter().flat_map(|(first, last)| *first..=*last).filter(|id| !tested.contains(id)).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
}
