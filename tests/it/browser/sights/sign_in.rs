//! Signing in, and what an application asks for.

use passant::domain::client::Registration;
use passant::domain::life::RefreshLife;

use super::super::sign_in;
use super::*;

pub(super) async fn all(sights: &Sights) {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    let (world, at) = (&served.world, |path: &str| format!("{}{path}", served.issuer));
    world.user(ADA.0, ADA.1).await;
    let everything = r#"{
        "roles": {"from": "roles"}, "department": {"from": "attributes.department", "carried_by": ["id_token"]}
    }"#;
    let mapped = serde_json::from_str(everything).unwrap();
    let client = world.client("shop-web", |it| (it.first_party, it.mapped_claims) = (false, mapped)).await;
    let page = visitor().await;

    page.goto(&at("/login")).await;
    sights.look(&page, "sign-in-bare").await;
    for (name, typed) in [
        ("sign-in-empty", [("username", ""), ("password", "")]),
        ("sign-in-empty-name", [("username", ""), ("password", ADA.1)]),
        ("sign-in-empty-password", [("username", ADA.0), ("password", "")]),
    ] {
        send_anyway(&page, &typed).await;
        sights.look(&page, name).await;
    }
    page.goto(&at(&authorize_path(&client, &[("scope", "openid profile email offline_access orders:read orders:write")]))).await;
    sights.look(&page, "sign-in").await;
    sign_in(&page, ADA.0, "not the right one").await;
    sights.look(&page, "sign-in-error").await;
    page.eval::<bool>("document.querySelector('[name=csrf]').value = 'forged', true").await;
    sign_in(&page, ADA.0, ADA.1).await;
    sights.look(&page, "sign-in-open-too-long").await;
    sign_in(&page, ADA.0, ADA.1).await;
    sights.look(&page, "consent").await;
    let wish = r#"{"userinfo": {"birthdate": null, "phone_number": null, "phone_number_verified": null}}"#;
    for (name, scope) in [
        ("consent-with-every-line", "openid profile email address phone offline_access orders:read orders:write"),
        ("consent-by-name", "openid"),
    ] {
        page.goto(&at(&authorize_path(&client, &[("scope", scope), ("claims", wish)]))).await;
        sights.look(&page, name).await;
    }
    let for_a_day = |it: &mut Registration| {
        it.first_party = false;
        let day = RefreshLife::seconds::<86_400>();
        (it.lifetimes.refresh_idle, it.lifetimes.refresh_absolute) = (day, day);
    };
    let for_a_day = world.client("for-a-day", for_a_day).await;
    page.goto(&at(&authorize_path(&for_a_day, &[("scope", "openid offline_access")]))).await;
    sights.look(&page, "consent-for-a-day").await;
    page.eval::<bool>("document.querySelector('[name=csrf]').value = 'forged', true").await;
    page.click_and_wait("button[value=allow]").await;
    sights.look(&page, "consent-error").await;

    page.javascript(false).await;
    page.goto(&at(&authorize_path(&client, &[("response_mode", "form_post"), ("prompt", "none")]))).await;
    // Loaded without its script; axe-core's own timers need them allowed.
    page.javascript(true).await;
    sights.look(&page, "form-post-without-scripts").await;

    let other = visitor().await;
    other.goto(&at("/login")).await;
    for _ in 0..WRONG {
        sign_in(&other, "nobody", "not the right one").await;
    }
    sights.look(&other, "sign-in-wait").await;
    world.search_for_leaks().await;
}
