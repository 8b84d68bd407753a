//! Commands that a Markdown file shows, so that tests run exactly what readers copy.

use std::collections::BTreeMap;

/// The text of each ` ```sh ` block that stands directly under a comment `<!-- test: NAME -->`, by name.
///
/// Panics on what would let a block go untested in silence: a comment without its block, a name given twice, a block without
/// an end.
pub fn commands(markdown: &str) -> BTreeMap<String, String> {
    let mut commands = BTreeMap::new();
    let mut announced: Option<&str> = None;
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = opened_block(line) {
            let fence = &line.trim_start()[..line.trim_start().len() - language.len()];
            let text = block(&mut lines, fence);
            if let Some(name) = announced.take() {
                assert_eq!(language.trim(), "sh", "the block `{name}` is not one of sh");
                assert_eq!(commands.insert(name.to_owned(), text), None, "two blocks are called `{name}`");
            }
        } else if !line.trim().is_empty() {
            assert_eq!(announced, None, "a comment `test:` has no block under it");
            announced = name(line);
        }
    }
    assert_eq!(announced, None, "a comment `test:` has no block under it");
    commands
}

/// What follows the fence, when the line is one.
fn opened_block(line: &str) -> Option<&str> {
    line.trim_start().starts_with("```").then(|| line.trim_start().trim_start_matches('`'))
}

fn name(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("<!-- test:")?.strip_suffix("-->")?.trim())
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
    use super::commands;

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
}
