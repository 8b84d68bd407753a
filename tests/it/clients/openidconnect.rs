//! The `openidconnect` crate, with reqwest. Access tokens, which it leaves to services, are verified by our own crate.

use std::collections::BTreeMap;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType,
    CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreRevocableToken, CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    HttpRequest, HttpResponse, IssuerUrl, LogoutProviderMetadata, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl, RequestTokenError, RevocationUrl, Scope, TokenResponse, UserInfoError,
};
use passant_verifier::Verifier;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::browser::{Browser, http};
use super::{CLIENT_ID, LoggedOut, RESOURCE, Registration, Report, Revoked, SCOPE, Shop};

/// What the metadata has beside the crate's own fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Revocation {
    revocation_endpoint: Option<RevocationUrl>,
}

impl AdditionalProviderMetadata for Revocation {}

type Metadata = ProviderMetadata<
    LogoutProviderMetadata<Revocation>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

on_both_engines! {
    /// crates.io.
    async fn crate_openidconnect(engine) {
        let shop = Shop::open(engine, Registration::BASIC).await;
        shop.judge(&whole_path(&shop).await, &["nonce"]);
    }
}

async fn whole_path(shop: &Shop<'_>) -> Report {
    let Registration { secret, redirect_uri, post_logout_redirect_uri, .. } = shop.client;
    let http = http(shop);
    let mut browser = Browser::new(shop, http.clone());
    let sent = |request: HttpRequest| {
        let http = http.clone();
        async move {
            let answer = http.execute(request.try_into()?).await?;
            let mut response = HttpResponse::new(Vec::new());
            *response.status_mut() = answer.status();
            response.headers_mut().clone_from(answer.headers());
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok::<_, reqwest::Error>(response)
        }
    };

    let issuer = IssuerUrl::new(shop.issuer.url.clone()).unwrap();
    let metadata = Metadata::discover_async(issuer, &sent).await.unwrap();
    let (revocation, end_session) = {
        let more = metadata.additional_metadata();
        (more.additional_metadata.revocation_endpoint.clone(), more.end_session_endpoint.clone())
    };
    let found = metadata.issuer().as_str().to_owned();
    let (id, secret) = (ClientId::new(CLIENT_ID.to_owned()), ClientSecret::new(secret.to_owned()));
    let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
        .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned()).unwrap());
    let request = |prompt: Option<&str>| {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(AuthenticationFlow::<CoreResponseType>::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(SCOPE.split(' ').skip(1).map(|scope| Scope::new(scope.to_owned())))
            .add_extra_param("resource", RESOURCE)
            .set_pkce_challenge(challenge);
        if let Some(prompt) = prompt {
            request = request.add_extra_param("prompt", prompt.to_owned());
        }
        (request.url(), verifier)
    };

    let ((address, state, nonce), verifier) = request(None);
    let callback: BTreeMap<String, String> = browser.visit(address, redirect_uri).await.query_pairs().into_owned().collect();
    assert_eq!((&callback["state"], &callback["iss"]), (state.secret(), &found));
    let code = AuthorizationCode::new(callback["code"].clone());
    let tokens = client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&sent).await.unwrap();
    let id_tokens = client.id_token_verifier();
    let id_token = verified(&tokens, &id_tokens, &nonce);
    let foreign = tokens.id_token().unwrap().claims(&id_tokens, &Nonce::new_random()).unwrap_err();
    let userinfo: CoreUserInfoClaims =
        client.user_info(tokens.access_token().clone(), None).unwrap().request_async(&sent).await.unwrap();

    let old = tokens.refresh_token().unwrap();
    let refreshed = client.exchange_refresh_token(old).unwrap().request_async(&sent).await.unwrap();
    let access_token = refreshed.access_token().secret();
    let service = Verifier::builder().issuer(&found).audience(RESOURCE);
    let key_set = http.get(format!("{found}/jwks.json")).send().await.unwrap().text().await.unwrap();
    service.static_jwks(key_set).build().unwrap().verify(access_token).expect("a service accepts the access token");

    let mut report = Report {
        issuer: found.clone(),
        mixed_up: [("nonce".to_owned(), foreign.to_string())].into(),
        id_token,
        userinfo: object(&userinfo),
        rotated: refreshed.refresh_token().unwrap().secret() != old.secret(),
        refreshed_id_token: refreshed_claims(&refreshed, &id_tokens),
        access_token: payload(access_token),
        revoked: None,
        logged_out: None,
    };

    if let Some(endpoint) = revocation {
        let client = client.clone().set_revocation_url(endpoint);
        let token = refreshed.refresh_token().unwrap();
        client.revoke_token(CoreRevocableToken::from(token)).unwrap().request_async(&sent).await.unwrap();
        let refresh = match client.exchange_refresh_token(token).unwrap().request_async(&sent).await {
            Err(RequestTokenError::ServerResponse(error)) => match error.error() {
                CoreErrorResponseType::InvalidGrant => "invalid_grant".to_owned(),
                other => other.to_string(),
            },
            other => panic!("refreshing after the revocation: {other:?}"),
        };
        let asked = client.user_info(refreshed.access_token().clone(), None).unwrap();
        let asked: Result<CoreUserInfoClaims, _> = asked.request_async(&sent).await;
        let Err(UserInfoError::Response(status, ..)) = asked else { panic!("userinfo after the revocation: {asked:?}") };
        report.revoked = Some(Revoked { refresh, userinfo: status.as_u16() });
    }

    if let Some(endpoint) = end_session {
        let state = CsrfToken::new_random();
        let farewell = LogoutRequest::from(endpoint)
            .set_id_token_hint(tokens.id_token().unwrap())
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(post_logout_redirect_uri.to_owned()).unwrap())
            .set_state(state.clone());
        let goodbye = browser.visit(farewell.http_get_url(), post_logout_redirect_uri).await;
        let answer = browser.visit(request(Some("none")).0.0, redirect_uri).await;
        let parameter = |address: &reqwest::Url, name: &str| {
            address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        report.logged_out = Some(LoggedOut {
            state_returned: &parameter(&goodbye, "state") == state.secret(),
            prompt_none: parameter(&answer, "error"),
        });
    }
    report
}

/// The claims of the ID token, and by its `at_hash` that the access token belongs to it.
fn verified(tokens: &CoreTokenResponse, verifier: &CoreIdTokenVerifier<'_>, nonce: &Nonce) -> Map<String, Value> {
    let id_token = tokens.id_token().expect("there is an ID token");
    let claims = id_token.claims(verifier, nonce).unwrap();
    let (algorithm, key) = (id_token.signing_alg().unwrap(), id_token.signing_key(verifier).unwrap());
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
    assert_eq!(Some(&hash), claims.access_token_hash());
    object(claims)
}

/// A refreshed ID token carries no nonce, for no request asked for it.
fn refreshed_claims(tokens: &CoreTokenResponse, verifier: &CoreIdTokenVerifier<'_>) -> Map<String, Value> {
    let without = |nonce: Option<&Nonce>| nonce.map_or(Ok(()), |_| Err("there is a nonce".to_owned()));
    object(tokens.id_token().expect("there is an ID token").claims(verifier, without).unwrap())
}

fn object(claims: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(claims).unwrap() {
        Value::Object(members) => members,
        other => panic!("claims are an object: {other}"),
    }
}

/// The claims of a token that has been verified.
fn payload(token: &str) -> Map<String, Value> {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let bytes = Base64UrlUnpadded::decode_vec(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
