//! The first administrator.

use super::super::set_up_link;
use super::*;

const GRACE: (&str, &str) = ("grace", "a compiler that reads English");

flows! {
    async fn first_administrator_is_made_after_each_mistake(scene, person)
    sends ["/set-up Create account"] {
        scene.served.world.secrets.collect("password", GRACE.1);
        person.goto(&set_up_link(&scene.served).await).await;
        person.finds_focus_in("[name=username]").await;
        person.is_told_by_the_browser("[name=username]").await;
        person.types("two words").await;
        person.types_into("[name=name]", " ").await;
        person.types_into("[name=email]", "grace@example.com").await;
        person.types_into("[name=password]", GRACE.1).await;
        person.presses(Key::Enter).await;
        person.reads("2 things need another look:").await;
        person.finds_focus_in("[name=username]").await;
        // The list of what is wrong stands above, and each line of it leads to its field.
        person.page.tab_to(Key::ShiftTab, ".notice a[href='#name']").await;
        person.page.press(Key::Enter).await;
        person.finds_focus_in("[name=name]").await;
        person.page.press(Key::Backspace).await;
        person.types("Grace Hopper").await;
        person.types_back_into("[name=username]", ADA.0).await;
        person.types_into("[name=password]", GRACE.1).await;
        person.presses(Key::Enter).await;
        person.reads("Somebody has this user name already.").await;
        person.finds_focus_in("[name=username]").await;
        person.page.tab_to(Key::Tab, "[name=name]").await;
        person.types_back_into("[name=username]", GRACE.0).await;
        person.types_into("[name=password]", GRACE.1).await;
        person.chooses("main button", Key::Space).await;
        person.reads("Grace Hopper").await;
        person.reads("grace@example.com").await;
    }
}
