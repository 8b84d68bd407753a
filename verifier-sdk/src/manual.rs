//! The longer answers, a page for each question.

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/rotation.md")]
pub mod rotation {}

#[doc = include_str!("../docs/providers.md")]
pub mod providers {}

#[doc = include_str!("../docs/id-tokens.md")]
pub mod id_tokens {}

#[doc = include_str!("../docs/coming-from-jsonwebtoken.md")]
pub mod coming_from_jsonwebtoken {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::error::{Reason, VerifyError};

    /// A row of a table in Markdown, its cells without back-ticks.
    fn cells(row: &str) -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    }

    #[test]
    fn the_page_of_errors_has_every_code_with_its_answer_and_no_other() {
        let page = include_str!("../docs/errors.md");
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
        let told: BTreeSet<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone(), row[2].clone())).collect();
        let true_ones = Reason::ALL.iter().map(|reason| {
            let error = VerifyError::new(*reason);
            let heard = error.oauth_error().unwrap_or(if error.retry_after().is_some() { "Retry-After" } else { "no code" });
            (error.code().to_owned(), error.http_status().to_string(), heard.to_owned())
        });
        assert_eq!(told, true_ones.collect());
        assert_eq!(rows.len(), Reason::ALL.len(), "each once");
    }
}
