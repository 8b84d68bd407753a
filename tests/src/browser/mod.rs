//! A real browser for the pages: headless Chromium, driven over the DevTools protocol with real key and mouse events.
//!
//! The browser belongs to a keeper, so that it and its profile are gone after the test process, however that ends.

mod accessibility;
mod axe;
mod cdp;
mod keyboard;
mod navigation;
mod page;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::json;

pub use self::accessibility::Problem;
pub use self::axe::{Broken, Violation};
pub use self::keyboard::Stop;
pub use self::page::{ColorScheme, Key, Page};
use crate::authority::Authority;
use crate::keeper::Keeper;

/// A running browser. Dropping it ends it and removes its profile.
pub struct Browser {
    session: cdp::Session,
    _keeper: Keeper,
}

impl Browser {
    /// Starts a browser of the caller's own.
    ///
    /// Panics with a sentence that says what to do when there is no Chromium on this machine.
    pub async fn start() -> Self {
        blocking(Self::launch).await
    }

    /// The browser that the tests of this process share: starting one takes a second, and pages share nothing anyway.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<Browser> = OnceLock::new();
        blocking(|| SHARED.get_or_init(Self::launch)).await
    }

    /// An empty page in a context of its own: it shares no cookie, cache or storage with any other.
    pub async fn page(&self) -> Page {
        let context = self.session.run("Target.createBrowserContext", json!({})).await;
        let context = context["browserContextId"].as_str().expect("a context has an id").to_owned();
        Page::open(&self.session, context).await
    }

    fn launch() -> Self {
        let mut command = vec![program().to_str().expect("a UTF-8 path").to_owned()];
        command.extend(FLAGS.iter().map(|flag| (*flag).to_owned()));
        // The key of our own test server alone: every other certificate is judged as ever.
        command.push(format!("--ignore-certificate-errors-spki-list={}", Authority::of_this_process().public_key_hash));
        if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            // Chromium's sandbox refuses to run as root.
            command.push("--no-sandbox".to_owned());
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let (keeper, url) = Keeper::start(KEEP_BROWSER, &command, "DevTools listening on ");
        Self { session: cdp::Session::open(url), _keeper: keeper }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let known = ["chromium", "chromium-browser", "google-chrome"].into_iter();
    let installed = known.flat_map(|name| std::env::split_paths(&path).map(move |directory| directory.join(name)));
    named
        .into_iter()
        .chain(installed)
        .find(|program| program.is_file())
        .expect("Chromium is not installed: run ./tests/run, which installs it, or let CHROMIUM name it")
}

const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--hide-scrollbars",
    "--lang=en-US",
];

/// Chromium's processes are one process group, which ends at once: nothing in the profile is worth an orderly farewell.
const KEEP_BROWSER: &str = r#"
profile=$(mktemp -d -t psnt-browser-XXXXXX) || exit 1
TMPDIR=$profile setsid "$@" --user-data-dir="$profile" about:blank 2>&1 >/dev/null </dev/null &
browser=$!
await_end_of_tests
kill -s KILL -- "-$browser"
wait
rm -rf "$profile" || { sleep 1; rm -rf "$profile"; }
"#;
