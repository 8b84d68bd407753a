//! axe-core in a page: the rules for accessibility that a machine can judge, colour contrast among them.

use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::json;

use super::Page;
use super::page::within;
use crate::clients::node_modules;

/// A rule that the page breaks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Violation {
    /// The rule's name, such as `color-contrast`.
    pub id: String,
    /// What the rule asks for.
    pub help: String,
    /// Where it is broken.
    pub nodes: Vec<Broken>,
}

/// An element that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The element.
    pub html: String,
    /// What is wrong with it.
    pub failure_summary: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.help, self.id)?;
        for node in &self.nodes {
            write!(f, "\n  {}: {}", node.html, node.failure_summary.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Page {
    /// Every rule of axe-core that the page breaks as it is shown now. A good page breaks none.
    ///
    /// It runs in a world of its own beside the page, which the page's policy does not reach and the page's scripts do not see.
    pub async fn axe(&self) -> Vec<Violation> {
        let world = json!({"frameId": self.main_frame, "worldName": "axe"});
        let context = self.session.run("Page.createIsolatedWorld", world).await["executionContextId"].clone();
        let judged = within("axe-core", async {
            let load = json!({"expression": source(), "contextId": context});
            let loaded = self.session.run("Runtime.evaluate", load).await;
            assert!(loaded["exceptionDetails"].is_null(), "axe-core does not load: {}", loaded["exceptionDetails"]);
            let judge = json!({"expression": JUDGE, "contextId": context, "awaitPromise": true, "returnByValue": true});
            self.session.run("Runtime.evaluate", judge).await
        });
        let mut answer = judged.await;
        assert!(answer["exceptionDetails"].is_null(), "axe-core: {}", answer["exceptionDetails"]);
        serde_json::from_value(answer["result"]["value"].take()).expect("axe-core answers as documented")
    }
}

/// All rules but the experimental ones.
const JUDGE: &str = "axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)";

fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let file = node_modules().join("axe-core/axe.min.js");
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    })
}
