//! `issuer/docs/single-page-app.md`, in Chromium.

use std::os::unix::fs::symlink;
use std::time::Duration;

use passant_tests::browser::{Browser, Page};
use passant_tests::clients::{node_modules, source};
use passant_tests::running::Running;
use serde_json::Value;

use super::{Guide, PAGES, sign_in, stopped};

/// Serves the app with the package that is there, in the version that the page asks for.
async fn site(guide: &Guide) -> Running {
    let pinned: Value = serde_json::from_str(&source("node/package.json")).unwrap();
    let version = pinned["dependencies"]["oidc-client-ts"].as_str().unwrap();
    assert_eq!(guide.text("install").trim(), format!("npm install oidc-client-ts@{version}"));
    symlink(node_modules(), guide.path("node_modules")).unwrap();
    guide.run("copy", &[]).await;
    let mut site = Running::start(guide.command("site", &[]));
    site.until("Serving HTTP on").await;
    site
}

/// Signs in, by password where the issuer asks for one.
async fn signed_in(page: &Page, password: Option<&str>) {
    page.click_and_wait("#sign-in").await;
    if let Some(password) = password {
        sign_in(page, password).await;
    }
    page.wait_for("#read:not([hidden])").await;
    assert_eq!(status(page).await, "Signed in as Ada Lovelace");
}

async fn status(page: &Page) -> String {
    page.eval("document.getElementById('status').textContent").await
}

/// How many answers of the token endpoint the page has had since it was loaded.
async fn token_answers(page: &Page) -> usize {
    page.eval("performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/token')).length").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_page_app_keeps_its_tokens_in_memory_and_renews_them() {
    let guide = Guide::open("single-page-app");
    let issuer = guide.issuer().await;
    let password = guide.user().await;
    let service = guide.service(&[]).await;
    let _site = site(&guide).await;

    let page = Browser::shared().await.page().await;
    page.goto(&guide.url(PAGES, "/")).await;
    signed_in(&page, Some(&password)).await;
    assert_eq!(page.url().await, guide.url(PAGES, "/"), "the code is out of the address");
    page.click("#read").await;
    page.wait_for("#orders li").await;
    assert!(page.text().await.contains("sugar tongs"));
    let stored: String = page.eval("JSON.stringify([localStorage, sessionStorage])").await;
    assert!(!stored.contains("psr_") && !stored.contains("eyJ"), "tokens are in memory alone: {stored}");
    page.click_and_wait("#sign-out").await;
    page.wait_for("#sign-in:not([hidden])").await;
    assert_eq!((status(&page).await.as_str(), page.url().await), ("Not signed in", guide.url(PAGES, "/")));

    // A service that takes none of its tokens: the page renews once, and then gives up.
    stopped(service).await;
    let service = guide.service(&[("AUDIENCE", "https://elsewhere.example.com")]).await;
    signed_in(&page, Some(&password)).await;
    let before = token_answers(&page).await;
    page.click("#read").await;
    page.wait_for("#sign-in:not([hidden])").await;
    assert!(status(&page).await.contains("401"), "{}", status(&page).await);
    assert_eq!(token_answers(&page).await, before + 1);
    stopped(service).await;

    // A token with a second to go until the last minute of its life.
    let _issuer = guide.restarted(issuer, r#"access_token = "61s""#).await;
    page.goto(&guide.url(PAGES, "/")).await;
    assert_eq!(status(&page).await, "Not signed in", "a reload forgets");
    signed_in(&page, None).await;
    let renewed = async { while token_answers(&page).await < 2 {} };
    tokio::time::timeout(Duration::from_secs(30), renewed).await.expect("the page renews its token by itself");
    assert_eq!(status(&page).await, "Signed in as Ada Lovelace");
    guide.done();
}
