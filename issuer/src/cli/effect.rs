//! What a command's answer says of a cut-off: its tick, and how soon everybody obeys it.

use serde_json::json;

use super::answer::Answer;
use crate::domain::effect::EFFECTIVE_WITHIN;
use crate::domain::ids::Tick;

impl Answer {
    /// With the effect of the command's cut-off; a command that has cut off nothing says so by having no tick.
    pub(super) fn effective(mut self, tick: Option<Tick>) -> Self {
        if let Some(members) = self.document.as_object_mut() {
            members.insert("tick".to_owned(), json!(tick));
            if tick.is_some() {
                members.insert("effective_within".to_owned(), json!(EFFECTIVE_WITHIN));
            }
        }
        if tick.is_some() {
            self.text.push_str("\nWithin a second, every verifier that follows the revocation feed refuses it too.");
        }
        self
    }
}
