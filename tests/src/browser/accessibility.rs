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
    /// A link, button or field that the Tab key does not come to.
    Unreachable(String),
    /// What the Tab key cannot leave in the direction of the rest of the page.
    Trapped(String),
    /// Shift+Tab does not take the way of the Tab key back.
    AnotherWayBack,
    /// The Tab key comes to one after the other, though they are read the other way round.
    OutOfOrder {
        /// What it comes to first.
        first: String,
        /// What it comes to next.
        then: String,
    },
    /// What is in focus does not look like it.
    FocusUnseen {
        /// What is in focus.
        html: String,
        /// How it looks instead.
        why: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow { content, window } => write!(f, "{content} px of content in a window of {window} px"),
            Self::Unlabelled(field) => write!(f, "a field without a label: {field}"),
            Self::Unannounced(message) => write!(f, "a message that is not announced: {message}"),
            Self::Unreachable(element) => write!(f, "Tab does not come to {element}"),
            Self::Trapped(element) => write!(f, "Tab does not get beyond {element}"),
            Self::AnotherWayBack => f.write_str("Shift+Tab takes another way than Tab"),
            Self::OutOfOrder { first, then } => write!(f, "Tab comes to {first} before {then}, against the reading order"),
            Self::FocusUnseen { html, why } => write!(f, "nobody sees that {html} is in focus: {why}"),
        }
    }
}

impl Page {
    /// Every fault of the page as it is shown now, without touching it: [`Page::keyboard_problems`] has the rest. A good page has none.
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
/// marked invalid; what always stands on the page (`note`) is read in its place.
const UNANNOUNCED: &str = "[...document.querySelectorAll('.error, .notice')]
    .filter(message => message.getClientRects().length && message.innerText.trim())
    .filter(message => !message.closest('[role=alert], [role=status], [role=note]'))
    .filter(message => !message.id || ![...document.querySelectorAll('[aria-invalid=true]')].some(field =>
        ['aria-describedby', 'aria-errormessage'].some(name =>
            (field.getAttribute(name) || '').split(/\\s+/).includes(message.id))))
    .map(message => message.cloneNode(false).outerHTML)";
