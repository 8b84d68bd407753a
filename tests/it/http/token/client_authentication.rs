//! Client authentication: exactly one method, and the registered one.

use passant::domain::client::{ClientAuthentication, GrantType};
use passant::secret::TokenHash;
use passant_tests::on_both_engines;
use passant_tests::world::registration;

use super::*;

const GRANT: &str = "grant_type=client_credentials";

async fn client_with_secrets(world: &World, id: &str, secrets: &[&str]) {
    let client = Client::new(registration(id)).unwrap();
    let secrets = secrets.iter().map(|secret| TokenHash::of(secret)).collect();
    clients::create(world.db(), DeclaredClient { client, secrets }, world.app.now()).await.unwrap().unwrap();
}

on_both_engines! {
    async fn each_method_is_refused_for_a_client_registered_for_another(world) {
        let by_header = world.client("by-header", |_| {}).await;
        let by_form = world.client("by-form", |it| it.authentication = ClientAuthentication::SecretPost).await;
        let public = world.public_client("public").await;
        let [header_secret, form_secret] = [&by_header, &by_form].map(|client| client.secret.clone().unwrap());
        let refused = |answer: &Answer| assert_error(answer, 401, "invalid_client");
        for (id, secret) in [("by-form", form_secret.as_str()), ("public", "anything"), ("public", &header_secret)] {
            refused(&token_request(&world, &[("authorization", &basic(id, secret))], GRANT).await);
        }
        for (id, secret) in [("by-header", header_secret.as_str()), ("public", "anything")] {
            refused(&token_request(&world, &[], &format!("{GRANT}&client_id={id}&client_secret={secret}")).await);
        }
        for id in ["by-header", "by-form"] {
            refused(&token_request(&world, &[], &format!("{GRANT}&client_id={id}")).await);
            refused(&token_request(&world, &[], &format!("{GRANT}&client_id={id}&client_secret=")).await);
        }
        refused(&token_request(&world, &[("authorization", &basic("public", ""))], GRANT).await);
        for client in [&by_header, &by_form] {
            assert_eq!(client.token(&world, &[("grant_type", "client_credentials")]).await.status, StatusCode::OK);
        }
        // A public client is recognised, and may not do this.
        assert_error(&public.token(&world, &[("grant_type", "client_credentials")]).await, 400, "unauthorized_client");
    }

    async fn unknown_client_wrong_secret_and_disabled_client_get_one_and_the_same_answer(world) {
        let client = world.client("shop-web", |_| {}).await;
        let gone = world.client("gone", |_| {}).await;
        world.client("by-form", |it| it.authentication = ClientAuthentication::SecretPost).await;
        disable(&world, "clients", "gone").await;
        let gone_secret = gone.secret.clone().unwrap();
        let mut answers = Vec::new();
        for (id, secret) in [
            ("shop-web", "wrong"), ("nobody", "wrong"), ("gone", gone_secret.as_str()), ("shop-web%00", "x"), ("%C3%A9", "x"),
            (&"x".repeat(65), "x"),
        ] {
            answers.push(token_request(&world, &[("authorization", &basic(id, secret))], GRANT).await);
        }
        for id in ["by-form", "nobody", "shop-web", "a%20b"] {
            answers.push(token_request(&world, &[], &format!("{GRANT}&client_id={id}&client_secret=wrong")).await);
        }
        for answer in &answers {
            assert_error(answer, 401, "invalid_client");
            assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="passant", charset="UTF-8""#));
            assert_eq!((&answer.body, comparable(&answer.headers)), (&answers[0].body, comparable(&answers[0].headers)));
        }
        assert_eq!(client.token(&world, &[("grant_type", "client_credentials")]).await.status, StatusCode::OK);
    }

    async fn id_and_secret_in_the_header_are_form_encoded(world) {
        let secret = "p:%+ &=/\u{e9}~\u{1f511}\"";
        client_with_secrets(&world, "odd~client.1", &[secret]).await;
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let right = basic(&encode("odd~client.1"), &encode(secret));
        assert_eq!(token_request(&world, &[("authorization", &right)], GRANT).await.status, StatusCode::OK);
        let as_percent = basic("odd%7Eclient%2E1", &encode(secret).replace('+', "%20"));
        assert_eq!(token_request(&world, &[("authorization", &as_percent)], GRANT).await.status, StatusCode::OK);
        let raw = basic("odd~client.1", secret);
        assert_error(&token_request(&world, &[("authorization", &raw)], GRANT).await, 401, "invalid_client");
    }

    async fn two_secrets_are_good_at_once(world) {
        client_with_secrets(&world, "rotating", &["old-secret", "new-secret"]).await;
        for secret in ["old-secret", "new-secret"] {
            let answer = token_request(&world, &[("authorization", &basic("rotating", secret))], GRANT).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        for secret in ["old-secretnew-secret", "", "Old-secret"] {
            let answer = token_request(&world, &[("authorization", &basic("rotating", secret))], GRANT).await;
            assert_error(&answer, 401, "invalid_client");
        }
    }

    async fn two_methods_at_once_are_refused_whatever_they_say(world) {
        let client = world.client("shop-web", |_| {}).await;
        let secret = client.secret.clone().unwrap();
        let right = basic("shop-web", &secret);
        let both = token_request(&world, &[("authorization", &right)], &format!("{GRANT}&client_secret={secret}")).await;
        assert_error(&both, 400, "invalid_request");
        let other = token_request(&world, &[("authorization", &right)], &format!("{GRANT}&client_id=other")).await;
        assert_error(&other, 400, "invalid_request");
        let twice = token_request(&world, &[("authorization", &right), ("authorization", &right)], GRANT).await;
        assert_error(&twice, 400, "invalid_request");
        let named = token_request(&world, &[("authorization", &right)], &format!("{GRANT}&client_id=shop-web")).await;
        assert_eq!(named.status, StatusCode::OK);
        let empty = token_request(&world, &[("authorization", &right)], &format!("{GRANT}&client_id=&client_secret=")).await;
        assert_eq!(empty.status, StatusCode::OK, "an empty parameter is none");
    }

    async fn header_that_is_no_basic_header_proves_nobody(world) {
        let client = world.client("shop-web", |_| {}).await;
        let right = basic("shop-web", client.secret.as_deref().unwrap());
        let bearer = right.replace("Basic", "Bearer");
        let glued = right.replace("Basic ", "Basic");
        for line in ["", "Basic", "Basic ", "Basic ===", "Basic AA==", "Basic c2hvcC13ZWI=", &bearer, &glued, "Digest x"] {
            let answer = token_request(&world, &[("authorization", line)], &format!("{GRANT}&client_id=shop-web")).await;
            assert_error(&answer, 401, "invalid_client");
        }
        let lower = right.replace("Basic", "bAsIc");
        assert_eq!(token_request(&world, &[("authorization", &lower)], GRANT).await.status, StatusCode::OK);
    }

    async fn client_is_judged_before_anything_it_asks(world) {
        for body in ["", "grant_type=nonsense", "client_id=", "grant_type=authorization_code&code=x", "client_secret=x"] {
            assert_error(&token_request(&world, &[], body).await, 401, "invalid_client");
        }
    }

    async fn public_client_needs_its_id_and_cannot_take_anothers(world) {
        world.user(ADA.0, ADA.1).await;
        let public = world.public_client("spa").await;
        let confidential = world.client("shop-web", |it| {
            it.grant_types = [GrantType::AuthorizationCode, GrantType::RefreshToken].into();
        }).await;
        let mut agent = world.agent();
        let tokens = agent.tokens(&public, ADA, &[]).await;
        assert_eq!(tokens.claims()["client_id"], "spa");
        let theirs = agent.tokens(&confidential, ADA, &[]).await;
        let body = encoded(&[("grant_type", "refresh_token"), ("refresh_token", theirs.refresh()), ("client_id", "shop-web")]);
        assert_error(&token_request(&world, &[], &body).await, 401, "invalid_client");
        let without = encoded(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())]);
        assert_error(&token_request(&world, &[], &without).await, 401, "invalid_client");
        assert_eq!(public.refresh(&agent, tokens.refresh()).await.status, StatusCode::OK);
    }
}
