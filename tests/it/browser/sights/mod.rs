//! How the pages look: a screenshot of each, narrow and wide, light and dark, normal and with its errors, kept outside the tree
//! for people to look at; and what a machine can judge of them. Which states there are is read from the issuer's own sentences:
//! one that is on no page that was looked at fails the test.

mod account;
mod demo;
mod errors;
mod set_up;
mod sign_in;

use std::path::PathBuf;
use std::sync::Mutex;

use passant_tests::browser::{Browser, ColorScheme, Page};
use passant_tests::world::{Engine, Served, authorize_path};

use super::ADA;

/// More wrong passwords than anybody may try without waiting.
const WRONG: usize = 8;

/// What was found on the pages that were looked at.
#[derive(Default)]
struct Sights {
    /// Everything that can be read there.
    text: Mutex<String>,
    problems: Mutex<Vec<String>>,
}

impl Sights {
    /// Looks at the page in every size and scheme, then walks through it by keyboard.
    async fn look(&self, page: &Page, name: &str) {
        let folder =
            std::env::var_os("TESTS_SCREENSHOTS").map_or_else(|| std::env::temp_dir().join("passant-screenshots"), PathBuf::from);
        let mut problems = Vec::new();
        for (scheme, word) in [(ColorScheme::Light, "light"), (ColorScheme::Dark, "dark")] {
            page.color_scheme(scheme).await;
            for width in [360, 1280] {
                page.viewport(width, 800).await;
                page.screenshot(&folder.join(format!("{name}-{width}-{word}.png"))).await;
                let faults = page.accessibility_problems().await.into_iter().map(|fault| fault.to_string());
                let violations = page.axe().await.into_iter().map(|violation| violation.to_string());
                problems.extend(faults.chain(violations).map(|problem| format!("{name} at {width} in {word}: {problem}")));
            }
        }
        for (width, scheme) in [(360, ColorScheme::Light), (1280, ColorScheme::Dark)] {
            page.viewport(width, 800).await;
            page.color_scheme(scheme).await;
            let faults = page.keyboard_problems().await;
            problems.extend(faults.iter().map(|fault| format!("{name} by keyboard at {width} in {scheme:?}: {fault}")));
        }
        self.problems.lock().unwrap().extend(problems);
        let text = page.text().await;
        self.text.lock().unwrap().push_str(&format!("{text}\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_seen_narrow_and_wide_light_and_dark_normal_and_with_errors() {
    let sights = Sights::default();
    tokio::join!(
        sign_in::all(&sights),
        account::all(&sights),
        set_up::all(&sights),
        errors::all(&sights),
        errors::in_a_full_house(&sights),
        errors::overloaded(&sights),
        errors::broken(&sights),
        demo::all(&sights),
    );
    let (seen, problems) = (sights.text.into_inner().unwrap(), sights.problems.into_inner().unwrap());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let unseen: Vec<String> = sentences().into_iter().filter(|sentence| !seen.contains(sentence)).collect();
    assert!(unseen.is_empty(), "on no page that was looked at: {unseen:#?}");
}

/// Every sentence that says what is the matter, or what was done, as far as its first blank to be filled in.
fn sentences() -> Vec<String> {
    const SOURCES: [(&str, &[&str]); 4] = [
        (include_str!("../../../../issuer/src/http/pages/views.rs"), &["f.write_str(\"", "write!(f, \"", "&str = \""]),
        (include_str!("../../../../issuer/src/http/pages/views/account.rs"), &["f.write_str(\"", "write!(f, \""]),
        (include_str!("../../../../issuer/src/http/pages/error.rs"), &["lead: \""]),
        (include_str!("../../../../issuer/src/domain/said.rs"), &["=> \""]),
    ];
    let mut sentences = Vec::new();
    for (source, beginnings) in SOURCES {
        let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
        for beginning in beginnings {
            let found = code.split(beginning).skip(1).map(|rest| {
                let (sentence, _) = rest.split_once(['"', '{']).expect("a sentence ends");
                let lines = sentence.split("\\\n").map(str::trim_start);
                lines.collect::<String>()
            });
            let before = sentences.len();
            sentences.extend(found.filter(|sentence| !sentence.is_empty()));
            assert!(sentences.len() > before, "there are sentences after {beginning}");
        }
    }
    sentences
}

/// Sends the form of a page, with what the browser would refuse by itself.
async fn send_anyway(page: &Page, fields: &[(&str, &str)]) {
    page.eval::<bool>("document.querySelector('main form').noValidate = true").await;
    for (name, value) in fields {
        page.fill(&format!("[name={name}]"), value).await;
    }
    page.click_and_wait("main form button").await;
}

async fn visitor() -> Page {
    Browser::shared().await.page().await
}
