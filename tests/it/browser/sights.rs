//! How the pages look: a screenshot of each, narrow and wide, light and dark, normal and with its errors, kept outside the tree for
//! people to look at; and what a machine can judge of them.

use std::path::PathBuf;
use std::time::Duration;

use passant::domain::client::Registration;
use passant::secret::OpaqueToken;
use passant::store::set_up_tokens;
use passant_tests::browser::{Browser, ColorScheme, Page};
use passant_tests::world::{Engine, Served, authorize_path};

use super::{ADA, sign_in};

/// Looks at the page in every size and scheme.
async fn look(page: &Page, name: &str) {
    let folder =
        std::env::var_os("TESTS_SCREENSHOTS").map_or_else(|| std::env::temp_dir().join("passant-screenshots"), PathBuf::from);
    for width in [360, 1280] {
        for (scheme, word) in [(ColorScheme::Light, "light"), (ColorScheme::Dark, "dark")] {
            page.viewport(width, 800).await;
            page.color_scheme(scheme).await;
            page.screenshot(&folder.join(format!("{name}-{width}-{word}.png"))).await;
            let problems = page.accessibility_problems().await;
            let violations = page.axe().await;
            let shown: Vec<String> =
                problems.iter().map(ToString::to_string).chain(violations.iter().map(ToString::to_string)).collect();
            assert!(shown.is_empty(), "{name} at {width} in {word}: {}", shown.join("; "));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_seen_narrow_and_wide_light_and_dark_normal_and_with_errors() {
    let served = Served::new(Engine::Sqlite, |_| {}).await;
    let (world, at) = (&served.world, |path: &str| format!("{}{path}", served.issuer));
    world.user(ADA.0, ADA.1).await;
    let everything = r#"{
        "roles": {"from": "roles"}, "department": {"from": "attributes.department", "carried_by": ["id_token"]}
    }"#;
    let mapped = serde_json::from_str(everything).unwrap();
    let client = world
        .client("shop-web", |it| {
            (it.first_party, it.mapped_claims) = (false, mapped);
            it.post_logout_redirect_uris = vec!["https://shop-web.example.com/bye".parse().unwrap()];
        })
        .await;
    let page = Browser::shared().await.page().await;

    page.goto(&at(&authorize_path(&client, &[("scope", "openid profile email offline_access orders:read orders:write")]))).await;
    look(&page, "sign-in").await;
    sign_in(&page, ADA.0, "not the right one").await;
    look(&page, "sign-in-error").await;
    sign_in(&page, ADA.0, ADA.1).await;
    look(&page, "consent").await;
    let wish = r#"{"userinfo": {"birthdate": null, "phone_number": null, "phone_number_verified": null}}"#;
    for (name, scope) in [
        ("consent-with-every-line", "openid profile email address phone offline_access orders:read orders:write"),
        ("consent-by-name", "openid"),
    ] {
        page.goto(&at(&authorize_path(&client, &[("scope", scope), ("claims", wish)]))).await;
        look(&page, name).await;
    }
    page.eval::<bool>("document.querySelector('[name=csrf]').value = 'forged', true").await;
    page.click_and_wait("button[value=allow]").await;
    look(&page, "consent-error").await;

    page.javascript(false).await;
    page.goto(&at(&authorize_path(&client, &[("response_mode", "form_post"), ("prompt", "none")]))).await;
    // Loaded without its script; axe-core's own timers need them allowed.
    page.javascript(true).await;
    look(&page, "form-post-without-scripts").await;

    page.goto(&at(&authorize_path(&client, &[("redirect_uri", "https://evil.example.com/cb")]))).await;
    look(&page, "error-redirect-uri").await;
    page.goto(&at("/nowhere")).await;
    look(&page, "error-not-found").await;
    let own = |it: &mut Registration| it.redirect_uris = vec!["http://127.0.0.1:9/cb".parse().unwrap()];
    world.client("first-party", own).await;
    let elsewhere = Browser::shared().await.page().await;
    elsewhere.goto(&at("/login")).await;
    sign_in(&elsewhere, ADA.0, ADA.1).await;
    for scope in ["openid profile orders:read", "openid offline_access orders:write"] {
        let change = [("scope", scope), ("client_id", "first-party"), ("redirect_uri", "http://127.0.0.1:9/cb")];
        elsewhere.goto(&at(&authorize_path(&client, &change))).await;
    }
    page.goto(&at("/")).await;
    look(&page, "account").await;
    page.click_and_wait("form[action='/account/sessions/end-others'] button").await;
    look(&page, "account-said").await;
    page.click_and_wait("a[href='/account/password']").await;
    look(&page, "change-password").await;
    page.eval::<bool>("document.querySelector('form').noValidate = true").await;
    page.fill("[name=current]", "not the right one").await;
    page.fill("[name=new]", "short").await;
    page.click_and_wait("main button").await;
    look(&page, "change-password-error").await;
    for _ in 0..6 {
        page.eval::<bool>("document.querySelector('form').noValidate = true").await;
        page.fill("[name=current]", "not the right one").await;
        page.fill("[name=new]", "a loom that weaves flowers").await;
        page.click_and_wait("main button").await;
    }
    look(&page, "change-password-wait").await;
    page.goto(&at("/end_session?client_id=shop-web&post_logout_redirect_uri=https%3A%2F%2Fshop-web.example.com%2Fbye")).await;
    look(&page, "end-session").await;
    page.goto(&at("/end_session")).await;
    look(&page, "end-session-bare").await;
    page.click_and_wait("main button").await;
    look(&page, "signed-out").await;
    // Until nobody has to wait any more.
    world.advance(Duration::from_secs(3600));
    page.goto(&at("/login")).await;
    sign_in(&page, ADA.0, ADA.1).await;
    page.goto(&at("/")).await;
    page.click_and_wait("form[action='/account/sessions/end-all'] button").await;
    look(&page, "home-signed-out-everywhere").await;
    for _ in 0..6 {
        page.goto(&at("/login")).await;
        sign_in(&page, "nobody", "not the right one").await;
    }
    look(&page, "sign-in-wait").await;

    let token = OpaqueToken::random("pst_");
    let born = {
        let mut reader = world.db().reader().await.unwrap();
        set_up_tokens::needed(&mut reader.conn()).await.unwrap().expect("there is no administrator")
    };
    let end = world.app.now() + Duration::from_secs(900);
    set_up_tokens::create(world.db(), token.hash(), born, end).await.unwrap();
    let newcomer = Browser::shared().await.page().await;
    newcomer.goto(&at(&format!("/set-up?token={}", token.expose()))).await;
    look(&newcomer, "set-up").await;
    newcomer.eval::<bool>("document.querySelector('form').noValidate = true").await;
    newcomer.fill("[name=username]", "two words").await;
    newcomer.fill("[name=email]", "no address").await;
    newcomer.fill("[name=password]", "short").await;
    newcomer.click_and_wait("main button").await;
    look(&newcomer, "set-up-error").await;
    newcomer.goto(&at("/")).await;
    look(&newcomer, "home-signed-out").await;
    world.secrets.collect("set-up link", token.expose());
    world.search_for_leaks().await;
}
