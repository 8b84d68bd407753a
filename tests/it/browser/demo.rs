//! The whole demonstration, with the service that the README starts: sign in, call, log out everywhere, call again.

use std::net::TcpListener;
use std::path::Path;

use passant::http::pages::demo;
use passant_tests::browser::{Browser, Page};
use passant_tests::readme::commands;
use passant_tests::running::{Running, shell};
use passant_tests::world::{Engine, Served};
use serde_json::Value;

use super::{ADA, sign_in};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Calls the service by the page's button: the status that the page tells, and all else that it shows.
async fn call(page: &Page) -> String {
    page.eval::<bool>("document.getElementById('answer').replaceChildren(), true").await;
    page.click("#call").await;
    page.wait_for("#answer .answer").await;
    page.eval("document.getElementById('answer').innerText").await
}

/// Calls until the answer says this: services hear of news a moment later.
async fn call_until(page: &Page, mark: &str) -> String {
    for _ in 0..200 {
        let said = call(page).await;
        if said.contains(mark) {
            return said;
        }
    }
    panic!("the service never says {mark:?}, but {}", call(page).await);
}

async fn whole_demonstration(engine: Engine) {
    let served = Served::demonstrating_in_real_time(engine).await;
    served.world.user(ADA.0, ADA.1).await;
    // The service has a port of this run's own, to which the page's calls are led.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, readme) = (format!("127.0.0.1:{port}"), std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap());
    let environment = [("ISSUER", served.issuer.as_str()), ("LISTEN", &listen)];
    let mut orders = Running::start(shell(&commands(&readme)["orders"], Path::new(ROOT), &environment));
    orders.until("follows the issuer's revocation feed").await;

    let page = Browser::shared().await.page().await;
    page.without_content_policy().await;
    page.goto(&format!("{}/demo", served.issuer)).await;
    page.click_and_wait("#sign-in").await;
    sign_in(&page, ADA.0, ADA.1).await;
    page.click_and_wait("button[value=allow]").await;
    page.wait_for("#signed-in:not([hidden])").await;
    let lead = format!(
        "{{const own = window.fetch; window.fetch = (to, how) => own(String(to).replace('{}', 'http://localhost:{port}'), how); true}}",
        demo::RESOURCE
    );
    page.eval::<bool>(&lead).await;
    let token: String = page.eval("document.getElementById('token').value").await;
    assert!(call(&page).await.contains("sugar tongs"));

    page.click("#end-all").await;
    page.wait_for("#revoked:not([hidden])").await;
    let said: String = page.eval("document.getElementById('revoked').innerText").await;
    let revoked: Value = page.eval("JSON.parse(sessionStorage.getItem('demo.revoked'))").await;
    assert!(said.contains(&format!("at tick {}.", revoked["tick"])) && said.contains("within a second"), "{said}");
    assert_eq!(page.eval::<String>("document.getElementById('token').value").await, token, "the page keeps its token");
    assert!(page.eval::<String>("document.getElementById('life').innerText").await.contains("good for another"));
    assert!(page.is_in_focus("#call").await);
    let refused = call_until(&page, "status 401").await;
    for part in ["which was revoked", "The token was revoked.", "invalid_token"] {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }

    // Passant refuses it too, and there is nothing left to log out of.
    page.eval::<bool>("document.getElementById('end-all').hidden = false, true").await;
    page.click("#end-all").await;
    page.wait_for("#problem:not([hidden])").await;
    let problem: String = page.eval("document.getElementById('problem').innerText").await;
    assert!(problem.contains("not signed in at Passant any more"), "{problem}");

    page.click("#forget").await;
    page.wait_for("#signed-out:not([hidden])").await;
    assert!(!page.text().await.contains("Passant still knows you"));
    page.click_and_wait("#sign-in").await;
    sign_in(&page, ADA.0, ADA.1).await;
    page.click_and_wait("button[value=allow]").await;
    page.wait_for("#signed-in:not([hidden])").await;
    page.eval::<bool>(&lead).await;
    assert!(page.eval::<bool>("document.getElementById('revoked').hidden && !document.getElementById('end-all').hidden").await);
    call_until(&page, "sugar tongs").await;
    served.world.search_for_leaks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_demonstration_sqlite() {
    whole_demonstration(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_demonstration_postgres() {
    whole_demonstration(Engine::Postgres).await;
}
