//! Signing in, and what an application may.

use passant_tests::world::{Callback, Tokens};

use super::super::form_post::Application;
use super::*;

const GRACE: (&str, &str) = ("grace", "a compiler that reads English");

flows! {
    async fn wrong_password_is_told_and_put_right_and_the_application_allowed(scene, person)
    sends ["/login Sign in", "/consent Allow"] {
        person.goto(&scene.authorize()).await;
        person.finds_focus_in("[name=username]").await;
        person.is_told_by_the_browser("[name=username]").await;
        person.signs_in("adda", ADA.1).await;
        person.reads("That name and password do not match.").await;
        person.finds_focus_in("[name=password]").await;
        person.types_back_into("[name=username]", ADA.0).await;
        person.types_into("[name=password]", ADA.1).await;
        person.chooses("main button", Key::Space).await;
        person.reads("Read your orders").await;
        person.chooses("button[value=allow]", Key::Space).await;
        let callback = Callback::parse(&person.page.url().await, CALLBACK);
        Tokens::of(&scene.client.redeem(&scene.served.world.agent(), callback.code()).await);
    }

    async fn saying_no_tells_the_application(scene, person)
    sends ["/login Sign in", "/consent Deny"] {
        person.goto(&scene.authorize()).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.chooses("button[value=deny]", Key::Enter).await;
        assert_eq!(Callback::parse(&person.page.url().await, CALLBACK).get("error"), Some("access_denied"));
    }

    async fn somebody_else_answers_the_same_question(scene, person)
    sends ["/login Sign in", "/consent Allow"] {
        scene.served.world.user(GRACE.0, GRACE.1).await;
        person.goto(&scene.authorize()).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.reads("Signed in as ada").await;
        person.chooses("footer a", Key::Enter).await;
        person.signs_in(GRACE.0, GRACE.1).await;
        person.reads("Signed in as grace").await;
        person.chooses("button[value=allow]", Key::Enter).await;
        Callback::parse(&person.page.url().await, CALLBACK).code();
    }

    async fn answer_by_form_is_sent_by_its_button(scene, person)
    sends ["/login Sign in", "/consent Allow", "elsewhere Continue"] {
        let mut application = Application::new().await;
        let client = application.registered("by-form", &scene.served).await;
        person.goto(&scene.at(&authorize_path(&client, &[("response_mode", "form_post")]))).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.chooses("button[value=allow]", Key::Space).await;
        person.reads("Back to Orders").await;
        person.chooses("main button", Key::Space).await;
        let answer = application.answer().await;
        assert!(answer.iter().any(|(name, value)| name == "state" && value == "xyz-state"), "{answer:?}");
        person.reads("Welcome back").await;
    }

    async fn dead_end_leads_to_the_front_page_and_that_to_signing_in(scene, person)
    sends ["/login Sign in"] {
        person.goto(&scene.at("/nowhere")).await;
        person.chooses("footer a", Key::Enter).await;
        person.reads("You are not signed in").await;
        person.chooses("main a.button", Key::Enter).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.reads("Where you are signed in").await;
    }

    async fn whoever_had_to_wait_signs_in_afterwards(scene, person)
    sends ["/login Sign in"] {
        person.goto(&scene.at("/login")).await;
        person.signs_in(ADA.0, "not the right one").await;
        for _ in 0..WRONG {
            person.finds_focus_in("[name=password]").await;
            person.types("not the right one").await;
            person.presses(Key::Enter).await;
        }
        person.reads("Too many attempts.").await;
        scene.served.world.advance(HOUR);
        person.types(ADA.1).await;
        person.presses(Key::Enter).await;
        person.reads("Where you are signed in").await;
    }
}
