//! `issuer/docs/server-rendered-app.md`, with Chromium as its user's browser.

use passant_tests::browser::{Browser, Page};
use passant_tests::clients::{python_packages, source};
use passant_tests::running::Running;
use passant_tests::secrets::dump_sqlite;

use super::{Guide, SHOP, sign_in};

/// Starts the app with the packages that are there, in the versions that the page asks for.
async fn app(guide: &Guide) -> Running {
    assert!(guide.text("install").contains("-r requirements.txt"));
    let pinned = source("python/requirements.txt");
    for package in guide.files["requirements.txt"].lines() {
        let known = |line: &str| line.strip_suffix(" \\") == Some(package);
        assert!(pinned.lines().any(known), "{package} is not what tests/clients/python pins");
    }
    let packages = python_packages();
    std::fs::create_dir_all(guide.path(".venv/bin")).unwrap();
    let activate = format!("export PYTHONPATH='{0}' PATH=\"$PATH:{0}/bin\"\n", packages.display());
    std::fs::write(guide.path(".venv/bin/activate"), activate).unwrap();
    let mut app = Running::start(guide.command("app", &[]));
    app.until("Running on").await;
    app
}

/// The refresh token of the one session that the app keeps.
async fn refresh_token(guide: &Guide) -> String {
    let dump = dump_sqlite(&guide.path("sessions.sqlite")).await;
    let dump = String::from_utf8_lossy(&dump).into_owned();
    let (_, token) = dump.split_once("psr_").unwrap_or_else(|| panic!("no refresh token in {dump}"));
    token.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

async fn shows(page: &Page, text: &str) {
    let shown = page.text().await;
    assert!(shown.contains(text), "no {text:?} in {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_rendered_app_signs_in_refreshes_and_signs_out() {
    let guide = Guide::open("server-rendered-app");
    guide.run("secrets", &[]).await;
    let issuer = guide.issuer().await;
    let password = guide.user().await;
    let _service = guide.service(&[]).await;
    let _app = app(&guide).await;

    let page = Browser::shared().await.page().await;
    page.goto(&guide.url(SHOP, "/callback?code=stolen&state=guessed")).await;
    shows(&page, "Sign in").await;
    page.click_and_wait("a").await;
    sign_in(&page, &password).await;
    page.click_and_wait("button[value=allow]").await;
    shows(&page, "Signed in as Ada Lovelace").await;
    shows(&page, "sugar tongs").await;
    assert_eq!(page.url().await, guide.url(SHOP, "/"), "the code is out of the address");
    assert_eq!(page.eval::<String>("document.cookie").await, "", "no script reads the cookie");
    let first = refresh_token(&guide).await;
    page.goto(&guide.url(SHOP, "/")).await;
    assert_eq!(refresh_token(&guide).await, first, "a token is used until it ends");

    page.click_and_wait("button").await;
    shows(&page, "Sign in").await;
    assert_eq!(page.url().await, guide.url(SHOP, "/"));
    // So short that each call finds it at its end.
    let _issuer = guide.restarted(issuer, r#"access_token = "1m""#).await;
    page.click_and_wait("a").await;
    assert!(page.url().await.contains("/login"), "signing out has ended the session at the issuer");
    // What she allowed a client with a secret is remembered.
    sign_in(&page, &password).await;
    shows(&page, "sugar tongs").await;
    let first = refresh_token(&guide).await;
    page.goto(&guide.url(SHOP, "/")).await;
    shows(&page, "sugar tongs").await;
    assert_ne!(refresh_token(&guide).await, first, "the call refreshed");

    let ending = guide.typed("passant users set-password ada --generate-password", &[]);
    assert!(super::ended(ending).await.status.success());
    page.goto(&guide.url(SHOP, "/")).await;
    shows(&page, "Sign in").await;
    guide.done();
}
