//! What people see when something cannot go on.

use std::time::Duration;

use passant::app::checkpoint::Checkpoint;
use passant::config::Config;
use passant::domain::session::WhenFull;
use passant_tests::world::Registered;

use super::super::{set_up_link, sign_in};
use super::*;

async fn shop(served: &Served) -> Registered {
    served.world.user(ADA.0, ADA.1).await;
    served.world.client("shop-web", |it| it.first_party = false).await
}

pub(super) async fn all(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |config| config.throttle.address_free = 3).await;
    let (client, page) = (shop(&served).await, visitor().await);
    let at = |path: &str| format!("{}{path}", served.issuer);
    let to = |name, value| authorize_path(&client, &[(name, value)]);
    for (name, address) in [
        ("error-client", at(&to("client_id", "nobody"))),
        ("error-redirect-uri", at(&to("redirect_uri", "https://evil.example.com/cb"))),
        ("error-logout-uri", at("/end_session?client_id=shop-web&post_logout_redirect_uri=https%3A%2F%2Fevil.example.com")),
        ("error-unreadable", at(&format!("/end_session?state={}", "x".repeat(2049)))),
        ("error-gone", at("/consent?request=unknown")),
        ("error-not-found", at("/nowhere")),
        ("error-method", at("/logout")),
        ("error-address", at(&format!("/?{}", "x".repeat(9000)))),
        ("error-misdirected", at("/").replace("localhost", "elsewhere.localhost")),
        ("error-set-up", at("/set-up?token=dead")),
    ] {
        page.goto(&address).await;
        sights.look(&page, name).await;
    }
    for _ in 0..WRONG {
        page.goto(&at("/set-up?token=dead")).await;
    }
    sights.look(&page, "error-too-many").await;

    page.goto(&at("/login")).await;
    page.eval::<bool>("document.querySelector('[name=username]').value = 'x'.repeat(70000), true").await;
    page.fill("[name=password]", "whatever").await;
    page.click_and_wait("main button").await;
    sights.look(&page, "error-too-long").await;

    let other = visitor().await;
    for page in [&page, &other] {
        page.goto(&at("/login")).await;
        sign_in(page, ADA.0, ADA.1).await;
    }
    other.click_and_wait("form[action='/account/sessions/end-all'] button").await;
    page.click_and_wait("form[action='/account/sessions/end-all'] button").await;
    sights.look(&page, "error-sign-in-again").await;

    page.eval::<bool>("for (let n = 0; n < 12; n++) document.cookie = `c${n}=${'x'.repeat(3000)}; path=/`; true").await;
    page.goto(&at("/")).await;
    sights.look(&page, "error-head").await;
    served.world.search_for_leaks().await;
}

pub(super) async fn in_a_full_house(sights: &Sights) {
    let full = |config: &mut Config| (config.sessions.most, config.sessions.when_full) = (1, WhenFull::Deny);
    let served = Served::new(Engine::Sqlite, full).await;
    shop(&served).await;
    let (page, other) = (visitor().await, visitor().await);
    for page in [&page, &other] {
        page.goto(&format!("{}/login", served.issuer)).await;
        sign_in(page, ADA.0, ADA.1).await;
    }
    sights.look(&other, "error-too-many-sessions").await;
}

/// No password is checked, and what takes longer than a moment is given up.
pub(super) async fn overloaded(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |config| (config.passwords.permits, config.passwords.queue) = (0, 0)).await;
    let page = visitor().await;
    page.goto(&format!("{}/login", served.issuer)).await;
    sign_in(&page, ADA.0, ADA.1).await;
    sights.look(&page, "sign-in-busy").await;
    page.goto(&set_up_link(&served).await).await;
    let fields = [("username", "grace"), ("name", "Grace"), ("email", ""), ("password", ADA.1)];
    send_anyway(&page, &fields).await;
    sights.look(&page, "set-up-busy").await;

    let slow = Served::new(Engine::Sqlite, |config| config.limits.request_timeout = Duration::from_secs(1)).await;
    shop(&slow).await;
    let hold = slow.world.held.next(Checkpoint::PasswordProved);
    page.goto(&format!("{}/login", slow.issuer)).await;
    sign_in(&page, ADA.0, ADA.1).await;
    sights.look(&page, "error-unavailable").await;
    drop(hold);
}

pub(super) async fn broken(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    shop(&served).await;
    let page = visitor().await;
    page.goto(&format!("{}/login", served.issuer)).await;
    served.world.execute("ALTER TABLE users RENAME TO lost").await;
    sign_in(&page, ADA.0, ADA.1).await;
    sights.look(&page, "error-internal").await;
}
