//! The signed-in page, what it does, and signing out.

use std::time::Duration;

use passant::domain::client::Registration;

use super::super::sign_in;
use super::*;

const NEW: &str = "a loom that weaves flowers";
const WAIT: Duration = Duration::from_secs(3600);

pub(super) async fn all(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    let (world, at) = (&served.world, |path: &str| format!("{}{path}", served.issuer));
    world.user(ADA.0, ADA.1).await;
    world.secrets.collect("password", NEW);
    let (page, elsewhere) = (visitor().await, visitor().await);
    for page in [&page, &elsewhere] {
        page.goto(&at("/login")).await;
        sign_in(page, ADA.0, ADA.1).await;
    }
    let own = |it: &mut Registration| it.redirect_uris = vec!["http://127.0.0.1:9/cb".parse().unwrap()];
    for id in ["first-party", "another"] {
        let client = world.client(id, own).await;
        for scope in ["openid profile orders:read", "openid offline_access orders:write"] {
            let change = [("scope", scope), ("redirect_uri", "http://127.0.0.1:9/cb")];
            elsewhere.goto(&at(&authorize_path(&client, &change))).await;
        }
    }
    page.goto(&at("/")).await;
    sights.look(&page, "account").await;
    page.click_and_wait("form[action='/account/applications/withdraw'] button").await;
    sights.look(&page, "account-said-withdrawn").await;
    page.click_and_wait("form[action='/account/sessions/end'] button").await;
    sights.look(&page, "account-said-ended").await;
    elsewhere.goto(&at("/login")).await;
    sign_in(&elsewhere, ADA.0, ADA.1).await;
    page.goto(&at("/")).await;
    page.click_and_wait("form[action='/account/sessions/end-others'] button").await;
    sights.look(&page, "account-said-others-ended").await;

    page.click_and_wait("a[href='/account/password']").await;
    sights.look(&page, "change-password").await;
    let long = "x".repeat(1025);
    for (name, current, new) in [
        ("change-password-no-current", "", NEW),
        ("change-password-wrong", "not the right one", NEW),
        ("change-password-short", ADA.1, "short"),
        ("change-password-long", ADA.1, long.as_str()),
        ("change-password-same", ADA.1, ADA.1),
    ] {
        send_anyway(&page, &[("current", current), ("new", new)]).await;
        sights.look(&page, name).await;
    }
    for _ in 0..WRONG {
        send_anyway(&page, &[("current", "not the right one"), ("new", NEW)]).await;
    }
    sights.look(&page, "change-password-wait").await;
    world.advance(WAIT);
    send_anyway(&page, &[("current", ADA.1), ("new", NEW)]).await;
    sights.look(&page, "account-said-password").await;
    leaving(sights, &served, &page).await;
    world.search_for_leaks().await;
}

async fn leaving(sights: &Sights, served: &Served, page: &Page) {
    let at = |path: &str| format!("{}{path}", served.issuer);
    let bye = |it: &mut Registration| it.post_logout_redirect_uris = vec!["https://shop-web.example.com/bye".parse().unwrap()];
    served.world.client("shop-web", bye).await;
    for (name, query) in [
        ("end-session", "?client_id=shop-web&post_logout_redirect_uri=https%3A%2F%2Fshop-web.example.com%2Fbye"),
        ("end-session-of-a-client", "?client_id=shop-web"),
        ("end-session-bare", ""),
    ] {
        page.goto(&at(&format!("/end_session{query}"))).await;
        sights.look(page, name).await;
    }
    page.click_and_wait("main button").await;
    sights.look(page, "signed-out").await;
    page.goto(&at("/")).await;
    sights.look(page, "home-signed-out").await;
    page.goto(&at("/login")).await;
    sign_in(page, ADA.0, NEW).await;
    page.click_and_wait("form[action='/account/sessions/end-all'] button").await;
    sights.look(page, "home-signed-out-everywhere").await;
}
