//! What a person does, in headless Chromium.

mod demo;
mod form_post;
mod keyboard;
mod sights;
mod sign_in;

use std::time::Duration;

use passant::secret::OpaqueToken;
use passant::store::set_up_tokens;
use passant_tests::browser::Page;
use passant_tests::world::Served;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

/// Types into the sign-in page and sends it.
async fn sign_in(page: &Page, name: &str, password: &str) {
    page.fill("[name=username]", name).await;
    page.fill("[name=password]", password).await;
    page.click_and_wait("main button").await;
}

/// The address that a start prints while there is no administrator.
async fn set_up_link(served: &Served) -> String {
    let (world, token) = (&served.world, OpaqueToken::random("psu_"));
    world.secrets.collect("set-up token", token.expose());
    let born = {
        let mut reader = world.db().reader().await.unwrap();
        set_up_tokens::needed(&mut reader.conn()).await.unwrap().expect("there is no administrator")
    };
    let end = world.app.now() + Duration::from_secs(15 * 60);
    set_up_tokens::create(world.db(), token.hash(), born, end).await.unwrap();
    format!("{}/set-up?token={}", served.issuer, token.expose())
}
