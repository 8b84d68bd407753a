//! Each act as the public does it. A cause without an act does not compile.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use passant::domain::causes::Cause;
use passant::store::{feed_head, registrations};
use passant_tests::world::{Agent, Answer};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{ADA, NEXT};

/// What the act answered.
#[derive(Default)]
pub(super) struct Done {
    /// The tick it told, where it is one that tells.
    pub(super) told: Option<i64>,
    /// The shop's secret from now on.
    pub(super) secret: Option<String>,
    /// A browser in which the act signed somebody in.
    pub(super) agent: Option<Agent>,
}

/// What has to be so before the act.
pub(super) async fn prepare(scene: &mut Scene, cause: Cause) {
    if cause == Cause::ClientCreated {
        let (id, origin) = (scene.shop.client.id.clone(), scene.shop.client.origin);
        registrations::remove(scene.world.db(), id, origin, scene.world.app.now()).await.unwrap().expect("the shop was there");
    }
}

pub(super) async fn act(scene: &mut Scene, cause: Cause) -> Done {
    match cause {
        Cause::AccessTokenRevoked => told(&revoke(scene, scene.tokens.access()).await),
        Cause::RefreshTokenRevoked => told(&revoke(scene, scene.tokens.refresh()).await),
        Cause::CodeReplayed => {
            assert!(scene.redeems(&scene.used_code).await.is_none());
            Done::default()
        }
        Cause::RefreshTokenReplayed => {
            assert!(scene.refreshes(&scene.used_refresh).await.is_none());
            Done::default()
        }
        Cause::GrantEnded => command(scene, &["grants", "end", &scene.gid()]),
        Cause::ConsentWithdrawn => told(&press(&mut scene.here, "/account/applications/withdraw", &[("client", "shop")]).await),
        Cause::ConsentWithdrawnByOperator => command(scene, &["consents", "revoke", "--user", ADA.0, "--client", "shop"]),
        Cause::LoggedOut => told(&press(&mut scene.here, "/logout", &[]).await),
        Cause::LoggedOutByApplication => {
            let hint = scene.tokens.0["id_token"].as_str().unwrap().to_owned();
            let answer = scene.here.get(&format!("/end_session?id_token_hint={hint}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            Done::default()
        }
        Cause::SessionEnded => {
            let sid = scene.sid();
            told(&press(&mut scene.there, "/account/sessions/end", &[("session", &sid)]).await)
        }
        Cause::SessionEndedByOperator => command(scene, &["sessions", "end", "--", &scene.sid()]),
        Cause::SessionEvicted => {
            let mut agent = scene.world.agent();
            scene.world.advance(Duration::from_secs(1));
            assert_eq!(agent.sign_in(ADA.0, ADA.1).await.location(), "/");
            Done { agent: Some(agent), ..Done::default() }
        }
        Cause::LoggedOutEverywhere => told(&press(&mut scene.here, "/account/sessions/end-all", &[]).await),
        Cause::LoggedOutByOperator => command(scene, &["sessions", "end", "--user", ADA.0, "--all"]),
        Cause::OtherSessionsEnded => told(&press(&mut scene.here, "/account/sessions/end-others", &[]).await),
        Cause::PasswordChanged => {
            scene.world.secrets.collect("password", NEXT);
            told(&press(&mut scene.here, "/account/password", &[("current", ADA.1), ("new", NEXT)]).await)
        }
        Cause::PasswordSet => {
            scene.world.secrets.collect("password", NEXT);
            let (succeeded, document) =
                scene.world.try_command(&["users", "set-password", ADA.0, "--password-stdin"], &format!("{NEXT}\n"));
            assert!(succeeded, "{document}");
            of(&document)
        }
        Cause::UserDisabled => command(scene, &["users", "disable", ADA.0]),
        Cause::UserDeleted => command(scene, &["users", "delete", ADA.0]),
        Cause::ClientCreated => {
            let redirect_uri = scene.shop.redirect_uri().to_owned();
            let mut all = vec!["clients", "add", "shop", "--name", "The shop", "--redirect-uri", &redirect_uri];
            for grant_type in ["authorization_code", "refresh_token", "client_credentials"] {
                all.extend(["--grant-type", grant_type]);
            }
            for scope in ["openid", "profile", "orders:read"] {
                all.extend(["--scope", scope]);
            }
            all.extend(["--resource", "https://api.example.com", "--default-resource", "https://api.example.com"]);
            command(scene, &all)
        }
        Cause::ClientDisabled => command(scene, &["clients", "disable", "shop"]),
        Cause::ClientRemoved => command(scene, &["clients", "remove", "shop"]),
        Cause::ClientPruned => command(scene, &["clients", "apply", "--prune"]),
        Cause::SecretLeaked => command(scene, &["clients", "rotate-secret", "shop", "--leaked"]),
        Cause::KeyRevoked => command(scene, &["keys", "revoke", &scene.kid()]),
        Cause::AllKeysRevoked => command(scene, &["keys", "revoke", "--all"]),
        Cause::EverythingRevoked => command(scene, &["revoke-everything", "--yes"]),
        Cause::HistoryContradicted => {
            let head = feed_head::read(&mut scene.world.db().reader().await.unwrap().conn()).await.unwrap();
            let lost = json!({ "iss": scene.issuer(), "feed": head.feed_id, "tick": head.tick.get() + 1, "chain": "lost" });
            let (message, _) = scene.world.app.keys.sign(scene.world.app.now(), passant::feed::TYPE, &lost).unwrap();
            let headers = [("content-type", "application/passant-revocations+jwt")];
            let answer = scene.world.agent().send(Method::POST, "/revocations/proof", &headers, Body::from(message)).await;
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "contradiction": true })), "{}", answer.body);
            Done::default()
        }
    }
}

async fn revoke(scene: &Scene, token: &str) -> Answer {
    scene.shop.post(&scene.world, "/revoke", &[("token", token)]).await
}

/// A form of the page at `/`, sent by a program in the browser.
async fn press(agent: &mut Agent, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = agent.get("/").await.field("csrf").unwrap();
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let origin = agent.world().app.config.issuer.origin().to_owned();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", &origin), ("accept", "application/json")];
    agent.send(Method::POST, path, &headers, Body::from(body)).await
}

fn told(answer: &Answer) -> Done {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    of(&answer.json())
}

fn command(scene: &Scene, arguments: &[&str]) -> Done {
    of(&scene.world.command(arguments))
}

fn of(document: &Value) -> Done {
    let secret = document["client_secret"].as_str().map(str::to_owned);
    assert!(secret.is_some() || document["effective_within"] == 1, "{document}");
    Done { told: Some(document["tick"].as_i64().expect("the tick is told")), secret, agent: None }
}
