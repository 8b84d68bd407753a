//! Whether a page is on its way to another, judged from what the browser announces.

use serde_json::Value;

use super::cdp::Event;

/// A page's navigations since one moment.
#[derive(Debug, Default)]
pub(super) struct Navigation {
    requested: bool,
    loading: bool,
    started: bool,
    /// Where the latest navigation that started goes.
    address: Value,
}

impl Navigation {
    /// Takes note of one announcement; those of other frames do not count.
    pub(super) fn observe(&mut self, main_frame: &str, event: &Event) {
        let params = &event.params;
        if params["frameId"].as_str().or(params["frame"]["id"].as_str()) != Some(main_frame) {
            return;
        }
        match event.method.as_str() {
            // A page that moves on by itself later (a slow meta refresh) is a page to look at first.
            "Page.frameScheduledNavigation" if params["delay"].as_f64().is_none_or(|seconds| seconds >= 1.0) => {}
            "Page.frameRequestedNavigation" if params["disposition"] != "currentTab" => {}
            // The page's process tells of the request and the browser's of the start: either may come first.
            "Page.frameScheduledNavigation" | "Page.frameRequestedNavigation" => {
                self.requested |= !(self.loading && self.address == params["url"]);
            }
            "Page.frameStartedNavigating" => {
                (self.requested, self.loading, self.started) = (false, true, true);
                self.address = params["url"].clone();
            }
            "Page.frameStartedLoading" => (self.loading, self.started) = (true, true),
            "Page.frameNavigated" => (self.requested, self.started) = (false, true),
            "Page.navigatedWithinDocument" => self.requested = false,
            "Page.frameStoppedLoading" => self.loading = false,
            _ => {}
        }
    }

    /// Whether more is to be waited for.
    pub(super) fn is_pending(&self) -> bool {
        self.requested || self.loading
    }

    /// Whether there was any.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }
}
