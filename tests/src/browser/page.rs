//! A page as its user has it: goes to addresses, clicks, types, reads.

use std::path::Path;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cdp::{Events, Session};
use super::navigation::Navigation;

/// How long any single step may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page in a browser context of its own. Everything on it panics, naming the page, when it cannot be done.
#[derive(Debug)]
pub struct Page {
    pub(super) session: Session,
    browser: Session,
    context: String,
    pub(super) main_frame: String,
}

/// What the user's system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorScheme {
    /// Dark ink on light paper.
    Light,
    /// The reverse.
    Dark,
}

/// A key, with what is held down while it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the next field.
    Tab,
    /// To the previous field.
    ShiftTab,
    /// Submits a form, follows a link.
    Enter,
    /// Presses a button, ticks a box.
    Space,
    /// Deletes to the left, or what is selected.
    Backspace,
}

impl Page {
    pub(super) async fn open(browser: &Session, context: String) -> Self {
        let target = json!({"url": "about:blank", "browserContextId": context});
        let target = browser.run("Target.createTarget", target).await["targetId"].clone();
        let attached = browser.run("Target.attachToTarget", json!({"targetId": target, "flatten": true})).await;
        let session = browser.attached(attached["sessionId"].as_str().expect("a session has an id"));
        session.run("Page.enable", json!({})).await;
        // A page's main frame has the name of its target.
        let main_frame = target.as_str().expect("a target has an id").to_owned();
        Self { session, browser: browser.clone(), context, main_frame }
    }

    /// Goes to an address and waits until it, and whatever it led on to, has loaded.
    ///
    /// An unreachable `url` panics; a redirect to an unreachable place does not, see [`Page::url`].
    pub async fn goto(&self, url: &str) {
        let mut events = self.session.events();
        let answer = within(&format!("goto {url}"), self.session.run("Page.navigate", json!({"url": url}))).await;
        self.settle(&mut events).await;
        if let Some(error) = answer["errorText"].as_str() {
            let reached = self.url().await;
            assert_ne!(reached.trim_end_matches('/'), url.trim_end_matches('/'), "goto {url}: {error}");
        }
    }

    /// Sets the size of the window's content, in CSS pixels.
    pub async fn viewport(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.session.run("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Sets what `prefers-color-scheme` answers; without motion, so that a screenshot does not catch colours on their way.
    pub async fn color_scheme(&self, scheme: ColorScheme) {
        let value = if scheme == ColorScheme::Dark { "dark" } else { "light" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": value},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.session.run("Emulation.setEmulatedMedia", features).await;
    }

    /// Lifts the policies of the pages that come from now on, for a test that leads a script to another address than the page's own.
    pub async fn without_content_policy(&self) {
        self.session.run("Page.setBypassCSP", json!({"enabled": true})).await;
    }

    /// Lets pages run scripts, or not, from the next navigation on. [`Page::eval`] works either way.
    pub async fn javascript(&self, enabled: bool) {
        self.session.run("Emulation.setScriptExecutionDisabled", json!({"value": !enabled})).await;
    }

    /// The value of an expression, or of the promise that it gives, in the page.
    ///
    /// It is for reading: when the page moves on meanwhile, the next page is asked again.
    pub async fn eval<T: DeserializeOwned>(&self, expression: &str) -> T {
        let evaluated = within(expression, async {
            let mut events = self.session.events();
            loop {
                if let Some(value) = self.try_eval(expression).await {
                    return value;
                }
                self.settle(&mut events).await;
            }
        });
        serde_json::from_value(evaluated.await).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Puts the cursor into a field and types `text` in place of what it holds.
    pub async fn fill(&self, css: &str, text: &str) {
        self.point(css).await;
        let field = json!(css);
        let editable: bool = self
            .eval(&format!("(e => {{ e.focus(); e.select?.(); return e === document.activeElement && !e.disabled && !e.readOnly }})(document.querySelector({field}))"))
            .await;
        assert!(editable, "{css} cannot be typed into");
        self.press(Key::Backspace).await;
        self.session.run("Input.insertText", json!({"text": text})).await;
    }

    /// Clicks the middle of an element with the mouse and, when that starts a navigation, waits for its end. Says whether one
    /// started.
    pub async fn click(&self, css: &str) -> bool {
        let (x, y) = self.point(css).await;
        let mut events = self.session.events();
        self.press_mouse(x, y).await;
        self.settle(&mut events).await
    }

    /// Clicks and waits for the navigation that must follow, also one that a script starts later.
    pub async fn click_and_wait(&self, css: &str) {
        let (x, y) = self.point(css).await;
        let mut events = self.session.events();
        self.press_mouse(x, y).await;
        let navigation = async {
            let mut navigation = Navigation::default();
            while !navigation.has_started() {
                navigation.observe(&self.main_frame, &events.recv().await.expect("the browser runs"));
            }
            self.settle_from(navigation, &mut events).await;
        };
        within(&format!("the navigation after a click on {css}"), navigation).await;
    }

    /// Presses a key where the cursor is and, when that starts a navigation, waits for its end. Says whether one started.
    pub async fn press(&self, key: Key) -> bool {
        let (name, code, number, text, shift) = match key {
            Key::Tab => ("Tab", "Tab", 9, "", 0),
            Key::ShiftTab => ("Tab", "Tab", 9, "", 8),
            Key::Enter => ("Enter", "Enter", 13, "\r", 0),
            Key::Space => (" ", "Space", 32, " ", 0),
            Key::Backspace => ("Backspace", "Backspace", 8, "", 0),
        };
        let mut events = self.session.events();
        for kind in [if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "keyUp"] {
            let text = if kind == "keyUp" { "" } else { text };
            let stroke = json!({"type": kind, "key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": shift, "text": text});
            // The page that the key was pressed on may be gone before the key is released.
            let _ = within("a key", self.session.attempt("Input.dispatchKeyEvent", stroke)).await;
        }
        self.settle(&mut events).await
    }

    /// The address of the page, also of one that could not be reached.
    pub async fn url(&self) -> String {
        let tree = self.session.run("Page.getFrameTree", json!({})).await;
        let frame = &tree["frameTree"]["frame"];
        let unreachable = frame["unreachableUrl"].as_str().map(str::to_owned);
        unreachable.unwrap_or_else(|| {
            format!("{}{}", frame["url"].as_str().unwrap_or_default(), frame["urlFragment"].as_str().unwrap_or_default())
        })
    }

    /// The text that can be read on the page.
    pub async fn text(&self) -> String {
        self.eval("document.body.innerText").await
    }

    /// Waits until the page, or one that it moves on to, has an element that matches.
    pub async fn wait_for(&self, css: &str) {
        let wanted = json!(css);
        let appears = format!(
            "new Promise(done => {{
                const look = () => document.querySelector({wanted}) && done(true);
                look() || new MutationObserver(look).observe(document, {{subtree: true, childList: true, attributes: true}});
            }})"
        );
        let search = async {
            loop {
                let mut events = self.session.events();
                tokio::select! {
                    found = self.try_eval(&appears) => if found.is_some() { return },
                    // Where scripts are off no observer is called: what changes there is the page itself.
                    () = page_changed(&mut events) => {}
                }
            }
        };
        within(&format!("waiting for {css}"), search).await;
    }

    /// Waits until the page has been drawn as it is now: an `autofocus` has its effect with the first drawing, after the loading.
    pub async fn drawn(&self) {
        let pixel = json!({"format": "png", "clip": {"x": 0, "y": 0, "width": 1, "height": 1, "scale": 1}});
        within("a drawing", self.session.run("Page.captureScreenshot", pixel)).await;
    }

    /// Writes a PNG of the whole page, as wide as the window.
    pub async fn screenshot(&self, path: impl AsRef<Path>) {
        let metrics = self.session.run("Page.getLayoutMetrics", json!({})).await;
        let (width, height) = (&metrics["cssLayoutViewport"]["clientWidth"], &metrics["cssContentSize"]["height"]);
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let image = within("a screenshot", self.session.run("Page.captureScreenshot", params)).await;
        let image = Base64::decode_vec(image["data"].as_str().unwrap_or_default()).expect("a screenshot is base64");
        if let Some(directory) = path.as_ref().parent() {
            std::fs::create_dir_all(directory).expect("the directory for screenshots can be made");
        }
        std::fs::write(path.as_ref(), image).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()));
    }

    /// Waits for the end of the navigations that the events tell of, and says whether there were any.
    async fn settle(&self, events: &mut Events) -> bool {
        self.settle_from(Navigation::default(), events).await
    }

    async fn settle_from(&self, mut navigation: Navigation, events: &mut Events) -> bool {
        let settled = async {
            loop {
                // What the page has set in motion is announced before it answers a question asked later.
                let _ = self.session.attempt("Runtime.evaluate", json!({"expression": "0"})).await;
                while let Ok(event) = events.try_recv() {
                    navigation.observe(&self.main_frame, &event);
                }
                if !navigation.is_pending() {
                    return navigation.has_started();
                }
                while navigation.is_pending() {
                    navigation.observe(&self.main_frame, &events.recv().await.expect("the browser runs"));
                }
            }
        };
        within("the end of a navigation", settled).await
    }

    /// Nothing when the page that was asked is no longer there.
    async fn try_eval(&self, expression: &str) -> Option<Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        match self.session.attempt("Runtime.evaluate", params).await {
            Ok(answer) if answer["exceptionDetails"].is_null() => Some(answer["result"]["value"].clone()),
            Ok(answer) => panic!("{expression}: {}", answer["exceptionDetails"]),
            Err(error) if ["context", "navigated", "collected"].iter().any(|word| error.contains(word)) => None,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// Brings an element into view and returns its middle; panics unless a user could point at it there.
    async fn point(&self, css: &str) -> (f64, f64) {
        let place: Value = self.eval(&format!("({PLACE})({})", json!(css))).await;
        let (Some(x), Some(y)) = (place["x"].as_f64(), place["y"].as_f64()) else {
            panic!("{css} {} on {}", place["problem"], self.url().await);
        };
        (x, y)
    }

    async fn press_mouse(&self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": 1});
            let _ = within("the mouse", self.session.attempt("Input.dispatchMouseEvent", event)).await;
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.browser.send("Target.disposeBrowserContext", json!({"browserContextId": self.context})));
    }
}

async fn page_changed(events: &mut Events) {
    const CHANGES: [&str; 3] = ["Page.frameNavigated", "Page.domContentEventFired", "Page.loadEventFired"];
    while let Some(event) = events.recv().await {
        if CHANGES.contains(&event.method.as_str()) {
            return;
        }
    }
}

pub(super) async fn within<T>(what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.unwrap_or_else(|_| panic!("{what}: not done within {PATIENCE:?}"))
}

const PLACE: &str = "css => {
    const element = document.querySelector(css);
    if (!element) return {problem: 'is not there'};
    element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const box = element.getClientRects()[0];
    if (!box || !box.width || !box.height) return {problem: 'cannot be seen'};
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(x, y);
    if (!element.contains(top)) return {problem: 'is covered by ' + (top ? top.outerHTML.slice(0, 120) : 'nothing')};
    return {x, y};
}";
