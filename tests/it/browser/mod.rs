//! What a person does, in headless Chromium.

mod account;
mod form_post;
mod sights;
mod sign_in;

use passant_tests::browser::Page;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");

/// Types into the sign-in page and sends it.
async fn sign_in(page: &Page, name: &str, password: &str) {
    page.fill("[name=username]", name).await;
    page.fill("[name=password]", password).await;
    page.click_and_wait("main button").await;
}
