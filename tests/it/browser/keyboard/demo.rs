//! The page of `serve --dev`: an application of its own, and so the one page that needs its script.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_is_signed_into_and_used_by_keyboard() {
    let served = Served::demonstrating(Engine::Sqlite).await;
    served.world.user(ADA.0, ADA.1).await;
    let mut person = Person::new().await;
    person.page.javascript(true).await;
    person.goto(&format!("{}/demo", served.issuer)).await;
    person.page.tab_to(Key::Tab, "#sign-in").await;
    person.page.press(Key::Enter).await;
    person.page.wait_for("[name=username]").await;
    person.page.drawn().await;
    person.signs_in(ADA.0, ADA.1).await;
    person.chooses("button[value=allow]", Key::Enter).await;
    person.page.wait_for("#signed-in:not([hidden])").await;
    let token: String = person.page.eval("document.getElementById('token').value").await;
    person.page.tab_to(Key::Tab, "#refresh").await;
    person.page.press(Key::Space).await;
    let comes =
        format!("new Promise(done => setInterval(() => document.getElementById('token').value !== '{token}' && done(true), 20))");
    assert!(person.page.eval::<bool>(&comes).await);
    person.reads("Here is a new token.").await;
    person.page.tab_to(Key::Tab, "#end-all").await;
    person.page.press(Key::Enter).await;
    person.page.wait_for("#revoked:not([hidden])").await;
    person.reads("You are logged out everywhere.").await;
    person.finds_focus_in("#call").await;
    person.page.tab_to(Key::ShiftTab, "#forget").await;
    person.page.press(Key::Enter).await;
    person.finds_focus_in("#sign-in").await;
    served.world.search_for_leaks().await;
}
