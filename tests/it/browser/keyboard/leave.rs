//! Signing out, on one's own and at an application's wish.

use super::*;

flows! {
    async fn signing_out_and_in_again(scene, person)
    sends ["/login Sign in", "/logout Sign out"] {
        person.is_at_home(scene).await;
        person.chooses("form[action='/logout'] button", Key::Enter).await;
        person.reads("You are signed out").await;
        person.chooses("main a.button", Key::Enter).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.reads("Where you are signed in").await;
    }

    async fn application_asks_to_sign_out_and_both_answers_are_taken(scene, person)
    sends ["/login Sign in", "/end_session/confirm Sign out"] {
        person.is_at_home(scene).await;
        let back = "post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fbye";
        let wish = scene.at(&format!("/end_session?client_id=shop-web&{back}&state=a+b"));
        person.goto(&wish).await;
        person.reads("Orders asks to end your session").await;
        person.chooses("main a.button", Key::Enter).await;
        person.reads("Where you are signed in").await;
        person.goto(&wish).await;
        person.chooses("main button", Key::Space).await;
        assert_eq!(person.page.url().await, format!("{BYE}?state=a+b"));
        person.goto(&scene.at("/")).await;
        person.reads("You are not signed in").await;
    }

    async fn wish_that_names_nobody_ends_here(scene, person)
    sends ["/login Sign in", "/end_session/confirm Sign out"] {
        person.is_at_home(scene).await;
        person.goto(&scene.at("/end_session")).await;
        person.reads("This ends your session").await;
        person.chooses("main button", Key::Enter).await;
        person.reads("You are signed out").await;
    }
}
