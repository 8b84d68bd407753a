//! `response_mode=form_post` in Chromium: the answer arrives in the body of a POST, by script or by button, and never in an address.

use axum::Router;
use axum::http::Uri;
use axum::routing::post;
use passant_tests::browser::{Browser, Page};
use passant_tests::world::{Engine, Registered, Served, Tokens, authorize_path};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::{ADA, sign_in};

/// An application that takes its answers by form.
pub(super) struct Application {
    redirect_uri: String,
    answers: UnboundedReceiver<(Uri, String)>,
    serving: JoinHandle<()>,
}

impl Application {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let redirect_uri = format!("http://{}/cb", listener.local_addr().unwrap());
        let (arrived, answers) = unbounded_channel();
        let take = move |uri: Uri, body: String| {
            arrived.send((uri, body)).unwrap();
            async { "Welcome back" }
        };
        let router: Router = Router::new().route("/cb", post(take));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { redirect_uri, answers, serving }
    }

    pub(super) async fn registered(&self, id: &str, served: &Served) -> Registered {
        let redirect_uris = vec![self.redirect_uri.parse().unwrap()];
        served.world.client(id, |it| (it.first_party, it.redirect_uris) = (false, redirect_uris)).await
    }

    /// The fields of the one answer that has come.
    pub(super) async fn answer(&mut self) -> Vec<(String, String)> {
        let (uri, body) = self.answers.recv().await.unwrap();
        assert_eq!(uri.to_string(), "/cb", "nothing is added to the address");
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn sign_in_and_allow(page: &Page, served: &Served, client: &Registered) {
    page.goto(&format!("{}{}", served.issuer, authorize_path(client, &[("response_mode", "form_post")]))).await;
    sign_in(page, ADA.0, ADA.1).await;
    page.click_and_wait("button[value=allow]").await;
}

async fn answer_arrives(engine: Engine, scripts: bool) {
    let served = Served::new(engine, |_| {}).await;
    served.world.user(ADA.0, ADA.1).await;
    let mut application = Application::new().await;
    let client = application.registered("shop-web", &served).await;
    let page = Browser::shared().await.page().await;
    page.javascript(scripts).await;
    sign_in_and_allow(&page, &served, &client).await;
    if !scripts {
        assert!(page.text().await.contains("Back to Orders"), "{}", page.text().await);
        page.click_and_wait("main button").await;
    }
    let answer = application.answer().await;
    let value = |wanted: &str| answer.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!((answer.len(), value("state"), value("iss")), (3, "xyz-state", served.issuer.as_str()));
    page.wait_for("body").await;
    assert_eq!((page.url().await, page.text().await.as_str()), (application.redirect_uri.clone(), "Welcome back"));
    let agent = served.world.agent();
    Tokens::of(&client.redeem(&agent, value("code")).await);
    served.world.search_for_leaks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_is_posted_by_itself_on_sqlite() {
    answer_arrives(Engine::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_is_posted_by_itself_on_postgres() {
    answer_arrives(Engine::Postgres, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_is_posted_by_a_button_where_no_script_runs() {
    answer_arrives(Engine::Sqlite, false).await;
}
