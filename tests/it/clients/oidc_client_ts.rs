//! oidc-client-ts (npm), in a single-page application in Chromium, from another origin. Its page is in `tests/clients/page`.

use std::path::{Component, Path, PathBuf};

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use passant_tests::browser::{Browser, Page};
use passant_tests::clients::node_modules;
use serde_json::json;
use tokio::net::TcpListener;

use super::{CLIENT_ID, RESOURCE, Registration, SCOPE, Shop};

on_both_engines! {
    /// A public client: PKCE and no secret.
    async fn oidc_client_ts(engine) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (callback, goodbye) = (format!("{origin}/cb"), format!("{origin}/bye"));
        let client = Registration {
            authentication: "none",
            secret: "",
            redirect_uri: &callback,
            post_logout_redirect_uri: &goodbye,
        };
        let shop = Shop::open(engine, client).await;
        let settings = json!({
            "authority": shop.issuer.url,
            "client_id": CLIENT_ID,
            "redirect_uri": callback,
            "post_logout_redirect_uri": goodbye,
            "scope": SCOPE,
            "resource": RESOURCE,
        });
        let serving = tokio::spawn(async move { axum::serve(listener, site(settings.to_string())).await });

        let page = Browser::shared().await.page().await;
        page.goto(&origin).await;
        page.wait_for("#sign-in:enabled").await;
        page.click_and_wait("#sign-in").await;
        page.fill("[name=username]", &shop.user.name).await;
        page.fill("[name=password]", &shop.user.password).await;
        page.click_and_wait("main button").await;
        page.click_and_wait("button[value=allow]").await;
        until(&page, "signed-in").await;
        page.wait_for("#sign-out:enabled").await;
        page.click_and_wait("#sign-out").await;
        until(&page, "signed-out").await;
        page.wait_for("#sign-in-silently:enabled").await;
        page.click_and_wait("#sign-in-silently").await;
        let said = until(&page, "not-signed-in").await;
        let report = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why} in {said}"));
        shop.judge(&report, &["state"]);
        serving.abort();
    }
}

/// What the page says once it has done a step.
async fn until(page: &Page, step: &str) -> String {
    page.wait_for("#report[data-step]").await;
    let (done, said): (String, String) =
        page.eval("[document.getElementById('report').dataset.step, document.getElementById('report').textContent]").await;
    assert_eq!(done, step, "{said}");
    said
}

/// The application's own server: its page at each of its addresses, its script and its libraries.
fn site(settings: String) -> Router {
    let own = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/page").join(name);
    let page = get(async move || file(own("shop.html")));
    Router::new()
        .route("/", page.clone())
        .route("/cb", page.clone())
        .route("/bye", page)
        .route("/settings.json", get(async move || settings))
        .route("/shop.mjs", get(async move || file(own("shop.mjs"))))
        .route(
            "/node_modules/{*path}",
            get(async |UrlPath(path): UrlPath<PathBuf>| {
                if path.components().all(|part| matches!(part, Component::Normal(_))) {
                    file(node_modules().join(path))
                } else {
                    StatusCode::NOT_FOUND.into_response()
                }
            }),
        )
}

fn file(path: PathBuf) -> Response {
    let kind = if path.extension().is_some_and(|extension| extension == "html") { "text/html" } else { "text/javascript" };
    match std::fs::read(&path) {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
