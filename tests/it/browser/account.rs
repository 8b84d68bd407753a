//! The signed-in page in Chromium, without scripts and by keyboard alone.

use passant_tests::browser::{Browser, Key, Page};
use passant_tests::world::{Engine, Served};

use super::sign_in;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const NEW: &str = "a loom that weaves flowers";

/// Goes on with Tab until this is in focus, then presses Enter.
async fn press(page: &Page, selector: &str) {
    for _ in 0..20 {
        if page.eval::<bool>(&format!("document.activeElement.matches(\"{selector}\")")).await {
            break;
        }
        page.press(Key::Tab).await;
    }
    assert!(page.press(Key::Enter).await, "{selector} is reached and leads on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_looks_after_their_account_without_scripts_and_by_keyboard_alone() {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    served.world.user(ADA.0, ADA.1).await;
    served.world.secrets.collect("password", NEW);
    let (page, other) = (Browser::shared().await.page().await, Browser::shared().await.page().await);
    for page in [&other, &page] {
        page.javascript(false).await;
        page.goto(&format!("{}/login", served.issuer)).await;
        sign_in(page, ADA.0, ADA.1).await;
    }
    press(&page, "form[action='/account/sessions/end'] button").await;
    assert!(page.text().await.contains("That session has ended."), "{}", page.text().await);
    press(&page, "a[href='/account/password']").await;
    page.fill("[name=current]", ADA.1).await;
    page.press(Key::Tab).await;
    page.fill(":focus[name=new]", NEW).await;
    assert!(page.press(Key::Enter).await, "Enter sends the form");
    assert!(page.text().await.contains("Your password is changed"), "{}", page.text().await);
    press(&page, "form[action='/account/sessions/end-all'] button").await;
    assert!(page.text().await.contains("You are signed out everywhere."), "{}", page.text().await);
    other.goto(&format!("{}/", served.issuer)).await;
    assert!(other.text().await.contains("You are not signed in"));
    served.world.search_for_leaks().await;
}
