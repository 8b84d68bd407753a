//! Rows to begin with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use passant::domain::authorization_request::{AuthorizationRequest, Prompt};
use passant::domain::client::Client;
use passant::domain::grant::Grant;
use passant::domain::ids::{ClientId, GrantId, KeyId, SessionId, Tick, UserId};
use passant::domain::password::PasswordHash;
use passant::domain::session::Session;
use passant::domain::signing_key::{Schedule, SigningKey};
use passant::domain::user::Username;
use passant::secret::{OpaqueToken, TokenHash, random_id};
use passant::store::authorization_requests::{self, KeptRequest, Room};
use passant::store::clients::{self, DeclaredClient};
use passant::store::codes::{self, Redeemed, Redemption};
use passant::store::grants::{self, Approval, Approved};
use passant::store::refresh_tokens::NewRefreshToken;
use passant::store::sessions::{self, Created, NewSession};
use passant::store::users::{self, NewUser};
use passant::store::{Db, feed_head};
use passant_tests::world::{VERIFIER, challenge, registration};

use super::NOW;

pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const REDIRECT_URI: &str = "https://shop.example.com/cb";

/// A name that nobody has, fit for users and clients.
pub(super) fn fresh_name() -> String {
    static NAMES: AtomicU64 = AtomicU64::new(1);
    format!("name{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// The hash of a token that nobody has.
pub(super) fn fresh_hash() -> TokenHash {
    OpaqueToken::random("").hash()
}

/// A text where a password's hash goes; nobody computes one here.
pub(super) fn password_hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text.to_owned())
}

pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::random(),
        username: Username::parse(name).unwrap(),
        name: Some("Ada Lovelace".to_owned()),
        email: Some("ada@example.com".to_owned()),
        password_hash: Some(password_hash("first")),
        administrator: false,
        created_at: NOW,
    }
}

/// Creates a user with a fresh name and the password hash `first`.
pub(super) async fn user(db: &Db) -> NewUser {
    let user = new_user(&fresh_name());
    assert!(users::create(db, user.clone()).await.unwrap());
    user
}

pub(super) fn declared(id: &str) -> DeclaredClient {
    DeclaredClient { client: Client::new(registration(id)).unwrap(), secrets: vec![fresh_hash()] }
}

/// Registers a client; its cut-off is the answered tick.
pub(super) async fn client(db: &Db) -> (DeclaredClient, Tick) {
    let declared = declared(&fresh_name());
    let tick = clients::create(db, declared.clone(), NOW).await.unwrap().unwrap();
    (declared, tick)
}

pub(super) fn new_session(user: &UserId, born: Tick) -> NewSession {
    NewSession {
        session: Session {
            id: SessionId::random(),
            user_id: user.clone(),
            born,
            auth_time: NOW,
            amr: vec!["pwd".to_owned()],
            last_seen_at: NOW,
            idle_until: NOW + HOUR,
            expires_at: NOW + HOUR * 2,
        },
        cookie_hash: fresh_hash(),
        user_agent: Some("a browser".to_owned()),
        address: Some("192.0.2.1".to_owned()),
    }
}

/// Creates a session that is born now.
pub(super) async fn session(db: &Db, user: &UserId) -> NewSession {
    let session = new_session(user, read!(db, conn => feed_head::read(conn)).tick);
    assert_eq!(sessions::create(db, session.clone(), None).await.unwrap(), Created::Done);
    session
}

pub(super) fn new_approval(user: &UserId, client: &ClientId, session: &SessionId, born: Tick) -> Approval {
    Approval {
        grant: Grant {
            id: GrantId::random(),
            user_id: user.clone(),
            client_id: client.clone(),
            session_id: session.clone(),
            scopes: "openid orders:read".parse().unwrap(),
            resources: vec!["https://api.example.com".parse().unwrap()],
            born,
            auth_time: NOW,
            amr: vec!["pwd".to_owned(), "otp".to_owned()],
            claims: Default::default(),
            refresh_until: NOW + HOUR * 3,
        },
        code_hash: fresh_hash(),
        redirect_uri: REDIRECT_URI.to_owned(),
        code_challenge: Some(challenge().to_owned()),
        nonce: Some("nonce".to_owned()),
        code_expires_at: NOW + Duration::from_secs(60),
        answers: None,
        remember: None,
        room: 60,
        now: NOW,
    }
}

/// Approves something with a user, a client and a session of its own; all are alive.
pub(super) async fn approval(db: &Db) -> Approval {
    approval_with(db, "openid orders:read").await
}

/// The same with these scopes.
pub(super) async fn approval_with(db: &Db, scopes: &str) -> Approval {
    let (user, (client, _)) = (user(db).await, client(db).await);
    let session = session(db, &user.id).await.session;
    let mut approval = new_approval(&user.id, &client.client.id, &session.id, session.born);
    approval.grant.scopes = scopes.parse().unwrap();
    assert_eq!(grants::approve(db, approval.clone()).await.unwrap(), Approved::Written);
    approval
}

pub(super) fn new_refresh_token() -> NewRefreshToken {
    NewRefreshToken { token_hash: fresh_hash(), idle: HOUR, now: NOW }
}

/// The right redemption of an approval's code.
pub(super) fn redemption(approval: &Approval) -> Redemption {
    Redemption {
        code_hash: approval.code_hash.clone(),
        client_id: approval.grant.client_id.clone(),
        redirect_uri: Some(approval.redirect_uri.clone()),
        code_verifier: Some(VERIFIER.to_owned()),
        asked: Default::default(),
        refresh: Some(new_refresh_token()),
        now: NOW,
    }
}

/// Approves, redeems, and answers the grant with its first refresh token.
pub(super) async fn family(db: &Db) -> (Grant, TokenHash) {
    let approval = approval(db).await;
    let redemption = redemption(&approval);
    let token = redemption.refresh.clone().unwrap().token_hash;
    assert!(matches!(codes::redeem(db, redemption).await.unwrap(), Redeemed::Tokens { .. }));
    (approval.grant, token)
}

pub(super) fn kept(browser: Option<TokenHash>) -> KeptRequest {
    KeptRequest {
        handle_hash: fresh_hash(),
        browser_hash: browser,
        followed: false,
        request: AuthorizationRequest {
            client_id: ClientId::new("shop"),
            redirect_uri: REDIRECT_URI.to_owned(),
            state: Some("state".to_owned()),
            nonce: None,
            scopes: "openid".parse().unwrap(),
            resources: vec![],
            code_challenge: Some(challenge().to_owned()),
            prompt: Prompt::default(),
            max_age: Some(60),
            claims: Default::default(),
            hinted_user: None,
            response_mode: Default::default(),
            login_hint: None,
        },
        created_at: NOW,
        expires_at: NOW + HOUR,
    }
}

/// A lane of its own, with room for many.
pub(super) fn room() -> Room {
    Room { lane: fresh_hash(), of_lane: 1_000, of_all: 100_000 }
}

/// Keeps a request, claimed or not.
pub(super) async fn keep(db: &Db, browser: Option<TokenHash>) -> KeptRequest {
    let kept = kept(browser);
    assert_eq!(authorization_requests::keep(db, kept.clone(), room()).await.unwrap(), 0);
    kept
}

/// Epochs are handed in: the row is unique by it.
pub(super) fn signing_key(epoch: i64) -> SigningKey {
    SigningKey {
        kid: KeyId::new(random_id()),
        epoch,
        schedule: schedule(),
        revoked_at: None,
        public_jwk: "{}".to_owned(),
        sealed_private_key: "sealed".to_owned(),
        master_key_id: "master".to_owned(),
    }
}

pub(super) fn schedule() -> Schedule {
    Schedule { published_from: NOW, signs_from: NOW + HOUR, signs_until: NOW + HOUR * 2, published_until: NOW + HOUR * 3 }
}
