//! Over TLS, by a certificate authority of the operator's own: the binary, and a verifier that trusts that authority alone.

use passant_tests::authority::Authority;
use passant_tests::issuer::Prepared;
use passant_tests::world::Engine;
use passant_verifier::{BuildError, Given, Reason, Verifier, VerifierBuilder};
use serde_json::Value;

use super::{AUDIENCE, PATIENCE};

const SECRET: &str = "a-secret-like-those-that-passant-makes-0123";

fn verifier_of(issuer: &str) -> VerifierBuilder<Given, Given> {
    Verifier::builder().issuer(issuer).audience(AUDIENCE)
}

async fn trusted_and_followed(engine: Engine) {
    let configuration = format!(
        "[resources]\n{AUDIENCE:?} = \"the orders service\"\n[[clients]]\nid = \"robot\"\nname = \"The robot\"\n\
         authentication = \"client_secret_post\"\nsecret_hash = {:?}\ngrant_types = [\"client_credentials\"]\n\
         resources = [{AUDIENCE:?}]\ndefault_resource = {AUDIENCE:?}\n",
        passant::secret::TokenHash::of(SECRET).as_str()
    );
    let issuer = Prepared::new(engine, &configuration).await.serve().await;
    let root = Authority::of_this_process().root.clone();

    let verifier = verifier_of(&issuer.url).root_certificates(root.clone()).build().unwrap();
    verifier.ready(PATIENCE).await.unwrap();
    let health = verifier.health().revocations.expect("discovery announces the feed");
    assert!(health.tick.is_some(), "{health:?}");

    let http =
        reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(root.as_bytes()).unwrap()]).build().unwrap();
    let post = async |path: &str, fields: &[(&str, &str)]| {
        // Nothing in it needs to be encoded.
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("&{name}={value}")).collect();
        let form = format!("client_id=robot&client_secret={SECRET}{}", fields.concat());
        let request = http.post(format!("{}{path}", issuer.url)).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let token = post("/token", &[("grant_type", "client_credentials")]).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(verifier.verify(&token).unwrap().subject(), "robot");
    post("/revoke", &[("token", &token)]).await;
    let refused = async {
        loop {
            match verifier.verify(&token) {
                Ok(_) => tokio::task::yield_now().await,
                Err(refused) => break refused.reason(),
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, refused).await.expect("the revocation arrives"), Reason::Revoked);

    let other = Authority::another().root;
    for builder in [verifier_of(&issuer.url), verifier_of(&issuer.url).root_certificates(other)] {
        let stranger = builder.build().unwrap();
        assert!(stranger.refresh().await.is_err(), "nobody whom it trusts vouches for the issuer");
        assert_eq!(stranger.verify(&token).unwrap_err().reason(), Reason::KeysMissing);
    }
    for nothing in ["", "no certificate", &Authority::of_this_process().private_key] {
        let built = verifier_of(&issuer.url).root_certificates(nothing).build();
        assert_eq!(built.err(), Some(BuildError::RootCertificates));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    trusted_and_followed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    trusted_and_followed(Engine::Postgres).await;
}
