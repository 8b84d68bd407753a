//! What a Markdown file shows for others to copy, commands and files, so that tests run exactly that.

use std::collections::BTreeMap;

/// The text of each ` ```sh ` block that stands directly under a comment `<!-- test: NAME -->`, by name.
///
/// Panics on what would let a block go untested in silence: a comment without its block, a name given twice, a block without
/// an end.
pub fn commands(markdown: &str) -> BTreeMap<String, String> {
    let shown = announced(markdown, "test").into_iter().map(|(name, (language, text))| {
        assert_eq!(language, "sh", "the block `{name}` is not one of sh");
        (name, text)
    });
    shown.collect()
}

/// The text of each fenced block that stands directly under a comment `<!-- file: NAME -->`, by the file's name. Panics as
/// [`commands`] does, and on a name that leads out of the directory that the files are written to.
pub fn files(markdown: &str) -> BTreeMap<String, String> {
    let shown = announced(markdown, "file").into_iter().map(|(name, (_, text))| {
        let inside = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        assert!(inside, "the file `{name}` would not be written where it belongs");
        (name, text)
    });
    shown.collect()
}

/// Language and text of each fenced block that a comment of this kind announces, by the comment's name.
fn announced(markdown: &str, kind: &str) -> BTreeMap<String, (String, String)> {
    let mut blocks = BTreeMap::new();
    let mut announced: Option<&str> = None;
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = opened_block(line) {
            let fence = &line.trim_start()[..line.trim_start().len() - language.len()];
            let text = block(&mut lines, fence);
            if let Some(name) = announced.take() {
                let block = (language.trim().to_owned(), text);
                assert_eq!(blocks.insert(name.to_owned(), block), None, "two blocks are called `{name}`");
            }
        } else if !line.trim().is_empty() {
            assert_eq!(announced, None, "a comment `{kind}:` has no block under it");
            announced = name(line, kind);
        }
    }
    assert_eq!(announced, None, "a comment `{kind}:` has no block under it");
    blocks
}

/// What follows the fence, when the line is one.
fn opened_block(line: &str) -> Option<&str> {
    line.trim_start().starts_with("```").then(|| line.trim_start().trim_start_matches('`'))
}

fn name<'l>(line: &'l str, kind: &str) -> Option<&'l str> {
    let comment = line.trim().strip_prefix("<!-- ")?.strip_suffix("-->")?;
    Some(comment.strip_prefix(kind)?.strip_prefix(':')?.trim())
}

fn block<'a>(lines: &mut impl Iterator<Item = &'a str>, fence: &str) -> String {
    let mut text = String::new();
    for line in lines {
        if line.trim() == fence {
            return text;
        }
        text = text + line + "\n";
    }
    panic!("a fenced block has no end:\n{text}");
}

#[cfg(test)]
mod tests {
    use super::{commands, files};

    #[test]
    fn marked_blocks_are_found_by_name_and_others_are_not() {
        let found = commands(concat!(
            "# Start\n\n<!-- test: start -->\n```sh\ncurl a |\n\n  jq .\n```\n\n```sh\nrm -rf /\n```\n",
            "<!-- a remark -->\n```sh\nunmarked\n```\n\n<!-- test: stop -->\n\n```sh\nkill 1\n```\n",
        ));
        let found: Vec<_> = found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found, [("start", "curl a |\n\n  jq .\n"), ("stop", "kill 1\n")]);
    }

    #[test]
    fn a_comment_that_is_itself_quoted_marks_nothing() {
        assert!(commands("````markdown\n<!-- test: quoted -->\n```sh\nfalse\n```\n````\n").is_empty());
    }

    #[test]
    #[should_panic(expected = "no block under it")]
    fn a_comment_without_a_block_is_refused() {
        commands("<!-- test: lost -->\nSome words.\n\n```sh\ntrue\n```\n");
    }

    #[test]
    #[should_panic(expected = "is not one of sh")]
    fn a_marked_block_of_another_language_is_refused() {
        commands("<!-- test: odd -->\n```toml\na = 1\n```\n");
    }

    #[test]
    #[should_panic(expected = "two blocks are called `twice`")]
    fn a_name_given_twice_is_refused() {
        commands("<!-- test: twice -->\n```sh\n1\n```\n<!-- test: twice -->\n```sh\n2\n```\n");
    }

    #[test]
    #[should_panic(expected = "has no end")]
    fn a_block_without_an_end_is_refused() {
        commands("<!-- test: open -->\n```sh\ntrue\n");
    }

    #[test]
    fn files_are_found_by_name_whatever_their_language_and_commands_are_none() {
        let text = "<!-- file: src/a.py -->\n```python\na = 1\n```\n<!-- test: run -->\n```sh\n./a\n```\n<!-- file: b -->\n```\nb\n```\n";
        let found = files(text);
        let found: Vec<_> = found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found, [("b", "b\n"), ("src/a.py", "a = 1\n")]);
        assert_eq!(commands(text).into_keys().collect::<Vec<_>>(), ["run"]);
    }

    #[test]
    #[should_panic(expected = "a comment `file:` has no block under it")]
    fn a_file_without_a_block_is_refused() {
        files("<!-- file: lost -->\nSome words.\n");
    }

    #[test]
    #[should_panic(expected = "two blocks are called `twice`")]
    fn a_file_given_twice_is_refused() {
        files("<!-- file: twice -->\n```\n1\n```\n<!-- file: twice -->\n```\n1\n```\n");
    }

    #[test]
    fn a_file_that_leads_elsewhere_is_refused() {
        for name in ["/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/", ""] {
            let text = format!("<!-- file: {name} -->\n```\n1\n```\n");
            assert!(std::panic::catch_unwind(|| files(&text)).is_err(), "{name}");
        }
    }
}
