//! `issuer/docs/command-line-tool.md`. The tool's browser is Chromium; a stand-in for the system's opener opens nothing.

use std::os::unix::fs::{PermissionsExt, symlink};

use passant_tests::browser::Browser;
use passant_tests::clients::{go_vendor, source};
use passant_tests::running::Running;
use serde_json::{Value, json};

use super::{Guide, ISSUER, ended, sign_in, stand_in};

/// The tool's file, and that nobody else can read it.
fn kept(guide: &Guide) -> Value {
    let path = guide.path("config/orders/token.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Builds the tool from the modules that are there, in the versions that the page asks for.
async fn build(guide: &Guide) {
    let lock = source("go/go.mod");
    let install = guide.text("install");
    let wanted: Vec<&str> = install.split_whitespace().filter(|word| word.contains("@v")).collect();
    assert_eq!(wanted.len(), 2, "{install}");
    for module in wanted {
        let line = module.replace('@', " ");
        assert!(lock.lines().any(|known| known.trim() == line), "{line} is not what tests/clients/go pins");
    }
    std::fs::write(guide.path("go.mod"), lock.replace("module passant-clients", "module orders")).unwrap();
    std::fs::write(guide.path("go.sum"), source("go/go.sum")).unwrap();
    symlink(go_vendor(), guide.path("vendor")).unwrap();
    guide.run("build", &[("GOFLAGS", "-mod=vendor"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_line_tool_signs_in_through_the_browser_and_stays_signed_in() {
    let guide = Guide::open("command-line-tool");
    let _issuer = guide.issuer().await;
    let password = guide.user().await;
    let _service = guide.service(&[]).await;
    build(&guide).await;
    stand_in(&guide, "xdg-open", "#!/bin/sh\n");

    let mut login = Running::start(guide.command("login", &[]));
    let said = login.until("Sign in at ").await;
    let address = said.split_whitespace().last().unwrap();
    let request = reqwest::Url::parse(address).unwrap();
    let redirect_uri = request.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    let forged = reqwest::get(format!("{redirect_uri}?code=stolen&state=guessed")).await.unwrap();
    assert_eq!(forged.status(), 400, "an answer to no request of ours is left alone");

    let page = Browser::shared().await.page().await;
    page.goto(address).await;
    sign_in(&page, &password).await;
    page.click_and_wait("button[value=allow]").await;
    assert!(page.text().await.contains("You may close this page"), "{}", page.text().await);
    let (status, said) = login.ended().await;
    assert!(status.success() && said.contains("Signed in as Ada Lovelace"), "{said}");

    let orders = guide.run("list", &[]).await;
    assert!(orders.contains("sugar tongs"), "{orders}");
    let mut token = kept(&guide);
    let refresh_token = token["refresh_token"].take();
    assert!(refresh_token.is_string());
    token["refresh_token"] = refresh_token.clone();
    token["expiry"] = json!("2026-01-01T00:00:00Z");
    std::fs::write(guide.path("config/orders/token.json"), token.to_string()).unwrap();
    assert!(guide.run("list", &[]).await.contains("sugar tongs"));
    let renewed = kept(&guide);
    assert!(renewed["refresh_token"] != refresh_token && renewed["access_token"] != token["access_token"], "it was renewed");

    assert!(guide.run("logout", &[]).await.contains("Signed out"));
    assert!(!guide.path("config/orders/token.json").exists());
    let refresh_token = renewed["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&client_id=orders-cli&refresh_token={refresh_token}");
    let again = reqwest::Client::new().post(guide.url(ISSUER, "/token")).body(form);
    let again = again.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert!(again.text().await.unwrap().contains("invalid_grant"), "signing out has revoked the grant");
    let signed_out = ended(guide.command("list", &[])).await;
    assert!(!signed_out.status.success());
    assert!(String::from_utf8_lossy(&signed_out.stderr).contains("run: orders login"));
    guide.done();
}
