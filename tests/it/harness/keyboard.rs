//! The keyboard against pages of a few lines: each fault it looks for is found, and what is sound is left alone.

use base64ct::{Base64, Encoding};
use passant_tests::browser::{Browser, Key, Page, Problem};

const RINGS: &str = "<style>:focus-visible { outline: 3px solid #05c } a, button { position: relative }</style>";

async fn open(body: &str) -> Page {
    let page = Browser::shared().await.page().await;
    page.viewport(800, 600).await;
    let document = format!("<!doctype html><html lang=en><meta charset=utf-8><title>t</title><body>{RINGS}{body}");
    page.goto(&format!("data:text/html;base64,{}", Base64::encode_string(document.as_bytes()))).await;
    page.drawn().await;
    page
}

async fn problems(body: &str) -> Vec<Problem> {
    open(body).await.keyboard_problems().await
}

#[tokio::test]
async fn a_sound_page_is_walked_round_from_wherever_the_focus_is() {
    for focus in ["", "autofocus"] {
        let body = format!(
            r##"<a href="#n">Name</a><p hidden><button>Later</button></p><div tabindex="-1">To be jumped to</div>
            <div style="display:flex"><input id="n" value="old" {focus}><button disabled>Not yet</button><button>Send</button></div>
            <p style="font-size:40px">A link <a href="/">that takes more than one line because it is long, and the window narrow</a>"##
        );
        assert_eq!(problems(&body).await, []);
    }
    assert_eq!(problems("<p>Nothing to be pressed.</p>").await, []);
}

#[tokio::test]
async fn what_the_tab_key_does_not_come_to_is_reported() {
    let body = r#"<a href="/">Here</a><div onclick="alert()">Press</div><button tabindex="-1">Send</button><a>No link</a>"#;
    let missed = [r#"<div onclick="alert()"></div>"#, r#"<button tabindex="-1"></button>"#];
    assert_eq!(problems(body).await, missed.map(|html| Problem::Unreachable(html.to_owned())));
}

#[tokio::test]
async fn an_order_against_the_reading_order_is_reported() {
    for body in [
        r#"<button>1</button><button tabindex="1">2</button>"#,
        r#"<div style="display:flex;flex-direction:row-reverse"><button>2</button><button>1</button></div>"#,
        r#"<div style="display:flex;flex-direction:column-reverse"><button>2</button><button>1</button></div>"#,
    ] {
        let found = problems(body).await;
        assert!(matches!(found[..], [Problem::OutOfOrder { .. }]), "{body}: {found:?}");
    }
}

#[tokio::test]
async fn a_focus_that_nobody_sees_is_reported() {
    for (body, told) in [
        (r#"<button style="outline:none">1</button>"#, "no outline"),
        (r#"<button style="outline-color:#eee">1</button>"#, "of contrast 1.2"),
        (r#"<button style="outline-color:#0005">1</button>"#, "of contrast"),
        (r#"<div style="background:#036"><button>1</button></div>"#, "of contrast"),
        (r#"<button>1</button><div style="position:fixed;inset:0">veil</div>"#, "covered"),
    ] {
        let found = problems(body).await;
        assert!(matches!(&found[..], [Problem::FocusUnseen { why, .. }] if why.contains(told)), "{body}: {found:?}");
    }
}

#[tokio::test]
async fn a_trap_and_another_way_back_are_reported() {
    let stays = r#"<a href="/">1</a><input onkeydown="if (event.key === 'Tab' && !event.shiftKey) event.preventDefault()"><a href="/">3</a>"#;
    let found = problems(stays).await;
    assert!(found.iter().any(|problem| matches!(problem, Problem::Trapped(html) if html.starts_with("<input"))), "{found:?}");
    let jumps = r#"<a href="/">1</a><input onkeydown="if (event.shiftKey) { event.preventDefault(); third.focus() }"><a href="/" id="third">3</a>"#;
    let found = problems(jumps).await;
    assert!(found.contains(&Problem::AnotherWayBack), "{found:?}");
}

#[tokio::test]
async fn keys_go_where_the_focus_is_and_the_tab_key_alone_moves_it() {
    let page = open(r#"<input id="one" value="old"><input id="two">"#).await;
    page.type_keys("lost").await;
    assert!(page.focus().await.is_none());
    page.tab_to(Key::Tab, "#two").await;
    page.type_keys("Ünï & co").await;
    page.tab_to(Key::ShiftTab, "#one").await;
    page.type_keys("new").await;
    let values: (String, String) = page.eval("[one.value, two.value]").await;
    assert_eq!(values, ("new".to_owned(), "Ünï & co".to_owned()));
    assert!(page.focus().await.unwrap().html.contains("id=\"one\""));
}

#[tokio::test]
#[should_panic(expected = "leaves the page and has not come to #two")]
async fn what_stands_before_the_focus_is_not_come_to_by_going_on() {
    open(r#"<input id="two"><input id="one" autofocus>"#).await.tab_to(Key::Tab, "#two").await;
}
