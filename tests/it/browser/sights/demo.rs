//! The page of `serve --dev`, with and without its script. The service that it calls is played by the page's own `fetch`.

use super::super::sign_in;
use super::*;

const REPLIES: [(&str, &str); 3] = [
    ("demo-called", r#"Promise.resolve(new Response('{"orders": ["sugar tongs"]}'))"#),
    (
        "demo-refused",
        r#"Promise.resolve(new Response("", {status: 401, headers: {"WWW-Authenticate": 'Bearer error="invalid_token"'}}))"#,
    ),
    ("demo-unanswered", "Promise.reject(new TypeError())"),
];

pub(super) async fn all(sights: &Sights) {
    let served = Served::demonstrating(Engine::Sqlite).await;
    served.world.user(ADA.0, ADA.1).await;
    let (page, demo) = (visitor().await, format!("{}/demo", served.issuer));
    page.javascript(false).await;
    page.goto(&demo).await;
    assert!(page.text().await.contains("it needs JavaScript"), "{}", page.text().await);
    // Loaded without its script; axe-core's own timers need them allowed, which would hide what is shown for want of them.
    page.javascript(true).await;
    page.eval::<bool>("document.querySelector('noscript').replaceWith(...document.querySelector('noscript').childNodes), true")
        .await;
    sights.look(&page, "demo-without-scripts").await;
    page.goto(&demo).await;
    sights.look(&page, "demo").await;
    page.goto(&format!("{demo}?state=nobodys&error=access_denied")).await;
    page.wait_for("#problem:not([hidden])").await;
    sights.look(&page, "demo-problem").await;

    page.click_and_wait("#sign-in").await;
    sign_in(&page, ADA.0, ADA.1).await;
    page.click_and_wait("button[value=allow]").await;
    page.wait_for("#signed-in:not([hidden])").await;
    sights.look(&page, "demo-signed-in").await;
    for (name, reply) in REPLIES {
        page.eval::<bool>(&format!("window.fetch = () => {reply}, document.getElementById('answer').replaceChildren(), true"))
            .await;
        page.click("#call").await;
        page.wait_for("#answer .answer").await;
        sights.look(&page, name).await;
    }
    page.click("#forget").await;
    page.wait_for("#signed-out:not([hidden])").await;
    sights.look(&page, "demo-forgotten").await;

    page.goto(&demo).await;
    page.click_and_wait("#sign-in").await;
    page.click_and_wait("button[value=allow]").await;
    page.wait_for("#signed-in:not([hidden])").await;
    page.click("#end-all").await;
    page.wait_for("#revoked:not([hidden])").await;
    sights.look(&page, "demo-revoked").await;
    let (name, reply) = REPLIES[1];
    page.eval::<bool>(&format!("window.fetch = () => {reply}, true")).await;
    page.click("#call").await;
    page.wait_for("#answer .answer").await;
    sights.look(&page, &format!("{name}-after-revocation")).await;
    served.world.search_for_leaks().await;
}
