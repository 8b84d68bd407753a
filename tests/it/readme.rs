//! The README's own commands, as a newcomer would type them: demo, sign in, call, log out everywhere, call again, and stop
//! the issuer.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

use passant_tests::browser::{Browser, ColorScheme, Page};
use passant_tests::running::{Running, shell};
use passant_tests::secrets::{SecretCollector, dump_sqlite};
use passant_tests::world::Directory;

/// Where the README's commands are typed.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn after<'t>(text: &'t str, label: &str) -> &'t str {
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("{label} is not in {text}"));
    rest.split_whitespace().next().unwrap()
}

/// Calls the service as the README says, on the port of this run.
async fn call(commands: &BTreeMap<String, String>, token: &str, port: u16) -> (bool, String) {
    let command = commands["call"].replace("localhost:8081", &format!("localhost:{port}"));
    let output = shell(&command, Path::new(ROOT), &[("TOKEN", token)]).output().await.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Signs in at the demo as it says; the access token.
async fn sign_in(page: &Page, said: &str) -> String {
    page.click_and_wait("#sign-in").await;
    page.fill("[name=username]", after(said, "User name")).await;
    page.fill("[name=password]", after(said, "Password")).await;
    page.click_and_wait("main button").await;
    page.click_and_wait("button[value=allow]").await;
    page.wait_for("#signed-in:not([hidden])").await;
    page.eval("document.getElementById('token').value").await
}

async fn breaks_no_rule(page: &Page) {
    for scheme in [ColorScheme::Dark, ColorScheme::Light] {
        page.color_scheme(scheme).await;
        assert_eq!(page.axe().await, [], "{scheme:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_five_minutes_work_as_written() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let commands = passant_tests::readme::commands(&text);
    let (data, issuer_port, orders_port) = (Directory::new(), free_port(), free_port());
    let issuer = format!("http://localhost:{issuer_port}");
    let demo_environment = [
        ("PASSANT_ISSUER", issuer.as_str()),
        ("PASSANT_LISTEN", &format!("127.0.0.1:{issuer_port}")),
        ("PASSANT_DATA_DIR", data.0.to_str().unwrap()),
    ];
    let mut demo = Running::start(shell(&commands["demo"], Path::new(ROOT), &demo_environment));
    let said = demo.until("Passant is ready").await;

    let page = Browser::shared().await.page().await;
    page.goto(after(&said, "Open")).await;
    breaks_no_rule(&page).await;
    let token = sign_in(&page, &said).await;
    breaks_no_rule(&page).await;
    let secrets = SecretCollector::default();
    secrets.collect("demo password", after(&said, "Password"));
    secrets.collect("access token", &token);

    let listen = format!("127.0.0.1:{orders_port}");
    let mut orders =
        Running::start(shell(&commands["orders"], Path::new(ROOT), &[("ISSUER", issuer.as_str()), ("LISTEN", &listen)]));
    orders.until("orders API on").await;
    // Keys arrive a moment after the service: 503 says so, and the newcomer tries again.
    let mut answer = call(&commands, &token, orders_port).await;
    for _ in 0..300 {
        if answer.0 || !answer.1.is_empty() && !answer.1.contains("keys_missing") {
            break;
        }
        answer = call(&commands, &token, orders_port).await;
    }
    assert!(answer.0 && answer.1.contains("sugar tongs"), "{}", answer.1);
    assert!(!call(&commands, &format!("{token}x"), orders_port).await.0, "a broken token is refused");

    page.click("#end-all").await;
    page.wait_for("#revoked:not([hidden])").await;
    let mut answer = call(&commands, &token, orders_port).await;
    for _ in 0..300 {
        if !answer.0 {
            break;
        }
        answer = call(&commands, &token, orders_port).await;
    }
    assert!(!answer.0 && answer.1.contains("The token was revoked."), "{}", answer.1);
    page.click("#forget").await;
    let token = sign_in(&page, &said).await;
    secrets.collect("second access token", &token);
    assert!(call(&commands, &token, orders_port).await.0, "a token of after the revocation is good");

    demo.signal("TERM");
    drop(demo.ended().await);
    let dump = dump_sqlite(&data.0.join("passant.sqlite")).await;
    assert!(secrets.scan("the demo's database", &dump).is_empty());
    let (still_good, body) = call(&commands, &token, orders_port).await;
    assert!(still_good && body.contains("sugar tongs"), "with the issuer stopped: {body}");
}
