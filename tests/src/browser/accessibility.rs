//! Faults that shut people out and that a machine can see.

use std::fmt;

use serde_json::json;

use super::Page;

/// One fault of a page; the text shows the element's opening tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The page is wider than the window, so that it must be scrolled sideways.
    Overflow {
        /// The width of the content, in CSS pixels.
        content: u32,
        /// The width of the window.
        window: u32,
    },
    /// A field without an accessible name; a placeholder is none, for it vanishes when one types.
    Unlabelled(String),
    /// An error or notice that no screen reader is told of.
    Unannounced(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow { content, window } => write!(f, "{content} px of content in a window of {window} px"),
            Self::Unlabelled(field) => write!(f, "a field without a label: {field}"),
            Self::Unannounced(message) => write!(f, "a message that is not announced: {message}"),
        }
    }
}

impl Page {
    /// Every fault of the page as it is shown now. A good page has none.
    pub async fn accessibility_problems(&self) -> Vec<Problem> {
        let (content, window): (u32, u32) =
            self.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]").await;
        let mut problems = Vec::new();
        if content > window {
            problems.push(Problem::Overflow { content, window });
        }
        problems.extend(self.unlabelled_fields().await.into_iter().map(Problem::Unlabelled));
        let unannounced: Vec<String> = self.eval(UNANNOUNCED).await;
        problems.extend(unannounced.into_iter().map(Problem::Unannounced));
        problems
    }

    /// The browser's own accessibility tree is asked: names come from many places, by rules of their own.
    async fn unlabelled_fields(&self) -> Vec<String> {
        let document = self.session.run("DOM.getDocument", json!({"depth": 0})).await;
        let css = "input:not([type=hidden]), select, textarea";
        let query = json!({"nodeId": document["root"]["nodeId"], "selector": css});
        let found = self.session.run("DOM.querySelectorAll", query).await;
        let mut unlabelled = Vec::new();
        for node in found["nodeIds"].as_array().into_iter().flatten() {
            // What takes no room on the page is there for nobody.
            if self.session.attempt("DOM.getBoxModel", json!({"nodeId": node})).await.is_err() {
                continue;
            }
            let tree = self.session.run("Accessibility.getPartialAXTree", json!({"nodeId": node, "fetchRelatives": false})).await;
            let name = &tree["nodes"][0]["name"];
            let text = name["value"].as_str().unwrap_or_default().trim();
            let source = name["sources"].as_array().into_iter().flatten().find(|source| {
                source["superseded"].as_bool() != Some(true)
                    && source["value"]["value"].as_str().is_some_and(|value| !value.is_empty())
            });
            if text.is_empty() || source.is_some_and(|source| source["type"] == "placeholder") {
                let html = self.session.run("DOM.getOuterHTML", json!({"nodeId": node})).await;
                let tag =
                    html["outerHTML"].as_str().unwrap_or_default().split_inclusive('>').next().unwrap_or_default().to_owned();
                unlabelled.push(tag);
            }
        }
        unlabelled
    }
}

/// A message counts as announced when it interrupts (`alert`), is a polite live region (`status`), or describes a field that is
/// marked invalid.
const UNANNOUNCED: &str = "[...document.querySelectorAll('.error, .notice')]
    .filter(message => message.getClientRects().length && message.innerText.trim())
    .filter(message => !message.closest('[role=alert], [role=status]'))
    .filter(message => !message.id || ![...document.querySelectorAll('[aria-invalid=true]')].some(field =>
        ['aria-describedby', 'aria-errormessage'].some(name =>
            (field.getAttribute(name) || '').split(/\\s+/).includes(message.id))))
    .map(message => message.cloneNode(false).outerHTML)";
