//! A browser without scripts and without looks, for the crate: follows redirects, keeps cookies, fills in the issuer's forms.

use std::collections::BTreeMap;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url, header};

use super::Shop;

/// A browser of the shop's user.
pub(super) struct Browser {
    http: Client,
    answers: BTreeMap<String, String>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn new(shop: &Shop<'_>, http: Client) -> Self {
        let typed = [("username", &shop.user.name), ("password", &shop.user.password)];
        let answers = typed.map(|(name, text)| (name.to_owned(), text.clone())).into();
        Self { http, answers, cookies: BTreeMap::new() }
    }

    /// Opens an address, does what the pages ask, and returns the first address that begins with `until`.
    pub(super) async fn visit(&mut self, address: Url, until: &str) -> Url {
        let (mut at, mut request) = (address.clone(), self.http.get(address));
        for _ in 0..20 {
            let answer = self.send(request).await;
            if let Some(location) = answer.headers().get(header::LOCATION) {
                at = at.join(location.to_str().unwrap()).unwrap();
                if at.as_str().starts_with(until) {
                    return at;
                }
                request = self.http.get(at.clone());
            } else {
                (at, request) = self.fill(&at, &answer.text().await.unwrap());
            }
        }
        panic!("20 pages, and none led to {until}; the last is {at}");
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(header::COOKIE, cookies.join("; ")).send().await.unwrap();
        for line in answer.headers().get_all(header::SET_COOKIE) {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// The page's form with all its fields, sent by its last button.
    fn fill(&self, at: &Url, page: &str) -> (Url, RequestBuilder) {
        let form = page.split("<form").nth(1).unwrap_or_else(|| panic!("no form on the page at {at}:\n{page}"));
        let (tag, inside) = form.split_once('>').unwrap();
        let mut fields = BTreeMap::new();
        for tag in
            inside.split("</form>").next().unwrap().split('<').filter(|tag| tag.starts_with("input") || tag.starts_with("button"))
        {
            if let Some(name) = attribute(tag, "name") {
                let value = self.answers.get(name).map(String::as_str).or(attribute(tag, "value"));
                fields.insert(name, value.unwrap_or_default());
            }
        }
        let action = at.join(attribute(tag, "action").unwrap()).unwrap();
        let origin = action.origin().ascii_serialization();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(action.clone()).header(header::ORIGIN, origin).body(body);
        (action, request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
    }
}

/// What both the browser and the client speak through: nothing is followed by itself, and the shop's authority is trusted.
pub(super) fn http(shop: &Shop<'_>) -> Client {
    let root = reqwest::Certificate::from_pem(&std::fs::read(shop.issuer.root()).unwrap()).unwrap();
    let patience = std::time::Duration::from_secs(20);
    Client::builder().tls_certs_only([root]).redirect(Policy::none()).timeout(patience).no_proxy().build().unwrap()
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}
