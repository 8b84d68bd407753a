//! Looking after one's account.

use super::*;

const NEW: &str = "a loom that weaves flowers";

flows! {
    async fn one_session_is_ended(scene, person)
    sends ["/login Sign in", "/account/sessions/end End"] {
        let mut elsewhere = Person::new().await;
        elsewhere.is_at_home(scene).await;
        person.is_at_home(scene).await;
        person.chooses("form[action='/account/sessions/end'] button", Key::Enter).await;
        person.reads("That session has ended.").await;
        elsewhere.goto(&scene.at("/")).await;
        elsewhere.reads("You are not signed in").await;
    }

    async fn all_other_sessions_are_ended(scene, person)
    sends ["/login Sign in", "/account/sessions/end-others End all others"] {
        let mut elsewhere = Person::new().await;
        elsewhere.is_at_home(scene).await;
        person.is_at_home(scene).await;
        person.chooses("form[action='/account/sessions/end-others'] button", Key::Space).await;
        person.reads("You are signed out everywhere else.").await;
        elsewhere.goto(&scene.at("/")).await;
        elsewhere.reads("You are not signed in").await;
    }

    async fn everything_is_ended_and_begun_again(scene, person)
    sends ["/login Sign in", "/account/sessions/end-all Log out everywhere"] {
        let mut elsewhere = Person::new().await;
        elsewhere.is_at_home(scene).await;
        person.is_at_home(scene).await;
        person.chooses("form[action='/account/sessions/end-all'] button", Key::Enter).await;
        person.reads("You are signed out everywhere.").await;
        elsewhere.goto(&scene.at("/")).await;
        elsewhere.reads("You are not signed in").await;
        person.chooses("main a.button", Key::Enter).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.reads("Where you are signed in").await;
    }

    async fn application_is_withdrawn(scene, person)
    sends ["/login Sign in", "/consent Allow", "/account/applications/withdraw Withdraw"] {
        person.goto(&scene.authorize()).await;
        person.signs_in(ADA.0, ADA.1).await;
        person.chooses("button[value=allow]", Key::Enter).await;
        person.goto(&scene.at("/")).await;
        person.reads("Who you are, your name, read your orders").await;
        person.chooses("form[action='/account/applications/withdraw'] button", Key::Space).await;
        person.reads("That application may do nothing for you any more.").await;
        person.reads("No application may do anything for you.").await;
    }

    async fn password_is_changed_after_each_mistake(scene, person)
    sends ["/login Sign in", "/account/password Change password"] {
        scene.served.world.secrets.collect("password", NEW);
        let mut elsewhere = Person::new().await;
        elsewhere.is_at_home(scene).await;
        person.is_at_home(scene).await;
        person.chooses("a[href='/account/password']", Key::Enter).await;
        person.finds_focus_in("[name=current]").await;
        person.is_told_by_the_browser("[name=current]").await;
        person.types("not the right one").await;
        person.types_into("[name=new]", "short").await;
        person.is_told_by_the_browser("[name=new]").await;
        person.types(" and then long enough").await;
        person.presses(Key::Enter).await;
        person.reads("This is not your current password.").await;
        person.finds_focus_in("[name=current]").await;
        person.types(ADA.1).await;
        person.types_into("[name=new]", ADA.1).await;
        person.presses(Key::Enter).await;
        person.reads("This is the password you have.").await;
        person.finds_focus_in("[name=new]").await;
        person.types_back_into("[name=current]", ADA.1).await;
        person.types_into("[name=new]", NEW).await;
        person.chooses("main button", Key::Space).await;
        person.reads("Your password is changed, and you are signed out everywhere else.").await;
        elsewhere.goto(&scene.at("/")).await;
        elsewhere.reads("You are not signed in").await;
    }

    async fn whoever_had_to_wait_changes_the_password_afterwards(scene, person)
    sends ["/login Sign in", "/account/password Change password"] {
        scene.served.world.secrets.collect("password", NEW);
        person.is_at_home(scene).await;
        person.chooses("a[href='/account/password']", Key::Enter).await;
        for _ in 0..WRONG {
            person.finds_focus_in("[name=current]").await;
            person.types("not the right one").await;
            person.types_into("[name=new]", NEW).await;
            person.presses(Key::Enter).await;
        }
        person.reads("Too many attempts.").await;
        person.chooses("footer a", Key::Enter).await;
        person.reads("Where you are signed in").await;
        scene.served.world.advance(HOUR);
        person.chooses("a[href='/account/password']", Key::Enter).await;
        person.types(ADA.1).await;
        person.types_into("[name=new]", NEW).await;
        person.presses(Key::Enter).await;
        person.reads("Your password is changed").await;
    }
}
