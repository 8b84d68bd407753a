//! A page used by keyboard alone: keys go to wherever the focus is, and nothing here moves it but the Tab key itself.

use serde::Deserialize;
use serde_json::json;

use super::accessibility::Problem;
use super::page::within;
use super::{Key, Page};

/// More stops than any page of ours has: a walk that is longer goes round in circles.
const MOST_STOPS: usize = 200;

/// What is in focus.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stop {
    /// Its opening tag.
    pub html: String,
    /// Why nobody sees that it is in focus, if nobody does.
    pub unseen: Option<String>,
    /// Its place among all elements of the document.
    place: usize,
    top: f64,
    right: f64,
    bottom: f64,
    left: f64,
}

impl Stop {
    /// Whether whoever reads the page comes to the other one later: in the document, and by eye.
    fn is_read_before(&self, next: &Self) -> bool {
        let shared = self.bottom.min(next.bottom) - self.top.max(next.top);
        let same_line = shared > (self.bottom - self.top).min(next.bottom - next.top) / 2.0;
        let backwards = next.bottom <= self.top || same_line && next.right <= self.left;
        self.place < next.place && !backwards
    }
}

impl Page {
    /// Types, key by key, where the focus is.
    pub async fn type_keys(&self, text: &str) {
        for character in text.chars() {
            let character = character.to_string();
            let down = json!({"type": "keyDown", "key": character, "text": character, "unmodifiedText": character});
            within("a character", self.session.run("Input.dispatchKeyEvent", down)).await;
            let up = json!({"type": "keyUp", "key": character});
            within("a character", self.session.run("Input.dispatchKeyEvent", up)).await;
        }
    }

    /// What is in focus; nothing when that is the page as a whole, as on most pages that were just loaded.
    pub async fn focus(&self) -> Option<Stop> {
        self.eval(FOCUS).await
    }

    /// Whether what is in focus matches.
    pub async fn is_in_focus(&self, css: &str) -> bool {
        self.eval(&format!("document.activeElement.matches({})", json!(css))).await
    }

    /// Goes on with Tab, or back with Shift+Tab, until an element that matches is in focus. Panics when the focus leaves the page
    /// first, or goes round in a circle.
    pub async fn tab_to(&self, key: Key, css: &str) {
        let mut passed: Vec<usize> = Vec::new();
        while !self.is_in_focus(css).await {
            self.press(key).await;
            let stop = self.focus().await.unwrap_or_else(|| panic!("{key:?} leaves the page and has not come to {css}"));
            assert!(!passed.contains(&stop.place), "{key:?} comes to {} again and not to {css}", stop.html);
            passed.push(stop.place);
        }
    }

    /// Every fault that shuts out whoever has no mouse. The page is walked round with Tab, from where the focus is, and back.
    pub async fn keyboard_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let stops = self.walk(Key::Tab, &mut problems).await;
        let mut back = self.walk(Key::ShiftTab, &mut problems).await;
        back.reverse();
        if !stops.iter().map(|stop| stop.place).eq(back.iter().map(|stop| stop.place)) {
            problems.push(Problem::AnotherWayBack);
        }
        let usable: Vec<(usize, String)> = self.eval(USABLE).await;
        let missed = usable.into_iter().filter(|(place, _)| stops.iter().all(|stop| stop.place != *place));
        problems.extend(missed.map(|(_, html)| Problem::Unreachable(html)));
        for pair in stops.windows(2) {
            if !pair[0].is_read_before(&pair[1]) {
                problems.push(Problem::OutOfOrder { first: pair[0].html.clone(), then: pair[1].html.clone() });
            }
        }
        for Stop { html, unseen, .. } in stops {
            problems.extend(unseen.map(|why| Problem::FocusUnseen { html, why }));
        }
        problems
    }

    /// What the key comes to, from where it enters the page to where it leaves it.
    async fn walk(&self, key: Key, problems: &mut Vec<Problem>) -> Vec<Stop> {
        let (mut stops, mut left_after) = (Vec::<Stop>::new(), None);
        for _ in 0..MOST_STOPS {
            self.press(key).await;
            let Some(stop) = self.focus().await else {
                // Nowhere on the page, and so on its way from one end to the other.
                if left_after == Some(stops.len()) {
                    return stops;
                }
                left_after = Some(stops.len());
                continue;
            };
            match stops.iter().position(|known| known.place == stop.place) {
                None => stops.push(stop),
                Some(again) => {
                    if again > 0 {
                        problems.push(Problem::Trapped(stop.html));
                    }
                    // Back from the top, Chromium goes to the end without leaving the page every other time.
                    let end = stops.iter().enumerate().max_by_key(|(_, stop)| stop.place).map_or(0, |(at, _)| at);
                    let start = left_after.unwrap_or(if key == Key::ShiftTab { end } else { end + 1 });
                    let round = stops.len();
                    stops.rotate_left(start % round);
                    return stops;
                }
            }
        }
        panic!("{key:?} comes to no end on {}", self.url().await);
    }
}

/// An outline counts as seen when it is at least two pixels wide, stands out from its ground by 3:1 (WCAG 2.2, 1.4.11 and 2.4.13) and
/// is around something that nothing covers (2.4.11).
const FOCUS: &str = "(() => {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return null;
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const ground = under => {
        for (; under; under = under.parentElement) {
            const [red, green, blue, alpha = 1] = channels(getComputedStyle(under).backgroundColor);
            if (alpha === 1) return [red, green, blue];
        }
        return [255, 255, 255];
    };
    const luminance = colour => colour.slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const unseen = () => {
        const style = getComputedStyle(element);
        if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return 'no outline of two pixels';
        const inside = parseFloat(style.outlineOffset) < 0;
        const around = luminance(ground(inside ? element : element.parentElement));
        const ring = channels(style.outlineColor);
        const [dark, light] = [around, luminance(ring)].sort((one, other) => one - other);
        const contrast = (light + 0.05) / (dark + 0.05);
        if ((ring[3] ?? 1) < 1 || contrast < 3) return `an outline of contrast ${contrast.toFixed(1)}`;
        const box = element.getClientRects()[0];
        const top = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return element.contains(top) ? null : 'covered, or out of the window';
    };
    const box = element.getBoundingClientRect();
    const [x, y] = [scrollX, scrollY];
    return {
        html: element.cloneNode(false).outerHTML, unseen: unseen(), place: [...document.querySelectorAll('*')].indexOf(element),
        top: box.top + y, right: box.right + x, bottom: box.bottom + y, left: box.left + x,
    };
})()";

/// What a mouse could use, each with its place in the document.
const USABLE: &str = "[...document.querySelectorAll('*')]
    .map((element, place) => [place, element])
    .filter(([, element]) => element.matches(`a[href], button, input, select, textarea, summary,
        [tabindex]:not([tabindex='-1']), [onclick]`))
    .filter(([, element]) => !element.disabled && element.getClientRects().length)
    .map(([place, element]) => [place, element.cloneNode(false).outerHTML])";
