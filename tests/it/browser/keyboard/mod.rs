//! Each flow of the pages by keyboard alone and without scripts: keys are pressed from a page's first focus on, and nothing else.
//! What a flow sends is written beside it and held against the templates and the routes: a new form, or a new answer to an old
//! question, fails here until a flow presses its button.

mod account;
mod demo;
mod leave;
mod set_up;
mod sign_in;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use passant_tests::browser::{Browser, Key, Page};
use passant_tests::world::{Engine, Registered, Served, authorize_path};

use super::ADA;
use crate::http::routes;

/// Nobody listens there: the browser's address shows what would have been sent.
const CALLBACK: &str = "http://127.0.0.1:9/cb";
const BYE: &str = "http://127.0.0.1:9/bye";

/// More wrong passwords than anybody may try without waiting.
const WRONG: usize = 8;
/// Until nobody has to wait any more.
const HOUR: Duration = Duration::from_secs(3600);

/// Makes a test of each flow on each engine, and one list of what they all send: `/action Button`, and `elsewhere` for an
/// application's own address.
macro_rules! flows {
    ($(async fn $name:ident($scene:ident, $person:ident) sends [$($button:literal),+] $flow:block)*) => {
        pub(super) const SENT: &[&str] = &[$($($button),+),*];
        $(mod $name {
            use super::*;

            async fn flow($scene: &Scene, $person: &mut Person) $flow

            async fn on(engine: Engine) {
                let (scene, mut person) = (Scene::new(engine).await, Person::new().await);
                flow(&scene, &mut person).await;
                assert_eq!(person.sent, BTreeSet::from([$($button),+].map(str::to_owned)));
                scene.served.world.search_for_leaks().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                on(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                on(Engine::Postgres).await;
            }
        })*
    };
}
use flows;

/// An issuer with a user and an application that must ask.
struct Scene {
    served: Served,
    client: Registered,
}

impl Scene {
    async fn new(engine: Engine) -> Self {
        let served = Served::new(engine, |_| {}).await;
        served.world.user(ADA.0, ADA.1).await;
        let client = served.world.client("shop-web", |it| {
            it.first_party = false;
            it.redirect_uris = vec![CALLBACK.parse().unwrap()];
            it.post_logout_redirect_uris = vec![BYE.parse().unwrap()];
        });
        Self { client: client.await, served }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.served.issuer)
    }

    fn authorize(&self) -> String {
        self.at(&authorize_path(&self.client, &[]))
    }
}

/// Somebody with a keyboard, and a browser that runs no script.
struct Person {
    page: Page,
    /// The buttons that were pressed, each after the address of its form.
    sent: BTreeSet<String>,
}

impl Person {
    async fn new() -> Self {
        let page = Browser::shared().await.page().await;
        page.javascript(false).await;
        Self { page, sent: BTreeSet::new() }
    }

    async fn goto(&self, url: &str) {
        self.page.goto(url).await;
        self.page.drawn().await;
    }

    async fn reads(&self, words: &str) {
        let text = self.page.text().await;
        assert!(text.contains(words), "{words}: {text}");
    }

    /// What is in focus, without any key having been pressed for it.
    async fn finds_focus_in(&self, css: &str) {
        assert!(self.page.is_in_focus(css).await, "{css}: {:?}", self.page.focus().await);
    }

    async fn types(&self, text: &str) {
        self.page.type_keys(text).await;
    }

    /// Types into a field that comes later, in place of what it holds: the Tab key selects that.
    async fn types_into(&self, css: &str, text: &str) {
        self.page.tab_to(Key::Tab, css).await;
        self.types(text).await;
    }

    /// Types into a field that comes earlier.
    async fn types_back_into(&self, css: &str, text: &str) {
        self.page.tab_to(Key::ShiftTab, css).await;
        self.types(text).await;
    }

    /// Presses a key that leads on.
    async fn presses(&mut self, key: Key) {
        let sends: Option<String> = self.page.eval(SENDS).await;
        assert!(self.page.press(key).await, "{key:?} on {:?} does not lead on", self.page.focus().await);
        self.page.drawn().await;
        self.sent.extend(sends);
    }

    /// Goes on to a button or a link and presses it.
    async fn chooses(&mut self, css: &str, key: Key) {
        self.page.tab_to(Key::Tab, css).await;
        self.presses(key).await;
    }

    /// Presses Enter in a form that the browser does not send, because something in it is missing or too short. The browser says
    /// so itself, and where.
    async fn is_told_by_the_browser(&self, css: &str) {
        assert!(!self.page.press(Key::Enter).await, "what is wrong is not sent");
        self.finds_focus_in(&format!("{css}:invalid")).await;
    }

    /// Signs in on the page that is shown.
    async fn signs_in(&mut self, name: &str, password: &str) {
        self.finds_focus_in("[name=username]").await;
        self.types(name).await;
        self.types_into("[name=password]", password).await;
        self.presses(Key::Enter).await;
    }

    /// Signs in and has the signed-in page.
    async fn is_at_home(&mut self, scene: &Scene) {
        self.goto(&scene.at("/login")).await;
        self.signs_in(ADA.0, ADA.1).await;
        self.reads("Where you are signed in").await;
    }
}

/// What Enter or Space sends from where the focus is: in a field, Enter presses the form's first button.
const SENDS: &str = "(() => {
    const {form, tagName} = document.activeElement;
    if (!form) return null;
    const button = tagName === 'BUTTON' ? document.activeElement : form.querySelector('button');
    const action = form.getAttribute('action');
    return `${action.startsWith('/') ? action : 'elsewhere'} ${button.innerText}`;
})()";

/// Every button of every form, as [`Person::sent`] has them.
fn buttons() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let mut buttons = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        let page = std::fs::read_to_string(&path).unwrap();
        for form in page.split("<form ").skip(1) {
            let (form, _) = form.split_once("</form>").expect("a form ends");
            let action = form.split_once("action=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a form has an action");
            let action = if action.starts_with('/') { action } else { "elsewhere" };
            let before = buttons.len();
            for button in form.split("</button>").filter(|part| part.contains("<button")) {
                // What is on the button itself, after its tag and whatever the tag's attributes hold.
                let (_, text) = button.rsplit_once('>').expect("a button has a tag");
                buttons.insert(format!("{action} {text}"));
            }
            assert!(buttons.len() > before, "{}: a form without a button of its own: {form}", path.display());
        }
    }
    buttons
}

#[test]
fn every_button_of_every_form_is_pressed_in_a_flow() {
    let pressed = [account::SENT, leave::SENT, set_up::SENT, sign_in::SENT].concat();
    assert_eq!(pressed.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), buttons());
}

#[test]
fn every_route_that_takes_a_form_is_a_flows_or_an_applications() {
    let buttons = buttons();
    let ours = buttons.iter().filter_map(|button| button.split(' ').next()).filter(|action| action.starts_with('/'));
    // These two are posted by applications, from their own pages.
    let expected: BTreeSet<&str> = ours.chain(["/authorize", "/end_session"]).collect();
    assert_eq!(routes::taking_forms(), expected);
}
