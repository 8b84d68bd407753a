//! The whole path in Chromium, by mouse: with scripts and without them.

use passant_tests::browser::{Browser, Page};
use passant_tests::world::{Callback, Engine, Registered, Served, Tokens, authorize_path};
use passant_verifier::{ManualClock, Verifier};

use super::{ADA, sign_in};

/// Nobody listens there: the browser's address shows what would have been sent.
const CALLBACK: &str = "http://127.0.0.1:9/cb";
const BYE: &str = "http://127.0.0.1:9/bye";

async fn with_client(engine: Engine) -> (Served, Registered) {
    let served = Served::new(engine, |_| {}).await;
    served.world.user(ADA.0, ADA.1).await;
    let client = served
        .world
        .client("shop-web", |it| {
            it.first_party = false;
            it.redirect_uris = vec![CALLBACK.parse().unwrap()];
            it.post_logout_redirect_uris = vec![BYE.parse().unwrap()];
        })
        .await;
    (served, client)
}

async fn tokens_verify_offline(served: &mut Served, client: &Registered, page: &Page) {
    let callback = Callback::parse(&page.url().await, CALLBACK);
    assert_eq!((callback.get("state"), callback.get("iss")), (Some("xyz-state"), Some(served.issuer.as_str())));
    let mut agent = served.world.agent();
    let tokens = Tokens::of(&client.redeem(&agent, callback.code()).await);
    let jwks = agent.get("/jwks.json").await.body;
    served.stop().await;
    let clock = ManualClock::at(served.world.app.now().seconds());
    let verifier = Verifier::builder()
        .issuer(&served.issuer)
        .audience("https://api.example.com")
        .static_jwks(jwks)
        .clock(clock)
        .build()
        .unwrap();
    verifier.verify(tokens.access()).expect("a service accepts the token with the issuer switched off");
    served.world.search_for_leaks().await;
}

async fn by_mouse(engine: Engine, scripts: bool) {
    let (mut served, client) = with_client(engine).await;
    let page = Browser::shared().await.page().await;
    page.javascript(scripts).await;
    page.goto(&format!("{}{}", served.issuer, authorize_path(&client, &[]))).await;
    sign_in(&page, ADA.0, "a wrong password of mine").await;
    assert!(page.text().await.contains("do not match"), "{}", page.text().await);
    sign_in(&page, ADA.0, ADA.1).await;
    assert!(page.text().await.contains("Read your orders"), "{}", page.text().await);
    page.click_and_wait("button[value=allow]").await;
    tokens_verify_offline(&mut served, &client, &page).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_path_in_chromium_on_sqlite() {
    by_mouse(Engine::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_path_in_chromium_on_postgres() {
    by_mouse(Engine::Postgres, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_path_works_without_scripts() {
    by_mouse(Engine::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saying_no_tells_the_client_and_signing_out_ends_the_session() {
    let (served, client) = with_client(Engine::Sqlite).await;
    let page = Browser::shared().await.page().await;
    page.goto(&format!("{}{}", served.issuer, authorize_path(&client, &[]))).await;
    sign_in(&page, ADA.0, ADA.1).await;
    page.click_and_wait("button[value=deny]").await;
    assert_eq!(Callback::parse(&page.url().await, CALLBACK).get("error"), Some("access_denied"));
    page.goto(&format!("{}/", served.issuer)).await;
    assert!(page.text().await.contains("Ada Lovelace"));
    page.click_and_wait("form[action='/logout'] button").await;
    page.goto(&format!("{}/", served.issuer)).await;
    assert!(!page.text().await.contains("Ada Lovelace"));
    served.world.search_for_leaks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_signs_the_person_out_without_scripts_and_has_the_browser_back() {
    let (served, _) = with_client(Engine::Sqlite).await;
    let page = Browser::shared().await.page().await;
    page.javascript(false).await;
    let at = |path: &str| format!("{}{path}", served.issuer);
    page.goto(&at("/login")).await;
    sign_in(&page, ADA.0, ADA.1).await;
    let wish = at("/end_session?client_id=shop-web&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fbye&state=a+b");
    page.goto(&wish).await;
    page.click_and_wait("main a.button").await;
    assert!(page.text().await.contains("Where you are signed in"), "staying is an answer too: {}", page.text().await);
    page.goto(&wish).await;
    page.click_and_wait("main button").await;
    assert_eq!(page.url().await, format!("{BYE}?state=a+b"));
    page.goto(&at("/")).await;
    assert!(page.text().await.contains("You are not signed in"));
    served.world.search_for_leaks().await;
}
