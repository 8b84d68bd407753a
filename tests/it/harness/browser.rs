//! The browser against a site of a few lines, so that a failure here is the browser's and not the product's.

use passant_tests::browser::{Browser, ColorScheme, Key, Page, Problem};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Serves the site below until the test ends, and says where.
async fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while stream.read_line(&mut head).await.ok()? > 2 {
        let last = head.lines().last()?.to_ascii_lowercase();
        length = last.strip_prefix("content-length:").map_or(Some(length), |number| number.trim().parse().ok())?;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let path = head.split(' ').nth(1)?;
    let (status, body) = match path {
        "/redirect" => ("303 See Other\r\nLocation: /form\r\nSet-Cookie: been=here".to_owned(), String::new()),
        "/lost" => ("303 See Other\r\nLocation: http://127.0.0.1:9/callback?code=1".to_owned(), String::new()),
        "/posted" => (format!("303 See Other\r\nLocation: /seen?{}", String::from_utf8(body).ok()?), String::new()),
        path => ("200 OK".to_owned(), page(path)),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()
}

fn page(path: &str) -> String {
    let body = match path {
        "/form" => {
            r#"<form method="post" action="/posted"><label>Name <input name="name" value="old"></label>
            <label>Note <input name="note"></label><button>Send</button></form><a href="/seen?link">Link</a>
            <p id="script">off</p><script>document.getElementById('script').textContent = 'on'</script>"#
        }
        "/self-posting" => {
            r#"<form method="post" action="/posted"><input type="hidden" name="by" value="itself"></form>
            <script>onload = () => document.forms[0].submit()</script>"#
        }
        "/slow" => r#"<button onclick="setTimeout(() => location = '/late', 200)">Go</button>"#,
        "/late" => r#"<script>setTimeout(() => document.body.append(document.createElement('hr')), 200)</script>"#,
        "/covered" => r#"<button>Under</button><div style="position:fixed;inset:0">veil</div>"#,
        "/dark" => "<style>p { color: #000 } @media (prefers-color-scheme: dark) { p { color: #fff } }</style><p>ink</p>",
        "/tall" => r#"<div style="height:3000px">tall</div>"#,
        "/overflow" => r#"<div style="width:1000px">wide</div>"#,
        "/unlabelled" => r#"<input name="bare"><label>Good <input></label><input placeholder="vanishes"><input hidden>"#,
        "/unannounced" => {
            r#"<p class="error">Wrong.</p><p class="notice" id="n">Seen only.</p><input aria-label="x" aria-describedby="n">
            <input aria-label="y" aria-invalid="true">"#
        }
        "/good" => {
            r#"<p class="error" role="alert">Wrong.</p><p class="notice" role="status">Signed out.</p><p class="error" id="e">Too short.</p>
            <label for="f">Field</label><input id="f" aria-invalid="true" aria-describedby="e"><input type="hidden" name="h">
            <p class="error" hidden>Later.</p><select aria-label="Pick"><option>1</option></select>"#
        }
        "/sound" => "<main><h1>Sound</h1><p>To be read.</p></main>",
        "/broken" => r#"<main><h1>Broken</h1><p style="color:#bbb">Hard to read.</p><button></button></main>"#,
        _ => "<p>seen</p>",
    };
    format!("<!doctype html><html lang=en><meta charset=utf-8><title>{path}</title><body>{body}")
}

async fn open(path: &str) -> (Page, String) {
    let (page, site) = (Browser::shared().await.page().await, site().await);
    page.viewport(800, 600).await;
    page.goto(&format!("{site}{path}")).await;
    (page, site)
}

#[tokio::test]
async fn redirects_links_and_forms_work_with_and_without_scripts() {
    for scripts in [true, false] {
        let (page, site) = (Browser::shared().await.page().await, site().await);
        page.javascript(scripts).await;
        page.goto(&format!("{site}/redirect")).await;
        assert_eq!(page.url().await, format!("{site}/form"));
        assert_eq!(
            page.eval::<String>("document.getElementById('script').textContent").await,
            if scripts { "on" } else { "off" }
        );
        assert_eq!(page.eval::<u32>("new Promise(done => done(7))").await, 7);
        page.fill("[name=name]", "Ada & Co").await;
        assert!(page.click("button").await);
        assert_eq!(page.url().await, format!("{site}/seen?name=Ada+%26+Co&note="));
        assert_eq!(page.text().await, "seen");

        page.goto(&format!("{site}/form")).await;
        page.fill("[name=name]", "").await;
        assert!(!page.press(Key::Tab).await);
        assert!(!page.press(Key::ShiftTab).await);
        assert!(!page.press(Key::Tab).await);
        page.fill("[name=note]", "by key").await;
        assert!(page.press(Key::Enter).await);
        assert_eq!(page.url().await, format!("{site}/seen?name=&note=by+key"));

        page.goto(&format!("{site}/form")).await;
        page.click_and_wait("a").await;
        assert_eq!(page.url().await, format!("{site}/seen?link"));
        page.wait_for("p").await;
    }
}

#[tokio::test]
async fn a_form_that_posts_itself_is_followed_to_its_end() {
    let (page, site) = open("/self-posting").await;
    assert_eq!(page.url().await, format!("{site}/seen?by=itself"));
}

#[tokio::test]
async fn an_unreachable_callback_is_where_the_page_is() {
    let (page, _) = open("/lost").await;
    assert_eq!(page.url().await, "http://127.0.0.1:9/callback?code=1");
}

#[tokio::test]
async fn what_appears_later_and_elsewhere_is_waited_for() {
    let (page, site) = open("/slow").await;
    assert!(!page.click("button").await);
    page.wait_for("hr").await;
    assert_eq!(page.url().await, format!("{site}/late"));
    page.goto(&format!("{site}/slow")).await;
    page.click_and_wait("button").await;
    assert_eq!(page.url().await, format!("{site}/late"));
}

#[tokio::test]
#[should_panic(expected = "is covered by <div")]
async fn what_a_user_cannot_reach_is_not_clicked() {
    open("/covered").await.0.click("button").await;
}

#[tokio::test]
async fn pages_share_no_cookie() {
    let (one, site) = open("/redirect").await;
    assert_eq!(one.eval::<String>("document.cookie").await, "been=here");
    let other = Browser::shared().await.page().await;
    other.goto(&format!("{site}/form")).await;
    assert_eq!(other.eval::<String>("document.cookie").await, "");
}

#[tokio::test]
async fn the_page_sees_the_colour_scheme() {
    let (page, _) = open("/dark").await;
    for (scheme, colour) in [(ColorScheme::Dark, "rgb(255, 255, 255)"), (ColorScheme::Light, "rgb(0, 0, 0)")] {
        page.color_scheme(scheme).await;
        assert_eq!(page.eval::<String>("getComputedStyle(document.querySelector('p')).color").await, colour);
    }
}

#[tokio::test]
async fn a_screenshot_is_as_wide_as_the_window_and_as_tall_as_the_page() {
    let (page, _) = open("/tall").await;
    page.viewport(375, 700).await;
    let file = std::env::temp_dir().join(format!("passant-tests-{}.png", std::process::id()));
    page.screenshot(&file).await;
    let image = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(image[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!(number(16), 375);
    assert!(number(20) >= 3000);
}

#[tokio::test]
async fn a_good_page_has_no_problem() {
    assert_eq!(open("/good").await.0.accessibility_problems().await, []);
}

#[tokio::test]
async fn an_overflow_is_reported() {
    let problems = open("/overflow").await.0.accessibility_problems().await;
    assert!(matches!(problems[..], [Problem::Overflow { content: 1000.., window: 800 }]), "{problems:?}");
}

#[tokio::test]
async fn unlabelled_fields_are_reported() {
    let problems = open("/unlabelled").await.0.accessibility_problems().await;
    let fields = [r#"<input name="bare">"#, r#"<input placeholder="vanishes">"#];
    assert_eq!(problems, fields.map(|field| Problem::Unlabelled(field.to_owned())));
}

#[tokio::test]
async fn unannounced_messages_are_reported() {
    let problems = open("/unannounced").await.0.accessibility_problems().await;
    let messages = [r#"<p class="error"></p>"#, r#"<p class="notice" id="n"></p>"#];
    assert_eq!(problems, messages.map(|message| Problem::Unannounced(message.to_owned())));
}

#[tokio::test]
async fn a_sound_page_breaks_no_rule_of_axe() {
    assert_eq!(open("/sound").await.0.axe().await, []);
}

#[tokio::test]
async fn the_rules_of_axe_that_a_page_breaks_are_reported_with_their_elements() {
    let violations = open("/broken").await.0.axe().await;
    let broken: Vec<(&str, &str)> =
        violations.iter().map(|violation| (&*violation.id, &*violation.nodes.first().unwrap().html)).collect();
    let expected = [("button-name", "<button></button>"), ("color-contrast", r#"<p style="color:#bbb">Hard to read.</p>"#)];
    assert_eq!(broken, expected);
}
