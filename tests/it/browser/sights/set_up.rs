//! The first administrator's page.

use super::super::set_up_link;
use super::*;

pub(super) async fn all(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    served.world.user(ADA.0, ADA.1).await;
    let (page, link) = (visitor().await, set_up_link(&served).await);
    page.goto(&link).await;
    sights.look(&page, "set-up").await;
    let long = "x".repeat(1025);
    for (name, typed) in [
        ("set-up-empty", ["", "", "", ""]),
        ("set-up-wrong", ["two words", "Grace Hopper", "no address", "short"]),
        ("set-up-long", ["grace", "Grace Hopper", "", long.as_str()]),
        ("set-up-taken", [ADA.0, "Grace Hopper", "", ADA.1]),
    ] {
        let fields: Vec<(&str, &str)> = ["username", "name", "email", "password"].into_iter().zip(typed).collect();
        send_anyway(&page, &fields).await;
        sights.look(&page, name).await;
    }
    served.world.search_for_leaks().await;
}
