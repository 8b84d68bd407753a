//! The 45 redirect-URI tricks of the security requirements (list 2.2, by its numbers), at every place that takes an address from a
//! stranger: GET and POST /authorize, /token with a good code, and logout. A refusal never has a Location.

use axum::body::Body;
use passant::domain::client::{ClientAuthentication, GrantType};
use passant_tests::on_both_engines;
use passant_tests::world::{Tokens, VERIFIER, authorize_path};

use super::*;

/// Which registration a trick is played against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    /// `https://app.example/cb`
    Web,
    /// `http://127.0.0.1/cb`
    Loopback,
    /// `http://localhost/cb`
    Named,
    /// `com.app:/cb`
    Own,
}

impl Against {
    const ALL: [Self; 4] = [Self::Web, Self::Loopback, Self::Named, Self::Own];

    fn registered(self) -> &'static str {
        match self {
            Self::Web => "https://app.example/cb",
            Self::Loopback => "http://127.0.0.1/cb",
            Self::Named => "http://localhost/cb",
            Self::Own => "com.app:/cb",
        }
    }

    async fn client(self, world: &World) -> Registered {
        let uri = self.registered();
        world
            .client(&format!("{self:?}").to_lowercase(), |it| {
                if self != Self::Web {
                    it.authentication = ClientAuthentication::None;
                    it.grant_types.remove(&GrantType::ClientCredentials);
                }
                it.redirect_uris = vec![uri.parse().unwrap()];
                it.post_logout_redirect_uris = vec![uri.parse().unwrap()];
            })
            .await
    }
}

/// How a trick is sent: what stands in place of the one parameter.
enum Sent {
    /// Another value.
    Value(String),
    /// Other text of the query altogether, with `NAME` for the parameter's name.
    Text(&'static str),
}

/// The list, by its numbers.
fn tricks() -> Vec<(u8, Against, Sent)> {
    use Against::{Loopback, Named, Own, Web};
    let value = |number, against, text: &str| (number, against, Sent::Value(text.to_owned()));
    let web = |number, text: &str| value(number, Web, text);
    vec![
        web(1, "https://app.example/cb/"),
        web(2, "https://app.example/cb?x=1"),
        web(3, "https://app.example/cb#f"),
        web(4, "https://app.example/cb%2f..%2fevil"),
        web(5, "https://app.example/cb/../evil"),
        web(6, "https://app.example/cb/%2e%2e/evil"),
        web(7, "https://app.example/cb;.evil"),
        web(8, "https://app.example/CB"),
        web(9, "https://APP.example/cb"),
        web(10, "HTTPS://app.example/cb"),
        web(11, "http://app.example/cb"),
        web(12, "https://app.example:443/cb"),
        web(13, "https://app.example:8443/cb"),
        web(14, "https://app.example.evil.com/cb"),
        web(15, "https://evil.com/app.example/cb"),
        web(16, "https://app.example@evil.com/cb"),
        web(17, "https://evil.com#@app.example/cb"),
        web(18, "https://evil.com\\@app.example/cb"),
        web(19, "https://app.example%2eevil.com/cb"),
        web(20, "https://app.example%00.evil.com"),
        web(20, "https://app.example\0.evil.com"),
        web(21, "https://app.example%0d%0aSet-Cookie:x"),
        web(21, "https://app.example\r\nSet-Cookie:x"),
        web(22, "https://appxexample/cb"),
        web(23, "//app.example/cb"),
        web(24, "/\\evil.com"),
        web(25, "https:/evil.com"),
        web(26, "https:evil.com"),
        web(27, "javascript:alert(1)//app.example/cb"),
        web(28, "data:text/html,https://app.example/cb"),
        web(29, "vbscript:app.example/cb"),
        web(30, "\thttps://app.example/cb"),
        web(30, " https://app.example/cb"),
        web(30, "https://app.example/cb "),
        web(30, "https://app.example/cb\n"),
        web(30, "https://app.exa\tmple/cb"),
        web(30, "https://app.example/ cb"),
        web(31, "https://app.example./cb"),
        web(32, "https://app\u{3002}example/cb"),
        web(33, "https://xn--app-example-9d6i/cb"),
        web(33, "https://\u{430}pp.example/cb"),
        value(34, Loopback, "https://[::1]/cb"),
        value(34, Loopback, "https://0/cb"),
        value(34, Loopback, "https://2130706433/cb"),
        value(34, Loopback, "http://[::1]/cb"),
        value(34, Loopback, "http://2130706433/cb"),
        value(35, Loopback, "http://localhost/cb"),
        value(35, Named, "http://127.0.0.1/cb"),
        value(36, Loopback, "http://127.0.0.1.evil.com/cb"),
        value(37, Loopback, "http://127.0.0.1:80@evil.com/cb"),
        value(38, Loopback, "http://127.0.0.1:80/other"),
        value(38, Loopback, "http://127.0.0.1:80/cb?x=1"),
        value(38, Loopback, "http://127.0.0.1:80/cb/"),
        value(39, Own, "com.app://cb"),
        value(39, Own, "com.app:/CB"),
        value(39, Own, "com.app:cb"),
        (40, Web, Sent::Text("NAME=https%3A%2F%2Fapp.example%2Fcb&NAME=https%3A%2F%2Fevil.com")),
        (40, Web, Sent::Text("NAME=https%3A%2F%2Fapp.example%2Fcb&NAME=https%3A%2F%2Fapp.example%2Fcb")),
        (41, Web, Sent::Text("NAME%5B%5D=https%3A%2F%2Fapp.example%2Fcb")),
        (41, Web, Sent::Text("NAME[0]=https%3A%2F%2Fapp.example%2Fcb")),
        (42, Web, Sent::Text("NAME=")),
        web(43, &format!("https://app.example/cb?{}", "x".repeat(8 << 10))),
        web(44, "https://app.example/other"),
        (44, Web, Sent::Text("")),
        web(45, "https%3A%2F%2Fapp.example%2Fcb"),
    ]
}

impl Sent {
    /// The query or form text for a parameter of this name.
    fn text(&self, name: &str) -> String {
        match self {
            Self::Value(value) => encoded(&[(name, value)]),
            Self::Text(text) => text.replace("NAME", name),
        }
    }

    /// Whether nothing arrives under the parameter's name: then nobody is asked to be sent anywhere.
    fn says_nothing(&self) -> bool {
        matches!(self, Self::Text(text) if !text.contains("NAME=http"))
    }
}

/// Fails unless a page of ours says no. By GET, the longest trick does not even reach the endpoint.
#[track_caller]
fn assert_refused(number: u8, answer: &Answer) {
    assert_eq!((number, answer.header("location")), (number, None));
    let too_long = number == 43 && answer.status == StatusCode::URI_TOO_LONG;
    assert!(too_long || answer.status == StatusCode::BAD_REQUEST, "{number}: {} {}", answer.status, answer.body);
    if !too_long {
        assert_page(answer, 400);
    }
}

#[test]
fn the_list_is_whole() {
    let mut numbers: Vec<u8> = tricks().iter().map(|(number, ..)| *number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=45).collect::<Vec<u8>>());
}

on_both_engines! {
    async fn no_trick_gets_past_authorize_by_get_or_post(world) {
        world.user(ADA.0, ADA.1).await;
        for against in Against::ALL {
            let client = against.client(&world).await;
            let mut agent = world.agent();
            agent.sign_in(ADA.0, ADA.1).await;
            let bare = authorize_path(&client, &[("redirect_uri", "")]);
            let query = |sent: &str| format!("{}&{sent}", bare.split_once('?').unwrap().1);
            let good = query(&encoded(&[("redirect_uri", against.registered())]));
            assert!(agent.get(&format!("/authorize?{good}")).await.location().starts_with(against.registered()));
            let grants = count(&world, "grants").await;
            for (number, _, sent) in tricks().into_iter().filter(|(_, other, _)| *other == against) {
                let query = query(&sent.text("redirect_uri"));
                let by_get = agent.get(&format!("/authorize?{query}")).await;
                let by_post = agent.send(Method::POST, "/authorize", &[FORM], Body::from(query)).await;
                for answer in [by_get, by_post] {
                    assert_refused(number, &answer);
                }
            }
            assert_eq!((count(&world, "grants").await, count(&world, "authorization_requests").await), (grants, 0));
        }
    }

    async fn no_trick_redeems_a_code(world) {
        world.user(ADA.0, ADA.1).await;
        for against in Against::ALL {
            let client = against.client(&world).await;
            let mut agent = world.agent();
            let code = agent.callback(&client, ADA, &[]).await.code().to_owned();
            let authentication = client.secret.as_ref().map(|secret| basic(client.id(), secret));
            let headers: Vec<(&str, &str)> = authentication.iter().map(|line| ("authorization", line.as_str())).collect();
            let form = encoded(&[
                ("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER), ("client_id", client.id()),
            ]);
            for (number, _, sent) in tricks().into_iter().filter(|(_, other, _)| *other == against) {
                let answer = token_request(&world, &headers, &format!("{form}&{}", sent.text("redirect_uri"))).await;
                assert_eq!((number, answer.status, answer.header("location")), (number, StatusCode::BAD_REQUEST, None));
                assert!(["invalid_grant", "invalid_request"].contains(&answer.error().as_str()), "{number}: {}", answer.body);
            }
            // None of them has spent it.
            Tokens::of(&client.redeem(&agent, &code).await);
        }
    }

    async fn no_trick_leads_away_from_logout(world) {
        world.user(ADA.0, ADA.1).await;
        for against in Against::ALL {
            let client = against.client(&world).await;
            let mut agent = world.agent();
            let tokens = agent.tokens(&client, ADA, &[]).await;
            let hint = tokens.0["id_token"].as_str().unwrap();
            for known in [vec![("id_token_hint", hint)], vec![("client_id", client.id())], vec![("id_token_hint", hint), ("client_id", client.id())]] {
                for (number, _, sent) in tricks().into_iter().filter(|(_, other, _)| *other == against) {
                    let query = format!("{}&{}", encoded(&known), sent.text("post_logout_redirect_uri"));
                    if sent.says_nothing() {
                        // Then it is a sign-out without an address: nobody is signed in here, and nobody is sent on.
                        let answer = world.agent().get(&format!("/end_session?{query}")).await;
                        assert_eq!((number, answer.header("location")), (number, None));
                        assert_page(&answer, 200);
                        continue;
                    }
                    let by_get = agent.get(&format!("/end_session?{query}")).await;
                    let by_post = agent.send(Method::POST, "/end_session", &[FORM], Body::from(query)).await;
                    for answer in [by_get, by_post] {
                        assert_refused(number, &answer);
                    }
                }
            }
            assert!(signed_in(&mut agent).await, "none of them signs anybody out");
            let good = encoded(&[("id_token_hint", hint), ("post_logout_redirect_uri", against.registered())]);
            assert_eq!(agent.get(&format!("/end_session?{good}")).await.location(), against.registered());
        }
    }

    async fn another_port_of_a_loopback_literal_is_for_codes_alone(world) {
        world.user(ADA.0, ADA.1).await;
        let client = Against::Loopback.client(&world).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&client, ADA, &[]).await;
        let elsewhere = "http://127.0.0.1:49152/cb";
        assert!(agent.authorize(&client, &[("redirect_uri", elsewhere)]).await.location().starts_with(elsewhere));
        let fields = [("id_token_hint", tokens.0["id_token"].as_str().unwrap()), ("post_logout_redirect_uri", elsewhere)];
        assert_page(&agent.get(&format!("/end_session?{}", encoded(&fields))).await, 400);
    }
}
